"""The trials of a scan that many processes join through a shared store, each with a folder for `tries.json`.

Several may name the same folder. Whoever holds its lock writes `tries.json`; when that one ends, another takes over.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperparton.errors import FolderInUseError, StoreError
from hyperparton.files import FolderLock
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.tries_read import read_tries

__all__ = ["JoinedTrials", "open_store"]

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


class JoinedTrials(ExportedTrials):
    """`store`, which other processes use at the same time, with `tries.json` in the folder `replica_path`.

    Raises StoreError if the folder cannot be written or belongs to another scan.
    """

    def __init__(
        self, store: TrialStore, replica_path: str | Path, parameters: Mapping[str, Any] | None = None
    ) -> None:
        folder = ScanFolder.of_replica(replica_path)
        super().__init__(store, folder, parameters)
        self._path = folder.lock
        self._lock: FolderLock | None = None
        self._looked, self._closed = 0.0, False
        if folder.store.exists():
            raise StoreError(
                f"{folder.replica}: holds a scan of its own, not one that is joined; choose another folder"
            )
        self._refuse_another_scan()
        self._take_over()

    def _refuse_another_scan(self) -> None:
        """A `tries.json` with more trials than the store is of another scan, or the store lost some."""
        if not self.json_path.exists():
            return
        there, known = len(read_tries(self.json_path, keep=lambda entry: None)), self._store.next_number()
        if there > known:
            raise StoreError(
                f"{self.json_path}: holds {there} trials, the store {self.name} {known}: choose another folder, or "
                "restore the store"
            )

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
