"""Which re-fit runs next: one that was left unfinished, else the next that the race, or the scouts, want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hyperparton.errors import StoreError
from hyperparton.scan.events import RefitEvents
from hyperparton.scan.leases import Leases
from hyperparton.scan.race import Race
from hyperparton.scan.scouts import Scouts
from hyperparton.trials.refits import Refit, refit_of, vals_of
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Trial

__all__ = ["RefitQueue"]


@dataclass
class RefitQueue:
    """The re-fits of a race, or of scouts, that are not begun yet."""

    race: Race | Scouts
    trial: Callable[[int], Trial]
    """the trial of the scan with this number"""
    store: TrialStore
    leases: Leases
    events: RefitEvents
    _finished: dict[int, Refit] = field(default_factory=dict)
    _trials: dict[int, Trial] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing is left, and nothing is wanted at present."""
        return not self.race.wanted(self._known())

    def next_batch(self) -> list[Trial]:
        """A re-fit to run now, by itself; none if there is none just now."""
        if self.over:  # the store is not asked
            return []
        entry = self.leases.take_over() or self._new()
        if entry is None:
            return []
        self.events.trial_started(entry)
        return [entry]

    def refits(self) -> list[Refit]:
        """All that are finished."""
        for entry in self.store.trials(self._below()):
            if entry.number not in self._finished:
                self._finished[entry.number] = self._checked(entry)
        return self._known()

    def _known(self) -> list[Refit]:
        """Those that this process knows to be finished."""
        return [self._finished[number] for number in sorted(self._finished)]

    def _below(self) -> int:
        """All entries below this number are known here."""
        number = 0
        while number in self._finished:
            number += 1
        return number

    def _checked(self, entry: Trial) -> Refit:
        refit = refit_of(entry)
        trial = self._trial(refit.trial)
        if vals_of(trial.number, trial.vals, refit.replicas) != dict(entry.vals):
            raise StoreError(
                f"{self.store.name}: holds re-fits of another scan: trial {trial.number} has other parameters there; "
                "remove them to confirm anew"
            )
        return refit

    def _new(self) -> Trial | None:
        """The next that nobody has begun, if all is finished that it is chosen by."""
        while True:
            number = self.store.next_number()
            wanted = self.race.wanted(self.refits())
            at_work = {self._asked(each) for each in range(number) if each not in self._finished}
            free = [each for each in wanted if each not in at_work]
            if not free:
                return None
            trial, replicas = self._trial(free[0][0]), free[0][1]
            entry = self.leases.book(number, vals_of(trial.number, trial.vals, replicas), trial.space_vals)
            if entry is not None:
                return entry

    def _trial(self, number: int) -> Trial:
        if number not in self._trials:
            self._trials[number] = self.trial(number)
        return self._trials[number]

    def _asked(self, number: int) -> tuple[int, tuple[int, ...]]:
        refit = refit_of(self.store.get(number))
        return refit.trial, refit.replicas
