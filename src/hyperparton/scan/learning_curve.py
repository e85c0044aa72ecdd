"""A trial's learning curve: its loss at the checkpoints and in the end."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LearningCurve", "finite_loss", "loss_scale", "rounded_loss", "significant"]

#: significant digits of a curve's losses, in decisions as in the record
_DIGITS = 6


@dataclass(frozen=True)
class LearningCurve:
    """A trial's losses by epoch."""

    epochs: tuple[int, ...]
    """of the checkpoints, increasing"""
    losses: tuple[float, ...]
    """(checkpoint,) infinite where there was no finite one"""
    final: float | None = None
    """the loss in the end: infinite for a failed trial, None for one that still runs or was pruned"""
    vals: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """the trial's point of the space"""

    @classmethod
    def from_result(cls, result: Mapping[str, Any], vals: Mapping[str, Sequence[Any]]) -> LearningCurve:
        """The curve of a finished trial; it has no checkpoints if the result holds no `curve`."""
        final = None if result.get("pruned") else math.inf
        if result.get("status") == "ok":
            final = finite_loss(result.get("loss"))
        curve = result.get("curve") or {"epochs": (), "loss": ()}
        losses = tuple(finite_loss(value) for value in curve["loss"])
        return cls(tuple(curve["epochs"]), losses, final, vals)

    def at(self, epoch: float) -> float:
        """The loss after `epoch` epochs, interpolated between checkpoints; infinite before the first.

        The final loss stands where the next checkpoint would have been.
        """
        epochs, losses = self.epochs, self.losses
        if self.final is not None and epochs:
            epochs = (*epochs, 2 * epochs[-1] - (epochs[-2] if len(epochs) > 1 else 0))
            losses = (*losses, self.final)
        place = bisect_right(epochs, epoch)
        if not place or place == len(epochs):
            return losses[-1] if place else math.inf
        before, after = losses[place - 1], losses[place]
        way = (epoch - epochs[place - 1]) / (epochs[place] - epochs[place - 1])
        if way == 0.0 or math.inf in (before, after):
            return max(before, after) if way else before
        scale, unscale = loss_scale(before, after)
        return unscale((1.0 - way) * scale(before) + way * scale(after))


def loss_scale(*losses: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """The scale on which losses are compared, and its inverse: logarithmic if all losses are above 0, else linear."""
    return (math.log, math.exp) if min(losses) > 0.0 else (float, float)


def finite_loss(value: Any) -> float:
    """The loss as a number; infinity for None and for whatever is not finite."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.inf


def rounded_loss(value: Any, digits: int = _DIGITS) -> float | None:
    """A loss as curves hold it; None where it is not finite."""
    number = float(value)
    return significant(number, digits) if math.isfinite(number) else None


def significant(number: float, digits: int = _DIGITS) -> float:
    """The number with so many significant digits."""
    return float(f"{number:.{digits}g}")
