"""The state of a scan at work: what is done, what runs, how fast it goes and how long it will take.

Of a scan that many join, the store that the user names is read: it knows what other folders' jobs run and finished.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os.path import isfile
from pathlib import Path

from hyperparton.errors import StoreError
from hyperparton.files import lock_holder
from hyperparton.report.scans import Scan, read_scan
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.trial import Trial, ranked

__all__ = ["Status", "signature", "status_of"]

#: trials from which the rate is taken
_RECENT = 20

#: seconds after which a database is looked at again
_DATABASE_LOOK = 5.0


@dataclass(frozen=True)
class Status:
    """A scan at one moment; times in seconds."""

    name: str
    total: int | None
    """trials asked for; None if the scan does not say"""
    ok: int
    failed: int
    pruned: int
    """trials that were stopped before their end"""
    running: tuple[Trial, ...]
    waiting: int
    """trials that were begun and released"""
    best: Trial | None
    latest_failure: Trial | None
    seconds_per_trial: float | None
    """median of the last trials that finished"""
    left: float | None
    """until all trials that were asked for are done, at the present rate"""
    at_work: str | None
    """who holds the folder: host and process; else how many work on a joined scan elsewhere; None if nobody does"""
    last_at_work: str | None = None
    """who was at work, and when, where this host cannot be sure that nobody is any more"""
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> int:
        return self.ok + self.failed + self.pruned

    @property
    def complete(self) -> bool:
        return self.total is not None and self.finished >= self.total


def signature(path: str | Path, store: str | StoreURL | None = None) -> str:
    """Changes when anything changes that `status_of` would read, or may have changed in the database `store`."""
    try:
        folders = ScanFolder.find_all(path)
    except StoreError:
        folders = [ScanFolder(path)]
    joined = f"{int(time.time() / _DATABASE_LOOK)}" if store is not None else ""
    return ";".join([joined, *(_stamp(file) for folder in folders for file in folder.watched())])


def _stamp(path: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        return "-"
    return f"{state.st_mtime_ns}:{state.st_size}" if isfile(path) else "d"


def status_of(path: str | Path, now: float, total: int | None = None, store: str | StoreURL | None = None) -> Status:
    """The status of the scan in a folder at `now` (seconds since 1970); raises StoreError if there is none.

    `store` is the URL of the store that the scan joined.
    """
    scan = read_scan(path, store)
    asked = total if total is not None else scan.total
    trials = scan.trials
    ok = [trial for trial in trials if trial.ok]
    failed = [trial for trial in trials if trial.status == "fail" and not trial.pruned]
    pruned = sum(1 for trial in trials if trial.pruned)
    running = tuple(trial for trial in trials if trial.status == "running")
    per_trial = _seconds_per_trial([trial for trial in trials if trial.finished])
    at_work, last_at_work = _holder(scan)
    remaining = None if asked is None else max(asked - len(ok) - len(failed) - pruned, 0)
    return Status(
        name=scan.name,
        total=asked,
        ok=len(ok),
        failed=len(failed),
        pruned=pruned,
        running=running,
        waiting=sum(1 for trial in trials if trial.status == "waiting"),
        best=next((trial for trial, _ in ranked(ok)), None),
        latest_failure=max(failed, key=lambda trial: (trial.end or 0.0, trial.number), default=None),
        seconds_per_trial=per_trial,
        left=_left(remaining, running, per_trial, now),
        at_work=at_work or _elsewhere(scan, running),
        last_at_work=last_at_work,
        notes=scan.notes,
    )


def _seconds_per_trial(trials: Sequence[Trial]) -> float | None:
    timed = sorted((trial for trial in trials if trial.seconds is not None), key=lambda trial: trial.end or 0.0)
    seconds = [trial.seconds for trial in timed[-_RECENT:] if trial.seconds is not None]
    return statistics.median(seconds) if seconds else None


def _left(remaining: int | None, running: Sequence[Trial], per_trial: float | None, now: float) -> float | None:
    """Trials still to do, shared by the workers that are at it, less what the running ones have done of theirs."""
    if remaining is None or per_trial is None:
        return None
    done = sum(min(max(now - trial.begin, 0.0), per_trial) for trial in running if trial.begin is not None)
    return max(remaining * per_trial - done, 0.0) / max(len(running), 1)


def _holder(scan: Scan) -> tuple[str | None, str | None]:
    """Who works in the scan's folder, by its lock; else who did, where the lock may not be seen from here.

    A process of this host that does not hold the lock is gone. One of another host may hold a lock that a network file
    system keeps from us.
    """
    holder = lock_holder(scan.folder.lock)
    host, process = (holder.notes.get(key, "unknown") for key in ("host", "pid"))
    if holder.held:
        return f"process {process} on {host}", None
    if "pid" in holder.notes and (holder.held is None or host != socket.gethostname()):
        return None, f"process {process} on {host} was, at {_last_change(scan.folder)}"
    return None, "its lock cannot be read" if holder.held is None else None


def _last_change(folder: ScanFolder) -> str:
    """When anything in the scan's folder changed last, in UTC."""
    files = (folder.lock, folder.store, folder.store_log, folder.tries)
    times = [file.stat().st_mtime for file in files if isfile(file)]
    return f"{datetime.fromtimestamp(max(times, default=0.0), UTC):%Y-%m-%d %H:%M} UTC"


def _elsewhere(scan: Scan, running: Sequence[Trial]) -> str | None:
    """How many processes work on a scan that many join, though none writes into this folder."""
    if scan.folder.joined_store() is None or not running:
        return None
    owners = {trial.owner for trial in running}
    return f"{len(owners)} {'process' if len(owners) == 1 else 'processes'} elsewhere"
