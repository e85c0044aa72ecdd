"""The user's own methodology among a scan's trials: the parameters of the runcard, as near as the space has them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hyperparton.errors import HyperpartonError
from hyperparton.report.scans import Scan
from hyperparton.scan.warm_start import located
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import Trial
from hyperparton.workflow.ranges import ranges_in

__all__ = ["own_trial", "with_own"]


def own_trial(folder: ScanFolder, trials: Sequence[Trial], runcard: Path | None = None) -> int | None:
    """The number of the first trial, if it has the runcard's own parameters; None if not, or if no card can be read.

    `runcard` is the scan's card if that is not in its folder. What is wrong with it is said where its ranges are read.
    """
    path = runcard or folder.runcard
    first = next((trial for trial in trials if trial.number == 0 and trial.space_vals), None)
    if first is None or (runcard is None and not os.path.isfile(path)):
        return None
    try:
        scanned = ranges_in(path)
    except HyperpartonError:
        return None
    own, vals = scanned.own, located(scanned.space, first.space_vals)[0]
    return 0 if own and vals and all(vals[label] == [own[label]] for label in own) else None


def with_own(scans: Sequence[Scan]) -> list[Scan]:
    """The scans, each with the trial that has its runcard's own parameters."""
    return [replace(scan, own=own_trial(scan.folder, scan.trials)) for scan in scans]
