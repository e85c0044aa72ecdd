"""`hyperparton check`: every fault of a runcard, and what it would do."""

from __future__ import annotations

from pathlib import Path

import click

from hyperparton.cli.common import checked_card, runcard_argument
from hyperparton.runcard import Runcard

__all__ = ["check"]


@click.command()
@runcard_argument
def check(runcard: Path) -> None:
    """Tell every fault of RUNCARD at once: file:line:column: path: what is wrong."""
    card, scanner = checked_card(runcard)
    for line in summary(card, scanner):
        click.echo(line)


def summary(card, scanner) -> list[str]:
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
