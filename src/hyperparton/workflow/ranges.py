"""The ranges of a scan from the card in its folder: whether its best methodology lies at the end of one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hyperparton.errors import HyperpartonError, StoreError
from hyperparton.report.edges import Edge, ScannedRanges, edge_text, edges
from hyperparton.report.scans import Scan
from hyperparton.runcard.card import N3FIT
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.ranges import card_ranges
from hyperparton.runcard.yaml_positions import Document, load_document
from hyperparton.space.tree import describe
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import Trial
from hyperparton.workflow.cards import scanner_of

__all__ = ["found_edges", "ranges_in", "scanned_ranges", "with_spaces"]

#: of more hyperparameters the ends are not looked at: by chance some always lie there, and each takes time
_MOST = 100


def scanned_ranges(document: Document) -> ScannedRanges:
    """What the scan of a card samples; only its ranges are read, whoever fitted.

    Raises RuncardError, SpaceError, and StoreError or ScanError for scans that it chooses among.
    """
    card = parse_runcard(document.text, document.file, document.content.get("trainer") or N3FIT)
    if card.hyperscan_config is None:
        raise StoreError(f"{document.file}: describes no scan: it has no hyperscan_config")
    scanner = scanner_of(card)
    return ScannedRanges(scanner.as_dict(), card_ranges(card.hyperscan_config), scanner.own())


def with_spaces(scans: Sequence[Scan]) -> list[Scan]:
    """The scans, those whose store does not tell their search space with that of the card in their folder.

    A card that cannot be used is left out here: `found_edges` says what is wrong with it.
    """
    return [scan if scan.space is not None else replace(scan, space=_space_of(scan.folder.runcard)) for scan in scans]


def _space_of(path: Path) -> Any:
    try:
        return describe(ranges_in(path).space) if os.path.isfile(path) else None
    except HyperpartonError:
        return None


def ranges_in(path: Path) -> ScannedRanges:
    """What the scan of the card in a file samples; raises what `scanned_ranges` and reading the file raise."""
    state = path.stat()
    return _read_ranges(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read_ranges(path: Path, *state: int) -> ScannedRanges:
    """What the scan of the card in a file samples, read once for as long as the file is the same."""
    return scanned_ranges(load_document(path))


def found_edges(
    folder: ScanFolder,
    trials: Sequence[Trial],
    named: Trial,
    directory: object,
    loss: Callable[[Trial], float | None] | None = None,
    runcard: Path | None = None,
) -> tuple[list[Edge], str]:
    """The edges of the methodology that a scan names, and the sentences on them.

    `directory` is what the user called the scan, and `runcard` its card if that is not in the folder. Without a card
    there is nothing to say; what is wrong with one is said, for the trials can be shown all the same.
    """
    path = runcard or folder.runcard
    if runcard is None and not os.path.isfile(path):
        return [], ""
    if len(named.vals) > _MOST:
        command = f"`hyperparton best {shlex.quote(str(directory))} --widen`"
        return [], f"Among more than {_MOST} hyperparameters some lie at the end of a range by chance; {command} tells."
    try:
        found = edges(ranges_in(path), trials, named, loss)
    except HyperpartonError as fault:
        first = str(fault).splitlines()[0]
        return [], f"Whether it lies at the end of a range is not known: {first}"
    return found, edge_text(found, directory)
