"""The losses above which a trial is stopped at its checkpoints, made from the trials that it was suggested from."""

from __future__ import annotations

from typing import Any

from hyperparton.scan.history import seen_by
from hyperparton.scan.learning_curve import LearningCurve
from hyperparton.scan.pruning import Pruner, Rule, Threshold
from hyperparton.trials import Trial, TrialStore

__all__ = ["Thresholds"]

#: trials read at a time when the curves of a scan that is continued are read
_PAGE = 200


class Thresholds:
    """The thresholds of the trials of a scan in `store`; none without a rule."""

    def __init__(self, rule: Rule | None, space: Any, lag: int, store: TrialStore) -> None:
        self._rule, self._space, self._lag, self._store = rule, space, lag, store
        self._pruner: Pruner | None = None

    @property
    def prune(self) -> bool:
        """Whether trials are pruned at all."""
        return self._rule is not None

    def of(self, trial: Trial) -> list[Threshold] | None:
        """The thresholds of one trial, by epoch; None if the scan does not prune.

        They follow from the finished trials that it was suggested from, whenever it runs.
        """
        if self._rule is None:
            return None
        seen = seen_by(trial.number, self._lag)
        pruner = self._pruner
        if pruner is None or pruner.count > seen:  # a trial that was left unfinished saw fewer
            pruner = Pruner(self._rule, self._space)
        for start in range(pruner.count, seen, _PAGE):
            for one in self._store.trials(start, min(start + _PAGE, seen)):
                pruner.add(LearningCurve.from_result(one.result or {}, one.vals))
        if self._pruner is None or pruner.count >= self._pruner.count:
            self._pruner = pruner
        return pruner.thresholds(trial.vals)
