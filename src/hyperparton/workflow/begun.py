"""What a start of a scan keeps in the scan's folder once the scan has begun."""

from __future__ import annotations

from typing import Any

from hyperparton.files import write_text
from hyperparton.scan.events import Progress
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import Execution, ScanSettings, word_of
from hyperparton.trials.scan_folder import ScanFolder

__all__ = ["keeps_what_it_asks_for"]


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
    `card`, if there is one. Until then nothing in the folder is touched: it may be that of another scan.
    """
    begun = False

    def listen(event: dict[str, Any]) -> None:
        nonlocal begun
        if not begun:
            if card is not None:
                write_text(folder.runcard, card)
            folder.write_progress(trials, execution.store, word_of(scanner, settings))
            begun = True
        if progress is not None:
            progress(event)

    return listen
