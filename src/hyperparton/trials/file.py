"""The trials of a scan on one machine: an SQLite store in the replica folder, and `tries.json` after each trial.

`tries.sqlite` is the memory, `tries.json` what others read, `tries.lock` names the scan at work. A folder whose memory
is gone or damaged while `tries.json` still holds trials is refused: it is never silently started over.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.space import evaluate, readable
from hyperparton.trials.lock import FolderLock
from hyperparton.trials.record import Outcome, Trial, encode, to_tries
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.store import TrialStore
from hyperparton.trials.tries import read_tries
from hyperparton.trials.tries_file import TriesFile

__all__ = ["FileTrials"]

#: trials read at a time when `tries.json` is made anew
_PAGE = 200


class FileTrials(TrialStore):
    """The store of one folder, held by one process at a time; a restart on the same folder continues it.

    `parameters` is the space, used to write readable parameters where `book` is not given them. Trials that a killed
    process left unfinished are free again. Raises StoreError if the folder cannot be written, another scan works in it,
    or its store is damaged or missing.
    """

    def __init__(self, replica_path: str | Path, parameters: Mapping[str, Any] | None = None) -> None:
        folder = Path(replica_path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise StoreError(f"{folder}: cannot be made: {fault.strerror}") from fault
        self.path = folder / "tries.sqlite"
        self.json_path = folder / "tries.json"
        self._parameters = parameters
        self._writer = threading.Lock()
        self._lock = FolderLock(folder / "tries.lock")
        try:
            self._store = self._open()
            self._store.release_all()
            self._tries = TriesFile(self.json_path, self._lines)
            self._tries.rebuild()
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> SqlStore:
        if not self.path.exists():
            self._refuse_to_start_over()
            _make_store(self.path)
        elif self.path.stat().st_size == 0:
            raise StoreError(f"{self.path}: damaged: it is empty; restore it from a copy or choose another folder")
        return SqlStore(self.path, create=False, name=str(self.path))

    def _refuse_to_start_over(self) -> None:
        if self.path.with_name(self.path.name + "-wal").exists():
            raise StoreError(f"{self.path}: is gone, but its log is there: restore it or choose another folder")
        if self.json_path.exists() and read_tries(self.json_path):
            raise StoreError(
                f"{self.json_path}: holds trials, but the state to continue from, {self.path.name}, is not beside it: "
                "restore that file, move the trials away, or choose another folder"
            )

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for start in range(0, self._store.next_number(), _PAGE):
            for trial in self._store.trials(start, start + _PAGE):
                yield trial.number, _line(trial)

    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        if space_vals is None and self._parameters is not None:
            space_vals = readable(evaluate(self._parameters, vals))
        return self._store.book(number, vals, owner, space_vals=space_vals, seconds=seconds)

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        return self._store.lease(owner, stop=stop, seconds=seconds)

    def heartbeat(self, number: int, owner: str, *, seconds: float | None = None) -> bool:
        return self._store.heartbeat(number, owner, seconds=seconds)

    def release(self, number: int, owner: str) -> bool:
        return self._store.release(number, owner)

    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._export(number, self._store.complete(number, owner, result))

    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._export(number, self._store.fail(number, owner, result))

    def _export(self, number: int, finished: bool) -> bool:
        if finished:
            with self._writing():
                self._tries.add(number, _line(self._store.get(number)))
        return finished

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One thread at a time, and its failures told."""
        try:
            with self._writer:
                yield
        except StoreError:
            raise
        except OSError as fault:
            raise StoreError(f"{self.json_path}: cannot be written: {fault.strerror}") from fault

    def next_number(self) -> int:
        return self._store.next_number()

    def get(self, number: int) -> Trial:
        return self._store.get(number)

    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        return self._store.history(start, stop)

    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        return self._store.trials(start, stop)

    def best(self) -> Trial | None:
        return self._store.best()

    def attach(self, key: str, value: Any) -> None:
        self._store.attach(key, value)

    def metadata(self) -> dict[str, Any]:
        return self._store.metadata()

    def close(self) -> None:
        try:
            with self._writing():
                self._tries.flush()
        finally:
            self._store.close()
            self._lock.close()


def _make_store(path: Path) -> None:
    """Make the store under another name and move it in place, so that a store that exists is complete."""
    new = path.with_name(path.name + ".new")
    for leftover in (new, *(new.with_name(new.name + end) for end in ("-wal", "-shm", "-journal"))):
        leftover.unlink(missing_ok=True)
    SqlStore(new, name=str(path)).close()
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _line(trial: Trial) -> bytes:
    return encode(to_tries(trial)).encode()
