"""Which trials run next: those that were left unfinished first, then new ones, until the scan is over."""

from __future__ import annotations

from dataclasses import dataclass

from hyperparton.scan.early_stop import EarlyStop
from hyperparton.scan.events import Events
from hyperparton.scan.leases import Leases
from hyperparton.scan.limits import Crashes
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.suggest import Suggester
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Trial

__all__ = ["TrialQueue"]


@dataclass
class TrialQueue:
    """The trials of a scan that are not begun yet; `batch_trials` is how many run together."""

    scanner: HyperScanner
    store: TrialStore
    total: int
    batch_trials: int
    leases: Leases
    suggester: Suggester
    early_stop: EarlyStop
    crashes: Crashes
    events: Events
    over: bool = False
    """whether nothing is left: all trials are finished, or early stopping ended the scan"""
    stop_reason: str | None = None
    """why early stopping ended the scan, if it did"""
    _kept_back: Trial | None = None

    def next_batch(self) -> list[Trial]:
        """Trials to run together now; none if there is none just now."""
        batch: list[Trial] = []
        while len(batch) < self.batch_trials:
            trial, self._kept_back = self._kept_back or self._next_trial(), None
            if trial is None:
                break
            alone = trial.number in self.crashes.alone
            if alone and batch:
                self._kept_back = trial
                break
            batch.append(trial)
            if alone:
                break
        return batch

    def _next_trial(self) -> Trial | None:
        trial = self.leases.take_over() or self._new_trial()
        if trial is not None:
            self.events.trial_started(trial)
        return trial

    def _new_trial(self) -> Trial | None:
        """The next trial that nobody has begun, if all is finished that it is suggested from."""
        history = self.suggester.history
        while (number := self.store.next_number()) < self.total:
            if not self.suggester.is_ready(number):
                return None
            self.stop_reason = self.early_stop.reason(number)
            if self.stop_reason is not None:
                self.over = history.reaches(number)
                return None
            vals = self.suggester.vals(number)
            trial = self.leases.book(number, vals, self.scanner.space_vals(vals))
            if trial is not None:
                return trial
        self.over = history.reaches(self.total)
        return None
