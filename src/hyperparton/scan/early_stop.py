"""Early stopping of a scan: its loss is low enough, nothing better comes any more, or its time is used up.

Whether trial n is begun depends on the results of the trials up to n - lag alone, as what it tries does. So a scan ends
with the same trial whoever is faster and however often it is stopped, and whoever wants more continues it with other
settings: they are no part of what the scan is. Time is the exception: it is what passed while the scan's processes
worked, those of earlier starts too, up to the last trial that each finished.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from hyperparton.errors import ScanError
from hyperparton.scan.history import Incumbent, seen_by
from hyperparton.scan.suggest import Suggester
from hyperparton.text import counted
from hyperparton.trials.store import TrialStore

__all__ = ["EarlyStop", "EarlyStopping"]

#: the store keeps how long a process worked under this and the process's name
_WORKED = "worked "


@dataclass(frozen=True)
class EarlyStopping:
    """What ends a scan before its number of trials; None is nothing."""

    target_loss: float | None = None
    """the scan ends when its best loss is at most this"""
    patience: int | None = None
    """it ends after so many trials without a better loss"""
    max_time: float | None = None
    """it ends when its processes have worked so many seconds, added up over all starts"""
    min_improvement: float | None = None
    """it ends when the engine expects the next trial to lower the loss by less than this"""

    def __post_init__(self) -> None:
        if self.target_loss is not None and not math.isfinite(self.target_loss):
            raise ScanError(f"target_loss must be a finite number, given {self.target_loss!r}")
        for name in ("patience", "max_time", "min_improvement"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ScanError(f"{name} must be above 0, given {value!r}")

    def reason(self, incumbent: Incumbent) -> str | None:
        """Why a scan with these finished trials ends; None if it goes on."""
        if incumbent.loss is None or incumbent.number is None:
            return None
        best = f"the best loss is {incumbent.loss:.4f} (trial {incumbent.number})"
        if self.target_loss is not None and incumbent.loss <= self.target_loss:
            return f"{best}, at most {self.target_loss:g} was asked for"
        waited = incumbent.count - 1 - incumbent.number
        if self.patience is not None and waited >= self.patience:
            return f"{best}, {counted(waited, 'trial')} brought nothing better"
        return None


class EarlyStop:
    """The early stopping of one scan at work. Its processes note in the store how long each of them worked."""

    def __init__(self, rules: EarlyStopping, suggester: Suggester, store: TrialStore, owner: str) -> None:
        self._rules, self._suggester = rules, suggester
        self._store, self._key = store, _WORKED + owner
        self._incumbent = Incumbent()
        self._begun = time.monotonic()

    def reason(self, number: int) -> str | None:
        """Why trial `number` is not begun; None if it is. The trials that it is suggested from must be finished."""
        rules, incumbent = self._rules, self._incumbent
        for outcome in self._suggester.history.outcomes[incumbent.count : seen_by(number, self._suggester.lag)]:
            incumbent.add(outcome)
        if (reason := rules.reason(incumbent)) is not None:
            return reason
        if rules.max_time is not None and (worked := self._worked()) >= rules.max_time:
            return f"the scan worked for {worked:.0f} s, at most {rules.max_time:g} s were asked for"
        if rules.min_improvement is not None and incumbent.loss is not None:
            gain = self._suggester.expected_improvement(number)
            if gain is not None and gain < rules.min_improvement:
                return f"the next trial is expected to improve the loss by {gain:.2g}, less than was asked for"
        return None

    def note_time(self) -> None:
        """Keep how long this process has worked."""
        if self._rules.max_time is not None:
            self._store.attach(self._key, round(time.monotonic() - self._begun, 3))

    def _worked(self) -> float:
        """Seconds that all processes of the scan worked, as far as they have noted them."""
        noted = self._store.metadata()
        others = (value for key, value in noted.items() if key.startswith(_WORKED) and key != self._key)
        return sum(others) + time.monotonic() - self._begun
