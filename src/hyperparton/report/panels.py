"""The panels of a report: each a figure, a sentence on how to read it, and its numbers as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.report import plots
from hyperparton.report.convergence import folds_saved, running_average, workers
from hyperparton.report.dependence import Dependence, dependences
from hyperparton.report.hyperparameters import Column, columns
from hyperparton.report.losses import Loss
from hyperparton.report.summary import Summary
from hyperparton.report.tables import Table, fold_table, importance_table
from hyperparton.trials import Trial

__all__ = ["Panel", "Section", "sections"]

_STAR = "The star is the best trial."
_CLIPPED = "Grey triangles at the upper edge are trials whose loss lies beyond it."


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure of a report; `draw` makes it when it is wanted."""

    name: str
    """of its files"""
    title: str
    reading: str
    """how to read it"""
    table: Table
    draw: Callable[[], plots.Figure] | None = None
    small: bool = False
    """whether several stand side by side"""
    listed: bool = False
    """whether the page shows the table too"""


@dataclass(frozen=True, eq=False)
class Section:
    """Panels under one heading; `note` says what is missing where there are none."""

    key: str
    title: str
    panels: tuple[Panel, ...]
    reading: str = ""
    note: str = ""


def sections(summary: Summary, now: float | None = None) -> list[Section]:
    """All panels of a summary; `now` (seconds since 1970) is where bars of running trials end."""
    return [
        Section("convergence", "Convergence", (_convergence(summary),)),
        _importance_section(summary),
        _dependence_section(summary),
        _categories(summary),
        _numbers(summary),
        Section(
            "parallel", "All hyperparameters at once", tuple(_parallel(summary)), note="No hyperparameter differs."
        ),
        _folds(summary),
        Section("averages", "Running averages", tuple(_averages(summary)), note="No successful trial."),
        _failures(summary),
        _workers(summary, now),
    ]


def _convergence(summary: Summary) -> Panel:
    course, label = summary.course, summary.options.loss.label
    body = [
        (i + 1, trial.name, trial.status, seconds, loss, best)
        for i, (trial, seconds, loss, best) in enumerate(
            zip(course.trials, _plain(course.seconds), _plain(course.losses), _plain(course.best), strict=True)
        )
    ]
    return Panel(
        "convergence",
        "Best loss against trials and time",
        "The blue line is the best loss so far; a scan has converged when it has been flat for long. Dots are trials, "
        f"crosses at the lower edge failed ones. {_STAR} {_CLIPPED}",
        Table.of(("finished", "trial", "status", "seconds", label, "best so far"), body),
        lambda: plots.plot_convergence(course, label),
    )


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _importance_section(summary: Summary) -> Section:
    entries = summary.importances
    panel = Panel(
        "importances",
        "How far the best quarter of the trials differs from all trials",
        "A bar longer than its black mark is more than chance gives in 95 of 100 cases, and is filled: good trials "
        "prefer some values of that hyperparameter. A short, empty bar says that it made no difference in this scan. "
        "The table tells where two thirds of the best quarter lie, or what they are, beside all trials.",
        importance_table(entries),
        lambda: plots.plot_importances(entries),
    )
    return Section(
        "importances",
        "Which hyperparameters matter",
        (panel,) if entries else (),
        note="Too few finished trials, or no hyperparameter that differs.",
    )


def _dependence_section(summary: Summary) -> Section:
    model = dependences(summary.trials, summary.options.loss)
    title, key = "Partial dependences", "dependences"
    if model is None:
        return Section(key, title, (), note="Too few successful trials for a model of the loss.")
    label = summary.options.loss.label
    quality = (
        f"The model explains {100 * max(model.explained, 0):.0f} % of the variance of trials that it did not see"
        + ("." if model.explained > 0.3 else ": the curves say little.")
    )
    reading = (
        "The mean loss that a forest of trees, fitted to all trials, predicts along one hyperparameter with the others "
        "as they were in the trials; the band holds two thirds of the trees. Failures and losses above "
        f"{model.ceiling:.4g} count as {model.ceiling:.4g}. All panels share one axis: the steeper a curve, the more "
        f"it matters. {quality}"
    )
    limits = _limits(model.entries)
    panels = tuple(_dependence(entry, label, limits) for entry in model.entries)
    return Section(key, title, panels, reading)


