"""What stores with leases have in common: what may change a trial, and what is known of the numbers that exist."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyperparton.trials.result import failure_type, finished_loss
from hyperparton.trials.store import TrialStore
from hyperparton.trials.strict_json import encode
from hyperparton.trials.trial import DONE, NEW, RUNNING, Outcome, Trial

__all__ = ["LeasedStore", "lease_end", "trial_of_record"]


#: columns of a trial, as they are and as JSON text
_PLAIN = ("number", "state", "owner", "book_time", "refresh_time", "attempts", "lease_end")
_TEXTS = ("vals", "space_vals")


def lease_end(now: float, seconds: float | None) -> float | None:
    """When a lease of so many seconds ends; None if it does not end by itself."""
    return None if seconds is None else now + seconds


def trial_of_record(record: Mapping[Any, Any]) -> Trial:
    """The trial of a record with a column for each of its fields, dictionaries in it as JSON text."""
    fields = {name: record[name] for name in _PLAIN} | {name: json.loads(record[name]) for name in _TEXTS}
    return Trial(**fields, result=None if record["result"] is None else json.loads(record["result"]))


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
        return trial_of_record({**record, **times, "result": None})

    @abstractmethod
    def _finished(self, start: int, stop: int | None, *fields: str) -> Iterable[Mapping[Any, Any]]:
        """The records of the finished trials with start <= number < stop, by number: these fields, by default all."""

    def finished_numbers(self, start: int = 0) -> list[int]:
        return [record["number"] for record in self._finished(start, None, "number")]

    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        records = self._finished(start, stop, "number", "vals", "status", "loss", "failure")
        return [Outcome(r["number"], json.loads(r["vals"]), r["status"], r["loss"], r["failure"]) for r in records]

    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        return [trial_of_record(record) for record in self._finished(start, stop)]

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
        loss = finished_loss(number, result, status)
        values = {"status": status, "loss": loss, "failure": failure_type(result), "result": encode(result)}
        return self._change(number, owner, {**values, "state": DONE, "seconds": None})
