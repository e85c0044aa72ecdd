"""What a trial store is: the memory of a scan, shared by all who work on it.

The contract
------------
Trials are numbered from 0 without gaps. A trial is *booked* once, with its vals; from then on it exists whatever
happens to the worker. A booked trial is *leased* by one owner at a time, *finished* once, and then never changes.

- `book` adds trial `number` and leases it. It succeeds only for the next free number, so of several workers that try
  one wins and the others are told None and look again. What the vals must be depends on number, space, seed and earlier
  results only, so it does not matter who wins.
- `lease` takes over the unfinished trial with the lowest number that nobody holds: it was released or its lease has
  ended. It keeps its number and its vals.
- `heartbeat` moves the end of a lease; `release` hands a trial back. A lease of None seconds does not end by itself and
  is for stores that only one process can hold.
- `complete` and `fail` finish a trial. They succeed only for the owner of the lease and only once; who has lost the
  lease is told False, and the result that counts is that of the new owner.
- `history` lists finished trials by number.
- `attach` keeps metadata of the scan under a key; values are strict JSON data. `attach_first` keeps them only if
  nothing is there: of several workers who start the same scan one settles what it is.
- Leases end by the clock of whoever keeps the store: a database server's own, or this machine's for a file. The clocks
  of the workers play no part.

Every change is one transaction that is on disk when the method returns: a process killed at any moment leaves each
change either done or not begun. No pickle: what a store holds is text and numbers. A store that is damaged, or held by
another process where it can have only one, raises StoreError; none is ever silently started over.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.trials.record import outcome_of_record, trial_of_record
from hyperparton.trials.result import fails_below, failure_type
from hyperparton.trials.strict_json import Decoded, decode, encode, encode_strict
from hyperparton.trials.trial import DONE, NEW, RUNNING, Outcome, Trial

__all__ = ["LeasedStore", "TrialStore", "lease_end", "owner_name"]


def owner_name() -> str:
    """How a scan at work signs the trials that it leases: host, process id, and a random word.

    The word is another one at each call: containers share names and process ids, and ids come again.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class TrialStore(ABC):
    """The trials of one scan; the contract is this module's docstring. A context manager that closes itself."""

    #: whether other processes may hold it at the same time; then leases need an end
    shared: bool = True

    #: how messages call it
    name: str = "the trial store"

    @abstractmethod
    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        """Add trial `number`, leased to `owner` for `seconds`; None if it is not the next free number."""

    @abstractmethod
    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        """Take over the lowest-numbered unfinished trial below `stop` that nobody holds; None if there is none."""

    @abstractmethod
    def heartbeat(self, number: int, owner: str, *, seconds: float | None = None) -> bool:
        """Let the lease end `seconds` from now; False if `owner` no longer holds the trial."""

    @abstractmethod
    def release(self, number: int, owner: str) -> bool:
        """Hand the trial back; False if `owner` no longer holds it."""

    @abstractmethod
    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        """Finish the trial with status ok and a finite loss; False if `owner` no longer holds it."""

    @abstractmethod
    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        """Finish the trial with status fail and its reason; False if `owner` no longer holds it."""

    @abstractmethod
    def next_number(self) -> int:
        """The lowest number that was never booked."""

    @abstractmethod
    def first_unfinished(self) -> int:
        """The lowest number that is not finished, booked or not: all below it are finished."""

    @abstractmethod
    def finished_numbers(self, start: int = 0) -> list[int]:
        """The numbers of the finished trials from `start` on, in order."""

    @abstractmethod
    def get(self, number: int) -> Trial:
        """One trial, finished or not; raises KeyError if it was never booked."""

    @abstractmethod
    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        """The finished trials with start <= number < stop, by number, as engines read them."""

    @abstractmethod
    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        """The finished trials with start <= number < stop, by number, in full."""

    @abstractmethod
    def best(self) -> Trial | None:
        """The ok trial with the lowest loss, of equal ones the first; None if there is none."""

    @abstractmethod
    def attach(self, key: str, value: Any) -> None:
        """Keep `value` under `key`, in place of what was there."""

    @abstractmethod
    def attach_first(self, key: str, value: Any) -> Any:
        """Keep `value` under `key` if nothing is there yet; what is kept after that."""

    @abstractmethod
    def metadata(self) -> dict[str, Any]:
        """Everything attached."""

    def hurry(self, seconds: float) -> None:
        """From now on answer or raise StoreError, all together within so many seconds: the process is to end."""
        return  # a store on this machine never takes longer

    @abstractmethod
    def close(self) -> None:
        """Give the store up; what was leased stays leased. Closing twice does nothing."""

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def lease_end(now: float, seconds: float | None) -> float | None:
    """When a lease of so many seconds ends; None if it does not end by itself."""
    return None if seconds is None else now + seconds


