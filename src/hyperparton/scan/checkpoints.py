"""The checkpoints of one trial: its learning curve is kept, and a trial without a prospect is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hyperparton.errors import TrialPrunedError
from hyperparton.scan.learning_curve import rounded_loss
from hyperparton.scan.pruning import Threshold, reason_to_prune

__all__ = ["Checkpoints"]


class Checkpoints:
    """The function `report` of one trial (see `ReportingTrainer`).

    It keeps the learning curve and compares it with the trial's thresholds.
    """

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self._thresholds = tuple(thresholds)
        self._epochs: list[int] = []
        self._losses: list[float | None] = []
        self._folds: list[list[float | None]] = []

    def __call__(self, epoch: int, loss: float, folds: Sequence[float] = (), epochs: int | None = None) -> None:
        """Keep a checkpoint; raises TrialPrunedError if the trial ends here, ValueError if it goes backwards."""
        if self._epochs and not epoch > self._epochs[-1]:
            raise ValueError(f"checkpoints come in order: epoch {epoch} is reported after {self._epochs[-1]}")
        self._epochs.append(int(epoch))
        self._losses.append(rounded_loss(loss))
        self._folds.append([rounded_loss(value) for value in folds])
        reason = reason_to_prune(self._thresholds, epoch, self._losses[-1])
        if reason is None:
            return
        of = "" if epochs is None else f" of {epochs}"
        pruned = {
            "reason": reason,
            "epoch": int(epoch),
            "epochs": None if epochs is None else int(epochs),
            "epochs_saved": None if epochs is None else max(int(epochs) - int(epoch), 0),
        }
        text = f"pruned at epoch {epoch}{of}: {reason}"
        raise TrialPrunedError(
            text, {"status": "fail", "loss": rounded_loss(loss, 17), "reason": text, "pruned": pruned}
        )

    def anew(self) -> Checkpoints:
        """Those of the same trial from its beginning."""
        return Checkpoints(self._thresholds)

    def add_curve(self, result: dict[str, Any]) -> dict[str, Any]:
        """The trial's result with its learning curve: {epochs, loss, folds}, None for what was not finite."""
        curve: dict[str, Any] = {"epochs": self._epochs, "loss": self._losses}
        if any(self._folds):
            curve["folds"] = self._folds
        return {**result, "curve": curve}
