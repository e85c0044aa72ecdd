"""What a start of a scan keeps in the scan's folder: what it asks for, and how far the trials are that run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from hyperparton.files import write_text
from hyperparton.scan.events import Progress
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import Execution, ScanSettings, word_of
from hyperparton.trials.scan_folder import ScanFolder

__all__ = ["RunningCurves", "keeps_what_it_asks_for"]


class RunningCurves:
    """The learning curves of the trials that run, in a file of the scan's folder."""

    def __init__(self, folder: ScanFolder) -> None:
        self._file = folder.running
        self._curves: dict[int, list[tuple[int, float]]] = {}

    def hear(self, event: Mapping[str, Any]) -> None:
        """Follow an event of the scan."""
        kind = event["event"]
        if kind == "trial_progress" and event.get("validation") is not None:
            self._curves.setdefault(event["tid"], []).append((event["epoch"], event["validation"]))
        elif kind not in ("trial_started", "trial_finished") or self._curves.pop(event["tid"], None) is None:
            return
        # what is only looked at ends no scan
        with contextlib.suppress(OSError):
            write_text(self._file, json.dumps(self._curves) + "\n")


def keeps_what_it_asks_for(
    folder: ScanFolder,
    trials: int,
    scanner: HyperScanner,
    settings: ScanSettings,
    execution: Execution,
    progress: Progress | None,
    card: str | None = None,
) -> Progress:
    """What `run_scan` is to call with its events: it passes them to `progress`.

    At the first event it writes `progress.json`, so that others can tell how far the scan is, and the text of the
    `card`, if there is one. Until then nothing in the folder is touched: it may be that of another scan. The learning
    curves of trials that run are kept in `running.json` while they run, for the dashboard.
    """
    begun, curves = False, RunningCurves(folder)

    def listen(event: dict[str, Any]) -> None:
        nonlocal begun
        if not begun:
            if card is not None:
                write_text(folder.runcard, card)
            folder.write_progress(trials, execution.store, word_of(scanner, settings))
            begun = True
        curves.hear(event)
        if progress is not None:
            progress(event)

    return listen
