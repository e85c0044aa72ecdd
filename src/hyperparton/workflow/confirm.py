"""`confirm_scan`: the best trials of a scan that is done are fitted again. `hyperparton confirm` is this function."""

from __future__ import annotations

from os.path import isfile
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.report.scans import Scan, read_scan
from hyperparton.scan.events import Progress
from hyperparton.scan.pruning import Rule
from hyperparton.scan.settings import Execution, ScanSettings
from hyperparton.text import counted
from hyperparton.workflow.confirm_recorded import confirm_recorded_scan
from hyperparton.workflow.scan import scan_runcard

__all__ = ["confirm_scan"]


def confirm_scan(
    directory: str | Path,
    *,
    runcard: str | Path | None = None,
    execution: Execution | None = None,
    progress: Progress | None = None,
    theory: str | Path | None = None,
    t0pdfset: str | None = None,
) -> dict[str, Any]:
    """Fit the best trials of the scan in `directory` again, and return the full parameters of the best.

    The scan is one of hyperparton's, or n3fit's: then there is no store that knows how many trials it was to have, and
    those that are finished are taken. Nothing of it is changed; the re-fits lie in a folder beside the trials.

    `runcard` is the scan's card, by default the copy in the scan's folder; a trainer of one's own is found beside it.
    `theory` and `t0pdfset` must be those of the scan. The rest is as in `scan_runcard`, whose scan this continues by no
    trial; `store` is the database that a scan of hyperparton joined, and for one of n3fit the database in which several
    jobs fit together. Raises StoreError for a scan that is not done, whose store is missing, or whose trials do not lie
    in the search space of the card, RuncardError for a card that cannot be fitted, and what `scan_runcard` raises.
    """
    execution = execution or Execution()
    scan = read_scan(directory, execution.store)
    card = scan.folder.runcard if runcard is None else Path(runcard)
    if runcard is None and not isfile(card):
        raise StoreError(f"{scan.path}: confirming needs the runcard: looked for {card}, --runcard FILE names another")
    if "engine" not in scan.settings:
        _refuse_without_store(scan)
        report = progress or (lambda event: None)
        return confirm_recorded_scan(scan, card, execution, report, theory=theory, t0pdfset=t0pdfset)
    return scan_runcard(
        card,
        scan.folder.path,
        _total(scan),
        int(scan.settings.get("replicas", 1)),
        settings=_settings(scan),
        execution=execution,
        progress=progress,
        theory=theory,
        t0pdfset=t0pdfset or scan.settings.get("t0pdfset"),
    )


def _total(scan: Scan) -> int:
    finished = sum(trial.finished for trial in scan.trials)
    if scan.total is not None and finished < scan.total:
        raise StoreError(
            f"{scan.path}: {finished} of {counted(scan.total, 'trial')} finished: run the scan to its end first, or "
            "ask it for fewer trials"
        )
    return max(finished, 1)


def _settings(scan: Scan) -> ScanSettings:
    """The settings that the scan was begun with."""
    kept = scan.settings
    prune = Rule(**kept["prune"]) if kept.get("prune") else False
    return ScanSettings(
        engine=kept["engine"], seed=kept["seed"], lag=kept["lag"], prune=prune, warm_start=tuple(kept.get("prior", ()))
    )


def _refuse_without_store(scan: Scan) -> None:
    """Raise StoreError for a scan of hyperparton: its store knows what it was begun with, and may be ahead."""
    if isfile(scan.folder.progress) or isfile(scan.folder.lock):
        joined = scan.folder.joined_store()
        where = f"{scan.folder.store.name} beside the trials" if joined is None else f"--store {joined}"
        raise StoreError(f"{scan.path}: confirming needs the store of a scan that hyperparton ran: {where}")
