"""The hyper loss: from the fits of all folds to the number that the scan minimises (arXiv:2410.16248, sec. 2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperparton.catalogue import STATISTICS
from hyperparton.hyperloss.metrics import Metrics
from hyperparton.runcard.kfold import KFold

__all__ = ["FoldResult", "HyperLoss", "TrialLoss", "convergence_penalty"]

#: the experimental chi2 of a hidden fold costs nothing below this value
_EXPERIMENTAL_TARGET = 2.0
_STATISTICS: Mapping[str, Callable[..., Any]] = {
    "average": np.mean,
    "average_best": np.mean,
    "best_worst": np.max,
    "std": np.std,
}
assert set(_STATISTICS) == set(STATISTICS)


@dataclass(frozen=True)
class FoldResult:
    """The fit of one fold, as the hyper loss needs it; arrays are (rep,)."""

    validation: np.ndarray
    """validation chi2 per point of the data that were fitted"""
    experimental: np.ndarray
    """chi2 per point of the hidden fold"""
    penalties: Mapping[str, np.ndarray]
    hidden: Metrics
    """of the hidden fold, for the best replicas"""
    fitted: Metrics
    """of the data that were fitted, for all replicas"""
    weight: float = 1.0


@dataclass(frozen=True)
class TrialLoss:
    """Loss of a trial; `computed` is the number of folds up to the first one over the threshold, with that one."""

    loss: float
    passed: bool
    computed: int
    fold_losses: tuple[float, ...]
    reason: str | None = None


def convergence_penalty(chi2exp: float, reference: float = 1.2, scale: float = 100.0) -> float:
    """Cost of a fit that does not describe the data it was given: 100 (chi2exp - 1.2) above 1.2, nothing below."""
    excess = chi2exp - reference
    return scale * (excess if excess > 0 else 1e-10 * math.expm1(excess))


@dataclass(frozen=True)
class HyperLoss:
    """Statistics over replicas and folds, as the runcard's `kfold` says.

    With `loss_type: chi2` the loss of a fold has two terms.  The first is the statistic of the validation chi2 over the
    best replicas, the share `reduce_proportion` with the lowest one.  The second is by how much the statistic of the
    experimental chi2 exceeds 2, over the remaining share of the replicas, with the lowest one.  With phi2, logp or
    chi2p the loss is that metric of the hidden fold.  With phi2 the loss of a trial is the reciprocal of the statistic
    over folds.
    """

    kfold: KFold

    def best_replicas(self, validation: np.ndarray) -> np.ndarray:
        """Indices of the proportion of replicas with the lowest validation chi2 (rep,)."""
        return np.argsort(validation, axis=0)[: self.kfold.best(len(validation))]

    def penalised(self, fold: FoldResult) -> np.ndarray:
        """Experimental chi2 (rep,), with the penalties where the runcard wants them in the loss."""
        if not self.kfold.penalties_in_loss:
            return fold.experimental
        return sum(fold.penalties.values(), fold.experimental)

    def fold_loss(self, fold: FoldResult) -> float:
        """Hyper loss of one fold."""
        kfold = self.kfold
        if kfold.loss_type == "chi2p":
            return fold.hidden.chi2
        if kfold.loss_type in ("phi2", "logp"):
            extra = sum(float(np.mean(p)) for p in fold.penalties.values()) if kfold.penalties_in_loss else 0.0
            return getattr(fold.hidden, kfold.loss_type) + extra
        over_replicas = _STATISTICS[kfold.replica_statistic]
        validation = float(over_replicas(fold.validation[self.best_replicas(fold.validation)]))
        experimental = np.sort(self.penalised(fold))
        count = math.ceil((1.0 - kfold.reduce_proportion) * len(experimental))
        covered = float(over_replicas(experimental[: max(count, 1)]))
        return validation + max(covered, _EXPERIMENTAL_TARGET) - _EXPERIMENTAL_TARGET

    def of_replicas(self, folds: Sequence[FoldResult]) -> np.ndarray:
        """(rep,) the loss of a trial with `loss_type: chi2` that had this replica alone: how one fit does."""
        excess = [np.maximum(self.penalised(fold), _EXPERIMENTAL_TARGET) - _EXPERIMENTAL_TARGET for fold in folds]
        losses = [fold.weight * (fold.validation + over) for fold, over in zip(folds, excess, strict=True)]
        return _STATISTICS[self.kfold.fold_statistic](np.asarray(losses, float), axis=0)

    def over_folds(self, losses: Sequence[float]) -> float:
        """The statistic over folds; its reciprocal for phi2, whose large values are the good ones."""
        value = float(_STATISTICS[self.kfold.fold_statistic](np.asarray(losses, float)))
        return 1.0 / value if self.kfold.loss_type == "phi2" else value

    def trial_loss(self, folds: Sequence[FoldResult], threshold: float) -> TrialLoss:
        """Loss of a trial.  A fold over `threshold` fails it: later folds do not count, and the losses so far are
        multiplied by the number of folds left, that one with them."""
        losses: list[float] = []
        reason = None
        for k, fold in enumerate(folds):
            losses.append(fold.weight * self.fold_loss(fold))
            if not losses[-1] <= threshold:
                reason = f"hyper loss {losses[-1]:.4g} of fold {k + 1} is above the threshold {threshold:g}"
                losses = [loss * (len(folds) - k) for loss in losses]
                break
        counted = folds[: len(losses)]
        loss = self.over_folds(losses) + convergence_penalty(float(np.mean([f.fitted.chi2exp for f in counted])))
        return TrialLoss(loss, reason is None, len(losses), tuple(losses), reason)
