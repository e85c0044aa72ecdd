"""`hyperparton check`: every fault of a runcard, and what it would do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hyperparton.cli.options import replicas_option, theory_options
from hyperparton.errors import HyperpartonError, printable, shortened
from hyperparton.runcard.card import N3FIT, Runcard
from hyperparton.workflow.cards import CheckedCard, check_card, data_summary, notices

__all__ = ["check"]


@click.command()
@click.argument("runcard", required=False, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a runcard, for editors, and check nothing.")
@click.option("--no-theory", is_flag=True, help="Check the card alone: no theory, data, PDF set or other scan is read.")
@click.option("--all", "every", is_flag=True, help="Show every fault whole, also of many that are alike.")
@replicas_option
@click.option("--trainer", type=click.Choice([N3FIT]), help="Whose fits, in place of the card's own `trainer`.")
@theory_options
def check(
    runcard: Path | None,
    schema: bool,
    no_theory: bool,
    every: bool,
    replicas: int,
    trainer: str | None,
    theory: Path | None,
    t0pdfset: str | None,
) -> None:
    """Tell every fault of RUNCARD at once: file:line:column: path: what is wrong.

    Of many faults that are alike the first five are shown, and how many there are; with --all, each of them.
    A card without faults is one that `scan`, or `fit` where it describes no scan, begins with, given the same options.
    Keys that change nothing are named.
    """
    if schema:
        from hyperparton.runcard.json_schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if runcard is None:
        raise click.UsageError("Missing argument 'RUNCARD'.")
    if no_theory and (theory is not None or t0pdfset is not None):
        raise click.UsageError("--no-theory does not go with --theory or --t0pdfset")
    try:
        checked = check_card(
            runcard, trainer=trainer, replicas=replicas, theory=theory, t0pdfset=t0pdfset, inputs=not no_theory
        )
    except HyperpartonError as error:
        if not (every and error.faults):
            raise
        click.echo(printable(str(error), keep="\n\t"), err=True)
        raise click.exceptions.Exit(1) from error
    for line in summary(checked):
        click.echo(line)


def summary(checked: CheckedCard) -> list[str]:
    """What a faultless card asks for, in a few lines."""
    card, scanner = checked.card, checked.scanner
    lines = [f"{card.path}: no faults"]
    if isinstance(card, Runcard):
        folds = len(card.kfold.partitions) if card.kfold else 0
        lines.append(f"data sets: {len(card.dataset_inputs)}, theory {card.theoryid}, folds: {folds or 'none'}")
    if checked.data is not None:
        lines += data_summary(checked.data)
    if scanner is not None:
        lines.append(f"scanned: {', '.join(map(shortened, sorted(scanner.hyper_keys)))}")
    elif card.hyperscan_config is None:
        lines.append("scanned: nothing (no hyperscan_config)")
    return [*lines, *notices(checked)]
