"""The panels of a report: each a figure, a sentence on how to read it, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hyperparton.report.convergence import folds_saved, running_average, workers
from hyperparton.report.dependence import Dependence, dependences
from hyperparton.report.hyperparameters import Column
from hyperparton.report.losses import Loss
from hyperparton.report.panel import Panel, Section, with_file_names
from hyperparton.report.plots import convergence, parameters
from hyperparton.report.plots.axes import NumberAxis
from hyperparton.report.plots.style import Figure
from hyperparton.report.running import running_sections
from hyperparton.report.summary import MOST_FIGURES, Summary
from hyperparton.report.tables import Table, beside, fold_table, importance_table
from hyperparton.report.verdicts import verdict_table
from hyperparton.text import counted, duration
from hyperparton.trials.result import number_of
from hyperparton.trials.trial import Trial

__all__ = ["panels", "sections"]

_STAR = "The star is the best trial."
_CLIPPED = "Grey triangles at the upper edge are trials whose loss is above it."


def panels(summary: Summary) -> dict[str, Panel]:
    """The panels of a summary by the names of their files: `panels(summary)["convergence"].draw()` is its figure."""
    return {panel.name: panel for section in with_file_names(sections(summary)) for panel in section.panels}


def sections(summary: Summary, now: float | None = None) -> list[Section]:
    """All panels of a summary; `now` (seconds since 1970) is where bars of running trials end."""
    return [
        *running_sections(summary),
        *_fitted_again(summary),
        Section("convergence", "Convergence", (_convergence(summary),)),
        Section(
            "importances",
            "Which hyperparameters matter",
            tuple(_importances(summary)),
            note="Too few finished trials, or no hyperparameter that differs.",
        ),
        _dependences(summary),
        _categories(summary),
        _numbers(summary),
        Section(
            "parallel", "All hyperparameters at once", tuple(_parallel(summary)), note="No hyperparameter differs."
        ),
        *_planes(summary),
        Section("folds", "Losses by fold and replica", tuple(_folds(summary)), note="These trials have no folds."),
        Section("averages", "Running averages", tuple(_averages(summary)), note="No successful trial."),
        Section(
            "failures",
            "Failures",
            tuple(_failures(summary)),
            note="No trial failed.",
            details=tuple(_tracebacks(summary)),
        ),
        Section("workers", "Workers", tuple(_workers(summary, now)), note="The trials do not say when they ran."),
    ]


def _fitted_again(summary: Summary) -> list[Section]:
    """The re-fits of a scan that was confirmed."""
    if not summary.verdicts:
        return []
    panel = Panel("fitted_again", "Trials fitted again", "", verdict_table(summary.verdicts), listed=True)
    reading = (
        "The best trials as the scan saw them, fitted again with replicas that it had not used, the same for all. The "
        "worse half left after each round, so those with few replicas were not among the best. A fit has failed if it "
        "has no loss, or one far above all others. The mean is over the fits that did not fail; its error is that of "
        "the mean. Whether a methodology is worse than the best is judged replica by replica."
    )
    return [Section("again", "Fitted again", (panel,), reading)]


def _few(summary: Summary) -> str:
    """What is said where figures are of some hyperparameters only."""
    if len(summary.figured) == len(summary.columns):
        return ""
    which = "that matter most" if summary.importances else "that come first"
    more = len(summary.columns) - len(summary.figured)
    return (
        f" Of {counted(len(summary.columns), 'hyperparameter')}, the {len(summary.figured)} {which} are shown; "
        f"{more:,} have no figure, and their numbers stand in the report's trials.csv."
    )


def _ends(summary: Summary) -> str:
    """What lines across figures of numbers are."""
    drawn = any(column.sampled is not None for column in summary.figured)
    return " Dotted lines are the ends of the range from which it was drawn." if drawn else ""


def _convergence(summary: Summary) -> Panel:
    scan, label = summary.convergence, summary.options.loss.label
    numbers = zip(scan.seconds.tolist(), scan.losses.tolist(), scan.best.tolist(), strict=True)
    body = [
        (i + 1, trial.name, trial.status, *map(number_of, each))
        for i, (trial, each) in enumerate(zip(scan.trials, numbers, strict=True))
    ]
    gone = f"{counted(len(scan.pauses), 'pause')} in which no trial ran, {duration(sum(scan.pauses))} in all"
    paused = f" Cut out of the time: {gone}." if scan.pauses else ""
    return Panel(
        "convergence",
        "Best loss against trials and time",
        "The blue line is the best loss so far: that of the luckiest trial, so it may fall by chance alone. What more "
        "trials would gain is answered at the head of the page. Dots are trials, "
        f"crosses at the lower edge failed ones. {_STAR} {_CLIPPED}{paused}",
        Table.of(("finished", "trial", "status", "seconds", label, "best so far"), body),
        lambda: convergence.plot_convergence(scan, label),
        trials=scan.trials,
    )


def _importances(summary: Summary) -> Iterator[Panel]:
    entries = summary.importances
    drawn = entries[:MOST_FIGURES]
    few = len(drawn) == len(entries)
    more = "" if few else f" The {len(drawn)} first of {len(entries):,} are drawn, all stand in the CSV."
    if entries:
        yield Panel(
            "importances",
            "How far the best quarter of the trials differs from all trials",
            "A full bar means that good trials prefer some values of the hyperparameter, by more than chance gives in "
            "5 of 100 cases among all hyperparameters together. A hatched bar is a hint: it is longer than its black "
            "mark, which chance alone reaches in 5 of 100 cases for each. An empty bar means that the hyperparameter "
            "made no difference in this scan, a dotted one that it was sampled too little to tell. The table "
            f"{'below' if few else 'in the CSV'} says where two thirds of the best quarter lie, beside all trials; for "
            f"categories it has their shares.{more}",
            importance_table(entries),
            lambda: parameters.plot_importances(drawn),
            listed=few,
        )


def _dependences(summary: Summary) -> Section:
    model = dependences(summary.trials, summary.options.loss, summary.figured)
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
        f"it matters. {quality}{_ends(summary)}{_few(summary)}"
    )
    axis = NumberAxis.of(np.concatenate([part for entry in model.entries for part in (entry.low, entry.high)]))
    panels = tuple(_dependence(entry, label, axis) for entry in model.entries)
    return Section(key, title, panels, reading)


def _dependence(entry: Dependence, label: str, axis: NumberAxis) -> Panel:
    body = zip(entry.at, entry.loss.tolist(), entry.low.tolist(), entry.high.tolist(), strict=True)
    results = (f"mean {label}", "low", "high")
    table = Table.of((beside(entry.column.name, results), *results), body)
    return _small("dependence", entry.column, table, lambda: parameters.plot_dependence(entry, label, axis))


def _small(kind: str, column: Column, table: Table, draw: Callable[[], Figure], trials: Sequence[Trial] = ()) -> Panel:
    """The panel of one hyperparameter, one of several that stand side by side."""
    return Panel(f"{kind}_{column.name}", column.name, "", table, draw, small=True, trials=tuple(trials))


def _judged(summary: Summary) -> tuple[list[Trial], np.ndarray]:
    """Finished trials and their losses, NaN for those without a usable one."""
    loss = summary.options.loss
    trials = summary.finished
    values = [loss(trial) if trial.ok or summary.options.include_failures else None for trial in trials]
    return trials, np.array([np.nan if value is None else value for value in values], dtype=float)


def _losses_table(
    trials: Sequence[Trial], losses: np.ndarray, label: str, names: Sequence[str], needed: str | None = None
) -> Table:
    """The trials with a loss, what they have of these hyperparameters, and it; only those to which `needed` applies."""
    body = [
        (trial.name, *(trial.values.get(name) for name in names), float(loss))
        for trial, loss in zip(trials, losses, strict=True)
        if np.isfinite(loss) and (needed is None or trial.values.get(needed) is not None)
    ]
    return Table.of(("trial", *(beside(name, (label,)) for name in names), label), body)


def _categories(summary: Summary) -> Section:
    trials, losses = _judged(summary)
    label = summary.options.loss.label
    panels = [
        _small(
            "violin",
            column,
            _losses_table(trials, losses, label, [column.name], column.name),
            lambda column=column: parameters.plot_violins(column, losses, label),
        )
        for column in summary.figured
        if not column.numeric
    ]
    return Section(
        "violins",
        "Losses by category",
        tuple(panels),
        "Each dot is a trial, the number of trials stands below each category; the shape is the distribution of the "
        f"losses, the black line their median. {_STAR} {_CLIPPED} The optimisation draws good categories more often, "
        f"so compare lower ends and medians, not widths.{_few(summary)}",
        "No categorical hyperparameter differs between the trials.",
    )


def _numbers(summary: Summary) -> Section:
    trials, losses = _judged(summary)
    label = summary.options.loss.label
    optimizer = next((column for column in summary.columns if column.name == "optimizer" and not column.numeric), None)
    group = ["optimizer"] if optimizer else []
    panels = [
        _small(
            "scatter",
            column,
            _losses_table(trials, losses, label, [column.name, *group], column.name),
            lambda column=column: parameters.plot_scatter(column, losses, label, optimizer),
            trials,
        )
        for column in summary.figured
        if column.numeric
    ]
    by = ", its colour and marker the optimizer" if optimizer else ""
    return Section(
        "scatter",
        "Losses against numbers",
        tuple(panels),
        f"Each point is a trial{by}. {_STAR} {_CLIPPED} Where the lower edge of the cloud has a minimum inside the "
        "range, the range was wide enough; where it falls towards an end, a wider range may hold better trials."
        f"{_ends(summary)}{_few(summary)}",
        "No numerical hyperparameter differs between the trials.",
    )


def _parallel(summary: Summary) -> Iterator[Panel]:
    trials, losses = _judged(summary)
    shown, label = summary.figured, summary.options.loss.label
    if len(shown) > 1 and np.isfinite(losses).any():
        yield Panel(
            "parallel_coordinates",
            "Each trial as a line",
            "A line crosses each axis at its trial's value and ends at its loss, which its colour says too: dark is "
            "good. The best trial is orange; the best tenth (at most 30) is drawn on top. Where dark lines bundle, "
            "good trials agree. A line at n/a is a trial to which the hyperparameter "
            f"does not apply. The best 300 trials are drawn.{_few(summary)}",
            _losses_table(trials, losses, label, [column.name for column in summary.columns]),
            lambda: parameters.plot_parallel(shown, losses, label),
        )


def _planes(summary: Summary) -> list[Section]:
    """The loss beside what it is to stand for: χ² and phi2 of the data that no fit has seen."""
    loss, statistic = summary.options.loss, summary.options.loss.statistic
    measures = {"hidden χ²": Loss("chi2", statistic), "hidden 1/phi2": Loss("phi2", statistic)}
    rows = [(trial, value, *(measure(trial) for measure in measures.values())) for trial, value in summary.ranked]
    known = [(trial, *map(float, rest)) for trial, *rest in rows if None not in rest]
    if not known:
        return []
    names = (loss.label, *(f"{name} ({statistic} over folds)" for name in measures))
    numbers = [np.array(column) for column in list(zip(*known, strict=True))[1:]]
    panel = Panel(
        "planes",
        "Loss, hidden χ² and hidden 1/phi2",
        "Each point is a trial that succeeded, its colour the loss: dark is good. A good methodology describes data "
        "that its fits have not seen, so its χ² is small, and its replicas spread where data are missing, so 1/phi2 is "
        "small too (arXiv:2410.16248): it stands at the lower left of the right panel. "
        f"{_STAR} Points at an edge of a panel lie beyond it. Of the folds, the {statistic} is drawn.",
        Table.of(("trial", *names), [(trial.name, *rest) for trial, *rest in known]),
        lambda: parameters.plot_planes((loss.label, *measures), numbers),
        trials=tuple(trial for trial, *_ in known),
    )
    return [Section("planes", "Loss, χ² and phi2 of hidden data", (panel,))]


_PER_REPLICA = (("validation", "validation χ²"), ("experimental", "χ² of the hidden fold"))


def _folds(summary: Summary) -> Iterator[Panel]:
    best = [trial for trial, _ in summary.ranked[: summary.options.top]]
    measures = [entry for entry in _PER_REPLICA if any(trial.replica_losses.get(entry[0]) for trial in best)]
    if measures:
        yield Panel(
            "folds",
            f"The best {counted(len(best), 'trial') if len(best) > 1 else 'trial'} by fold and replica",
            "A marker per fold, small ones its replicas, the large one their mean. A trial that is good on every fold "
            "is better founded than one that owes its place to a single fold; a fold that is high for all trials is "
            "the hard one.",
            fold_table(best),
            lambda: convergence.plot_folds(best, measures),
        )


def _averages(summary: Summary) -> Iterator[Panel]:
    options, trials = summary.options, [trial for trial in summary.convergence.trials if trial.ok]
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
            f"If a line still falls, the scan still moves towards better trials.{cuts}",
            Table.of(("number", "trial", "value", "running average"), body),
            lambda: convergence.plot_running_averages(series),
        )


def _failures(summary: Summary) -> Iterator[Panel]:
    causes = summary.failures
    saved, fitted = folds_saved(summary.trials)
    extra = (
        f" Later folds of such trials were not fitted: {saved} of {counted(saved + fitted, 'fold')} saved."
        if saved
        else ""
    )
    if causes:
        yield Panel(
            "failures",
            "Causes of failure",
            f"How many trials failed for each cause; the table names an example and what they cost.{extra}",
            Table.of(
                ("cause", "trials", "seconds", "example", "reason"),
                [(f.cause, len(f.trials), f.seconds, f.trials[0].name, f.example) for f in causes],
            ),
            lambda: convergence.plot_failures(causes),
            listed=True,
        )


def _tracebacks(summary: Summary) -> Iterator[tuple[str, str]]:
    """For each cause the last calls of a trial before it failed."""
    for failure in summary.failures:
        told = next((trial for trial in failure.trials if trial.traceback), None)
        if told is not None and told.traceback is not None:
            yield f"{failure.cause}: the last calls of trial {told.name}", told.traceback


def _workers(summary: Summary, now: float | None) -> Iterator[Panel]:
    at_work = workers(summary.trials, now)
    body = [
        (worker.owner, trial.name, trial.status, trial.begin, trial.end, trial.attempts)
        for worker in at_work
        for trial in worker.trials
    ]
    busy = ", ".join(f"{worker.owner} {100 * worker.share:.0f} %" for worker in at_work[:8])
    more = ", ..." if len(at_work) > 8 else ""
    if at_work:
        yield Panel(
            "workers",
            "Who worked when",
            "A bar per trial from its start to its end, hatched if it failed; in a gap the worker had no trial. A "
            f"trial that was started again has its whole time under its last worker. Busy: {busy}{more}.",
            Table.of(("worker", "trial", "status", "begin", "end", "starts"), body),
            lambda: convergence.plot_workers(at_work),
        )
