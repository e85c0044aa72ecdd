"""Confirming a scan from its card and its `tries.json` alone, as n3fit's hyperopt leaves them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.report.scans import Scan
from hyperparton.runcard.card import Runcard, TrainerRuncard
from hyperparton.runcard.check import examine
from hyperparton.scan.confirm_recorded import RecordedTrials, confirm_recorded
from hyperparton.scan.events import Progress
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import Execution
from hyperparton.trials.refits import read_refits
from hyperparton.trials.trial import Trial
from hyperparton.workflow.cards import check_card, notices
from hyperparton.workflow.methodologies import parameters_of_trial
from hyperparton.workflow.recipe import TrainerRequest
from hyperparton.workflow.scan import identity_of

__all__ = ["confirm_recorded_scan"]

#: the section of `hyperscan_config` that n3fit does not read, and how the labels of its ranges begin
_PASSED_OVER = "integrability"


def confirm_recorded_scan(
    scan: Scan,
    runcard: str | Path,
    execution: Execution,
    report: Progress,
    *,
    theory: str | Path | None = None,
    t0pdfset: str | None = None,
) -> dict[str, Any]:
    """Fit the best trials of `scan` again by the card at `runcard`; the parameters of the best, as its trial says them.

    `report` is called with notes and with the events of re-fits. Raises what `confirm_scan` raises.
    """
    begun = time.monotonic()
    read_refits(scan.path, scan.trials)  # those of another scan are told before any data are read
    known = [trial.replicas for trial in scan.trials if trial.ok and trial.replicas is not None]
    replicas = _replicas(scan, max(known, default=1))
    # a trainer of one's own is not told how many
    together = len(replicas) if isinstance(examine(runcard, None)[0], Runcard) else 1
    checked = check_card(runcard, "scan", replicas=together, theory=theory, t0pdfset=t0pdfset)
    card, scanner = checked.card, checked.scanner
    assert scanner is not None
    trials = RecordedTrials.in_space(scan.path, scan.trials, _sampled(card, scanner, scan.trials))
    if isinstance(card, Runcard):
        _refuse_unfit(card, trials)
    for line in (*notices(checked), *_notes(scan, trials)):
        report({"event": "note", "text": line})
    request = TrainerRequest(card, together, scan.folder.path, None if theory is None else Path(theory), t0pdfset)
    identity = identity_of(request, checked.data, report)
    execution = replace(execution, limits=execution.limits.after(time.monotonic() - begun))
    found = confirm_recorded(
        scan.folder.replica, request.recipe(), scanner, trials,
        replicas=replicas, fits=identity, execution=execution, progress=report,
    )  # fmt: skip
    return (trials.get(found[0].trial) if found else trials.best()).parameters


def _refuse_unfit(card: Runcard, trials: RecordedTrials) -> None:
    """Raise StoreError where it is not known which replicas are new, RuncardError for trials that cannot be fitted."""
    succeeded = [trial for trial in trials.trials.values() if trial.ok]
    if all(trial.replicas is None for trial in succeeded):
        raise StoreError(
            f"{trials.path}: no trial says how many replicas it had (kfold_meta), so it is not known which are new"
        )
    for trial in succeeded:
        parameters_of_trial(card, trial.parameters, f"trial {trial.number} of {trials.path}")


def _replicas(scan: Scan, count: int) -> range:
    """The numbers of the `count` replicas of each trial; the folder is called by the first."""
    called = re.fullmatch(r"replica_([1-9]\d*)", scan.folder.replica.name)
    first = int(called[1]) if called else 1
    return range(first, first + count)


def _sampled(card: Runcard | TrainerRuncard, scanner: HyperScanner, trials: Iterable[Trial]) -> Mapping[str, Any]:
    """The space that was sampled: n3fit passes over ranges of `integrability`, and no trial has a label of these."""
    config = card.scan_config()
    labels = {label for trial in trials for label in trial.vals}
    if _PASSED_OVER not in config or any(label.startswith(f"{_PASSED_OVER}_") for label in labels):
        return scanner.as_dict()
    rest = {key: section for key, section in config.items() if key != _PASSED_OVER}
    return HyperScanner(card.scan_parameters(), rest).as_dict()


def _notes(scan: Scan, trials: RecordedTrials) -> Iterator[str]:
    finished, unfinished = len(trials.trials), len(scan.trials) - len(trials.trials)
    more = f"; {unfinished} that are not finished take no part" if unfinished else ""
    yield (
        f"{scan.path}: n3fit does not record how many trials were asked for; the {finished} finished ones are "
        f"taken{more}"
    )
    others = [path for path in scan.folder.path.glob("nnfit/replica_*/tries.json") if path != scan.path]
    if others:
        yield f"not taken: {', '.join(map(str, sorted(others)))}; each is confirmed by itself, by its own path"
