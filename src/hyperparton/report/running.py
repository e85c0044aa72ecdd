"""The trials that run, for a dashboard."""

from __future__ import annotations

from hyperparton.report.panel import Panel, Section
from hyperparton.report.plots.convergence import plot_running
from hyperparton.report.summary import Summary
from hyperparton.report.tables import Table

__all__ = ["running_sections"]


def running_sections(summary: Summary) -> list[Section]:
    """The learning curves of the trials that run, as far as their scan keeps them."""
    running = {trial.name: trial for trial in summary.trials if trial.status == "running"}
    curves = [
        (trial.name, curve)
        for scan in summary.scans
        for number, curve in scan.folder.running_curves().items()
        for trial in scan.trials
        if trial.number == number and trial.name in running and curve
    ]
    if not curves:
        return []
    panel = Panel(
        "running",
        "Learning curves of the trials that run",
        "The mean validation χ² of the folds and replicas of each trial that is being fitted; lines grow to the right.",
        Table.of(("trial", "epoch", "validation χ²"), [(name, *point) for name, curve in curves for point in curve]),
        lambda: plot_running(curves),
    )
    return [Section("running", "Trials that run", (panel,))]
