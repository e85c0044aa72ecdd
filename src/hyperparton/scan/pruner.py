"""What a trial may have at its checkpoints, by the rule of `scan.pruning` and the trials it was suggested from."""

from __future__ import annotations

from typing import Any

from hyperparton.scan.history import seen_by
from hyperparton.scan.pruning import Curve, Limit, Rule, Standing
from hyperparton.trials import Trial, TrialStore

__all__ = ["Pruner"]

#: trials read at a time when the curves of a scan that is continued are read
_PAGE = 200


class Pruner:
    """Makes the limits of each trial of a scan in `store` from the finished trials; none without a rule."""

    def __init__(self, rule: Rule | None, space: Any, lag: int, store: TrialStore) -> None:
        self._rule, self._space, self._lag, self._store = rule, space, lag, store
        self._standing: Standing | None = None

    @property
    def prunes(self) -> bool:
        """Whether trials are pruned at all."""
        return self._rule is not None

    def limits(self, trial: Trial) -> list[Limit] | None:
        """What the finished trials allow this one; None if the scan does not prune.

        They are those that the trial was suggested from, whenever it runs.
        """
        if self._rule is None:
            return None
        seen = seen_by(trial.number, self._lag)
        standing = self._standing
        if standing is None or standing.count > seen:  # one that was left unfinished looks back
            standing = Standing(self._rule, self._space)
        for start in range(standing.count, seen, _PAGE):
            for one in self._store.trials(start, min(start + _PAGE, seen)):
                standing.add(Curve.from_result(one.result or {}, one.vals))
        if self._standing is None or standing.count >= self._standing.count:
            self._standing = standing
        return standing.limits(trial.vals)
