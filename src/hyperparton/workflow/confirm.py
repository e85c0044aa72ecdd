"""`confirm_scan`: the best trials of a scan that is done are fitted again. `hyperparton confirm` is this function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.report.scans import Scan, read_scan
from hyperparton.scan.events import Progress
from hyperparton.scan.pruning import Rule
from hyperparton.scan.settings import Execution, ScanSettings
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

    `runcard` is where the card lies whose trainer is found beside it, by default the copy in the scan's folder.
    `theory` and `t0pdfset` must be those of the scan. The rest is as in `scan_runcard`, whose scan this continues by no
    trial. Raises StoreError for a scan that is not done, or that hyperparton did not run, and what `scan_runcard`
    raises.
    """
    execution = execution or Execution()
    scan = read_scan(directory, execution.store)
    total = _total(scan)
    return scan_runcard(
        scan.folder.runcard if runcard is None else runcard,
        scan.folder.path,
        total,
        int(scan.settings.get("replicas", 1)),
        settings=_settings(scan),
        execution=execution,
        progress=progress,
        theory=theory,
        t0pdfset=t0pdfset or scan.settings.get("t0pdfset"),
    )


def _total(scan: Scan) -> int:
    finished = sum(trial.finished for trial in scan.trials)
    if scan.runcard is None or "engine" not in scan.settings:
        raise StoreError(
            f"{scan.path}: confirming needs the runcard (filter.yml) and the store of a scan that hyperparton ran"
        )
    if scan.total is not None and finished < scan.total:
        raise StoreError(
            f"{scan.path}: {finished} of {scan.total} trials are finished: run the scan to its end first, or ask it "
            "for fewer trials"
        )
    return max(finished, 1)


def _settings(scan: Scan) -> ScanSettings:
    """The settings that the scan was begun with."""
    kept = scan.settings
    prune = Rule(**kept["prune"]) if kept.get("prune") else False
    return ScanSettings(
        engine=kept["engine"], seed=kept["seed"], lag=kept["lag"], prune=prune, warm_start=tuple(kept.get("prior", ()))
    )
