"""The trials of a scan on one machine: an SQLite store in the replica folder, and `tries.json` after each trial.

`tries.sqlite` is the memory, `tries.json` what others read, `tries.lock` names the scan at work. A folder whose memory
is gone or damaged while `tries.json` still holds trials is refused: it is never silently started over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock, part_of
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.tries_read import read_tries

__all__ = ["FileTrials"]


class FileTrials(ExportedTrials):
    """The store of one folder, held by one process at a time; a restart on the same folder continues it.

    `parameters` is the space, used to write readable parameters where `book` is not given them. Trials that a killed
    process left unfinished are free again. Raises StoreError if the folder cannot be written, another scan works in it,
    or its store is damaged or missing.
    """

    shared = False

    def __init__(self, replica_path: str | Path, parameters: Mapping[str, Any] | None = None) -> None:
        folder = ScanFolder.of_replica(replica_path)
        self._lock = FolderLock(folder.lock)
        try:
            store = _open(folder)
            store.release_all()
            super().__init__(store, folder, parameters)
            self.name = str(folder.replica)
            self.rebuild()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._store.close()
            self._lock.close()


def _open(folder: ScanFolder) -> SqlStore:
    path = folder.store
    if not path.exists():
        _refuse_to_start_over(folder)
        _make_store(path)
    elif path.stat().st_size == 0:
        raise StoreError(f"{path}: damaged: it is empty; restore it from a copy or choose another folder")
    return SqlStore(path, create=False, name=str(path))


def _refuse_to_start_over(folder: ScanFolder) -> None:
    if folder.store_log.exists():
        raise StoreError(f"{folder.store}: is gone, but its log is there: restore it or choose another folder")
    if folder.tries.exists() and read_tries(folder.tries):
        raise StoreError(
            f"{folder.tries}: holds trials, but the state to continue from, {folder.store.name}, is not beside it: "
            "restore that file, move the trials away, or choose another folder"
        )


def _make_store(path: Path) -> None:
    """Make the store under another name and move it in place, so that a store that exists is complete."""
    with part_of(path, alone=True) as part:
        for end in ("-wal", "-shm", "-journal"):
            part.with_name(part.name + end).unlink(missing_ok=True)
        SqlStore(part, name=str(path)).close()
