"""Which covariance matrix fits, and which one data replicas are drawn with.

Both are made of the measured uncertainties (`covmat.covariance`) in the same steps:

1. what multiplicative uncertainties are fractions of: the t0 predictions, or the measured values;
2. the weights of data sets: C_ij / sqrt(w_i w_j);
3. nothing between groups of data sets;
4. the smallest eigenvalues raised, group by group (`norm_threshold`);
5. a covariance matrix of theory added, if there is one.

The matrix of the fit takes t0 predictions where there are some, that of the replicas unless `use_t0_sampling` is false;
with `separate_multiplicative` it has the additive uncertainties alone.  The experimental matrix, by which the hyper
losses judge, takes none of these steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.data.covmat import covariance, keep_groups, regularised
from hyperparton.data.masks import grouped
from hyperparton.data.types import DataSet, dataset_rows
from hyperparton.runcard.card import Runcard

__all__ = ["Covariances", "TheoryCovariance", "covariances"]


@dataclass(frozen=True, eq=False)
class TheoryCovariance:
    """A covariance matrix of theory and where it counts."""

    matrix: np.ndarray
    """(dat, dat)"""
    in_fitting: bool = True
    in_sampling: bool = True


@dataclass(frozen=True, eq=False)
class Covariances:
    """The three matrices (dat, dat) of a card."""

    fit: np.ndarray
    sampling: np.ndarray
    experimental: np.ndarray


def covariances(
    datasets: Sequence[DataSet], card: Runcard, t0: np.ndarray | None, theory: TheoryCovariance | None = None
) -> Covariances:
    """The matrices of the data sets of a card, with the t0 predictions (dat,) if there are some."""
    experimental = covariance(datasets)
    measured = experimental if t0 is None else covariance(datasets, t0)
    fit = _treated(measured, datasets, card, theory.matrix if theory and theory.in_fitting else None)
    in_sampling = theory.matrix if theory and theory.in_sampling else None
    if card.separate_multiplicative:
        drawn = covariance(datasets, additive_only=True)
    else:
        drawn = measured if card.use_t0_sampling else experimental
    same = drawn is measured and (theory is None or theory.in_fitting == theory.in_sampling)
    sampling = fit if same else _treated(drawn, datasets, card, in_sampling)
    return Covariances(fit, sampling, experimental)


def _treated(covmat: np.ndarray, datasets: Sequence[DataSet], card: Runcard, theory: np.ndarray | None) -> np.ndarray:
    """`covmat` (dat, dat) after the steps 2 to 5."""
    weights = np.repeat([dataset.weight for dataset in datasets], [dataset.ndata for dataset in datasets])
    if card.use_weights_in_covmat and np.any(weights != 1):
        root = np.sqrt(weights)
        covmat = covmat / root[:, None] / root
    groups = list(grouped(datasets).values())
    if len(groups) > 1:
        covmat = keep_groups(covmat, datasets)
    if card.norm_threshold is not None:
        covmat = _regularised(covmat, datasets, groups, card.norm_threshold)
    if theory is not None:
        covmat = covmat + (keep_groups(theory, datasets) if len(groups) > 1 else theory)
    return covmat


def _regularised(
    covmat: np.ndarray, datasets: Sequence[DataSet], groups: Sequence[Sequence[int]], norm_threshold: float
) -> np.ndarray:
    if len(groups) == 1:
        return regularised(covmat, norm_threshold)
    slices, result = list(dataset_rows(datasets).values()), covmat.copy()
    for places in groups:
        rows = np.concatenate([np.arange(slices[place].start, slices[place].stop) for place in places])
        block = np.ix_(rows, rows)
        result[block] = regularised(covmat[block], norm_threshold)
    return result
