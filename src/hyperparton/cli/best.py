"""`hyperparton best`: the best trials as a table, and the best one's parameters as a block for a runcard."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hyperparton.cli.streams import terminal_width
from hyperparton.errors import StoreError
from hyperparton.text import counted

if TYPE_CHECKING:  # the trials are read when the options are known
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.trial import Trial
    from hyperparton.trials.verdict import Verdict

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
@click.option(
    "--widen",
    is_flag=True,
    help="Write the scan's card with wider ranges instead, where the best methodology lies at the end of one and the "
    "loss may fall beyond it.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Where to write that card; not over a file."
)
@click.option(
    "--runcard",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The scan's card, which says the ranges. Default: the copy in DIR.",
)
def best(
    directory: Path,
    top: int,
    importances: bool,
    failed: bool,
    form: str | None,
    widen: bool,
    output: Path | None,
    runcard: Path | None,
) -> None:
    """Show the best trials of the scan in DIR (or of a tries.json), and the best one's parameters for a runcard."""
    if widen and (failed or importances or form):
        raise click.UsageError("--widen writes a card and does not go with --failed, --importances or --format")
    if output is not None and not widen:
        raise click.UsageError("--output is where --widen writes its card")
    if runcard is not None and (failed or importances):
        raise click.UsageError("--runcard says the ranges, which --failed and --importances do not need")
    if widen:
        _widen(directory, runcard, output)
        return
    if failed and (importances or form == "yaml"):
        raise click.UsageError("failed trials are shown as text or as json, by themselves")
    if failed:
        click.echo(_failed(directory, top, form))
    else:
        click.echo(
            _importances(directory, form) if importances else _best(directory, top, form, runcard), nl=form != "yaml"
        )


def _ranked(directory: Path) -> tuple[ScanFolder, list[Trial], list[Verdict], list[Trial]]:
    """The scan's folder, its trials, the verdicts on them, and those that succeeded, the one that it names first."""
    from hyperparton.trials.refits import read_refits
    from hyperparton.trials.scan_folder import ScanFolder
    from hyperparton.trials.tries_read import read_trials
    from hyperparton.trials.verdict import by_verdict, verdicts

    folder = ScanFolder.find(directory)
    path = folder.tries
    trials = read_trials(path, keep=lambda trial: trial.without_arrays())
    found = verdicts(read_refits(path, trials))
    order = by_verdict(trials, found)
    if not order:
        raise StoreError(f"{path}: of its {counted(len(trials), 'trial')} none succeeded")
    if not order[0].space_vals:
        raise StoreError(f"{path}: trial {order[0].number} does not say its parameters (space_vals)")
    return folder, trials, found, order


def _best(directory: Path, top: int, form: str | None, runcard: Path | None) -> str:
    from hyperparton.report.edges import plain_edge
    from hyperparton.report.tables import best_text, parameters_block
    from hyperparton.report.verdicts import named, verdict_text
    from hyperparton.trials.verdict import plain
    from hyperparton.workflow.own import own_trial
    from hyperparton.workflow.ranges import found_edges

    folder, trials, found, order = _ranked(directory)
    if form == "yaml":
        return parameters_block(order[0].parameters)
    edges, at_ends = found_edges(folder, trials, order[0], directory, runcard=runcard)
    again = {verdict.trial: plain(verdict) for verdict in found}
    if form == "json":
        return _json([
            {
                "trial": trial.number, "loss": trial.loss, "validation_loss": trial.validation_loss,
                "experimental_loss": trial.experimental_loss, "parameters": trial.parameters,
                **({"refits": again[trial.number]} if trial.number in again else {}),
                **({"edges": [plain_edge(edge) for edge in edges]} if edges and trial is order[0] else {}),
            }
            for trial in order[:top]
        ])  # fmt: skip
    width = terminal_width()
    table = best_text(trials, top, width)
    if found:
        table = f"{table}\n\n{verdict_text(found, width, own_trial(folder, trials, runcard))}\n"
    if at_ends:
        table = f"{table.rstrip()}\n\n{at_ends}\n"
    if form:
        return table
    block = parameters_block(order[0].parameters)
    return f"{table}\nthe parameters of {named(found)}, to paste into a runcard:\n\n{block}"


def _widen(directory: Path, runcard: Path | None, output: Path | None) -> None:
    """Write the card with wider ranges, and say on standard error what is wider, and what is not and why."""
    from hyperparton.files import write_text
    from hyperparton.report.edges import edges
    from hyperparton.runcard.yaml_positions import load_document
    from hyperparton.workflow.ranges import scanned_ranges
    from hyperparton.workflow.widen import widened

    folder, trials, _, order = _ranked(directory)
    path = runcard or folder.runcard
    if runcard is None and not os.path.isfile(path):
        raise StoreError(
            f"{directory}: wider ranges need the scan's card: looked for {path}, --runcard FILE names another"
        )
    if output is not None and os.path.exists(output):
        raise StoreError(f"{output}: is there already, and nothing is written over it; choose another file")
    document = load_document(path)
    scanned = scanned_ranges(document)
    made = widened(document, scanned, edges(scanned, trials, order[0]))
    _tell(made.kept)
    if not made.changes:
        if made.refused:
            raise StoreError("\n".join(made.refused))
        click.echo(f"trial {order[0].number}: no range needs to be wider", err=True)
        return
    _tell((*made.refused, *made.changes))
    if output is None:
        click.echo(made.text, nl=False)
        return
    write_text(output, made.text)
    click.echo(f"{output}: a scan of it can learn from these trials: --from {shlex.quote(str(directory))}", err=True)


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


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
    lines = [f"{len(failed)} of {counted(len(trials), 'trial')} failed{more}"]
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
        return f"{counted(finished, 'finished trial')}: too few, or no hyperparameter that differs"
    return table.text(terminal_width())


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
