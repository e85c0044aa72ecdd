"""The engines of Optuna against Optuna itself and cmaes itself, called by hand."""

from __future__ import annotations

import math
import warnings

import cmaes
import numpy as np
import optuna
import pytest

from hyperparton.engines import get_engine, trial_seed
from hyperparton.engines import optuna as module
from hyperparton.engines.optuna import TPEEngine
from hyperparton.errors import EngineError
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.trials.trial import Outcome

SPACE = {
    "drop": hp_quniform("drop", 0.1, 0.4, steps=5),
    "kind": hp_choice(
        "kind",
        [
            {"name": "a", "rate": hp_loguniform("a_rate", 1e-4, 1e-2)},
            {"name": "b", "rate": hp_uniform("b_rate", 0.0, 2.0), "width": hp_quniform("w", 5, 9, step_size=1)},
        ],
    ),
}


def by_hand(trial):
    """The same space in Optuna's own terms; values by label."""
    found = {"drop": 0.1 + 0.06 * trial.suggest_int("drop", 0, 5), "kind": trial.suggest_categorical("kind", [0, 1])}
    if found["kind"] == 0:
        return {**found, "a_rate": trial.suggest_float("a_rate", 1e-4, 1e-2, log=True)}
    found["b_rate"] = trial.suggest_float("b_rate", 0.0, 2.0)
    return {**found, "w": 5 + trial.suggest_int("w", 0, 4)}


def loss_of(values):
    return abs(values["drop"] - 0.2) + abs(math.log10(values["a_rate"]) + 3 if "a_rate" in values else 1.5)


def test_a_scan_equals_a_study_of_optuna():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    engine, history = TPEEngine(), []
    for number in range(40):
        seed = trial_seed(11, number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=False)
            trial = study.ask()
        expected = by_hand(trial)
        study.tell(trial, loss_of(expected))
        vals = engine.suggest(SPACE, history, seed)
        values = {label: held[0] for label, held in vals.items() if held}
        assert values == pytest.approx(expected, abs=1e-14)
        history.append(Outcome(number, vals, "ok", loss_of(values)))


def test_failures_without_a_loss_are_the_worst():
    """Trials of one kind raise: by chance 15 of the last 30 would be of the other, with a deviation of 2.7."""
    engine, history = TPEEngine(), []
    for number in range(60):
        vals = engine.suggest(SPACE, history, trial_seed(2, number))
        bad = vals["kind"] == [0]
        history.append(Outcome(number, vals, "fail" if bad else "ok", None if bad else 1.0, "OSError" if bad else None))
    assert sum(outcome.vals["kind"] == [1] for outcome in history[30:]) > 21


def test_numbers_are_those_of_cmaes():
    """Generations of the finished trials, told by hand; a label that did not apply stands at the mean."""
    space = {"x": hp_uniform("x", -1, 1), "c": hp_choice("c", [0, {"y": hp_loguniform("y", 1e-3, 1)}])}
    strategy = cmaes.CMA(np.array([0.5, 0.5]), 0.25, bounds=np.array([[0, 1], [0, 1.0]]))
    engine, history, told = get_engine("optuna:cmaes"), [], []
    for number in range(40):
        seed = trial_seed(4, number)
        vals = engine.suggest(space, history, seed)
        if number >= 10:
            strategy.reseed_rng(seed)
            x, y = strategy.ask()
            assert vals["x"] == pytest.approx([2 * x - 1], abs=1e-12)
            assert vals["y"] in ([], [pytest.approx(1e-3 ** (1 - y), rel=1e-9)])
        loss = abs(vals["x"][0] - 0.5) + (vals["y"] or [1])[0]
        history.append(Outcome(number, vals, "ok", loss))
        told.append(history[-1])
        if len(told) == strategy.population_size:
            mean = strategy.mean.copy()
            points = [
                ((o.vals["x"][0] + 1) / 2, 1 + math.log(o.vals["y"][0], 1e3) if o.vals["y"] else mean[1]) for o in told
            ]
            strategy.tell([(np.array(point), o.loss) for point, o in zip(points, told, strict=True)])
            told = []


def test_a_long_history_is_shown_in_part(monkeypatch):
    """Its best and its latest trials, as if there had been no others."""
    history = []
    for number in range(60):
        vals = get_engine("random").suggest(SPACE, [], number)
        history.append(Outcome(number, vals, "ok", float(number * 7 % 60)))
    monkeypatch.setattr(module, "_TPE_BEST", 10)
    monkeypatch.setattr(module, "_TPE_LATEST", 30)
    shown = [outcome for outcome in history if outcome.loss < 10 or outcome.number >= 30]
    engine = TPEEngine()
    for known in (39, 60):
        engine.suggest(SPACE, history[:known], 1)
    assert engine.suggest(SPACE, history, 2) == TPEEngine().suggest(SPACE, shown, 2)
    assert engine.suggest(SPACE, history[:40], 2) == TPEEngine().suggest(SPACE, history[:40], 2)


def test_a_space_of_choices_alone_is_refused():
    with pytest.raises(EngineError, match="holds choices only"):
        get_engine("optuna:cmaes").suggest({"a": hp_choice("a", [1, 2])}, [], 0)
