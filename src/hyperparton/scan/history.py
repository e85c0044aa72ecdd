"""The finished trials of a scan, as far as engines may see them, and the best of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.trials.trial import Outcome, Trial
from hyperparton.trials.tries_export import ExportedTrials

__all__ = ["History", "Incumbent", "seen_by"]


def seen_by(number: int, lag: int) -> int:
    """How many trials are finished before trial `number` is suggested: those up to number - lag."""
    return max(number - lag + 1, 0)


@dataclass
class Incumbent:
    """The best of the trials that were added; of equal ones that with the lowest number."""

    loss: float | None = None
    number: int | None = None
    """of the best trial; None while there is none"""
    count: int = 0
    """trials that were added, good and failed"""

    def add(self, outcome: Outcome | Trial) -> None:
        """One more finished trial."""
        self.count += 1
        if outcome.status != "ok" or outcome.loss is None:
            return
        if self.loss is None or self.number is None or (outcome.loss, outcome.number) < (self.loss, self.number):
            self.loss, self.number = outcome.loss, outcome.number


class History:
    """The finished trials of a store in the order of their numbers, up to the first that is not finished."""

    def __init__(self, store: ExportedTrials) -> None:
        self._store = store
        self.outcomes: list[Outcome] = []
        #: the best of all that are finished, those after a gap too
        self.best = Incumbent()
        #: vals of trials that are not in `outcomes`
        self._vals: dict[int, Mapping[str, Sequence[Any]]] = {}
        if (best := store.best()) is not None:
            self.best.add(best)

    def reaches(self, stop: int) -> bool:
        """Whether all trials below `stop` are finished; their outcomes are then in `outcomes`."""
        known = len(self.outcomes)
        if known < stop and (end := min(self._store.first_unfinished(), stop)) > known:
            for outcome in self._store.history(known, end):
                self.outcomes.append(outcome)
                self.best.add(outcome)
        return len(self.outcomes) >= stop

    def add(self, trial: Trial) -> None:
        """A trial that this process has finished."""
        if trial.number == len(self.outcomes):
            self.outcomes.append(trial.outcome)
        self.best.add(trial)

    def vals(self, number: int) -> Mapping[str, Sequence[Any]]:
        """The vals of a trial that is booked."""
        known = len(self.outcomes)
        if number < known:
            return self.outcomes[number].vals
        if number not in self._vals:
            later = {other: vals for other, vals in self._vals.items() if other >= known}
            self._vals = {**later, number: self._store.get(number).vals}
        return self._vals[number]

    def finished(self, total: int) -> int:
        """How many of the `total` trials are finished, by whomever."""
        known = self._store.finished()
        if known is not None:
            return known
        self.reaches(total)
        return len(self.outcomes) + len(self._store.finished_numbers(len(self.outcomes)))
