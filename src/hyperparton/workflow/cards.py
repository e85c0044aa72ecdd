"""What scans, fits and checks share: reading a card with everything that can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hyperparton.errors import DataError, Fault, RuncardError, ScanError, SpaceError, StoreError
from hyperparton.runcard.card import Runcard, TrainerRuncard
from hyperparton.runcard.check import examine, parse_runcard

if TYPE_CHECKING:  # a card without a scan is checked without them
    from hyperparton.data.types import FitData
    from hyperparton.scan.scanner import HyperScanner

__all__ = ["checked_card", "data_summary", "output_folder", "scanner_of"]


def checked_card(
    runcard: str | Path | Runcard | TrainerRuncard, trainer: str | None = None
) -> tuple[Runcard | TrainerRuncard, HyperScanner | None]:
    """The card and the search space that it describes, if it describes one; RuncardError with every fault.

    `runcard` is a path, or a card that was read. `trainer`, if given, takes the place of the card's own.
    """
    scanner, faults = None, []
    if isinstance(runcard, str | Path):
        card, faults = examine(runcard, trainer)
    else:
        card = runcard if trainer is None else parse_runcard(runcard.text, runcard.path, trainer)
    if card is not None:
        if isinstance(card, Runcard):
            from hyperparton.data.known_sets import check_dataset_names

            faults += [*check_dataset_names(card), *_rules(card)]
        if not faults and card.hyperscan_config is not None:
            try:
                scanner = scanner_of(card)
            except (SpaceError, StoreError, ScanError) as error:
                faults.append(card.fault(("hyperscan_config",), str(error)))
    if faults or card is None:
        raise RuncardError(faults)
    return card, scanner


def _rules(card: Runcard) -> Iterator[Fault]:
    """What is wrong with the expressions of added rules."""
    if card.added_filter_rules:
        from hyperparton.data.cuts import added_rule

        for place, entry in enumerate(card.added_filter_rules):
            try:
                added_rule(entry)
            except DataError as error:
                yield card.fault(("added_filter_rules", place), str(error))


def scanner_of(card: Runcard | TrainerRuncard) -> HyperScanner:
    """The `HyperScanner` of a card; raises SpaceError, and StoreError or ScanError for scans that it goes on from."""
    from hyperparton.scan.best_trials import find_scan
    from hyperparton.scan.scanner import HyperScanner

    config, checked = card.scan_config(), card.hyperscan_config
    if checked is not None and checked.use_tries_from:
        folder = None if card.path is None else Path(card.path).resolve().parent
        found = []
        for name in checked.use_tries_from:
            try:
                found.append(str(find_scan(name, folder)))
            except StoreError:
                if not checked.scanned:
                    raise
                found.append(name)  # a scan that was begun has kept its trials
        config["use_tries_from"] = found
    return HyperScanner(card.scan_parameters(), config)


def data_summary(data: FitData) -> list[str]:
    """Lines on the data of a PDF fit."""
    return [
        f"theory {data.theory.theoryid}: {data.theory.origin}, {data.theory.path}",
        f"{data.ndata} points in {len(data.datasets)} data sets, t0 set {data.t0pdfset or 'none'}",
    ]


def output_folder(card: Runcard | TrainerRuncard, given: Path | None) -> Path:
    """Where results go: what was asked for, else the runcard's stem in the current folder."""
    return given if given is not None else Path(Path(card.path).stem)
