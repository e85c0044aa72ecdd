"""The data of each fold: what is fitted, what stops the fit, what is hidden.

A fold hides the data sets of one partition from training and validation; the hidden data then judge the fit.
With `overfit` they are fitted all the same; a partition without data sets hides nothing and is judged on all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.data.masks import diagonal_mask, diagonalise, kfold_masks, training_masks
from hyperparton.data.types import FitData
from hyperparton.errors import DataError
from hyperparton.fit.chi2 import ReducedChi2, cholesky, reduce_points, reduce_rows, split_eigenmodes, whitened
from hyperparton.fit.observables import Convolution
from hyperparton.runcard.card import Partition, Runcard

__all__ = ["Fold", "build_folds"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold; lists have one entry per replica."""

    training: list[ReducedChi2]
    validation: list[ReducedChi2]
    experimental: ReducedChi2
    """chi2 of the hidden data against the measured values"""
    hidden: np.ndarray
    """(dat,) whether the fold is judged by a point"""
    fitted: np.ndarray
    """(dat,) whether a point is not of the fold's partition"""
    weight: float = 1.0


class _Source:
    """What all folds share: the predictions, data to fit per replica, how these are split."""

    def __init__(
        self, data: FitData, convolution: Convolution, fitted_values: np.ndarray, card: Runcard, seeds: list[int]
    ):
        """As `build_folds` has them."""
        self.data, self.convolution, self.fitted_values = data, convolution, fitted_values
        self.card, self.seeds = card, seeds
        #: (dat, dat) the lower factor of the covariance matrix of all data
        self.factor = cholesky(data.covmat, "the data")
        #: (dat, feature + 1) the predictions and the measured data, whitened with it
        self.whitened = whitened(self.factor, np.column_stack([convolution.matrix, data.central]))
        # columns of equal length, so that no feature is lost for its unit
        scale = np.maximum(np.linalg.norm(self.whitened[:, :-1], axis=0), 1e-30)
        columns = self.whitened[:, :-1] / scale
        minimum = np.linalg.lstsq(columns.T @ columns, columns.T @ self.whitened[:, -1], rcond=1e-12)[0]
        #: (feature,) where the measured data have their least chi2
        self.origin = minimum / scale

    def of_points(self, rows: np.ndarray) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """Training and validation chi2 of each replica with points split; residuals outside `rows` (dat,) are zero."""
        matrix, covmat = self.convolution.matrix, self.data.covmat
        masks = training_masks(self.data, self.seeds)
        return [
            (
                reduce_points(matrix, values, covmat, mask, rows, self.origin),
                reduce_points(matrix, values, covmat, ~mask, rows, self.origin),
            )
            for mask, values in zip(masks, self.fitted_values, strict=True)
        ]

    def of_eigenmodes(self, rows: np.ndarray) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """The same with eigenmodes of the correlation matrix split; data outside `rows` (dat,) take no part in them.

        (n3fit applies the mask of a fold, made for points, to eigenmodes; that hides other data than the fold's.)
        """
        modes = diagonalise(self.data.covmat[np.ix_(rows, rows)])
        size = len(modes.eigenvalues)
        masks = [diagonal_mask(size, seed, self.card.diagonal_frac) for seed in self.seeds]
        return split_eigenmodes(self.convolution.matrix[rows], self.fitted_values[:, rows], modes, masks, self.origin)

    def experimental(self, hidden: np.ndarray) -> ReducedChi2:
        """chi2 of the measured data with the residuals of those not `hidden` (dat,) set to zero."""
        if hidden.all():
            return reduce_rows(self.whitened[:, :-1], self.whitened[:, -1], self.origin, len(hidden))
        rows = np.column_stack([self.convolution.matrix, self.data.central]) * hidden[:, None]
        rows = whitened(self.factor, rows)
        return reduce_rows(rows[:, :-1], rows[:, -1], self.origin, int(hidden.sum()))


def build_folds(
    data: FitData,
    convolution: Convolution,
    fitted_values: np.ndarray,
    card: Runcard,
    seeds: list[int],
    partitions: Sequence[Partition] | None,
) -> list[Fold]:
    """One fold per partition, or a single one that hides nothing without `partitions`.

    `convolution` makes the predictions, `fitted_values` (rep, dat) are the values to fit, `seeds` those of the
    replicas' splits.  Raises DataError where a fold leaves nothing to fit.
    """
    source = _Source(data, convolution, fitted_values, card, seeds)
    everything = np.ones(data.ndata, bool)
    if partitions is None:
        return [_fold(source, everything, everything, everything, 1.0)]
    folds = []
    masks = kfold_masks(data, [partition.datasets for partition in partitions])
    for partition, kept in zip(partitions, masks, strict=True):
        if not kept.any():
            raise DataError(f"the partition {list(partition.datasets)} hides all {data.ndata} points: nothing to fit")
        hidden = everything if kept.all() else ~kept
        trained = everything if partition.overfit else kept
        folds.append(_fold(source, trained, hidden, kept, partition.weight))
    return folds


def _fold(source: _Source, trained: np.ndarray, hidden: np.ndarray, fitted: np.ndarray, weight: float) -> Fold:
    split = source.of_eigenmodes if source.card.diagonal_basis else source.of_points
    pairs = split(trained)
    training = [t for t, _ in pairs]
    # without a validation set the training set stops the fit
    validation = [v if v.ndata else t for t, v in pairs]
    return Fold(training, validation, source.experimental(hidden), hidden, fitted, float(weight))
