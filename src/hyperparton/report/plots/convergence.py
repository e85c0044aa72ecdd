"""Figures of how a scan went: convergence, running averages, folds, failures, workers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hyperparton.report.convergence import Convergence, Failure, Worker
from hyperparton.report.losses import mean_of
from hyperparton.report.plots import style
from hyperparton.report.plots.axes import LossAxis, NumberAxis, as_picture, log_axis
from hyperparton.report.plots.style import Figure, mark_best, marks, named, new_figure, styled, touch
from hyperparton.trials.trial import Trial

__all__ = ["plot_convergence", "plot_failures", "plot_folds", "plot_running", "plot_running_averages", "plot_workers"]


#: points of a smooth line at most
_OF_LINE = 800


@styled()
def plot_convergence(scan: Convergence, label: str) -> Figure:
    """The loss of every trial and the best so far, against trials and, where times are known, against time."""
    timed = bool(len(scan.seconds)) and bool(np.isfinite(scan.seconds).all())
    figure, drawn = new_figure(6.8, 3.0, 2 if timed else 1, sharey=True)
    axis = LossAxis.of(scan.losses)
    panels = list(np.atleast_1d(drawn))
    unit, seconds = _time_unit(scan.seconds[-1]) if timed else ("", 1.0)
    positions = [np.arange(1, len(scan.losses) + 1), scan.seconds / seconds]
    names = ["trials finished", f"time since the start ({unit})"]
    for axes, at, name in zip(panels, positions, names, strict=False):
        ok = np.isfinite(scan.losses)
        axis.draw(axes, at[ok], scan.losses[ok], marker="o", markersize=3, color=style.GREY, alpha=0.6, label="trial")
        failed = at[~ok]
        if len(failed):
            edge = np.full(len(failed), axis.limits[0])
            axes.plot(failed, edge, "x", color=style.RED, markersize=4, clip_on=False, label="failed trial")
        falls = _changes(scan.best)
        best = axis.place(scan.best[falls])
        axes.plot(at[falls], best, drawstyle="steps-post", color=style.BLUE, linewidth=1.8, label="best so far")
        where = scan.last_improvement
        if where is not None:
            mark_best(axes, at[where], axis.place([scan.losses[where]])[0], label="best")
        touch(axes, at, np.where(ok, np.fmin(axis.place(scan.losses), axis.limits[1]), axis.limits[0]))
        axes.set_xlabel(name)
    axis.apply(panels[0], label)
    panels[0].xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure


def _changes(numbers: np.ndarray) -> np.ndarray:
    """The places at which the numbers change, and both ends: a line of steps through them is that through all."""
    if len(numbers) < 2:
        return np.arange(len(numbers))
    same = (numbers[1:] == numbers[:-1]) | (np.isnan(numbers[1:]) & np.isnan(numbers[:-1]))
    return np.unique(np.concatenate([[0], np.flatnonzero(~same) + 1, [len(numbers) - 1]]))


def _time_unit(longest: float) -> tuple[str, float]:
    if longest < 300:
        return "s", 1.0
    return ("min", 60.0) if longest < 2 * 3600 else ("h", 3600.0)


@styled()
def plot_running_averages(
    series: Sequence[tuple[str, np.ndarray, np.ndarray]],
) -> Figure:
    """Averages over the trials so far: of each (name, values, averages) one panel, arrays (trial,)."""
    figure, drawn = new_figure(2.6 * len(series) + 0.4, 2.7, len(series))
    for k, (axes, (name, values, averages)) in enumerate(zip(np.atleast_1d(drawn), series, strict=True)):
        at = np.arange(1, len(values) + 1)
        axis = LossAxis.of(np.concatenate([values, averages])) if len(values) else LossAxis.of([0.0])
        axis.draw(axes, at, values, marker="o", color=style.GREY, markersize=2.5, alpha=0.5, label="trial")
        line = np.unique(np.linspace(0, max(len(at) - 1, 0), min(len(at), _OF_LINE)).round().astype(int))
        axes.plot(at[line], axis.place(averages)[line], color=style.PALETTE[k], linewidth=1.8, label="running average")
        axis.apply(axes, name)
        axes.set_xlabel("trials counted")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        if not len(values):
            axes.text(0.5, 0.5, "no trial below the cut", transform=axes.transAxes, ha="center", color=style.GREY)
    return figure


@styled()
def plot_running(curves: Sequence[tuple[str, Sequence[tuple[int, float]]]]) -> Figure:
    """Of each trial (name, its curve) a line of validation χ² against epochs."""
    figure, axes = new_figure(6.8, 2.6)
    axis = NumberAxis.of([value for _, curve in curves for _, value in curve])
    for k, (name, curve) in enumerate(curves):
        epochs, values = zip(*curve, strict=True)
        axes.plot(epochs, axis.place(values), linewidth=1.4, markersize=3, label=f"trial {named(name)}", **marks(k))
    if not axis.by_share and 0.0 < 5.0 * axis.range.lower < axis.range.upper:
        log_axis(axes.yaxis)
    axis.label(axes.yaxis)
    axes.set_xlim(left=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation χ² per point")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled()
def plot_folds(best: Sequence[Trial], measures: Sequence[tuple[str, str]]) -> Figure:
    """Losses of the best trials per fold and replica; `measures` are names in `Trial.replica_losses` with labels."""
    figure, drawn = new_figure(6.8, 3.1, len(measures))
    for axes, (measure, label) in zip(np.atleast_1d(drawn), measures, strict=True):
        axis = NumberAxis.of([v for trial in best for fold in trial.replica_losses.get(measure, ()) for v in fold])
        for rank, trial in enumerate(best):
            folds = trial.replica_losses.get(measure, ())
            for k, fold in enumerate(folds):
                values = [value for value in fold if value is not None]
                at = rank + 0.7 * ((k + 0.5) / max(len(folds), 1) - 0.5)
                looks = {**marks(k), "linestyle": "none"}
                axes.plot([at] * len(values), axis.place(values), markersize=3, alpha=0.55, **looks)
                if values:
                    name = f"fold {k + 1}" if rank == 0 else None
                    middle = axis.place([mean_of(values)])
                    axes.plot([at], middle, markersize=6, markeredgecolor=style.BLACK, label=name, **looks)
        axis.label(axes.yaxis)
        names = [named(trial.name) for trial in best]
        axes.set_xticks(range(len(best)), names, rotation=45 if len(names[0]) > 3 else 0)
        axes.set_xlabel("trial, best first")
        axes.set_ylabel(label)
        axes.grid(axis="x", visible=False)
    handles, names = np.atleast_1d(drawn)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 6) or 1)
    return figure


@styled()
def plot_failures(causes: Sequence[Failure]) -> Figure:
    """How many trials failed for each cause."""
    figure, axes = new_figure(6.4, 0.7 + 0.35 * len(causes))
    names = [named(failure.cause) for failure in causes][::-1]
    counts = [len(failure.trials) for failure in causes][::-1]
    axes.barh(range(len(names)), counts, color=style.RED, height=0.6)
    axes.set_yticks(range(len(names)), names)
    for k, count in enumerate(counts):
        axes.annotate(str(count), (count, k), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set_xlabel("failed trials")
    axes.set_xlim(0, max(counts) * 1.12)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="y", visible=False)
    return figure


#: bars of a worker that have edges, at most
_EDGED = 60

_LOOKS = {"ok": (style.BLUE, None), "fail": (style.RED, "xxxx"), "running": (style.GREEN, "....")}


@styled()
def plot_workers(workers: Sequence[Worker]) -> Figure:
    """When each worker had a trial, a bar per trial."""
    unit, seconds = _time_unit(max(worker.span for worker in workers))
    figure, axes = new_figure(6.8, 1.1 + 0.35 * len(workers))
    dense = as_picture(axes, sum(len(worker.bars) for worker in workers))
    # white edges tell few bars apart, and would cover many
    edge = 0.5 if max(len(worker.bars) for worker in workers) <= _EDGED else 0.0
    for k, worker in enumerate(workers):
        for state, (color, hatch) in _LOOKS.items():
            bars = [
                (begin / seconds, (end - begin) / seconds)
                for trial, (begin, end) in zip(worker.trials, worker.bars, strict=True)
                if trial.status == state
            ]
            looks = {"facecolor": color, "edgecolor": "white", "linewidth": edge, "hatch": hatch}
            axes.broken_barh(bars, (k - 0.35, 0.7), rasterized=dense, **looks)
    present = [s for s in _LOOKS if any(trial.status == s for worker in workers for trial in worker.trials)]
    patches = [Patch(facecolor=_LOOKS[s][0], hatch=_LOOKS[s][1], edgecolor="white", label=s) for s in present]
    axes.set_yticks(range(len(workers)), [named(worker.owner) for worker in workers])
    axes.set_ylim(len(workers) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"time since the start ({unit})")
    axes.grid(axis="y", visible=False)
    figure.legend(handles=patches, loc="outside upper center", ncols=3)
    return figure
