"""The engine CMA-ES: the covariance matrix adaptation evolution strategy of the package cmaes, Optuna's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cmaes
import numpy as np

from hyperparton.engines.base import Engine, History, HistoryTracker, Pending, PerSpace, counted_loss
from hyperparton.engines.optuna import TPE_START, GrowingStudy, OptunaSpace, tpe_sampler
from hyperparton.errors import EngineError
from hyperparton.space.samplers import Choice
from hyperparton.trials.trial import Outcome

__all__ = ["CmaEsEngine"]


class CmaEsEngine(Engine):
    """CMA-ES for the numbers (the package cmaes, Optuna's own), Optuna's Parzen estimator for the choices.

    Generations are the finished trials in their order, whatever the number of trials that run at once. A label that did
    not apply enters as the mean, which does not move the distribution. (Optuna's CmaEsSampler keeps its state, pickled,
    in the trials that it suggested itself, so it cannot start from a history.)
    """

    name = "optuna:cmaes"
    start = TPE_START

    def __init__(self) -> None:
        self._search = PerSpace(_Search)

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """Numbers from the distribution that the history gives, choices as the engine `optuna` draws them."""
        search = self._search(space)
        search.follow(history)
        numbers = search.strategy.ask(seed) if len(history) >= self.start else {}
        return search.study.space.ask(search.study.study(), tpe_sampler(seed), numbers)


class _Search:
    """The distribution over the numbers of one space, and the study for its choices."""

    def __init__(self, space: Any) -> None:
        self.study = GrowingStudy(space)
        self.strategy = _Strategy(self.study.space)
        self._tracker = HistoryTracker()

    def follow(self, history: History) -> None:
        """Bring both in line with the history."""
        self.study.follow(history)
        void, added = self._tracker.update(history)
        if void:
            self.strategy = _Strategy(self.study.space)
        self.strategy.tell(added)


class _Strategy:
    """The distribution of CMA-ES over the numbers of a space, each as a share of its range."""

    def __init__(self, space: OptunaSpace) -> None:
        self._space = space
        ranges = {label: s for label, s in space.samplers.items() if not isinstance(s, Choice)}
        if not ranges:
            raise EngineError("the engine optuna:cmaes needs a range to scan, the space holds choices only")
        # those of one value stand here only where there are no others
        self._numeric = sorted(label for label, s in ranges.items() if s.cells != 1) or sorted(ranges)
        size = len(self._numeric)
        self._cma = cmaes.CMA(np.full(size, 0.5), 0.25, bounds=np.tile([0.0, 1.0], (size, 1)), seed=0)
        self._waiting: list[Outcome] = []

    def tell(self, added: Sequence[Outcome]) -> None:
        """Take further outcomes, generation by generation."""
        self._waiting.extend(added)
        while len(self._waiting) >= (size := self._cma.population_size):
            generation, self._waiting = self._waiting[:size], self._waiting[size:]
            self._cma.tell([(self._point(outcome), counted_loss(outcome)) for outcome in generation])

    def ask(self, seed: int) -> dict[str, Any]:
        """Optuna's value of every number."""
        self._cma.reseed_rng(seed)
        point = zip(self._numeric, np.minimum(self._cma.ask(), 1.0 - 1e-12).tolist(), strict=True)
        return {label: self._space.to_optuna(label, self._space.samplers[label].value_at(s)) for label, s in point}

    def _point(self, outcome: Outcome) -> np.ndarray:
        point = np.array(self._cma.mean, copy=True)
        for i, label in enumerate(self._numeric):
            if outcome.vals.get(label):
                point[i] = self._space.samplers[label].share(outcome.vals[label][0])
        return point
