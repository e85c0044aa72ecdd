"""Figures of fits: learning curves, PDFs with their bands, χ² by data set, data over prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hyperparton.report.plots.axes import MOST_POINTS, as_picture, log_axis
from hyperparton.report.plots.style import (
    BLACK,
    BLUE,
    GREY,
    PALETTE,
    RED,
    SKY,
    Figure,
    marks,
    named,
    new_figure,
    styled,
)

__all__ = ["DrawnSet", "plot_chi2_by_set", "plot_data", "plot_learning", "plot_pdfs"]

_LINES = ("-", "--", "-.", ":")

#: elements of the evolution basis, as a reader knows them
_FLAVOURS = {
    "g": "gluon  x g", "sigma": "singlet  x Σ", "v": "valence  x V", "v3": "valence  x V₃", "v8": "valence  x V₈",
    "t3": "triplet  x T₃", "t8": "octet  x T₈", "t15": "x T₁₅",
}  # fmt: skip


@styled()
def plot_learning(
    epochs: np.ndarray, training: np.ndarray, validation: np.ndarray, best: np.ndarray, lowest: np.ndarray
) -> Figure:
    """χ² (entry, rep) against epochs (entry,), with the epochs (rep,) that were kept and their validation χ²."""
    figure, axes = new_figure(3.3, 2.6)
    for replica in range(training.shape[1]):
        axes.plot(epochs, training[:, replica], color=BLUE, linewidth=1.0)
        axes.plot(epochs, validation[:, replica], color=RED, linewidth=1.0, linestyle="--")
        if best[replica] >= 0:
            axes.plot(best[replica], lowest[replica], "o", color=BLACK, markersize=3.5, zorder=4)
    values = np.concatenate([training[np.isfinite(training)], validation[np.isfinite(validation)]])
    if len(values) and values.min() > 0 and values.max() > 5 * values.min():
        log_axis(axes.yaxis)
    axes.set_xlabel("epoch")
    axes.set_ylabel("χ² per point")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    handles = [Line2D([], [], color=BLUE, label="training"), Line2D([], [], color=RED, ls="--", label="validation")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _grid(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width * min(count, columns), height * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, min(count, columns), squeeze=False)
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.set_visible(False)
    return figure, flat[:count]


@styled()
def plot_pdfs(flavours: Sequence[str], trials: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Of each trial (name, x, mean, spread), arrays (x, flav): a panel per flavour."""
    figure, panels = _grid(len(flavours), 4, 2.3, 1.9)
    for k, (axes, flavour) in enumerate(zip(panels, flavours, strict=True)):
        for i, (name, x, mean, spread) in enumerate(trials):
            color = PALETTE[i % len(PALETTE)]
            low, high = mean[:, k] - spread[:, k], mean[:, k] + spread[:, k]
            axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
            axes.plot(x, mean[:, k], color=color, linestyle=_LINES[i % len(_LINES)], label=f"trial {named(name)}")
        log_axis(axes.xaxis)
        axes.set_title(_FLAVOURS.get(flavour, f"x {flavour}"), fontsize=9)
    for axes in panels[-4:]:
        axes.set_xlabel("x")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@styled()
def plot_chi2_by_set(names: Sequence[str], trials: Sequence[str], values: Sequence[Sequence[float]]) -> Figure:
    """χ² per point of each set, a marker for each trial; `values` are [trial][set]."""
    figure, axes = new_figure(6.8, 0.9 + 0.24 * len(names))
    places = np.arange(len(names))[::-1]
    for i, (trial, row) in enumerate(zip(trials, values, strict=True)):
        axes.plot(row, places, linestyle="none", markersize=5, alpha=0.85, label=f"trial {named(trial)}", **marks(i))
    axes.axvline(1.0, color=BLACK, linewidth=1.0)
    axes.set_yticks(places, [named(name) for name in names], fontsize=7.5)
    axes.set_xlabel("χ² per point")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@dataclass(frozen=True, eq=False)
class DrawnSet:
    """A data set over its predictions; arrays are (dat,)."""

    name: str
    variables: Sequence[tuple[str, np.ndarray]]
    """against which it is drawn, two at most"""
    measured: np.ndarray
    shifted: np.ndarray
    errors: np.ndarray
    """of the shifted points"""
    spread: np.ndarray
    """of the predictions"""


#: how axes call kinematic variables
_VARIABLES = {"Q2": "Q² (GeV²)"}


@styled()
def plot_data(sets: Sequence[DrawnSet]) -> Figure:
    """A row for each set: measured and shifted data over predictions, against each of its variables."""
    figure = Figure(figsize=(6.8, 1.6 * len(sets) + 0.5), layout="constrained")
    grid = figure.subplots(len(sets), 2, squeeze=False, sharey="row")
    many = sum(len(drawn.measured) for drawn in sets) > MOST_POINTS
    for row, drawn in zip(grid, sets, strict=True):
        for axes in row[len(drawn.variables) :]:
            axes.set_visible(False)
        for axes, (name, at) in zip(row, drawn.variables, strict=False):
            dense = many and as_picture(axes, MOST_POINTS + 1)
            _ratio(axes, at, drawn, dense)
            if at.min() > 0.0 and at.max() > 5.0 * at.min():
                log_axis(axes.xaxis)
            axes.set_xlabel(_VARIABLES.get(name, name), fontsize=7.5, labelpad=1)
            axes.tick_params(labelsize=7)
        row[0].set_title(named(drawn.name), fontsize=7.5, loc="left")
        reach = np.abs(np.stack([drawn.shifted, drawn.measured]) - 1.0) + drawn.errors
        if np.isfinite(reach).any():
            top = 1.2 * float(np.nanquantile(reach, 0.97))
            row[0].set_ylim(1.0 - top, 1.0 + top)
    handles = [
        Line2D([], [], marker="o", linestyle="none", markersize=3, color=BLACK, label="data, shifted"),
        Line2D([], [], marker="o", linestyle="none", markersize=3, color=GREY, fillstyle="none", label="as measured"),
        Line2D([], [], color=SKY, linewidth=4, alpha=0.6, label="replicas"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    figure.supylabel("data / prediction", fontsize=9)
    return figure


def _ratio(axes: Any, at: np.ndarray, drawn: DrawnSet, dense: bool) -> None:
    """Points of one set against one variable."""
    looks: dict[str, Any] = {"linestyle": "none", "rasterized": dense}
    ones = np.ones(len(at))
    axes.errorbar(at, ones, yerr=drawn.spread, ecolor=SKY, elinewidth=2.5, alpha=0.6, zorder=1, **looks)
    axes.axhline(1.0, color=BLUE, linewidth=0.8, zorder=1)
    axes.plot(at, drawn.measured, "o", markersize=2.5, color=GREY, fillstyle="none", markeredgewidth=0.5, **looks)
    axes.errorbar(
        at, drawn.shifted, yerr=drawn.errors, fmt="o", markersize=1.8, color=BLACK, elinewidth=0.6, zorder=3,
        rasterized=dense,
    )  # fmt: skip
