"""Finished trials as a study in one of Optuna's storages, for Optuna's own tools: dashboard, figures, importances.

Parameters are the labels of the search space. A grid keeps its step, an option of a choice has its name (the
optimizer, the activation, how many layers) and not its number. Trials that succeeded are COMPLETE, those that were
stopped are PRUNED, all others FAIL; what a trial reported at its checkpoints are its intermediate values.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hyperparton.errors import StoreError
from hyperparton.interop.storage_url import storage_name
from hyperparton.space.samplers import Choice, LogUniform, QUniform, Sampler
from hyperparton.space.tree import fingerprint, readable, samplers_by_label
from hyperparton.text import counted
from hyperparton.trials.trial import Trial

__all__ = ["ExportedStudy", "export_study"]

#: user attributes: of a study the space that it holds trials of, of a trial its number in the scan
_SPACE, _NUMBER = "hyperparton:space", "hyperparton:trial"

#: characters of an option's name
_NAME = 60


@dataclass(frozen=True)
class ExportedStudy:
    """What an export did."""

    name: str
    added: int
    present: int
    """trials that an earlier export had added"""
    unfinished: int
    """trials that were left out"""


def export_study(trials: Sequence[Trial], space: Mapping[str, Any], storage: str | Path, name: str) -> ExportedStudy:
    """Add the finished ones of `trials` to the study `name` in the `storage`: a URL as Optuna takes it, or a file.

    The study is made if it is not there; trials that it has already are left as they are. Raises StoreError if the
    storage cannot be opened, if it holds another study of this name, or if a trial is not of this space.
    """
    finished = [trial for trial in trials if trial.finished]
    labels = _Labels(space, finished)
    exported = [labels.exported(trial) for trial in finished]
    study = _study(storage, name, fingerprint(space))
    known = {trial.user_attrs.get(_NUMBER) for trial in study.get_trials(deepcopy=False)}
    new = [trial for trial in exported if trial.user_attrs[_NUMBER] not in known]
    study.add_trials(new)
    return ExportedStudy(name, len(new), len(exported) - len(new), len(trials) - len(finished))


def _opened(storage: str | Path) -> Any:
    """Optuna's storage; a file is opened by its name, as in a URL `?`, `#` and `%` would mean something."""
    if isinstance(storage, str):
        return storage
    connect = partial(sqlite3.connect, storage)
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _study(storage: str | Path, name: str, space: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=_opened(storage), study_name=name, direction="minimize", load_if_exists=True
        )
    except Exception as fault:  # Optuna passes on what its databases' drivers raise, each a family of its own
        shown = storage_name(storage)
        raise StoreError(
            f"Optuna cannot open {shown.name!r}, accepted: sqlite:///FILE or another URL: {shown.told(fault)}"
        ) from None  # a driver may quote the URL
    held = study.user_attrs.get(_SPACE)
    if held is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_SPACE, space)
    elif held != space:
        raise StoreError(f"{storage_name(storage)}: holds another study {name!r}: choose another name with --study")
    return study


class _Labels:
    """The labels of a space, with distributions that hold all values of the trials."""

    def __init__(self, space: Mapping[str, Any], trials: Iterable[Trial]) -> None:
        self._samplers = samplers_by_label(space)
        values: dict[str, list[float]] = {label: [] for label in self._samplers}
        for trial in trials:
            for label, value in _values(trial).items():
                if label not in values:
                    accepted = ", ".join(values)
                    raise StoreError(f"trial {trial.number} has the label {label!r}, accepted: {accepted}")
                values[label].append(value)
        self._distributions = {label: _distribution(s, values[label]) for label, s in self._samplers.items()}

    def exported(self, trial: Trial) -> FrozenTrial:
        """Optuna's trial of one of ours."""
        params = {label: self._param(trial, label, value) for label, value in _values(trial).items()}
        frozen = create_trial(
            state=TrialState.COMPLETE if trial.ok else TrialState.PRUNED if trial.pruned else TrialState.FAIL,
            value=trial.loss if trial.ok else None,
            params=params,
            distributions={label: self._distributions[label] for label in params},
            intermediate_values={epoch: loss for epoch, loss in trial.learning_curve if loss is not None},
            user_attrs=_attributes(trial),
        )
        if trial.begin is not None and trial.end is not None:
            # Optuna keeps times as those of this place
            frozen.datetime_start = datetime.fromtimestamp(trial.begin)
            frozen.datetime_complete = datetime.fromtimestamp(trial.end)
        return frozen

    def _param(self, trial: Trial, label: str, value: float) -> Any:
        sampler, distribution = self._samplers[label], self._distributions[label]
        if isinstance(distribution, CategoricalDistribution):
            if value not in range(len(distribution.choices)):
                accepted = f"0 to {len(distribution.choices) - 1}"
                raise StoreError(f"trial {trial.number}: {label} is option {value}, accepted: {accepted}")
            return distribution.choices[int(value)]
        return _number(sampler, value)


