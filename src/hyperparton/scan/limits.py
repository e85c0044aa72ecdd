"""What a scan may take: time of a trial, memory of a process, failures and crashes in a row, time in all."""

from __future__ import annotations

import math
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from hyperparton.errors import (
    Fault,
    HyperpartonError,
    NodeError,
    RuncardError,
    ScanError,
    TooManyFailuresError,
    WalltimeError,
)
from hyperparton.text import counted
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Trial

__all__ = [
    "Crashes",
    "Deadline",
    "FailureCount",
    "Limits",
    "TrialTimeoutError",
    "alarm",
    "build_error",
    "disk_fault",
    "failure_result",
]

#: the next trial is taken to need this much more time than the longest so far
_RESERVE = 1.1

#: how often a trial may end the process that runs it before it counts as failed
_DEATHS = 3

#: the store keeps the deaths of a trial's process under this, its number and a word of its own
_DEATH = "death of trial "

#: in the failure of a trial: whether a disk of its machine is at fault
_OF_DISK = "disk"

#: how many processes in a row may die before they have a trainer
_FALSE_STARTS = 10


class TrialTimeoutError(Exception):
    """A trial in this process took longer than it may; it becomes a failed trial."""


@dataclass(frozen=True)
class Limits:
    """Limits of a scan; None is no limit. Raises ScanError for one that is not above 0."""

    trial_timeout: float | None = None
    """seconds that one trial may take; one that takes longer is a failed trial"""
    worker_memory: int | None = None
    """bytes that a process which runs trials may hold; one that holds more is ended and its trial a failed one"""
    max_consecutive_failures: int | None = None
    """so many failed trials one after the other end the scan"""
    walltime: float | None = None
    """seconds after which the scan releases what is running and ends; no trial is begun that would not be done"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ScanError(f"{name} must be above 0, given {value!r}")

    def after(self, seconds: float) -> Limits:
        """The limits once so many seconds of the walltime have passed."""
        return self if self.walltime is None else replace(self, walltime=max(self.walltime - seconds, 1e-3))


class Deadline:
    """When a scan has to end: a walltime, in seconds from now on, or never for None."""

    def __init__(self, walltime: float | None) -> None:
        self._walltime = walltime
        self._end = math.inf if walltime is None else time.monotonic() + walltime

    def left(self) -> float:
        """Seconds until then; infinity if it is never."""
        return self._end - time.monotonic()

    def at_most(self, seconds: float) -> float:
        """So many seconds, or fewer if it comes earlier."""
        return max(0.0, min(seconds, self.left()))

    def leaves_time_for(self, seconds: float) -> bool:
        """Whether a trial can still be done, if it takes so long and a bit more."""
        return self.left() > _RESERVE * seconds

    def check(self) -> None:
        """Raise WalltimeError if it has passed."""
        if self.left() < 0.0:
            raise self.error()

    def error(self) -> WalltimeError:
        """The error that ends the scan."""
        return WalltimeError(
            f"the walltime of {self._walltime:g} s is over, trials are left; the same command continues"
        )


class FailureCount:
    """Counts failed trials in a row; `most` of them are too many. A pruned trial is no failure."""

    def __init__(self, most: int | None) -> None:
        self._most, self._count = most, 0
        self._fault: TooManyFailuresError | None = None

    def add(self, trial: Trial) -> None:
        """One more finished trial."""
        self._count = 0 if trial.status == "ok" or trial.pruned else self._count + 1
        if self._count == self._most and self._fault is None:
            text = f"{counted(self._count, 'trial')} failed one after the other, the last with {trial.reason}"
            self._fault = TooManyFailuresError(text)

    def check(self) -> None:
        """Raise TooManyFailuresError if there were too many at some time."""
        if self._fault is not None:
            raise self._fault


class Crashes:
    """Processes that died while they ran trials: which trials run again, which alone, and which fail.

    How often each trial has ended its process is kept in the store, so that it counts for all jobs of the scan and
    their later starts. Only deaths count that the scan saw: one that is killed itself, whole, counts nothing.
    """

    def __init__(self, store: TrialStore) -> None:
        self._store = store
        self._false_starts = 0
        #: trials that ended a process together with others: each runs alone, so that it counts for itself
        self.alone: set[int] = set()

    def reset(self) -> None:
        """A process gave results."""
        self._false_starts = 0

    def at_start(self, how: str) -> None:
        """A process died before it had a trainer; NodeError if that happens too often in a row."""
        self._false_starts += 1
        if self._false_starts == _FALSE_STARTS:
            raise NodeError(f"{_FALSE_STARTS} processes one after the other died before they had a trainer: {how}")

    def in_trials(self, numbers: Sequence[int], how: str) -> str | None:
        """A process died that ran these trials; why its only one fails, if that happened too often, else None."""
        if len(numbers) > 1:
            self.alone.update(numbers)
            return None
        of_trial = f"{_DEATH}{numbers[0]} "
        # a key of its own for each: jobs that write at once count nothing twice and lose nothing
        self._store.attach_first(of_trial + secrets.token_hex(8), how)
        deaths = sum(key.startswith(of_trial) for key in self._store.metadata())
        return None if deaths < _DEATHS else f"the process that ran it died {deaths} times; the last time {how}"


def build_error(answer: Mapping[str, Any]) -> HyperpartonError:
    """The error of a process that has no trainer, by its answer (see `TrainerProcess.ask`)."""
    if "broken" not in answer:
        return NodeError(f"the process for trials dies before it has a trainer: {answer['died']}")
    if answer.get("node"):
        return NodeError(str(answer["broken"]))
    faults = [Fault(**fault) for fault in answer.get("faults", ())]
    return RuncardError(faults) if faults else ScanError(str(answer["broken"]))


def failure_result(kind: str, message: str, trace: str | None = None, disk: bool = False) -> dict[str, Any]:
    """The result of a trial that failed; with `disk` because of a disk of its machine, as far as one can tell."""
    failure = {"type": kind, "message": message, "traceback": trace, **({_OF_DISK: True} if disk else {})}
    return {"status": "fail", "loss": None, "failure": failure}


def disk_fault(result: Mapping[str, Any]) -> str | None:
    """What a disk of the machine did to the trial with this result, if anything."""
    failure = result.get("failure") if result.get("status") == "fail" else None
    if not isinstance(failure, Mapping) or failure.get(_OF_DISK) is not True:
        return None
    return f"{failure.get('type')}: {failure.get('message')}"


@contextmanager
def alarm(seconds: float | None, fault: BaseException) -> Iterator[None]:
    """Raise `fault` here if the body takes longer than `seconds`; nothing for None.

    Only Python code can be interrupted: a call into a compiled library ends first. For the main thread, to which the
    system gives its signals.
    """
    if seconds is None:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise fault

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
