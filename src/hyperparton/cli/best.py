"""`hyperparton best`: the best trials as a table, and the best one's parameters as a block for a runcard."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from hyperparton.errors import StoreError

__all__ = ["best"]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many trials to show.")
@click.option(
    "--importances",
    is_flag=True,
    help="Show which hyperparameters matter instead, and where the best quarter of the trials lies.",
)
@click.option("--failed", is_flag=True, help="Show the trials that failed instead, with the last calls before that.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "yaml", "json"]),
    help="The table alone, the parameters alone, or all of the trials for machines. Default: table and parameters.",
)
def best(directory: Path, top: int, importances: bool, failed: bool, form: str | None) -> None:
    """Show the best trials of the scan in DIR (or of a tries.json), and the best one's parameters for a runcard."""
    if failed and (importances or form == "yaml"):
        raise click.UsageError("failed trials are shown as text or as json, by themselves")
    if failed:
        click.echo(_failed(directory, top, form))
    else:
        click.echo(_importances(directory, form) if importances else _best(directory, top, form), nl=form != "yaml")


def _best(directory: Path, top: int, form: str | None) -> str:
    from hyperparton.report.tables import best_text, parameters_block
    from hyperparton.report.verdicts import named, verdict_text
    from hyperparton.trials.refits import read_refits
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.tries_read import read_trials
    from hyperparton.trials.verdict import by_verdict, plain, verdicts

    path = ScanFolder.find(directory).tries
    trials = read_trials(path, keep=lambda trial: trial.without_arrays())
    found = verdicts(read_refits(path, trials))
    order = by_verdict(trials, found)
    if not order:
        raise StoreError(f"{path}: none of its {len(trials)} trials succeeded")
    if not order[0].space_vals:
        raise StoreError(f"{path}: trial {order[0].number} does not say its parameters (space_vals)")
    again = {verdict.trial: plain(verdict) for verdict in found}
    if form == "json":
        return _json([
            {
                "trial": trial.number, "loss": trial.loss, "validation_loss": trial.validation_loss,
                "experimental_loss": trial.experimental_loss, "parameters": trial.parameters,
                **({"refits": again[trial.number]} if trial.number in again else {}),
            }
            for trial in order[:top]
        ])  # fmt: skip
    block = parameters_block(order[0].parameters)
    if form == "yaml":
        return block
    table = best_text(trials, top)
    if found:
        table = f"{table}\n\n{verdict_text(found)}\n"
    return table if form else f"{table}\nthe parameters of {named(found)}, to paste into a runcard:\n\n{block}"


def _failed(directory: Path, top: int, form: str | None) -> str:
    """The failed trials, the last ones first, with their reasons and tracebacks."""
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.trial import has_failed
    from hyperparton.trials.tries_read import read_trials

    path = ScanFolder.find(directory).tries
    trials = read_trials(path, keep=lambda trial: trial if has_failed(trial) else None)
    failed = [trial for trial in trials if trial is not None][::-1]
    if form == "json":
        return _json([
            {
                "trial": trial.number, "reason": trial.reason, "traceback": trial.traceback,
                "parameters": trial.parameters,
            }
            for trial in failed[:top]
        ])  # fmt: skip
    more = f"; the last {top}" if len(failed) > top else ""
    lines = [f"{len(failed)} of {len(trials)} trials failed{more}"]
    for trial in failed[:top]:
        lines.append(f"\ntrial {trial.number}: {trial.reason}")
        if trial.traceback is not None:
            lines.append(textwrap.indent(trial.traceback, "  "))
    return "\n".join(lines)


def _importances(directory: Path, form: str | None) -> str:
    """The hyperparameters, the most important first, as a table or for machines."""
    from hyperparton.report.importance import importances
    from hyperparton.report.losses import Loss
    from hyperparton.report.scans import combined, read_scans
    from hyperparton.report.tables import importance_table

    if form == "yaml":
        raise click.UsageError("importances are shown as a table or as json")
    trials = combined(read_scans([directory]))
    table = importance_table(importances(trials, Loss()))
    if form == "json":
        return _json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    if not table.rows:
        finished = sum(trial.finished for trial in trials)
        return f"{finished} finished trials: too few, or no hyperparameter that differs"
    return table.text()


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
