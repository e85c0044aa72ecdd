"""Axes for numbers of any size: matplotlib's own arithmetic overflows, or sees no difference, far from 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, NullFormatter, NullLocator

from hyperparton.report.hyperparameters import shares
from hyperparton.report.losses import good_range
from hyperparton.report.plots.style import GREY
from hyperparton.space.samplers import LogUniform, Uniform, is_extreme

__all__ = ["MOST_POINTS", "LossAxis", "NumberAxis", "as_picture", "log_axis"]

Array = np.ndarray

#: numbers that agree in more digits than this are told apart by their shares of the range
_CLOSE = 1e-12

#: points that are shapes of their own at most, and dots per inch of the picture that more of them are
MOST_POINTS, _DPI = 600, 150

#: powers of ten from which there are no ticks between them
_MANY_DECADES = 5.0

#: where such an axis has its labels
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class NumberAxis:
    """An axis for the numbers of a range: they are drawn as they are or, where that fails, as shares of the range."""

    range: Uniform | LogUniform

    @classmethod
    def of(cls, numbers: Iterable[float | None] | Array) -> NumberAxis:
        """A linear axis that holds all of the numbers; NaN and None are none."""
        values = np.array([np.nan if number is None else number for number in numbers], dtype=float)
        values = values[np.isfinite(values)]
        return cls(Uniform("", float(values.min()), float(values.max())) if len(values) else Uniform("", 0.0, 1.0))

    @property
    def by_share(self) -> bool:
        """Whether shares are drawn."""
        low, high = self.range.lower, self.range.upper
        return is_extreme(self.range) or high - low <= _CLOSE * max(abs(low), abs(high))

    def place(self, numbers: Sequence[float] | Array) -> Array:
        """(number,) where numbers of the range are drawn; NaN stays."""
        values = np.asarray(numbers, dtype=float)
        if not self.by_share:
            return values
        return shares(self.range, values)

    def limits(self, margin: float) -> tuple[float, float]:
        """The ends of the axis, a margin (a share of the range) beyond the numbers."""
        if self.by_share:
            return -margin, 1.0 + margin
        if isinstance(self.range, LogUniform):
            more = (self.range.upper / self.range.lower) ** margin
            return self.range.lower / more, self.range.upper * more
        space = margin * (self.range.upper - self.range.lower)
        return self.range.lower - space, self.range.upper + space

    def label(self, axis: Any) -> None:
        """Say the numbers beside the shares; an axis of numbers is left as matplotlib labels it."""
        if self.by_share:
            fixed = self.range.lower == self.range.upper
            shares, digits = ((0.5,), 6) if fixed else (_SHARES, 3 if is_extreme(self.range) else 17)
            axis.set_ticks(shares, [f"{self.range.value_at(share):.{digits}g}" for share in shares])


@dataclass(frozen=True)
class LossAxis:
    """A range of losses that shows how good trials differ; a trial that is far worse is drawn at its upper edge."""

    numbers: NumberAxis
    ceiling: float
    """the greatest loss that is drawn where it is"""
    limits: tuple[float, float]
    """the ends of the axis, as they are drawn"""
    above: int
    """trials beyond it"""

    @classmethod
    def of(cls, losses: Sequence[float] | Array) -> LossAxis:
        """Around the range of good trials."""
        values = np.asarray(losses, dtype=float)
        axis = NumberAxis(Uniform("loss", *good_range(values)))
        low, high = axis.limits(0.06)
        ceiling = axis.range.upper if axis.by_share else high
        return cls(axis, ceiling, (low, high), int(np.sum(values > ceiling)))

    def place(self, losses: Sequence[float] | Array) -> Array:
        """(loss,) where losses are drawn; those above the ceiling lie outside, and NaN stays."""
        values = np.asarray(losses, dtype=float)
        outside = 2.0 * self.limits[1] - self.limits[0]
        return np.where(values > self.ceiling, outside, self.numbers.place(np.minimum(values, self.ceiling)))

    def apply(self, axes: Any, label: str) -> None:
        """Give the vertical axis its ends, its labels and its name."""
        axes.set_ylim(*self.limits)
        self.numbers.label(axes.yaxis)
        axes.set_ylabel(label)
        if self.above:
            word = "trial" if self.above == 1 else "trials"
            axes.set_title(f"▲ {self.above} {word} above the axis", fontsize=7.5, color=GREY, loc="right", pad=3)

    def draw(self, axes: Any, at: Array, losses: Array, of: int = 0, **marks: Any) -> None:
        """Points within the axis, triangles at its edge for those above; `of` so many in the whole figure."""
        inside, above = losses <= self.ceiling, losses > self.ceiling
        dense = as_picture(axes, max(of, len(losses)))
        axes.plot(at[inside], self.place(losses[inside]), linestyle="none", rasterized=dense, **marks)
        if above.any():  # an empty line that is not clipped has no place, and the layout fails on it
            edge = np.full(int(above.sum()), self.limits[1])
            axes.plot(at[above], edge, "^", markersize=4, color=GREY, alpha=0.7, clip_on=False, rasterized=dense)


def as_picture(axes: Any, count: int) -> bool:
    """Whether so many points are one picture in a file, whose text and axes stay text and lines.

    As shapes of their own they would take megabytes, and a browser long to show them.
    """
    if count <= MOST_POINTS:
        return False
    axes.figure.set_dpi(_DPI)
    return True


def log_axis(axis: Any) -> None:
    """A logarithmic axis whose ticks are plain numbers; a short one gets ticks between powers of ten too."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 2.0
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if decades < 1.5:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_locator(_InView(axis, axis.get_major_locator()))
    # over many decades small ticks are a grey bar, and each takes time to place
    axis.set_minor_locator(_InView(axis, axis.get_minor_locator()) if decades < _MANY_DECADES else NullLocator())
    axis.set_minor_formatter(NullFormatter())


class _InView(Locator):
    """The ticks of an axis's own locator that can be seen: those beyond take as long to make and to move."""

    def __init__(self, axis: Any, locator: Locator) -> None:
        self._view, self._locator = axis.get_view_interval, locator

    def set_axis(self, axis: Any) -> None:
        super().set_axis(axis)
        self._locator.set_axis(axis)

    def __call__(self) -> Array:
        ticks = np.asarray(self._locator(), dtype=float)
        low, high = sorted(self._view())
        room = 1.0 + 1e-6  # a tick at the end is drawn, and may be a digit beyond
        return ticks[(ticks >= low / room) & (ticks <= high * room)]

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        return self._locator.nonsingular(v0, v1)

    def view_limits(self, vmin: float, vmax: float) -> tuple[float, float]:
        return self._locator.view_limits(vmin, vmax)