def _values(trial: Trial) -> dict[str, float]:
    """The values of the labels that applied, an option by its number."""
    return {label: held[0] for label, held in trial.vals.items() if held}


def _number(sampler: Sampler, value: float) -> float | int:
    """What the trainer was given; one of n3fit's may lie outside of the range."""
    if isinstance(sampler, QUniform) and sampler.make_int:
        return sampler.cast(value) if sampler.lower <= value <= sampler.upper else int(value)
    return float(value)


def _distribution(sampler: Sampler, values: Sequence[float]) -> BaseDistribution:
    """The sampler's, or without a step and as wide as need be where values lie beside it, as n3fit's may."""
    if isinstance(sampler, Choice):
        return CategoricalDistribution(_names(sampler))
    low, high = min([sampler.lower, *values]), max([sampler.upper, *values])
    if not isinstance(sampler, QUniform):
        return FloatDistribution(low, high, log=isinstance(sampler, LogUniform))
    grid = _whole_grid(sampler) if sampler.make_int else _grid(sampler)
    if grid is not None and all(grid._contains(_number(sampler, value)) for value in values):
        return grid
    if not sampler.make_int:
        return FloatDistribution(low, high)
    numbers = [int(_number(sampler, value)) for value in values]
    return IntDistribution(min([math.ceil(sampler.lower), *numbers]), max([math.floor(sampler.upper), *numbers]))


def _whole_grid(sampler: QUniform) -> IntDistribution | None:
    """None for a grid that has points between the whole numbers."""
    if not all(float(number).is_integer() for number in (sampler.lower, sampler.step)):
        return None
    return IntDistribution(int(sampler.lower), int(sampler.last), step=int(sampler.step))


def _grid(sampler: QUniform) -> FloatDistribution | None:
    """None if the step does not divide the range as Optuna asks for: in decimals, of which we give it twelve."""
    if sampler.cells > 10**12:
        return None
    low, high, step = (f"{number:.12g}" for number in (sampler.lower, sampler.last, sampler.step))
    if (Decimal(high) - Decimal(low)) % Decimal(step):
        return None
    return FloatDistribution(float(low), float(high), step=float(step))


def _names(choice: Choice) -> list[Any]:
    """The options by names that tell them apart."""
    names = [_option(choice.label, option) for option in choice.options]
    texts = [str(name) for name in names]
    return names if len(set(texts)) == len(texts) else [f"{i}: {name}" for i, name in enumerate(texts)]


def _option(label: str, option: Any) -> Any:
    if isinstance(option, int | float) and not isinstance(option, bool):
        return option
    if isinstance(option, Mapping) and "optimizer_name" in option:
        return str(option["optimizer_name"])
    if label == "nodes_per_layer" and isinstance(option, list | tuple):
        return counted(len(option) - 1, "layer")
    if isinstance(option, Mapping | list | tuple):
        text = json.dumps(readable(option), ensure_ascii=False)
        return text if len(text) <= _NAME else text[: _NAME - 3] + "..."
    return str(option)


def _attributes(trial: Trial) -> dict[str, Any]:
    """What Optuna has no place for: number, losses, why a trial failed, the parameters as a runcard has them."""
    losses = {"loss": trial.loss, "validation_loss": trial.validation_loss}
    said = {**losses, "experimental_loss": trial.experimental_loss, "reason": trial.reason}
    said = {key: value for key, value in said.items() if value is not None}
    return {_NUMBER: trial.number, **said, "parameters": dict(trial.space_vals)}
