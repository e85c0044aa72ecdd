"""The engine CMA-ES: the covariance matrix adaptation evolution strategy of the package cmaes, Optuna's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cmaes
import numpy as np

from hyperparton.engines.base import Follower, counted_loss
from hyperparton.engines.optuna import Labels, TPEEngine
from hyperparton.engines.quasirandom import value_at
from hyperparton.errors import EngineError
from hyperparton.space import Choice, LogUniform, QUniform, Sampler
from hyperparton.trials.trial import Outcome

__all__ = ["CmaEsEngine"]


class CmaEsEngine(TPEEngine):
    """CMA-ES for the numbers (the package cmaes, Optuna's own), Optuna's Parzen estimator for the choices.

    Generations are the finished trials in their order, whatever the numbers of trials at once; a label that did not
    apply is told as the mean, which draws the distribution nowhere. (Optuna's CmaEsSampler keeps its state pickled in
    the trials that it asked for itself, so it cannot start from a history.)
    """

    name = "optuna:cmaes"

    def __init__(self) -> None:
        super().__init__()
        self._strategy: _Strategy | None = None
        self._follower = Follower()

    def suggest(
        self, space: Any, history: Sequence[Outcome], seed: int, number: int | None = None
    ) -> dict[str, list[Any]]:
        """Numbers from the distribution that the history gives, choices as the engine `optuna` draws them."""
        before = self._kept
        kept = self._at(space)
        if kept is not before:
            self._strategy, self._follower = None, Follower()
        kept.follow(history)
        again, added = self._follower.news(history)
        if again or self._strategy is None:
            self._strategy = _Strategy(kept.labels)
        self._strategy.tell(added)
        given = self._strategy.ask(seed) if len(history) >= self.start else {}
        return kept.labels.ask(kept.study(), self._sampler(seed), given)


class _Strategy:
    """The distribution of CMA-ES over the numbers of a space, each as a share of its range."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._numeric = sorted(label for label, s in labels.samplers.items() if not isinstance(s, Choice))
        if not self._numeric:
            raise EngineError("the engine optuna:cmaes needs a range to scan, the space holds choices only")
        size = len(self._numeric)
        self._cma = cmaes.CMA(np.full(size, 0.5), 0.25, bounds=np.tile([0.0, 1.0], (size, 1)), seed=0)
        self._untold: list[Outcome] = []

    def tell(self, added: Sequence[Outcome]) -> None:
        """Take further outcomes, generation by generation."""
        self._untold.extend(added)
        while len(self._untold) >= (size := self._cma.population_size):
            told, self._untold = self._untold[:size], self._untold[size:]
            self._cma.tell([(self._point(outcome), counted_loss(outcome)) for outcome in told])

    def ask(self, seed: int) -> dict[str, Any]:
        """Optuna's value of every number."""
        self._cma.reseed_rng(seed)
        point = dict(zip(self._numeric, self._cma.ask(), strict=True))
        return {label: self._labels.given(label, self._at(label, u)) for label, u in point.items()}

    def _at(self, label: str, u: float) -> Any:
        return value_at(self._labels.samplers[label], min(max(float(u), 0.0), 1.0 - 1e-12))

    def _point(self, outcome: Outcome) -> np.ndarray:
        point = np.array(self._cma.mean, copy=True)
        for i, label in enumerate(self._numeric):
            if outcome.vals.get(label):
                point[i] = _share(self._labels.samplers[label], outcome.vals[label][0])
        return point


def _share(sampler: Sampler, value: float) -> float:
    """Where in its range a value lies, from 0 to 1; a point of a grid in the middle of its cell."""
    if isinstance(sampler, QUniform):
        return (round((value - sampler.lower) / sampler.step) + 0.5) / (sampler.count + 1)
    if isinstance(sampler, LogUniform):
        return math.log(value / sampler.lower) / math.log(sampler.upper / sampler.lower)
    assert not isinstance(sampler, Choice)
    return (value - sampler.lower) / (sampler.upper - sampler.lower)
