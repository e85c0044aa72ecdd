"""The trials of a scan that many processes join through a shared store, each with a folder for `tries.json`.

Several may name the same folder. Whoever holds its lock writes `tries.json`; when that one ends, another takes over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperparton.errors import FolderInUseError, NoScanError, StoreError
from hyperparton.files import FolderLock, lock_holder
from hyperparton.text import counted
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.tries_read import read_tries

__all__ = ["JoinedTrials", "look_before_joining", "open_store"]

#: how often, in seconds, one that does not write `tries.json` looks whether it has to
_LOOK = 2.0

#: how long, in seconds, one that ends waits for another that is just writing `tries.json`
_WAIT = 5.0


def open_store(url: str | StoreURL, *, create: bool = True) -> TrialStore:
    """The store behind a URL: sqlite:///FILE, postgresql://…, mongodb://…; raises StoreError.

    `create` makes one where there is none yet; without, that is a NoScanError, or a StoreError for a missing file.
    """
    place = StoreURL.parse(url)
    if place.scheme.startswith("mongodb"):
        try:
            from hyperparton.trials.mongo.store import MongoStore
        except ImportError as fault:
            raise StoreError(f"MongoDB needs the module {fault.name}: pip install 'hyperparton[mongo]'") from fault
        return MongoStore(place, create=create)
    from hyperparton.trials.sql import SqlStore

    return SqlStore(place, create=create)


def look_before_joining(url: str | StoreURL, replica_path: str | Path) -> bool:
    """Whether a scan was begun in the store; raises what speaks against joining it; nothing is made."""
    place = StoreURL.parse(url)
    known, begun = 0, False
    if place.file is None or os.path.exists(place.file):
        with contextlib.suppress(NoScanError), open_store(place, create=False) as store:
            known, begun = store.next_number(), True
    folder = ScanFolder.of_tries(Path(replica_path) / "tries.json")
    _refuse_folder(folder, place.name, known)
    near = next(path for path in (folder.replica, *folder.replica.absolute().parents) if os.path.exists(path))
    if not os.access(near, os.W_OK):
        raise StoreError(f"{near}: cannot be written: {os.strerror(errno.EACCES)}")
    return begun


def _refuse_folder(folder: ScanFolder, store: str, known: int) -> None:
    """Raise StoreError for a folder that cannot be that of a scan in `store`, which has so many trials."""
    if os.path.exists(folder.store):
        raise StoreError(f"{folder.replica}: holds a scan of its own, not one that is joined; choose another folder")
    # a tries.json with more trials than the store is of another scan, or the store lost some
    there = len(read_tries(folder.tries, keep=lambda entry: None)) if os.path.exists(folder.tries) else 0
    if there > known:
        raise StoreError(
            f"{folder.tries}: holds {counted(there, 'trial')}, the store {store} {known}: choose another folder, or "
            "restore the store"
        )
    holder = lock_holder(folder.lock)
    if holder.held and holder.notes.get("store", store) != store:
        raise FolderInUseError(folder.replica, "scan", holder.notes)


class JoinedTrials(ExportedTrials):
    """`store`, which other processes use at the same time, with `tries.json` in the folder `replica_path`.

    Raises StoreError if the folder cannot be written or belongs to another scan.
    """

    def __init__(
        self, store: TrialStore, replica_path: str | Path, parameters: Mapping[str, Any] | None = None
    ) -> None:
        _refuse_folder(ScanFolder.of_tries(Path(replica_path) / "tries.json"), store.name, store.next_number())
        folder = ScanFolder.of_replica(replica_path)
        super().__init__(store, folder, parameters)
        self._path = folder.lock
        self._lock: FolderLock | None = None
        self._looked, self._closed = 0.0, False
        self._take_over()

    def _take_over(self) -> bool:
        """Hold the lock and write the file from now on, if nobody does; StoreError if another scan does."""
        if self._lock is None:
            self._looked = time.monotonic()
            try:
                self._lock = FolderLock(self._path, {"store": self.name})
            except FolderInUseError as fault:
                # one that is just taking the lock has not said yet who it is
                if fault.holder and fault.holder.get("store") != self.name:
                    raise
                return False
            self.rebuild()
        return True

    def follow(self, own: int | None = None) -> None:
        if self._lock is not None:
            super().follow(own)
        elif time.monotonic() - self._looked > _LOOK:
            self._take_over()

    def finished(self) -> int | None:
        return None if self._lock is None else super().finished()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            end = time.monotonic() + _WAIT
            while not (mine := self._take_over()) and time.monotonic() < end:
                time.sleep(0.1)
            if mine:
                super().follow()
                self.flush()
        finally:
            self._store.close()
            if self._lock is not None:
                self._lock.close()
                self._lock = None
