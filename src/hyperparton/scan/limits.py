"""What a scan may take: time of a trial, memory of a worker, failures in a row, time in all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from hyperparton.errors import ScanError

__all__ = ["Limits", "TrialTimeoutError", "alarm", "limit_failure"]


class TrialTimeoutError(Exception):
    """A trial in this process took longer than it may; it becomes a failed trial."""


@dataclass(frozen=True)
class Limits:
    """Limits of a scan; None is none."""

    trial_timeout: float | None = None
    """seconds that one trial may take; one that takes longer is a failed trial"""
    worker_memory: int | None = None
    """bytes that a process which runs trials may hold; one that holds more is ended and its trial a failed one"""
    max_consecutive_failures: int | None = None
    """so many failed trials one after the other end the scan"""
    walltime: float | None = None
    """seconds after which the scan hands back what is running and ends; no trial is begun that would not be done"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ScanError(f"{name} must be above 0, given {value!r}")


def limit_failure(kind: str, message: str) -> dict[str, object]:
    """The result of a trial that a limit ended."""
    return {"status": "fail", "loss": None, "failure": {"type": kind, "message": message, "traceback": None}}


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
