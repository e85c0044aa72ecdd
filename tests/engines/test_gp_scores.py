"""The scores that the engine gp gives losses: linear among the good half, the same for all bad ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hyperparton.engines.gp_scores import scores_of


def test_linear_up_to_as_far_above_the_median_as_the_best_lies_below():
    losses = np.array([1.0, 1.1, 1.2, 1.25, 1.4, 1.5, 3.0, 1e6, np.inf])
    scores = scores_of(losses)
    # the median of the eight that are finite is 1.4, the least 1.0, so 1.8 is where bad begins
    assert np.diff(scores[:6]) / np.diff(losses[:6]) == pytest.approx(np.full(5, (scores[5] - scores[0]) / 0.5))
    assert scores[6] == scores[7] == scores[8] == pytest.approx(scores[0] + 0.8 * (scores[5] - scores[0]) / 0.5)
    assert np.std(scores) == pytest.approx(1.0)


def test_one_loss_far_below_all_others_hides_no_difference_between_these():
    losses = np.append(np.linspace(1.0, 2.0, 40), -1e9)
    scores = scores_of(losses)
    assert scores[40] == scores.min()
    assert scores[20] - scores[3] > 0.5


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e12, 1e308 / 3])
def test_the_scale_does_not_matter(scale):
    losses = np.array([0.5, 0.7, 0.6, 1.0, 2.9, 0.9, 0.55])
    assert scores_of(scale * losses) == pytest.approx(scores_of(losses), rel=1e-9)


def test_where_more_than_half_are_the_best():
    scores = scores_of(np.array([0.0, 0.0, 0.0, 0.3, 0.9, np.inf]))
    assert scores[0] == scores[1] == scores[2] < scores[3] < scores[4] == scores[5]


@pytest.mark.parametrize("losses", [[], [2.0], [2.0, 2.0], [np.inf, np.inf]])
def test_where_nothing_differs(losses):
    assert scores_of(np.array(losses)).tolist() == [0.0] * len(losses)


@example([-1.0, -1.0, -5.286267993963186e-220])
@example([0.0, 0.0, 5e-324, 1e308])
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=40))
def test_any_losses(losses):
    """Finite scores in the order of the losses."""
    held = np.array(losses)
    held[held == -np.inf] = 0.0
    scores = scores_of(held)
    assert np.isfinite(scores).all()
    assert (np.diff(scores[np.argsort(held)]) >= 0.0).all()
