"""The hyperopt engine against hyperopt itself, called by hand on the space written by hand."""

from __future__ import annotations

import math

import hyperopt
import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll.base import scope

from hyperparton.engines import trial_seed
from hyperparton.engines.hyperopt import HyperoptEngine
from hyperparton.scan.evaluate import evaluate_trial
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.space.tree import evaluate
from hyperparton.trials.trial import Trial

OURS = {
    "drop": hp_quniform("drop", 0.0, 0.15, steps=5),
    "epochs": hp_quniform("epochs", 1000, 2000, step_size=1, make_int=True),
    "patience": hp_quniform("patience", 0.1, 0.4, steps=5),
    "kind": hp_choice(
        "kind",
        [
            {"name": "a", "rate": hp_loguniform("a_rate", 1e-4, 1e-2)},
            {"name": "b", "rate": hp_uniform("b_rate", 0.0, 2.0), "widths": [hp_quniform("w", 5, 9, step_size=1), 8]},
        ],
    ),
    "fixed": [1, {"deep": None}],
}

BY_HAND = {
    "drop": hp.quniform("drop", 0.0, 0.15, 0.03),
    "epochs": scope.int(hp.quniform("epochs", 1000, 2000, 1)),
    "patience": 0.1 + hp.quniform("patience", 0.0, 0.3, (0.4 - 0.1) / 5),
    "kind": hp.choice(
        "kind",
        [
            {"name": "a", "rate": hp.loguniform("a_rate", np.log(1e-4), np.log(1e-2))},
            {"name": "b", "rate": hp.uniform("b_rate", 0.0, 2.0), "widths": [hp.quniform("w", 5, 9, 1), 8]},
        ],
    ),
    "fixed": [1, {"deep": None}],
}


def result_of(params):
    """A result that fails now and then, with a loss, without one, with infinity and with NaN."""
    loss = (
        10 * (params["drop"] - 0.06) ** 2 + abs(params["epochs"] - 1400) / 1000 + math.log10(params["kind"]["rate"] + 1)
    )
    bad = {
        0: {"status": "fail"},
        1: {"status": "fail", "loss": loss + 5},
        2: {"status": "ok", "loss": math.nan},
        3: {"status": "ok", "loss": math.inf},
    }
    return bad.get(params["epochs"] % 11, {"status": "ok", "loss": loss})


class Trainer:
    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        return result_of(params)


@pytest.mark.parametrize("seed", [42, 7])
def test_a_scan_equals_that_of_fmin(seed):
    trials, points = hyperopt.Trials(), []

    def objective(point):
        points.append(point)
        return result_of(point)

    hyperopt.fmin(
        objective, BY_HAND, hyperopt.tpe.suggest, 45, trials=trials, rstate=np.random.default_rng(seed),
        show_progressbar=False,
    )  # fmt: skip
    engine, history = HyperoptEngine(), []
    for number in range(45):
        vals = engine.suggest(OURS, history, trial_seed(seed, number))
        point = evaluate(OURS, vals)
        result = evaluate_trial(Trainer(), point)
        history.append(Trial(number, vals, result=result).outcome)
        by_hand = points[number]
        assert point["patience"] == pytest.approx(by_hand["patience"], abs=1e-15)
        assert (point["drop"], point["epochs"]) == (by_hand["drop"], by_hand["epochs"])
        assert point["kind"]["rate"] == by_hand["kind"]["rate"]
        hand_vals = trials.trials[number]["misc"]["vals"]
        assert {**vals, "patience": None} == {**hand_vals, "patience": None}
    assert {outcome.failure for outcome in history} == {None, "NaNLoss", "InfiniteLoss"}


def test_grids_that_hyperopt_leaves():
    """hyperopt's own quniform(0.1, 0.4, 0.06) draws 0.12 to 0.42; ours the six points from 0.1 to 0.4."""
    space = {"x": hp_quniform("x", 0.1, 0.4, steps=5), "y": hp_quniform("y", 0, 11, step_size=4)}
    draws = [HyperoptEngine().suggest(space, [], seed) for seed in range(200)]
    assert sorted({draw["x"][0] for draw in draws}) == pytest.approx([0.10, 0.16, 0.22, 0.28, 0.34, 0.40], abs=1e-12)
    assert min(draw["x"][0] for draw in draws) == 0.1
    assert max(draw["x"][0] for draw in draws) == 0.4
    assert {draw["y"][0] for draw in draws} == {0.0, 4.0, 8.0}


def test_seeds_are_those_of_fmin():
    stream = np.random.default_rng(42)
    seeds = [int(stream.integers(2**31 - 1)) for _ in range(500)]
    assert [trial_seed(42, number) for number in range(500)] == seeds
