"""Optuna's tree-structured Parzen estimator as an engine.

Conditional labels stay conditional: the engine walks the space's tree and asks for the labels that apply. The Parzen
estimator looks at labels in groups that always occur together (`group`), jointly within each (`multivariate`).

Grids are whole numbers for Optuna, so every point of a grid can be drawn. A study is kept in memory and each new
outcome is added to it; each suggestion is made by a sampler of its own, started with the trial's seed, so nothing but
the outcomes is carried from one to the next.

Failures count as hyperopt's: a trial with status fail counts with its loss if it has one. All others, those that raised
too, count as worse than every loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hyperparton.engines.base import Follower, best_and_latest, counted_loss, samplers_to_scan
from hyperparton.space import Choice, LogUniform, QUniform, Sampler, choose, freeze
from hyperparton.trials.trial import Outcome

__all__ = ["Kept", "Labels", "TPEEngine"]

#: beyond so many trials the Parzen estimator sees the best and the latest, so that its cost does not grow
_TPE_BEST, _TPE_LATEST = 250, 750


class Labels:
    """The labels of one space in Optuna's terms."""

    def __init__(self, space: Any) -> None:
        self.space = space
        self.samplers = samplers_to_scan(space)
        self.distributions = {label: _distribution(sampler) for label, sampler in self.samplers.items()}

    def given(self, label: str, value: Any) -> Any:
        """A value of ours as Optuna's."""
        sampler = self.samplers[label]
        return round((value - sampler.lower) / sampler.step) if isinstance(sampler, QUniform) else value

    def params(self, outcome: Outcome) -> dict[str, Any]:
        """Optuna's parameters of a trial: of the labels that applied."""
        return {label: self.given(label, outcome.vals[label][0]) for label in self.samplers if outcome.vals.get(label)}

    def finished(self, params: Mapping[str, Any], value: float) -> FrozenTrial:
        """A finished trial."""
        return create_trial(
            params=dict(params), distributions={label: self.distributions[label] for label in params}, value=value
        )

    def ask(self, study: optuna.Study, sampler: BaseSampler, given: Mapping[str, Any]) -> dict[str, list[Any]]:
        """A point of the space: values as `given`, others as the sampler draws them for this study."""
        trial = create_trial(state=TrialState.RUNNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            joint = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))

        def value_of(ours: Sampler) -> Any:
            label, distribution = ours.label, self.distributions[ours.label]
            known = {**joint, **given}
            drawn = known[label] if label in known else sampler.sample_independent(study, trial, label, distribution)
            if isinstance(ours, QUniform):
                return ours.point(int(drawn))
            return int(drawn) if isinstance(ours, Choice) else float(drawn)

        return choose(self.space, value_of)


def _distribution(sampler: Sampler) -> BaseDistribution:
    if isinstance(sampler, Choice):
        return CategoricalDistribution(list(range(len(sampler.options))))
    if isinstance(sampler, QUniform):
        return IntDistribution(0, sampler.count)
    return FloatDistribution(sampler.lower, sampler.upper, log=isinstance(sampler, LogUniform))


def _storage() -> optuna.storages.BaseStorage:
    """A new store in memory with one study; Optuna tells of that at length."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="scan")
    return storage


def _study(storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study in `storage`; a new object, which has not cached any trials."""
    return optuna.load_study(study_name="scan", storage=storage)


class Kept:
    """What an engine keeps of one space and the history seen last."""

    def __init__(self, space: Any) -> None:
        self.labels = Labels(space)
        self._follower = Follower()
        self._storage = _storage()

    def follow(self, history: Sequence[Outcome]) -> None:
        """Bring the study in line with the history: usually one trial is added; a long history is shown in part."""
        again, shown = self._follower.news(history)
        if len(history) > _TPE_BEST + _TPE_LATEST:
            again, shown = True, [history[i] for i in best_and_latest(history, _TPE_BEST, _TPE_LATEST)]
        if again:
            self._storage = _storage()
        study = self.study()
        for outcome in shown:
            study.add_trial(self.labels.finished(self.labels.params(outcome), counted_loss(outcome)))

    def study(self) -> optuna.Study:
        return _study(self._storage)


class TPEEngine:
    """Optuna's tree-structured Parzen estimator, multivariate and in groups: 10 random trials, then 24 candidates."""

    name = "optuna"
    start = 10

    def __init__(self) -> None:
        self._kept: Kept | None = None

    def suggest(
        self, space: Any, history: Sequence[Outcome], seed: int, number: int | None = None
    ) -> dict[str, list[Any]]:
        """A draw of `TPESampler(multivariate=True, group=True)` for these trials and this seed."""
        kept = self._at(space)
        kept.follow(history)
        return kept.labels.ask(kept.study(), self._sampler(seed), {})

    def _at(self, space: Any) -> Kept:
        frozen = freeze(space)
        if self._kept is None or self._kept.labels.space != frozen:
            self._kept = Kept(frozen)
        return self._kept

    def _sampler(self, seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                seed=seed, multivariate=True, group=True, constant_liar=False, n_startup_trials=self.start
            )
