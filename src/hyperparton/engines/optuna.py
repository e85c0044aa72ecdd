"""Optuna's tree-structured Parzen estimator as an engine.

Conditional labels stay conditional: the engine walks the space's tree and draws the labels that apply. The Parzen
estimator draws labels that always occur together in one group (`group`), jointly (`multivariate`).

Grids are whole numbers for Optuna, so every point of a grid can be drawn. A study is kept in memory and each new
outcome is added to it; each suggestion is made by a sampler of its own, started with the trial's seed, so nothing but
the outcomes is carried from one to the next.

Failures count as hyperopt's: a trial with status fail counts with its loss if it has one. All others, those that raised
too, count as worse than every loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hyperparton.engines.base import (
    Engine,
    History,
    HistoryTracker,
    Pending,
    PerSpace,
    best_and_latest,
    counted_loss,
    samplers_to_scan,
)
from hyperparton.space.samplers import Choice, LogUniform, QUniform, Sampler, is_extreme
from hyperparton.space.tree import choose
from hyperparton.trials.trial import Outcome

__all__ = ["TPE_START", "GrowingStudy", "OptunaSpace", "TPEEngine", "tpe_sampler"]

#: random trials at the beginning
TPE_START = 10

#: beyond so many trials the Parzen estimator sees the best and the latest, so that its cost does not grow
_TPE_BEST, _TPE_LATEST = 250, 750


class OptunaSpace:
    """The labels of one space in Optuna's terms."""

    def __init__(self, space: Any) -> None:
        self._space = space
        self.samplers = samplers_to_scan(space)
        self.distributions = {label: _distribution(sampler) for label, sampler in self.samplers.items()}

    def to_optuna(self, label: str, value: Any) -> Any:
        """A value of ours as Optuna's."""
        sampler = self.samplers[label]
        if is_extreme(sampler):
            return sampler.share(value)
        return sampler.index(value) if isinstance(sampler, QUniform) else value

    def from_optuna(self, label: str, value: Any) -> Any:
        """Optuna's value as ours."""
        sampler = self.samplers[label]
        if is_extreme(sampler):
            return sampler.value_at(float(value))
        if isinstance(sampler, QUniform):
            return sampler.point(int(value))
        return int(value) if isinstance(sampler, Choice) else float(value)

    def finished(self, outcome: Outcome) -> FrozenTrial:
        """A finished trial, with a parameter for each label that applied."""
        applied = [label for label in self.samplers if outcome.vals.get(label)]
        params = {label: self.to_optuna(label, outcome.vals[label][0]) for label in applied}
        distributions = {label: self.distributions[label] for label in applied}
        return create_trial(params=params, distributions=distributions, value=counted_loss(outcome))

    def ask(self, study: optuna.Study, sampler: BaseSampler, fixed: Mapping[str, Any]) -> dict[str, list[Any]]:
        """A point of the space: Optuna's values `fixed`, others as the sampler draws them for this study."""
        trial = create_trial(state=TrialState.RUNNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            joint = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
        known = {**joint, **fixed}

        def value_of(ours: Sampler) -> Any:
            if ours.cells == 1 and not isinstance(ours, Choice):
                return ours.lower
            label, distribution = ours.label, self.distributions[ours.label]
            drawn = known[label] if label in known else sampler.sample_independent(study, trial, label, distribution)
            return self.from_optuna(label, drawn)

        return choose(self._space, value_of)


def _distribution(sampler: Sampler) -> BaseDistribution:
    if isinstance(sampler, Choice):
        return CategoricalDistribution(range(sampler.cells))
    if is_extreme(sampler):
        # of one value Optuna knows that there is nothing to learn
        return FloatDistribution(0.5, 0.5) if sampler.cells == 1 else FloatDistribution(0.0, 1.0)
    if isinstance(sampler, QUniform):
        return IntDistribution(0, sampler.count)
    return FloatDistribution(sampler.lower, sampler.upper, log=isinstance(sampler, LogUniform))


def _storage() -> optuna.storages.BaseStorage:
    """A new store in memory with one study; Optuna's messages about it are switched off."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="scan")
    return storage


class GrowingStudy:
    """A study of one space that follows a history."""

    def __init__(self, space: Any) -> None:
        self.space = OptunaSpace(space)
        self._tracker = HistoryTracker()
        self._storage = _storage()

    def follow(self, history: History) -> None:
        """Bring the study in line with the history: usually one trial is added; a long history is shown in part."""
        void, shown = self._tracker.update(history)
        if len(history) > _TPE_BEST + _TPE_LATEST:
            void, shown = True, [history[i] for i in best_and_latest(history, _TPE_BEST, _TPE_LATEST)]
        if void:
            self._storage = _storage()
        study = self.study()
        for outcome in shown:
            study.add_trial(self.space.finished(outcome))

    def study(self) -> optuna.Study:
        """The study with the trials of the history that was followed last: a new object, which has cached none."""
        return optuna.load_study(study_name="scan", storage=self._storage)


def tpe_sampler(seed: int) -> BaseSampler:
    """Optuna's tree-structured Parzen estimator, multivariate and in groups."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=False, n_startup_trials=TPE_START)


class TPEEngine(Engine):
    """Optuna's tree-structured Parzen estimator, multivariate and in groups: 10 random trials, then 24 candidates."""

    name = "optuna"
    start = TPE_START

    def __init__(self) -> None:
        self._study = PerSpace(GrowingStudy)

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """A draw of `TPESampler(multivariate=True, group=True)` for these trials and this seed."""
        study = self._study(space)
        study.follow(history)
        return study.space.ask(study.study(), tpe_sampler(seed), {})
