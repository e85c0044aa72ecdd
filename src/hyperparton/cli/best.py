"""`hyperparton best`: the best trials as a table, and the best one's parameters as a block for a runcard."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hyperparton.errors import StoreError
from hyperparton.scan.best_trials import completed, ranked

__all__ = ["best", "best_parameters", "completed", "parameters_block", "table"]

#: numbers of a trial's result, under the heading that they get
_RESULTS = {"loss": "loss", "validation_loss": "validation", "experimental_loss": "experimental"}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many trials to show.")
@click.option(
    "--importances",
    is_flag=True,
    help="Show which hyperparameters matter instead, and where the best quarter of the trials lies.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "yaml", "json"]),
    help="The table alone, the parameters alone, or all of the trials for machines. Default: table and parameters.",
)
def best(directory: Path, top: int, importances: bool, form: str | None) -> None:
    """Show the best trials of the scan in DIR (or of a tries.json), and the best one's parameters for a runcard."""
    if importances:
        click.echo(_importances(directory, form))
        return
    from hyperparton.trials import read_tries
    from hyperparton.trials.scan_folder import ScanFolder

    path = ScanFolder.find_tries(directory)
    trials = read_tries(path)
    parameters = best_parameters(trials, path)
    if form == "json":
        click.echo(json.dumps(_listed(ranked(trials)[:top]), indent=2, ensure_ascii=False))
        return
    if form != "yaml":
        click.echo(table(trials, top))
    if form is None:
        click.echo("the best trial's parameters, to paste into a runcard:\n")
    if form != "table":
        click.echo(parameters_block(parameters), nl=form is None)


def _importances(directory: Path, form: str | None) -> str:
    """The hyperparameters, the most important first, as a table or for machines."""
    from hyperparton.report.importance import importances
    from hyperparton.report.losses import Loss
    from hyperparton.report.rows import combined, read_scans
    from hyperparton.report.tables import importance_table

    if form == "yaml":
        raise click.UsageError("importances are shown as a table or as json")
    rows = combined(read_scans([directory]))
    found = importance_table(importances(rows, Loss()))
    if form == "json":
        listed = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        return json.dumps(listed, indent=2, ensure_ascii=False)
    if not found.rows:
        return f"{sum(row.finished for row in rows)} finished trials: too few, or no hyperparameter that differs"
    return aligned([found.columns, *([_shown(value) for value in row] for row in found.rows)])


def _listed(trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Trials for machines: number, losses, and parameters as a runcard has them."""
    return [
        {
            "trial": trial.get("tid"),
            **{key: trial["result"].get(key) for key in _RESULTS},
            "parameters": completed(trial["misc"].get("space_vals") or {}),
        }
        for trial in trials
    ]


def best_parameters(trials: Sequence[Mapping[str, Any]], path: Path) -> dict[str, Any]:
    """The best trial's `parameters`, activations listed per layer; StoreError if no trial succeeded."""
    order = ranked(trials)
    if not order:
        raise StoreError(f"{path}: none of its {len(trials)} trials succeeded")
    held = order[0]["misc"].get("space_vals")
    if not isinstance(held, Mapping):
        raise StoreError(f"{path}: trial {order[0].get('tid')} does not say its parameters (space_vals)")
    return completed(held)


def table(trials: Sequence[Mapping[str, Any]], top: int = 10) -> str:
    """The best `top` trials as text, one a line, with what differs between trials."""
    order = ranked(trials)
    flat = {id(trial): _flat(trial["misc"].get("space_vals") or {}) for trial in trials}
    varied = _varied([flat[id(trial)] for trial in trials])
    results = [key for key in _RESULTS if any(trial["result"].get(key) is not None for trial in order)]
    head = ["trial", *(_RESULTS[key] for key in results), *(name.rpartition(".")[2] for name in varied)]
    rows = [
        [
            str(trial.get("tid")),
            *(_shown(trial["result"].get(key)) for key in results),
            *(_shown(flat[id(trial)].get(name)) for name in varied),
        ]
        for trial in order[:top]
    ]
    pruned = sum(1 for trial in trials if trial["result"].get("pruned"))
    finished = sum(trial["result"].get("status") in ("ok", "fail") for trial in trials)
    told = f"{len(trials)} trials, {finished - len(order) - pruned} failed"
    if pruned:
        told += f", {pruned} pruned"
    if finished < len(trials):
        told += f", {len(trials) - finished} unfinished"
    return "\n".join([told, aligned([head, *rows])])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns, each as wide as it has to be."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _varied(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all rows, in the order of their first coming."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if len({repr(row.get(name)) for row in rows}) > 1]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "-".join(str(entry) for entry in value)
    return str(value)


def parameters_block(parameters: Mapping[str, Any]) -> str:
    """YAML of `parameters:`, as an n3fit runcard has it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    def block(value: Any) -> Any:
        if isinstance(value, Mapping):
            return CommentedMap({str(key): block(entry) for key, entry in value.items()})
        if isinstance(value, list | tuple):
            listed = CommentedSeq(block(entry) for entry in value)
            listed.fa.set_flow_style()
            return listed
        return value

    text = io.StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.dump(CommentedMap({"parameters": block(parameters)}), text)
    return text.getvalue()