def _as_json(result: Mapping[str, Any]) -> str:
    """The text of a result; raises TypeError or ValueError where JSON cannot hold it."""
    if isinstance(result, Decoded):
        return result.text
    text = encode_strict(result)
    return text if decode(text) == result else encode(result)


class LeasedStore(TrialStore):
    """A store with one conditional change, `_change`, for everything that only the holder of a lease may do."""

    #: the highest number that was seen in the store; a trial that exists stays, so all up to it are there
    _known: int = -1

    @abstractmethod
    def _change(self, number: int, holder: str, values: dict[str, Any]) -> bool:
        """Change a trial that `holder` has leased; False if it has not.

        `values` are those of its record; a `seconds` among them lets the lease end so long from now, and with a result
        the time is noted.
        """

    @abstractmethod
    def _last(self) -> int:
        """The highest number in the store, -1 if there is none."""

    @abstractmethod
    def _insert(self, record: Mapping[str, Any], seconds: float | None) -> float | None:
        """Add the record of a trial, booked and leased for `seconds` now; the time, or None if its number is there."""

    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        record = {
            "number": number, "state": RUNNING, "vals": encode(vals), "space_vals": encode(space_vals or {}),
            "owner": owner, "attempts": 1,
        }  # fmt: skip
        now = self._insert(record, seconds) if self._is_next(number) else None
        if now is None:
            return None
        self._known = max(self._known, number)
        times = {"book_time": now, "refresh_time": now, "lease_end": lease_end(now, seconds)}
        return trial_of_record({**record, **times, "result": None}, self.name)

    @abstractmethod
    def _finished(self, start: int, stop: int | None, *fields: str) -> Iterable[Mapping[Any, Any]]:
        """The records of the finished trials with start <= number < stop, by number: these fields, by default all."""

    def finished_numbers(self, start: int = 0) -> list[int]:
        return [record["number"] for record in self._finished(start, None, "number")]

    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        records = self._finished(start, stop, "number", "vals", "status", "loss", "failure", "fails_below")
        return [outcome_of_record(record, self.name) for record in records]

    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        return [trial_of_record(record, self.name) for record in self._finished(start, stop)]

    def next_number(self) -> int:
        self._known = self._last()
        return self._known + 1

    def _is_next(self, number: int) -> bool:
        """Whether all trials below `number` exist; if it exists itself, the store's uniqueness tells."""
        return number == self._known + 1 or number == self.next_number()

    def heartbeat(self, number: int, owner: str, *, seconds: float | None = None) -> bool:
        return self._change(number, owner, {"seconds": seconds})

    def release(self, number: int, owner: str) -> bool:
        return self._change(number, owner, {"state": NEW, "owner": None, "seconds": None})

    def complete(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finish(number, owner, result, "ok")

    def fail(self, number: int, owner: str, result: Mapping[str, Any]) -> bool:
        return self._finish(number, owner, result, "fail")

    def _finish(self, number: int, owner: str, result: Mapping[str, Any], status: str) -> bool:
        loss = result.get("loss")
        if status == "ok" and (result.get("status") != "ok" or not isinstance(loss, float) or not math.isfinite(loss)):
            raise StoreError(f"trial {number}: complete needs status ok and a finite loss, given {loss!r}")
        if status == "fail" and result.get("status") != "fail":
            raise StoreError(f"trial {number}: fail needs status fail, given {result.get('status')!r}")
        told = fails_below(result)
        values = {
            "status": status, "loss": loss, "failure": failure_type(result), "result": _as_json(result),
            "fails_below": None if told is None else encode(told),
        }  # fmt: skip
        return self._change(number, owner, {**values, "state": DONE, "seconds": None})
