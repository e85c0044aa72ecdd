"""The engine of n3fit: hyperopt's tree-structured Parzen estimator (TPE).

The space is compiled to hyperopt once. Grids need a word: hyperopt's `quniform(low, high, q)` rounds to whole multiples
of q, which for a range that does not start at one misses the lower end and passes the upper. So a grid whose points are
multiples of its step is `quniform(low, high, q)`, draw by draw what hyperopt and n3fit give, and any other grid is
`low + quniform(0, high - low, q)`. A draw that rounding carried past the last point is moved to it. `RoundedUniform` is
hyperopt's own `quniform`, whatever its range. Of a range too wide or too narrow for hyperopt's formulae, hyperopt draws
the share.

Failures count as in hyperopt: a trial with status fail counts with its loss, or as the worst if it has none; a trial
that raised, or whose loss is NaN, is left out of what TPE looks at.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hyperopt import hp, tpe
from hyperopt.base import Domain
from hyperopt.pyll.base import scope

from hyperparton.engines.base import Engine, History, HistoryTracker, Pending, PerSpace, next_number, samplers_to_scan
from hyperparton.errors import EngineError
from hyperparton.space.rounded import RoundedUniform
from hyperparton.space.samplers import Choice, LogUniform, QUniform, Sampler, Uniform, is_extreme
from hyperparton.space.tree import replace_samplers
from hyperparton.trials.trial import Outcome

__all__ = ["HyperoptEngine"]

#: hyperopt takes widths of distributions below 1e-12 for 1e-12, and its narrowest has a hundredth of the range
_NARROWEST = 1e-9

#: the one failure without a usable result that hyperopt's TPE keeps: infinity is a loss, the worst
_KEPT_FAILURES = (None, "InfiniteLoss")


class HyperoptEngine(Engine):
    """TPE with hyperopt's own settings: 20 random trials first, then 24 candidates per trial."""

    name = "hyperopt"
    start = 20

    def __init__(self) -> None:
        self._compiled = PerSpace(_Compiled)

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """What `hyperopt.tpe.suggest` gives for these trials and this seed; EngineError if there is nothing to scan."""
        return self._compiled(space).suggest(history, seed)


class _Documents:
    """The part of hyperopt's Trials that TPE reads."""

    def __init__(self) -> None:
        self.trials: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.trials)

    def new_trial_docs(self, tids: Any, specs: Any, results: Any, miscs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"misc": misc} for misc in miscs]


class _Compiled:
    """One space compiled to hyperopt, with the documents of the trials seen last so that none is built twice."""

    def __init__(self, space: Any) -> None:
        self._samplers = samplers_to_scan(space)
        self._domain = Domain(_never_called, _compile(space, {}))
        self._tracker = HistoryTracker()
        self._documents = _Documents()

    def suggest(self, history: History, seed: int) -> dict[str, list[Any]]:
        self._follow(history)
        documents = tpe.suggest([next_number(history)], self._domain, self._documents, seed, verbose=False)
        vals = documents[0]["misc"]["vals"]
        return {label: [_from_hyperopt(self._samplers[label], v) for v in vals[label]] for label in sorted(vals)}

    def _follow(self, history: History) -> None:
        """Bring the documents in line with `history`: usually one is added; anything else starts them again."""
        void, added = self._tracker.update(history)
        if void:
            self._documents = _Documents()
        for outcome in added:
            if outcome.failure in _KEPT_FAILURES:
                self._documents.trials.append(self._document(outcome))

    def _document(self, outcome: Outcome) -> dict[str, Any]:
        tid = outcome.number
        vals = {label: [_to_hyperopt(s, v) for v in outcome.vals.get(label, [])] for label, s in self._samplers.items()}
        misc = {"tid": tid, "idxs": {label: [tid] if held else [] for label, held in vals.items()}, "vals": vals}
        return {"tid": tid, "result": {"status": outcome.status, "loss": outcome.loss}, "misc": misc}


def _never_called(point: Any) -> None:
    raise EngineError("an engine suggests trials, it does not evaluate them")


def _compile(node: Any, known: dict[str, Any]) -> Any:
    """The structure with hyperopt's expressions in place of samplers; a label met twice is one expression."""

    def compiled(sampler: Sampler) -> Any:
        if sampler.label not in known:
            known[sampler.label] = _expression(sampler, known)
        return known[sampler.label]

    return replace_samplers(node, compiled)


def _expression(sampler: Sampler, known: dict[str, Any]) -> Any:
    if isinstance(sampler, Choice):
        return hp.choice(sampler.label, [_compile(option, known) for option in sampler.options])
    if _by_share(sampler):
        return hp.uniform(sampler.label, 0.0, 1.0)
    if isinstance(sampler, Uniform):
        return hp.uniform(sampler.label, sampler.lower, sampler.upper)
    if isinstance(sampler, LogUniform):
        return hp.loguniform(sampler.label, float(np.log(sampler.lower)), float(np.log(sampler.upper)))
    if isinstance(sampler, RoundedUniform):
        grid = hp.quniform(sampler.label, sampler.low, sampler.high, sampler.step)
        return scope.int(grid) if sampler.make_int else grid
    shift = _shift(sampler)
    grid = hp.quniform(sampler.label, sampler.lower - shift, sampler.upper - shift, sampler.step)
    return scope.int(grid) if sampler.make_int else grid


def _by_share(sampler: Sampler) -> bool:
    """Whether hyperopt draws the share and not the value."""
    if isinstance(sampler, Choice | RoundedUniform):
        return False
    width = (
        math.log(sampler.upper) - math.log(sampler.lower)
        if isinstance(sampler, LogUniform)
        else (sampler.upper - sampler.lower)
    )
    return width < _NARROWEST or is_extreme(sampler)


def _shift(sampler: QUniform) -> float:
    """What is added to hyperopt's multiples of the step."""
    return 0.0 if sampler.aligned else sampler.lower


def _from_hyperopt(sampler: Sampler, drawn: Any) -> float | int:
    """hyperopt's number as the sampler's value."""
    if isinstance(sampler, Choice):
        return int(drawn)
    if _by_share(sampler):
        return sampler.value_at(float(drawn))
    if isinstance(sampler, QUniform):
        return sampler.snap(float(drawn) + _shift(sampler))
    return min(max(float(drawn), sampler.lower), sampler.upper)


def _to_hyperopt(sampler: Sampler, value: Any) -> float | int:
    """The sampler's value as the number that hyperopt drew, bit for bit; of an extreme range its share."""
    if _by_share(sampler):
        return sampler.share(value)
    if isinstance(sampler, QUniform):
        return round((value - _shift(sampler)) / sampler.step) * sampler.step
    return value
