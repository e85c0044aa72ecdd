"""Where the best trials lie along one hyperparameter: the marginal range of the best quarter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperparton.report.format import shown
from hyperparton.report.hyperparameters import Column

__all__ = ["MarginalRange", "marginal_range"]

#: share of the best trials that their range holds
_HELD = 2 / 3


@dataclass(frozen=True)
class MarginalRange:
    """Numbers: the shortest range with two thirds of the best trials, and that of all. Categories: shares."""

    low: float | None = None
    high: float | None = None
    least: float | None = None
    """of all trials"""
    greatest: float | None = None
    shares: tuple[tuple[str, float, float], ...] = ()
    """category, its share of the best trials and of all, the most frequent among the best first"""

    @property
    def text(self) -> str:
        """Where the best lie, in a few words."""
        if not self.shares:
            return f"{shown(self.low, 3)} to {shown(self.high, 3)}"
        return ", ".join(f"{name} {best:.0%}" for name, best, _ in self.shares if best > 0)

    @property
    def text_of_all(self) -> str:
        """Where all trials lie."""
        if not self.shares:
            return f"{shown(self.least, 3)} to {shown(self.greatest, 3)}"
        return ", ".join(f"{name} {share:.0%}" for name, _, share in self.shares)


def marginal_range(column: Column, best: np.ndarray) -> MarginalRange:
    """The range of the trials `best` (indices), among those to which the hyperparameter applies.

    The shortest range is shortest along the axis on which the hyperparameter is drawn: in the logarithm of one that is
    drawn on a logarithmic axis.
    """
    numbers = column.numbers()
    everything = numbers[column.applies]
    if not column.numeric:
        size = len(column.categories)
        shares = np.bincount(everything.astype(int), minlength=size) / len(everything)
        of_best = np.bincount(numbers[best].astype(int), minlength=size) / len(best)
        order = np.argsort(-of_best, kind="stable")
        return MarginalRange(shares=tuple((column.categories[i], float(of_best[i]), float(shares[i])) for i in order))
    chosen = np.sort(numbers[best])
    along = np.log(chosen) if column.logarithmic else chosen
    if column.extreme:
        along = np.sort(column.scaled()[best])
    count = max(int(np.ceil(_HELD * len(chosen))), 1)
    lengths = along[count - 1 :] - along[: len(along) - count + 1]
    start = int(np.argmin(lengths))
    low, high = float(chosen[start]), float(chosen[start + count - 1])
    return MarginalRange(low, high, float(everything.min()), float(everything.max()))
