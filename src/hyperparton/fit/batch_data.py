"""The data of a batch: for each fold and replica the chi2 that trains, the chi2 that stops, and the network's seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hyperparton.fit.chi2 import ReducedChi2, stack
from hyperparton.fit.predictions import Predictions
from hyperparton.fit.program_arrays import Chi2Arrays

__all__ = ["BatchData"]


@dataclass(frozen=True, eq=False)
class BatchData:
    """What the models of a trial are fitted to, one entry per fit (fold and replica)."""

    training: list[ReducedChi2]
    validation: list[ReducedChi2]
    seeds: list[int]
    folds: list[int]
    """number of each entry's fold, from 0; the replicas of a fold follow each other"""
    kept: np.ndarray
    """(feature,) whether the training sees a feature"""
    full: Callable[[Sequence[int]], tuple[BatchData, Predictions]] | None = None
    """of the fast path: from places (fit,), their data and what predicts them by the full tables"""

    @cached_property
    def chi2_arrays(self) -> Chi2Arrays:
        """Training and validation chi2 in single precision, in the features that are kept.

        Where the matrices H of training and validation add up to the same in all replicas of a fold (eigenmodes are
        split), `summed` is that sum (fold, feature, feature), and the validation comes without H; else it is None.
        """
        summed = self._summed()
        own = stack(self.validation, self.kept, matrices=summed is None)
        return Chi2Arrays(stack(self.training, self.kept), own, summed)

    def _summed(self) -> np.ndarray | None:
        first = {fold: i for i, fold in reversed(list(enumerate(self.folds)))}
        if len(first) == len(self.folds):
            return None  # one replica: nothing is shared
        pairs = list(zip(self.training, self.validation, strict=True))
        sums = [pairs[first[fold]][0].hessian + pairs[first[fold]][1].hessian for fold in sorted(first)]
        for (training, validation), fold in zip(pairs, self.folds, strict=True):
            if not np.allclose(training.hessian + validation.hessian, sums[fold], rtol=0.0, atol=1e-9):
                return None
        return np.stack([summed[np.ix_(self.kept, self.kept)] for summed in sums]).astype(np.float32)

    @property
    def origin(self) -> np.ndarray:
        """(feature,) the features around which the chi2 of all models are written."""
        return self.training[0].origin
