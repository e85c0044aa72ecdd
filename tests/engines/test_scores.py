"""Normal scores of ranks against those of scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hyperparton.engines.base import scores_of_ranks


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, 1e308, math.inf]) | st.floats(-1e9, 1e9), max_size=40))
def test_scores_are_normal_quantiles_at_the_mean_ranks(values):
    expected = stats.norm.ppf((stats.rankdata(values) - 0.5) / max(len(values), 1))
    assert scores_of_ranks(values) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert np.shape(scores_of_ranks(values)) == (len(values),)
