"""The data of each fold: what is fitted, what stops the fit, what is hidden.

A fold hides the data sets of one partition from training and validation; the hidden data then judge the fit.
With `overfit` they are fitted all the same; a partition without data sets hides nothing and is judged on all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperparton.data.contents import FitData
from hyperparton.data.masks import DIAGONAL_FRACTION, diagonal_mask, diagonalise, kfold_masks, replica_seeds, training_masks
from hyperparton.errors import DataError
from hyperparton.pdf.convolution import Convolution
from hyperparton.train.chi2 import ReducedChi2, reduce_eigenmodes, reduce_points

__all__ = ["Fold", "SplitSettings", "build_folds"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold; lists have one entry per replica, rows are booleans (dat,)."""

    training: list[ReducedChi2]
    validation: list[ReducedChi2]
    experimental: ReducedChi2
    """chi2 of the hidden data against the measured values"""
    hidden: np.ndarray
    fitted: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class SplitSettings:
    """How data are split into training and validation, by the runcard's own names."""

    replicas: tuple[int, ...]
    """numbers of the replicas, from 1"""
    trvlseed: int
    same_trvl_per_replica: bool = False
    diagonal_basis: bool = True
    diagonal_frac: float = DIAGONAL_FRACTION

    def seeds(self) -> list[int]:
        """The seed of each replica's split."""
        numbers = [1] * len(self.replicas) if self.same_trvl_per_replica else self.replicas
        return [int(seed) for seed in replica_seeds(self.trvlseed, numbers)]


@dataclass(frozen=True, eq=False)
class _Source:
    """What all folds share: the predictions, data to fit per replica, settings."""

    data: FitData
    convolution: Convolution
    fitted_values: np.ndarray
    """(rep, dat): the measured data, or their Monte Carlo replicas"""
    split: SplitSettings

    @property
    def nonlinear(self) -> int:
        return self.convolution.nonlinear_size

    def of_points(self, rows: np.ndarray) -> tuple[list[ReducedChi2], list[ReducedChi2]]:
        """Training and validation chi2 of each replica with points split; residuals outside `rows` are zero."""
        training, validation = [], []
        masks = training_masks(self.data, self.split, self.split.replicas)
        for mask, values in zip(masks, self.fitted_values, strict=True):
            for chosen, into in ((mask, training), (~mask, validation)):
                into.append(reduce_points(self.convolution.matrix, values, self.data.covmat, chosen, rows, self.nonlinear))
        return training, validation

    def of_eigenmodes(self, rows: np.ndarray) -> tuple[list[ReducedChi2], list[ReducedChi2]]:
        """The same with eigenmodes of the correlation matrix split; data outside `rows` take no part in them.

        (n3fit applies the mask of a fold, made for points, to eigenmodes; that hides other data than the fold's.)
        """
        matrix = self.convolution.matrix[rows]
        modes = diagonalise(self.data.covmat[np.ix_(rows, rows)])
        training, validation = [], []
        for seed, central in zip(self.split.seeds(), self.fitted_values, strict=True):
            mask = diagonal_mask(len(modes.eigenvalues), seed, self.split.diagonal_frac)
            for chosen, into in ((mask, training), (~mask, validation)):
                into.append(reduce_eigenmodes(matrix, central[rows], modes, chosen, self.nonlinear))
        return training, validation


def build_folds(
    data: FitData,
    convolution: Convolution,
    fitted_values: np.ndarray,
    split: SplitSettings,
    partitions: Sequence[Any] | None,
) -> list[Fold]:
    """One fold per partition, or a single one that hides nothing without `partitions`.

    `convolution` gives the predictions, `fitted_values` (rep, dat) the values to fit.  A partition has
    `datasets`, `overfit` and `weight`.  Raises DataError where a fold leaves nothing to fit.
    """
    source = _Source(data, convolution, fitted_values, split)
    everything = np.ones(data.ndata, bool)
    if partitions is None:
        return [_fold(source, everything, everything, everything, 1.0)]
    folds = []
    for partition, kept in zip(partitions, kfold_masks(data, partitions), strict=True):
        if not kept.any():
            raise DataError(f"the partition {list(partition.datasets)} hides all {data.ndata} points: nothing to fit")
        hidden = everything if kept.all() else ~kept
        trained = everything if partition.overfit else kept
        folds.append(_fold(source, trained, hidden, kept, partition.weight))
    return folds


def _fold(source: _Source, trained: np.ndarray, hidden: np.ndarray, fitted: np.ndarray, weight: float) -> Fold:
    split = source.of_eigenmodes if source.split.diagonal_basis else source.of_points
    training, validation = split(trained)
    # without a validation set the training set stops the fit
    validation = [v if v.ndata else t for t, v in zip(training, validation, strict=True)]
    data = source.data
    everything = np.ones(data.ndata, bool)
    experimental = reduce_points(
        source.convolution.matrix, data.central, data.covmat, everything, hidden, source.nonlinear
    )
    return Fold(training, validation, experimental, hidden, fitted, float(weight))
