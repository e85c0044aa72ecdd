"""The trials of a scan on one machine: an SQLite store in the replica folder, and `tries.json` after each trial.

`tries.sqlite` is the memory, `tries.json` what others read, `tries.lock` names the scan at work and keeps the count of
what the store held. A folder whose parts do not belong together is refused before any of them is touched: a copy of the
store is examined, and must hold what `tries.json` and the count know of. A scan is never silently started over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock, part_of
from hyperparton.text import counted
from hyperparton.trials.agreement import Count, refuse_losses
from hyperparton.trials.examine import examine
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.sqlite_file import snapshot, sqlite_logs
from hyperparton.trials.trial import Trial
from hyperparton.trials.tries_export import ExportedTrials, lines_of
from hyperparton.trials.tries_read import read_tries

__all__ = ["FileTrials"]


class FileTrials(ExportedTrials):
    """The store of one folder, held by one process at a time; a restart on the same folder continues it.

    `parameters` is the space, used to write readable parameters where `book` is not given them. Trials that a killed
    process left unfinished are free again. Raises StoreError if the folder cannot be written, another scan works in it,
    its store is damaged or missing, or its parts do not belong together; the folder is then as it was.
    """

    shared = False

    def __init__(self, replica_path: str | Path, parameters: Mapping[str, Any] | None = None) -> None:
        self._folder = ScanFolder.of_replica(replica_path)
        with contextlib.ExitStack() as undone:
            undone.callback(self._folder.unmake)
            self._lock = FolderLock(self._folder.lock)
            undone.callback(self._lock.undo)
            self._made = not self._folder.store.exists()
            if self._made:
                _make_store(self._folder, Count.of(self._lock.found_notes))
            self._count, lines = _examine(self._folder, Count.of(self._lock.found_notes))
            _refuse_read_only(self._folder.replica, self._folder.store)
            store = SqlStore(self._folder.store, create=False, examined=True)
            undone.callback(store.close)
            store.release_all()
            super().__init__(store, self._folder, parameters)
            self.name, self._closed = str(self._folder.replica), False
            self._counting = threading.Lock()
            self._lock.note(self._count.note())
            self.rebuild(lines)
            undone.pop_all()

    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        self._check_place()
        trial = super().book(number, vals, owner, space_vals=space_vals, seconds=seconds)
        if trial is not None:
            self._note_count(booked=1)
        return trial

    def _finished(self, number: int, finished: bool) -> bool:
        if finished:
            self._note_count(finished=1)
            self._check_place()
        return super()._finished(number, finished)

    def _note_count(self, booked: int = 0, finished: int = 0) -> None:
        with self._counting:
            now = self._count
            self._count = Count(now.scan, now.booked + booked, now.finished + finished)
            self._lock.note(self._count.note())

    def _check_place(self) -> None:
        """Raise StoreError if the folder is not this scan's any more."""
        if not self._lock.is_in_place():
            raise StoreError(
                f"{self._folder.lock}: is gone or was replaced while the scan ran; nothing more is written: put the "
                "folder back as it was and start again"
            )

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._store.close()
            if self._made and self._count.booked == 0:
                self._forget()
            else:
                self._lock.close(self._count.note())

    def _forget(self) -> None:
        """A start that booked no trial leaves nothing behind."""
        for file in (self._folder.store, *sqlite_logs(self._folder.store)):
            with contextlib.suppress(OSError):
                file.unlink()
        self._lock.undo()
        self._folder.unmake()


def _examine(folder: ScanFolder, count: Count | None) -> tuple[Count, list[tuple[int, bytes]]]:
    """What the store holds, and its finished trials as lines of `tries.json`.

    Raises StoreError where it is damaged, or lacks what `count` and `tries.json` know of; it is not touched.
    """
    path = folder.store
    if path.is_file() and path.stat().st_size == 0:
        raise StoreError(f"{path}: damaged: it is empty; restore it from a copy or choose another folder")
    with snapshot(path) as copy:
        held = examine(copy, str(path))
        with SqlStore(copy, create=False, examined=True, name=str(path)) as store:
            if count is not None and held.booked + count.booked:
                _refuse_another_count(folder, count, held)
            lines = list(lines_of(store))
            refuse_losses(folder.tries, str(path), lines)
    return held, lines


def _refuse_another_count(folder: ScanFolder, count: Count, held: Count) -> None:
    store, lock = folder.store, folder.lock
    if count.scan != held.scan:
        raise StoreError(
            f"{lock}: is of another scan than {store.name}: put back the one that belongs to it, or remove it"
        )
    if count.finished > held.finished or count.booked > held.booked:
        raise StoreError(
            f"{store}: holds {counted(held.finished, 'finished trial')} of {held.booked}, but had {count.finished} of "
            f"{count.booked} by {lock.name}: it is an older copy, or its log {folder.store_log.name} is gone or "
            f"damaged. Put back what belongs together; or remove {lock.name} to go on with what the store has, or "
            "start in a new folder with the trials of this one (scan --from)"
        )


def _refuse_read_only(*paths: Path) -> None:
    """SQLite would leave its logs beside a store that it may not write to."""
    for path in paths:
        if not os.access(path, os.W_OK):
            raise StoreError(f"{path}: cannot be written: {os.strerror(errno.EACCES)}")


def _refuse_to_start_over(folder: ScanFolder, count: Count | None) -> None:
    for log in sqlite_logs(folder.store):
        if log.exists():
            raise StoreError(f"{folder.store}: is gone, but {log.name} is there: restore it or choose another folder")
    if folder.tries.exists() and read_tries(folder.tries):
        raise StoreError(
            f"{folder.tries}: holds trials, but the state to continue from, {folder.store.name}, is not beside it: "
            "restore that file, move the trials away, or choose another folder"
        )
    if count is not None and count.booked:
        raise StoreError(
            f"{folder.store}: is gone, and held {counted(count.booked, 'trial')} by {folder.lock.name}: restore it, "
            f"remove {folder.lock.name}, or choose another folder"
        )


def _make_store(folder: ScanFolder, count: Count | None) -> None:
    """Make the store under another name and move it in place, so that a store that exists is complete."""
    _refuse_to_start_over(folder, count)
    try:
        with part_of(folder.store, alone=True) as part:
            for log in sqlite_logs(part):
                log.unlink(missing_ok=True)
            SqlStore(part, name=str(folder.store)).close()
    except OSError as fault:
        raise fault if isinstance(fault, StoreError) else StoreError(f"{folder.store}: {fault.strerror}") from fault
