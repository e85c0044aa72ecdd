"""When a scan has found enough: a loss that is good enough, no improvement any more, its time used up.

Whether trial n is begun depends on the results of the trials up to n - lag alone, as what it tries does. So a scan ends
with the same trial whoever is faster and however often it is stopped, and whoever wants more continues it with other
settings: they are no part of what the scan is. Time is the exception: it is what passed while the scan's processes
worked, those of earlier starts too, up to the last trial that each finished.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hyperparton.errors import ScanError
from hyperparton.trials.trial import Outcome

__all__ = ["Course", "Ending"]


@dataclass(frozen=True)
class Ending:
    """What ends a scan before its number of trials; None is nothing."""

    target_loss: float | None = None
    """a loss of at most this"""
    patience: int | None = None
    """so many trials without a better loss"""
    max_time: float | None = None
    """seconds that the scan's processes worked, added up"""
    min_improvement: float | None = None
    """an expected improvement of the loss, as the engine tells it, below this"""

    def __post_init__(self) -> None:
        if self.target_loss is not None and not math.isfinite(self.target_loss):
            raise ScanError(f"target_loss must be a finite number, given {self.target_loss!r}")
        for name in ("patience", "max_time", "min_improvement"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ScanError(f"{name} must be above 0, given {value!r}")

    def reason(self, course: Course) -> str | None:
        """Why a scan with this course ends; None if it goes on."""
        if course.best is None:
            return None
        found = f"the best loss is {course.best:.4f} (trial {course.at})"
        if self.target_loss is not None and course.best <= self.target_loss:
            return f"{found}, at most {self.target_loss:g} was asked for"
        waited = course.count - 1 - course.at
        if self.patience is not None and waited >= self.patience:
            return f"{found}, {waited} trials brought nothing better"
        return None


@dataclass
class Course:
    """The best of the first `count` trials of a scan and its place; of equal ones the first."""

    count: int = 0
    best: float | None = None
    at: int = -1

    def add(self, outcome: Outcome) -> None:
        """The next trial."""
        if outcome.status == "ok" and outcome.loss is not None and (self.best is None or outcome.loss < self.best):
            self.best, self.at = outcome.loss, self.count
        self.count += 1
