"""The data of each fold: what is fitted, what stops the fit, what is hidden.

A fold hides the data sets of one partition from training and validation; the hidden data then judge the fit.
With `overfit` they are fitted all the same; a partition without data sets hides nothing and is judged on all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hyperparton.data.masks import diagonal_mask, diagonalise, kfold_masks, training_masks
from hyperparton.data.types import FitData
from hyperparton.errors import DataError
from hyperparton.fit.chi2 import ModeRows, PackedFactor, ReducedChi2, cholesky, reduce_points, reduce_rows, whitened
from hyperparton.fit.condensed import Condensed
from hyperparton.fit.observables import Convolution
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.kfold import Partition

__all__ = ["Fold", "FoldSource", "build_folds"]


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
    trained: np.ndarray
    """(dat,) whether a point is fitted"""
    weight: float = 1.0


class FoldSource:
    """What the folds of all replicas share: the predictions, the measured data, and what follows from a fold's points.

    The last is made when it is first asked for, and kept: a scan builds folds for the replicas of its trials and for
    those of each block of re-fits.
    """

    def __init__(self, data: FitData, convolution: Convolution, card: Runcard):
        """`convolution` makes the predictions."""
        self.data, self.convolution, self.card = data, convolution, card
        #: (dat, dat) the lower factor of the covariance matrix of all data
        self.factor = cholesky(data.covmat, "the data")
        #: (dat, feature + 1) the predictions and the measured data, whitened with it
        self.whitened = whitened(self.factor, np.column_stack([convolution.matrix, data.central]))
        #: (feature,) where the measured data have their least chi2
        self.origin = _minimum(self.whitened)
        #: (dat, feature) the predictions in the features of training and validation, and their (feature,) least chi2
        self.matrix, self.middle = convolution.matrix, self.origin
        self.condensed: Condensed | None = None
        self._modes: dict[bytes, ModeRows] = {}
        self._factors: dict[bytes, PackedFactor] = {}
        self._experimental: dict[bytes, ReducedChi2] = {}

    def by(self, condensed: Condensed) -> FoldSource:
        """The same with the features of `condensed` in training and validation."""
        other = copy(self)
        other.condensed, other.matrix = condensed, condensed.matrix(self.convolution)
        other.middle = _minimum(other.whitened_matrix())
        other._modes, other._factors, other._experimental = {}, {}, {}
        return other

    def whitened_matrix(self) -> np.ndarray:
        """(dat, feature + 1): `matrix` and the measured data, whitened."""
        return whitened(self.factor, np.column_stack([self.matrix, self.data.central]))

    def split(
        self, rows: np.ndarray, pseudodata: np.ndarray | None, seeds: Sequence[int]
    ) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """Training and validation chi2 of each replica, split as the card says; `rows` (dat,) are not hidden."""
        split = self.of_eigenmodes if self.card.diagonal_basis else self.of_points
        return split(rows, pseudodata, seeds)

    def of_points(
        self, rows: np.ndarray, pseudodata: np.ndarray | None, seeds: Sequence[int]
    ) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """Training and validation chi2 of each replica with points split; residuals outside `rows` (dat,) are zero."""
        masks = training_masks(self.data, seeds)
        values = [self.data.central] * len(masks) if pseudodata is None else pseudodata
        keys = {each.tobytes() for mask in masks for each in (mask, ~mask)}
        self._factors = {key: factor for key, factor in self._factors.items() if key in keys}
        reduce = reduce_points if self.condensed is None else self._condensed_points
        return [
            (
                reduce(self.matrix, central, self.data.covmat, mask, rows, self.middle),
                reduce(self.matrix, central, self.data.covmat, ~mask, rows, self.middle),
            )
            for mask, central in zip(masks, values, strict=True)
        ]

    def _condensed_points(
        self,
        matrix: np.ndarray,
        central: np.ndarray,
        covmat: np.ndarray,
        used: np.ndarray,
        kept: np.ndarray,
        origin: np.ndarray,
    ) -> ReducedChi2:
        """`reduce_points` with the factors kept for all folds, and for the chi2 of exact predictions."""
        key = used.tobytes()
        if key not in self._factors:
            self._factors[key] = PackedFactor.of(cholesky(covmat[np.ix_(used, used)], "the points of a fit"))
        factor, chosen = self._factors[key], kept[used][:, None]
        rows = factor.whitened(np.column_stack([matrix[used], central[used]]) * chosen)

        def exact(predictions: np.ndarray) -> np.ndarray:
            return np.sum(factor.whitened((predictions - central).T[used] * chosen) ** 2, axis=0)

        return replace(reduce_rows(rows[:, :-1], rows[:, -1], origin, int(np.sum(used & kept))), exact=exact)

    def of_eigenmodes(
        self, rows: np.ndarray, pseudodata: np.ndarray | None, seeds: Sequence[int]
    ) -> list[tuple[ReducedChi2, ReducedChi2]]:
        """The same with eigenmodes of the correlation matrix split; data outside `rows` (dat,) take no part in them.

        (n3fit applies the mask of a fold, made for points, to eigenmodes; that hides other data than the fold's.)
        """
        key = rows.tobytes()
        if key not in self._modes:
            found = diagonalise(self.data.covmat[np.ix_(rows, rows)])
            matrix, measured = self.matrix[rows], self.data.central[rows]
            whitens = self.card.genrep or self.condensed is not None
            self._modes[key] = ModeRows.build(matrix, measured, found, whitens, self.card.threshold)
        modes, fraction, group = self._modes[key], self.card.diagonal_frac, self.data.datasets[0].group
        masks = [diagonal_mask(len(modes.rows), seed, fraction, group) for seed in seeds]
        values = None if pseudodata is None else pseudodata[:, rows]
        pairs = modes.split(values, masks, self.middle)
        if self.condensed is None:
            return pairs
        exact = zip(masks, modes.targets(values, len(masks)), strict=True)
        return [
            (
                replace(training, exact=partial(modes.exact, rows, mask, target)),
                replace(validation, exact=partial(modes.exact, rows, ~mask, target)),
            )
            for (training, validation), (mask, target) in zip(pairs, exact, strict=True)
        ]

    def experimental(self, hidden: np.ndarray) -> ReducedChi2:
        """chi2 of the measured data with the residuals of those not `hidden` (dat,) set to zero."""
        key = hidden.tobytes()
        if key not in self._experimental:
            self._experimental[key] = self._of_hidden(hidden)
        return self._experimental[key]

    def _of_hidden(self, hidden: np.ndarray) -> ReducedChi2:
        if hidden.all():
            return reduce_rows(self.whitened[:, :-1], self.whitened[:, -1], self.origin, len(hidden))
        rows = np.column_stack([self.convolution.matrix, self.data.central]) * hidden[:, None]
        rows = whitened(self.factor, rows)
        return reduce_rows(rows[:, :-1], rows[:, -1], self.origin, int(hidden.sum()))


def _minimum(rows: np.ndarray) -> np.ndarray:
    """(feature,) where whitened predictions and data, rows (dat, feature + 1), have their least chi2."""
    # columns of equal length, so that no feature is lost for its unit
    scale = np.maximum(np.linalg.norm(rows[:, :-1], axis=0), 1e-30)
    columns = rows[:, :-1] / scale
    return np.linalg.lstsq(columns.T @ columns, columns.T @ rows[:, -1], rcond=1e-12)[0] / scale


def build_folds(
    source: FoldSource, pseudodata: np.ndarray | None, seeds: Sequence[int], partitions: Sequence[Partition] | None
) -> list[Fold]:
    """One fold per partition, or a single one that hides nothing without `partitions`.

    `pseudodata` (rep, dat) are the values to fit, None where all replicas fit the measured data; `seeds` are those of
    the replicas' splits.  Raises DataError where a fold leaves nothing to fit.
    """
    data = source.data
    everything = np.ones(data.ndata, bool)
    if partitions is None:
        return [_fold(source, pseudodata, seeds, everything, everything, everything, 1.0)]
    folds = []
    masks = kfold_masks(data, [partition.datasets for partition in partitions])
    for partition, kept in zip(partitions, masks, strict=True):
        if not kept.any():
            raise DataError(f"the partition {list(partition.datasets)} hides all points ({data.ndata}): nothing to fit")
        hidden = everything if kept.all() else ~kept
        trained = everything if partition.overfit else kept
        folds.append(_fold(source, pseudodata, seeds, trained, hidden, kept, partition.weight))
    return folds


def _fold(
    source: FoldSource,
    pseudodata: np.ndarray | None,
    seeds: Sequence[int],
    trained: np.ndarray,
    hidden: np.ndarray,
    fitted: np.ndarray,
    weight: float,
) -> Fold:
    pairs = source.split(trained, pseudodata, seeds)
    training = [t for t, _ in pairs]
    # without a validation set the training set stops the fit
    validation = [v if v.ndata else t for t, v in pairs]
    return Fold(training, validation, source.experimental(hidden), hidden, fitted, trained, float(weight))
