"""What comes next: the engine is asked for trial n with the finished trials up to n - lag.

Trial 0 may be the user's own methodology: the parameters of the runcard, as near as the space has them. It is what they
fit with today, so the scan should not name anything worse, and what is near it is often good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.engines import Engine, trial_seed
from hyperparton.scan.history import History, seen_by
from hyperparton.scan.scouts import Scouts
from hyperparton.trials.trial import Outcome

__all__ = ["Suggester"]


@dataclass(frozen=True)
class Suggester:
    """An engine with all that it is asked with: the space, the scan's seed and lag, and the trials before."""

    engine: Engine
    space: Any
    seed: int
    lag: int
    history: History
    earlier: tuple[Outcome, ...] = ()
    """trials of earlier scans, before all others in what the engine sees"""
    scouts: Scouts | None = None
    """re-fits that the engine sees where they stand, if the scan makes some while it searches"""
    own: Mapping[str, Sequence[Any]] | None = None
    """the vals of trial 0, the user's own methodology, where the scan begins with it"""

    def is_ready(self, number: int) -> bool:
        """Whether the trials and re-fits are finished that trial `number` is suggested from."""
        seen = seen_by(number, self.lag)
        return self.history.reaches(seen) and (self.scouts is None or self.scouts.are_finished(seen))

    def vals(self, number: int) -> dict[str, list[Any]]:
        """The point of the space that trial `number` tries; `is_ready` has to be true."""
        if number == 0 and self.own is not None:
            return {label: list(value) for label, value in self.own.items()}
        seed = trial_seed(self.seed, number)
        return self.engine.suggest(self.space, self._past(number), seed, number, self._pending(number))

    def expected_improvement(self, number: int) -> float | None:
        """By how much the engine expects trial `number` to lower the best loss; None if it cannot tell."""
        seed = trial_seed(self.seed, number)
        return self.engine.expected_improvement(self.space, self._past(number), seed, number, self._pending(number))

    def _past(self, number: int) -> Sequence[Outcome]:
        outcomes, seen = self.history.outcomes, seen_by(number, self.lag)
        past = outcomes if len(outcomes) == seen else outcomes[:seen]
        if self.scouts is not None:
            past = self.scouts.among(past)
        return [*self.earlier, *past] if self.earlier else past

    def _pending(self, number: int) -> list[Mapping[str, Sequence[Any]]]:
        """The vals of the trials that the engine does not see: they are booked, whether they are finished or not."""
        return [self.history.vals(earlier) for earlier in range(seen_by(number, self.lag), number)]
