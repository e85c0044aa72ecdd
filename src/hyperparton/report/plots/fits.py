"""Figures of fits: learning curves, PDFs with their bands, χ² by data set, data over prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hyperparton.report.plots.axes import log_axis
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

__all__ = ["plot_chi2_by_set", "plot_data", "plot_learning", "plot_pdfs"]

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


@styled()
def plot_data(sets: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Of each set (name, measured, errors, predicted, spread), arrays (dat,): measured over predicted values."""
    figure, panels = _grid(len(sets), 2, 3.4, 1.5)
    for axes, (name, central, errors, mean, spread) in zip(panels, sets, strict=True):
        at = np.arange(1, len(central) + 1)
        safe = np.where(mean == 0, np.nan, mean)
        width = np.abs(spread / safe)
        axes.fill_between(at, 1 - width, 1 + width, color=SKY, alpha=0.5, linewidth=0, step="mid")
        axes.axhline(1.0, color=BLUE, linewidth=1.0)
        bars = np.abs(errors / safe)
        axes.errorbar(at, central / safe, yerr=bars, fmt="o", markersize=1.5, color=BLACK, ecolor=GREY, elinewidth=0.5)
        reach = 1.3 * np.nanquantile(np.abs(central / safe - 1) + bars, 0.95)
        axes.set_ylim(1 - reach, 1 + reach)
        axes.set_title(named(name), fontsize=7.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for axes in panels[-2:]:
        axes.set_xlabel("point")
    figure.supylabel("measured / predicted", fontsize=9)
    return figure
