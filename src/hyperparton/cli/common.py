"""What several commands share: options, reading a card with everything that can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hyperparton.errors import Fault, RuncardError, SpaceError
from hyperparton.runcard import Runcard, TrainerRuncard, examine

__all__ = ["checked_card", "make_scanner", "output_folder", "replicas_option", "runcard_argument", "theory_options"]

runcard_argument = click.argument("runcard", type=click.Path(path_type=Path))

replicas_option = click.option(
    "--replicas", type=click.IntRange(min=1), default=1, show_default=True, help="Replicas fitted at once."
)


def theory_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--theory DIR` and `--t0pdfset NAME`."""
    command = click.option(
        "--t0pdfset", metavar="NAME", help="PDF set for the t0 covariance matrix, in place of the runcard's."
    )(command)
    return click.option(
        "--theory",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of FK tables: a theory, or one that holds theory_<id>. Goes before HYPERPARTON_THEORY.",
    )(command)


def checked_card(path: Path, trainer: str | None = None) -> tuple[Runcard | TrainerRuncard, Any]:
    """The card and the search space that it describes, if it describes one; RuncardError with every fault.

    `trainer`, if given, takes the place of the card's own.
    """
    card, faults = examine(path, trainer)
    scanner = None
    if card is not None:
        if isinstance(card, Runcard):
            from hyperparton.data import check_names

            faults += check_names(card)
        if not faults and card.hyperscan_config is not None:
            scanner, more = make_scanner(card)
            faults += more
    if faults or card is None:
        raise RuncardError(faults)
    return card, scanner


def make_scanner(card: Runcard | TrainerRuncard) -> tuple[Any, list[Fault]]:
    """The `HyperScanner` of a card, or what is wrong with its ranges."""
    from hyperparton.scan import HyperScanner

    try:
        return HyperScanner(card.scan_parameters(), card.raw["hyperscan_config"]), []
    except SpaceError as error:
        return None, [card.fault(("hyperscan_config",), str(error))]


def output_folder(card: Runcard | TrainerRuncard, given: Path | None) -> Path:
    """Where results go: what was asked for, else the runcard's stem in the current folder."""
    return given if given is not None else Path(Path(card.path).stem)
