"""`hyperparton check`: every fault of a runcard, and what it would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hyperparton.runcard.card import Runcard, TrainerRuncard
from hyperparton.workflow.cards import checked_card

if TYPE_CHECKING:
    from hyperparton.scan.scanner import HyperScanner

__all__ = ["check"]


@click.command()
@click.argument("runcard", required=False, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a runcard, for editors, and check nothing.")
def check(runcard: Path | None, schema: bool) -> None:
    """Tell every fault of RUNCARD at once: file:line:column: path: what is wrong."""
    if schema:
        from hyperparton.runcard.json_schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if runcard is None:
        raise click.UsageError("Missing argument 'RUNCARD'.")
    card, scanner = checked_card(runcard)
    for line in summary(card, scanner):
        click.echo(line)


def summary(card: Runcard | TrainerRuncard, scanner: HyperScanner | None) -> list[str]:
    """What a faultless card asks for, in a few lines."""
    lines = [f"{card.path}: no faults"]
    if isinstance(card, Runcard):
        folds = len(card.kfold.partitions) if card.kfold else 0
        lines.append(f"data sets: {len(card.dataset_inputs)}, theory {card.theoryid}, folds: {folds or 'none'}")
    if scanner is not None:
        lines.append(f"scanned: {', '.join(sorted(scanner.hyper_keys))}")
    else:
        lines.append("scanned: nothing (no hyperscan_config)")
    if card.unused:
        lines.append(f"not used by hyperparton: {', '.join(card.unused)}")
    return lines
