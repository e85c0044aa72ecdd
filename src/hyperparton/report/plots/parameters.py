"""Figures of hyperparameters: importance, partial dependence, violins, scatter, parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from hyperparton.report.dependence import Dependence
from hyperparton.report.hyperparameters import Column
from hyperparton.report.importance import HINT, MATTERS, NO_DIFFERENCE, TOO_FEW, Importance
from hyperparton.report.losses import median_of
from hyperparton.report.plots import style
from hyperparton.report.plots.axes import MOST_POINTS, LossAxis, NumberAxis, as_picture, log_axis
from hyperparton.report.plots.style import Figure, mark_best, marks, named, new_figure, styled, touch

__all__ = ["plot_dependence", "plot_importances", "plot_parallel", "plot_planes", "plot_scatter", "plot_violins"]

_SMALL = (3.3, 2.5)

#: letters of a category at most, and categories that are named
_CATEGORY, _MOST_TICKS = 20, 24

#: answer -> fill, hatching and line of its bar
_BARS = {
    MATTERS: (style.BLUE, None, "-"),
    HINT: ("white", "////", "-"),
    NO_DIFFERENCE: ("white", None, "-"),
    TOO_FEW: ("white", None, ":"),
}

#: of an axis beyond the ends of the range, a share of it
_MARGIN = 0.04

#: a distribution of fewer trials is shown by its points alone
_FEWEST = 5


@styled()
def plot_importances(entries: Sequence[Importance]) -> Figure:
    """Divergences as bars that say the answer, with the mark that chance alone stays below in 95 of 100 cases."""
    figure, axes = new_figure(6.4, 0.9 + 0.27 * len(entries))
    places = np.arange(len(entries))[::-1]
    for place, entry in zip(places, entries, strict=True):
        colour, hatch, style_of_line = _BARS[entry.answer]
        axes.barh(
            place, entry.divergence, height=0.62, color=colour, edgecolor=style.BLUE, linewidth=1.0, hatch=hatch,
            linestyle=style_of_line,
        )  # fmt: skip
        axes.plot([entry.chance] * 2, [place - 0.42, place + 0.42], color=style.BLACK, linewidth=1.6)
    axes.plot([], [], color=style.BLACK, linewidth=1.6, label="95 % of random quarters stay below")
    for answer in dict.fromkeys(entry.answer for entry in entries):
        colour, hatch, style_of_line = _BARS[answer]
        axes.barh(
            [np.nan], [np.nan], color=colour, edgecolor=style.BLUE, hatch=hatch, linestyle=style_of_line, label=answer
        )
    axes.set_yticks(places, [named(entry.name) for entry in entries])
    axes.set_xlabel("divergence of the best quarter from all trials")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled()
def plot_dependence(entry: Dependence, label: str, axis: NumberAxis) -> Figure:
    """A partial dependence: a line with its band for numbers, points with bars for categories; losses on `axis`."""
    figure, axes = new_figure(*_SMALL)
    loss, low, high = (axis.place(values) for values in (entry.loss, entry.low, entry.high))
    if entry.column.numeric:
        at = NumberAxis(entry.column.axis).place(np.asarray(entry.at, dtype=float))
        axes.fill_between(at, low, high, color=style.SKY, alpha=0.35, linewidth=0)
        axes.plot(at, loss, color=style.BLUE, linewidth=1.8)
        _number_axis(axes, entry.column)
    else:
        places = np.arange(len(entry.at))
        spread = np.abs(np.array([loss - low, high - loss]))
        axes.errorbar(
            places, loss, yerr=spread, fmt="o", color=style.BLUE, ecolor=style.SKY, elinewidth=4, markersize=6
        )
        _category_ticks(axes, [str(name) for name in entry.at])
    axes.set_xlabel(named(entry.column.name))
    axes.set_ylabel(f"mean {label}")
    axes.set_ylim(*axis.limits(0.05))
    axis.label(axes.yaxis)
    return figure


def _number_axis(axes: Any, column: Column) -> None:
    """Scale, ends and ticks of the axis of a number; dotted lines at the ends of the range from which it was drawn."""
    axis = NumberAxis(column.axis)
    axes.set_xlim(*axis.limits(_MARGIN))
    if column.sampled is not None:
        for end in axis.place([column.sampled.lower, column.sampled.upper]):
            axes.axvline(end, color=style.GREY, linewidth=0.9, linestyle=":", zorder=1)
    if axis.by_share:
        axis.label(axes.xaxis)
    elif column.logarithmic:
        log_axis(axes.xaxis)
    elif all(float(value).is_integer() for value in column.values if value is not None):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


@styled()
def plot_violins(column: Column, losses: np.ndarray, label: str) -> Figure:
    """The losses (trial,) of each category; NaN for trials without one."""
    figure, axes = new_figure(*_SMALL)
    axis = LossAxis.of(losses)
    numbers = column.numbers
    for k in range(len(column.categories)):
        members = losses[(numbers == k) & np.isfinite(losses)]
        inside = axis.place(members[members <= axis.ceiling])
        # of losses that are all but equal there is no distribution
        if len(inside) >= _FEWEST and np.ptp(inside) > 1e-6 * (axis.limits[1] - axis.limits[0]):
            drawn = axes.violinplot([inside], positions=[k], widths=0.8, showextrema=False)
            for body in drawn["bodies"]:
                body.set(facecolor=style.SKY, edgecolor=style.BLUE, alpha=0.5)
        if len(members):
            middle = axis.place([median_of(members.tolist())])[0]
            if middle < axis.limits[1]:
                axes.plot([k - 0.25, k + 0.25], [middle, middle], color=style.BLACK, linewidth=1.6)
            else:  # above the axis
                edge = axis.limits[1]
                axes.plot([k - 0.25, k + 0.25], [edge, edge], color=style.BLACK, linewidth=1.6, clip_on=False)
                axes.plot([k], [edge], "^", color=style.BLACK, markersize=6, clip_on=False, zorder=6)
        at, size = k + _spread(len(members)), 2.5 if len(losses) < 300 else 1.5
        axis.draw(axes, at, members, len(losses), marker="o", color=style.GREY, markersize=size, alpha=0.7)
    _mark_best(axes, numbers, losses, axis)
    counts = [int(np.sum((numbers == k) & np.isfinite(losses))) for k in range(len(column.categories))]
    _category_ticks(axes, column.categories, [f"\n({count})" for count in counts])
    axes.set_xlabel(named(column.name))
    axis.apply(axes, label)
    return figure


def _spread(count: int) -> np.ndarray:
    """Places beside each other that look random and are the same every time: multiples of the golden ratio."""
    return 0.36 * (np.modf(0.618034 * np.arange(count))[0] - 0.5)


def _mark_best(axes: Any, at: np.ndarray, losses: np.ndarray, axis: LossAxis) -> None:
    usable = np.where(np.isfinite(at), losses, np.nan)
    if np.isfinite(usable).any() and np.nanmin(usable) == np.nanmin(losses):
        best = int(np.nanargmin(usable))
        mark_best(axes, at[best], axis.place([losses[best]])[0], zorder=5)


def _category_ticks(axes: Any, categories: Sequence[str], below: Sequence[str] = ()) -> None:
    """The names of the categories, of very many only some, each with what stands below it."""
    each = math.ceil(len(categories) / _MOST_TICKS)
    names = [named(name, _CATEGORY) for name in categories]
    tilted = max(map(len, names)) * len(names) > 34
    texts = [name + more for name, more in zip_longest(names, below, fillvalue="")]
    axes.set_xticks(
        range(0, len(names), each), texts[::each], rotation=35 if tilted else 0, ha="right" if tilted else "center"
    )
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", visible=False)


@styled()
def plot_scatter(column: Column, losses: np.ndarray, label: str, groups: Column | None = None) -> Figure:
    """Losses (trial,) against a number, with a colour and a marker per group of trials."""
    figure, axes = new_figure(*_SMALL)
    axis = LossAxis.of(losses)
    numbers = NumberAxis(column.axis).place(column.numbers)
    usable = np.isfinite(numbers) & np.isfinite(losses)
    names = groups.categories if groups is not None else ("",)
    place = groups.numbers if groups is not None else np.zeros(len(numbers))
    drawn = 0
    for k, name in enumerate(names):
        members = usable & (place == k)
        if not members.any():
            continue
        drawn += 1
        size = 3.5 if len(losses) < 300 else 2.0
        looks = {"markersize": size, "alpha": 0.75, "label": named(name), **marks(k)}
        axis.draw(axes, numbers[members], losses[members], len(losses), **looks)
    _number_axis(axes, column)
    _mark_best(axes, numbers, losses, axis)
    axes.set_xlabel(named(column.name))
    axis.apply(axes, label)
    if len(losses) <= MOST_POINTS:
        touch(axes, numbers, np.where(usable, np.fmin(axis.place(losses), axis.limits[1]), np.nan))
    if groups is not None and drawn > 1:
        figure.legend(loc="outside upper center", ncols=3, fontsize=7.5, handletextpad=0.2, columnspacing=0.9)
    return figure


@styled()
def plot_parallel(columns: Sequence[Column], losses: np.ndarray, label: str, most: int = 300) -> Figure:
    """Each trial a line through its hyperparameters to its loss, its colour; losses (trial,), NaN left out."""
    figure, axes = new_figure(max(6.8, 0.75 * len(columns) + 1.6), 3.6)
    axis, last = LossAxis.of(losses), len(columns)
    shades = _shades(losses, axis)
    order = [i for i in np.argsort(losses) if np.isfinite(losses[i])]
    scaled = np.array(
        [column.scaled if column.numeric else column.numbers / max(len(column.categories) - 1, 1) for column in columns]
    )
    best = min(max(len(order) // 10, 1), 30)
    for rank, i in reversed(list(enumerate(order[:most]))):
        good = rank < best
        color, width, alpha = shades[i], *((1.3, 0.9) if good else (0.6, 0.45))
        if rank == 0:
            color, width, alpha = style.ORANGE, 2.4, 1.0
        points = [*np.where(np.isnan(scaled[:, i]), -0.12, scaled[:, i]), _height(float(losses[i]), axis)]
        axes.plot(range(last + 1), points, color=color, linewidth=width, alpha=alpha, zorder=3 if good else 2)
    axes.plot([], [], color=style.ORANGE, linewidth=2.4, label=f"best {label}")
    axes.plot([], [], color=_SHADES(0.0), linewidth=1.3, label="good")
    axes.plot([], [], color=_SHADES(1.0), linewidth=1.3, label="bad")
    axes.axvline(last, color=style.BLACK, linewidth=1.0, zorder=1)
    ends = (axis.numbers.range.lower, axis.ceiling)
    for height, value in zip((_height(ends[0], axis), 1.0), ends, strict=True):
        more = "≥ " if height == 1.0 and axis.above else ""
        axes.text(last + 0.04, height, f"{more}{value:.4g}", fontsize=6.5, va="center", zorder=6, bbox=_PLATE)
    for k, column in enumerate(columns):
        axes.axvline(k, color="#AAAAAA", linewidth=0.8, zorder=1)
        for height, text in _axis_labels(column):
            axes.text(k + 0.04, height, text, fontsize=6.5, va="center", zorder=6, bbox=_PLATE)
    if any(not column.applies.all() for column in columns):
        axes.text(-0.45, -0.12, "n/a", fontsize=6.5, va="center", color=style.GREY)
    names = [*(named(column.name) for column in columns), label]
    axes.set_xticks(range(last + 1), names, rotation=30, ha="right")
    axes.set_yticks([])
    axes.set_ylim(-0.18, 1.06)
    axes.set_xlim(-0.5, last + 0.7)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


#: from good to bad; as grey it goes from dark to light
_SHADES = LinearSegmentedColormap.from_list("losses", ["#08306B", "#2171B5", "#6BAED6", "#C6DBEF"])


def _height(loss: float, axis: LossAxis) -> float:
    """Where a loss lies on an upright axis from 0 to 1, at 1 if it is above the ceiling."""
    low, high = axis.limits
    return float(np.clip((axis.place([loss])[0] - low) / (high - low), 0.0, 1.0))


def _shades(losses: np.ndarray, axis: LossAxis) -> list[Any]:
    """The colour of each loss."""
    return [_SHADES(_height(loss, axis)) if np.isfinite(loss) else style.GREY for loss in losses.tolist()]


@styled()
def plot_planes(names: Sequence[str], numbers: Sequence[np.ndarray]) -> Figure:
    """Of trials, best first, loss against χ² and 1/phi2 of the hidden data, and these against each other.

    `names` and `numbers`, (trial,) each, are of the loss, of χ² and of 1/phi2.
    """
    figure, drawn = new_figure(7.2, 2.9, 3)
    axis = LossAxis.of(numbers[0])
    shades, scales = _shades(numbers[0], axis), [LossAxis.of(values) for values in numbers]
    for axes, (across, up) in zip(drawn, ((1, 0), (2, 0), (2, 1)), strict=True):
        at, above = scales[across], scales[up]
        x = np.fmin(at.place(numbers[across]), at.limits[1])
        y = np.fmin(above.place(numbers[up]), above.limits[1])
        looks = {"s": 12, "edgecolors": "none", "clip_on": False, "zorder": 3, "rasterized": as_picture(axes, len(x))}
        axes.scatter(x[::-1], y[::-1], c=shades[::-1], **looks)
        mark_best(axes, x[0], y[0], zorder=5)
        touch(axes, x, y)
        axes.set(xlim=at.limits, ylim=above.limits, xlabel=names[across], ylabel=names[up])
        at.numbers.label(axes.xaxis)
        above.numbers.label(axes.yaxis)
    return figure


_PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}


def _axis_labels(column: Column) -> list[tuple[float, str]]:
    if not column.numeric:
        last = max(len(column.categories) - 1, 1)
        each = math.ceil(len(column.categories) / _MOST_TICKS)
        return [(i / last, named(name, _CATEGORY)) for i, name in enumerate(column.categories)][::each]
    return [(0.0, f"{column.axis.lower:.3g}"), (1.0, f"{column.axis.upper:.3g}")]
