"""A store with a folder beside it in which `tries.json` follows it, after each trial."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from hyperparton.errors import StoreError
from hyperparton.space.tree import evaluate, readable
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.strict_json import encode_bytes
from hyperparton.trials.trial import Trial
from hyperparton.trials.tries_entry import to_tries
from hyperparton.trials.tries_write import TriesFile

__all__ = ["ExportedTrials", "lines_of"]

#: trials read at a time when `tries.json` is made anew
_PAGE = 200


Method = TypeVar("Method", bound=Callable[..., Any])


def _passed_on(method: Method) -> Method:
    """The `method` of a store, done by the store that an ExportedTrials keeps."""

    @wraps(method, updated=())
    def pass_on(self: ExportedTrials, *arguments: Any, **options: Any) -> Any:
        return getattr(self._store, method.__name__)(*arguments, **options)

    return cast("Method", pass_on)


class ExportedTrials(TrialStore):
    """All that `store` does, and the `tries.json` of `folder` after each trial that is finished.

    Trials that other processes finish in the same store are written too, when one of this process is finished and at
    the end. `parameters` is the space, used to write readable parameters where `book` is not given them.
    """

    def __init__(self, store: TrialStore, folder: ScanFolder, parameters: Mapping[str, Any] | None = None) -> None:
        self.json_path = folder.tries
        self.name = store.name
        self._store = store
        self._parameters = parameters
        self._writer = threading.Lock()
        self._tries = TriesFile(self.json_path, self._lines, store.name)
        # what was written: every trial below the number, and those in the set
        self._below, self._ahead = 0, set[int]()

    def _lines(self, lines: Iterable[tuple[int, bytes]] | None = None) -> Iterator[tuple[int, bytes]]:
        for number, line in lines_of(self._store) if lines is None else lines:
            self._mark(number)
            yield number, line

    def _mark(self, number: int) -> None:
        self._ahead.add(number)
        while self._below in self._ahead:
            self._ahead.remove(self._below)
            self._below += 1

    def rebuild(self, lines: Iterable[tuple[int, bytes]] | None = None) -> None:
        """Write the whole file; `lines` are all that the store has, if they were compared with the file before."""
        with self._writing():
            self._below, self._ahead = 0, set()
            self._tries.rebuild(None if lines is None else self._lines(lines))

    def follow(self, own: int | None = None) -> None:
        """Write what was finished since, whoever finished it; `own` is what this process has just finished."""
        with self._writing():
            # below the first unfinished trial all is written, beyond it as many as run at once
            for trial in self._new(own):
                if trial.number >= self._below and trial.number not in self._ahead:
                    self._tries.add(trial.number, _line(trial))
                    self._mark(trial.number)

    def _new(self, own: int | None) -> Iterable[Trial]:
        """The finished trials that may not be written yet, few of the others with them."""
        if own is not None and not self.shared:
            return [self._store.get(own)]
        if not self._ahead:
            return self._store.trials(self._below)
        new = [number for number in self._store.finished_numbers(self._below) if number not in self._ahead]
        return map(self._store.get, new)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One thread writes at a time; an OSError becomes a StoreError that names the file."""
        try:
            with self._writer:
                yield
        except StoreError:
            raise
        except OSError as fault:
            raise StoreError(f"{self.json_path}: cannot be written: {fault.strerror}") from fault

    def finished(self) -> int | None:
        """How many trials are finished and written, or None where that is not known here."""
        return self._below + len(self._ahead)

    def _finished(self, number: int, finished: bool) -> bool:
        if finished:
            self.follow(number)
        return finished

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

    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finished(number, self._store.complete(number, owner, result))

    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finished(number, self._store.fail(number, owner, result))

    lease = _passed_on(TrialStore.lease)
    heartbeat = _passed_on(TrialStore.heartbeat)
    release = _passed_on(TrialStore.release)
    next_number = _passed_on(TrialStore.next_number)
    first_unfinished = _passed_on(TrialStore.first_unfinished)
    finished_numbers = _passed_on(TrialStore.finished_numbers)
    get = _passed_on(TrialStore.get)
    history = _passed_on(TrialStore.history)
    trials = _passed_on(TrialStore.trials)
    best = _passed_on(TrialStore.best)
    attach = _passed_on(TrialStore.attach)
    attach_first = _passed_on(TrialStore.attach_first)
    metadata = _passed_on(TrialStore.metadata)
    hurry = _passed_on(TrialStore.hurry)

    def flush(self) -> None:
        """Write what waits to be written."""
        with self._writing():
            self._tries.flush()


def lines_of(store: TrialStore) -> Iterator[tuple[int, bytes]]:
    """The finished trials of a store by number, as lines of `tries.json`."""
    for start in range(0, store.next_number(), _PAGE):
        for trial in store.trials(start, start + _PAGE):
            yield trial.number, _line(trial)


def _line(trial: Trial) -> bytes:
    return encode_bytes(to_tries(trial))
