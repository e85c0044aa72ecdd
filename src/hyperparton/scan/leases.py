"""The trials that this process holds: booked or taken over, kept by a heartbeat, finished or released."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from hyperparton.errors import StoreAwayError, StoreError
from hyperparton.trials.store import TrialStore, owner_name
from hyperparton.trials.trial import Trial

__all__ = ["Leases"]

_LOG = logging.getLogger(__name__)

#: seconds in which a scan that ends early gives its trials back, and one that ends since its server is away
_AT_THE_END, _AWAY = 5.0, 0.5


class Leases:
    """The leases of this process on the trials below `total` of a store, or on all.

    Each lasts `seconds`, None is without end.

    A context manager: while it is entered, a thread renews the leases; on exit the trials that still run are released,
    so that others run them.
    """

    def __init__(self, store: TrialStore, total: int | None, seconds: float | None) -> None:
        self.owner = owner_name()
        #: how long, in seconds, the longest trial took that this process finished
        self.longest = 0.0
        self._store, self._total, self._seconds = store, total, seconds
        #: number of a trial that runs -> when it began
        self._running: dict[int, float] = {}
        self._finishing: set[int] = set()
        self._may_be_left = True
        self._stopped = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True) if seconds else None

    def __enter__(self) -> Leases:
        if self._heart is not None:
            self._heart.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        seconds = _AT_THE_END
        if isinstance(exception[1], BaseException):  # a batch system that ends a job does not wait for a server
            seconds = self.hurry(exception[1])
        if self._heart is not None:
            self._heart.join(seconds)
        for number in set(self._running) - self._finishing:  # those have a result, which is kept
            # a store that cannot be written any more keeps the lease until it ends
            try:
                self._store.release(number, self.owner)
            except StoreAwayError:
                break
            except StoreError:
                pass

    def _beat(self) -> None:
        assert self._seconds is not None
        while not self._stopped.wait(self._seconds / 4):
            for number in list(self._running):
                try:
                    kept = self._store.heartbeat(number, self.owner, seconds=self._seconds)
                    if not kept and number in self._running and number not in self._finishing:
                        _LOG.warning("trial %d: its lease is lost, another process runs it", number)
                except StoreError as fault:  # the next beat may get through before the lease ends
                    if self._stopped.is_set():
                        return
                    _LOG.warning("trial %d: its lease could not be renewed: %s", number, fault)

    def hurry(self, why: BaseException) -> float:
        """From now on no server is waited for: the scan ends early. How long, in seconds, all that is left may take."""
        seconds = _AWAY if isinstance(why, StoreAwayError) else _AT_THE_END
        self._store.hurry(seconds)
        return seconds

    def holds(self, number: int) -> bool:
        """Whether this process runs the trial, or has a result of it that is not kept yet."""
        return number in self._running

    def take_over(self) -> Trial | None:
        """A trial that was left unfinished, to be run again; None if there is none just now."""
        if not self._may_be_left:
            return None
        trial = self._store.lease(self.owner, stop=self._total, seconds=self._seconds)
        # in a store that only this process holds, nothing is left again unless it is released here
        self._may_be_left = trial is not None or self._store.shared
        if trial is not None:
            _LOG.info("trial %d was left unfinished and runs again", trial.number)
            self._running[trial.number] = time.monotonic()
        return trial

    def book(self, number: int, vals: Mapping[str, Any], space_vals: Mapping[str, Any]) -> Trial | None:
        """A new trial of this number; None if another process was faster."""
        trial = self._store.book(number, vals, self.owner, space_vals=space_vals, seconds=self._seconds)
        if trial is not None:
            self._running[number] = time.monotonic()
        return trial

    def release(self, number: int) -> None:
        """Give a trial back that has no result; it will be run again."""
        self._store.release(number, self.owner)
        self._running.pop(number, None)
        self._may_be_left = True

    def finish(self, number: int, result: Mapping[str, Any]) -> float | None:
        """Keep a trial's result; the seconds that it took, or None if its lease was lost and the result is dropped."""
        keep = self._store.complete if result["status"] == "ok" else self._store.fail
        self._finishing.add(number)
        kept = keep(number, self.owner, result)
        seconds = time.monotonic() - self._running.pop(number, time.monotonic())
        self._finishing.discard(number)
        self.longest = max(self.longest, seconds)
        if not kept:
            _LOG.warning("trial %d: its lease was lost, this result of it is dropped", number)
            return None
        return seconds