def _limits(entries: Sequence[Dependence]) -> tuple[float, float]:
    low, high = min(float(e.low.min()) for e in entries), max(float(e.high.max()) for e in entries)
    margin = 0.05 * (high - low) or 0.1
    return low - margin, high + margin


def _dependence(entry: Dependence, label: str, limits: tuple[float, float]) -> Panel:
    body = zip(entry.at, entry.loss.tolist(), entry.low.tolist(), entry.high.tolist(), strict=True)
    table = Table.of((entry.column.name, f"mean {label}", "low", "high"), body)
    return Panel(
        f"dependence_{_file(entry.column.name)}",
        entry.column.name,
        "",
        table,
        lambda: plots.plot_dependence(entry, label, limits),
        small=True,
    )


def _file(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


def _judged(summary: Summary) -> tuple[list[Trial], np.ndarray]:
    """Finished trials and their losses, NaN for those without a usable one."""
    loss = summary.options.loss
    trials = [trial for trial in summary.trials if trial.finished]
    values = [loss(trial) if trial.ok or summary.options.include_failures else None for trial in trials]
    return trials, np.array([np.nan if value is None else value for value in values], dtype=float)


def _parameter_table(column: Column, trials: list[Trial], losses: np.ndarray, label: str, group: str | None) -> Table:
    head = ("trial", column.name, *((group,) if group else ()), label)
    body = [
        (trial.name, value, *((trial.values.get(group),) if group else ()), float(loss))
        for trial, value, loss in zip(trials, column.values, losses, strict=True)
        if value is not None and np.isfinite(loss)
    ]
    return Table.of(head, body)


def _categories(summary: Summary) -> Section:
    trials, losses = _judged(summary)
    label = summary.options.loss.label
    panels = [
        Panel(
            f"violin_{_file(column.name)}",
            column.name,
            "",
            _parameter_table(column, trials, losses, label, None),
            lambda column=column: plots.plot_violins(column, losses, label),
            small=True,
        )
        for column in columns(trials)
        if not column.numeric
    ]
    return Section(
        "violins",
        "Losses by category",
        tuple(panels),
        "Each dot is a trial, the number of trials stands below each category; the shape is the distribution of the "
        f"losses, the black line their median. {_STAR} {_CLIPPED} The optimisation draws good categories more often, "
        "so compare lower ends and medians, not widths.",
        "No categorical hyperparameter differs between the trials.",
    )


def _numbers(summary: Summary) -> Section:
    trials, losses = _judged(summary)
    label = summary.options.loss.label
    every = columns(trials)
    optimizer = next((column for column in every if column.name == "optimizer" and not column.numeric), None)
    panels = [
        Panel(
            f"scatter_{_file(column.name)}",
            column.name,
            "",
            _parameter_table(column, trials, losses, label, "optimizer" if optimizer else None),
            lambda column=column: plots.plot_scatter(column, losses, label, optimizer),
            small=True,
        )
        for column in every
        if column.numeric
    ]
    by = ", its colour and marker the optimizer" if optimizer else ""
    return Section(
        "scatter",
        "Losses against numbers",
        tuple(panels),
        f"Each point is a trial{by}. {_STAR} {_CLIPPED} Where the lower edge of the cloud has a minimum inside the "
        "range, the range was wide enough; where it falls towards an end, a wider range may hold better trials.",
        "No numerical hyperparameter differs between the trials.",
    )


def _parallel(summary: Summary) -> Iterator[Panel]:
    trials, losses = _judged(summary)
    shown, label = columns(trials), summary.options.loss.label
    if len(shown) > 1 and np.isfinite(losses).any():
        body = [
            (trial.name, *(trial.values.get(column.name) for column in shown), float(loss))
            for trial, loss in zip(trials, losses, strict=True)
            if np.isfinite(loss)
        ]
        yield Panel(
            "parallel_coordinates",
            "Each trial as a line",
            "A line crosses each axis at its trial's value; the best tenth (at most 30) is blue, the best trial "
            "orange. Where blue lines bundle, good trials agree. A line at n/a is a trial to which the hyperparameter "
            "does not apply. The best 300 trials are drawn.",
            Table.of(("trial", *(column.name for column in shown), label), body),
            lambda: plots.plot_parallel(shown, losses, label),
        )


_PER_REPLICA = (("validation", "validation χ²"), ("experimental", "χ² of the hidden fold"))


def _folds(summary: Summary) -> Section:
    best = [trial for trial, _ in summary.ranked[: summary.options.top]]
    measures = [entry for entry in _PER_REPLICA if any(trial.replica_losses.get(entry[0]) for trial in best)]
    title = f"The best {len(best)} trials by fold and replica"
    if not measures:
        return Section("folds", "Losses by fold and replica", (), note="These trials have no folds.")
    panel = Panel(
        "folds",
        title,
        "A marker per fold, small ones its replicas, the large one their mean. A trial that is good on every fold is "
        "better founded than one that owes its place to a single fold; a fold that is high for all trials is the "
        "hard one.",
        fold_table(best),
        lambda: plots.plot_folds(best, measures),
    )
    return Section("folds", "Losses by fold and replica", (panel,))


def _averages(summary: Summary) -> Iterator[Panel]:
    options, trials = summary.options, [trial for trial in summary.course.trials if trial.ok]
    chi2, fitted = Loss("chi2", options.loss.statistic), Loss("chi2exp")
    asked: list[tuple[str, Loss, float, Loss]] = []
    if any(fitted(trial) is not None for trial in trials):
        asked.append((options.loss.label, options.loss, options.chi2exp_threshold, fitted))
    elif trials:
        asked.append((options.loss.label, options.loss, np.inf, options.loss))
    if any(chi2(trial) is not None for trial in trials):
        asked.append(("−log p of the hidden folds", Loss("logp", options.loss.statistic), options.chi2_threshold, chi2))
        asked.append(("χ² of the hidden folds", chi2, options.chi2_threshold, chi2))
    series, body = [], []
    for name, number, limit, of in asked:
        kept, values, means = running_average(trials, number, limit, of)
        series.append((name, values, means))
        body += [(name, trial.name, *pair) for trial, *pair in zip(kept, values.tolist(), means.tolist(), strict=True)]
    cuts = (
        f" Left out: for the loss, trials with a χ² of the fitted data of at least {options.chi2exp_threshold:g}; for "
        f"the others, those with a χ² of the hidden folds of at least {options.chi2_threshold:g}."
        if len(series) > 1
        else ""
    )
    if series:
        yield Panel(
            "running_averages",
            "Averages over the trials so far",
            f"A line that still falls says that the scan still moves towards better trials.{cuts}",
            Table.of(("number", "trial", "value", "running average"), body),
            lambda: plots.plot_running_averages(series),
        )


def _failures(summary: Summary) -> Section:
    causes = summary.failures
    title = "Failures"
    if not causes:
        return Section("failures", title, (), note="No trial failed.")
    saved, fitted = folds_saved(summary.trials)
    extra = f" Later folds of such trials were not fitted: {saved} of {saved + fitted} folds saved." if saved else ""
    panel = Panel(
        "failures",
        "Causes of failure",
        f"How many trials failed for each cause; the table names an example and what they cost.{extra}",
        Table.of(
            ("cause", "trials", "seconds", "example", "reason"),
            [(f.cause, len(f.trials), f.seconds, f.trials[0].name, f.example) for f in causes],
        ),
        lambda: plots.plot_failures(causes),
        listed=True,
    )
    return Section("failures", title, (panel,))


def _workers(summary: Summary, now: float | None) -> Section:
    at_work = workers(summary.trials, now)
    title = "Workers"
    if not at_work:
        return Section("workers", title, (), note="The trials do not say when they ran.")
    body = [
        (worker.owner, trial.name, trial.status, trial.begin, trial.end, trial.attempts)
        for worker in at_work
        for trial in worker.trials
    ]
    busy = ", ".join(f"{worker.owner} {100 * worker.share:.0f} %" for worker in at_work[:8])
    panel = Panel(
        "workers",
        "Who worked when",
        "A bar per trial from its booking to its end, hatched where it failed; gaps are time without a trial. A trial "
        f"that was started again shows its whole time under its last worker. Busy: {busy}"
        + (", ..." if len(at_work) > 8 else "")
        + ".",
        Table.of(("worker", "trial", "status", "begin", "end", "starts"), body),
        lambda: plots.plot_workers(at_work),
    )
    return Section("workers", title, (panel,))
