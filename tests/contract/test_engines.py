"""What every engine must hold: engines/base.py says it in prose."""

from __future__ import annotations

import json
import math
import sys

import pytest

from hyperparton.engines import ENGINES, check_engine, get_engine, trial_seed
from hyperparton.errors import EngineError
from hyperparton.space.samplers import Choice, hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.space.tree import evaluate, samplers_by_label
from hyperparton.trials.trial import Outcome

SPACE = {
    "u": hp_uniform("u", -1.0, 1.0),
    "q": hp_quniform("q", 0.3, 1.0, steps=7),
    "c": hp_choice("c", [{"l": hp_loguniform("l", 1e-5, 1.0)}, [hp_choice("d", ["x", hp_uniform("e", 2, 3)])], 5]),
}


STARTS = ("gp+sobol", "hyperopt+sobol", "optuna+halton12", "random+sobol", "optuna:cmaes+sobol5")


def play(engine, trials, space=SPACE, seed=1, lag=1):
    history = []
    for number in range(trials):
        vals = engine.suggest(space, history[: max(number - lag + 1, 0)], trial_seed(seed, number), number)
        loss = abs(vals["u"][0] - 0.3) + vals["q"][0]
        bad = number % 7 == 3
        history.append(Outcome(number, vals, "fail" if bad else "ok", None if bad else loss))
    return history


@pytest.fixture(params=[*ENGINES, *STARTS])
def name(request):
    return request.param


def test_suggestions_depend_on_space_history_and_seed_only(name):
    history = play(get_engine(name), 30)
    used = get_engine(name)
    play(used, 25, seed=9)
    play(used, 3, space={"u": hp_uniform("u", 0, 1), "q": hp_uniform("q", 0, 1)})
    for known in (30, 0, 24, 26, 5):
        past = history[:known]
        expected = get_engine(name).suggest(SPACE, past, 1234)
        assert used.suggest(SPACE, past, 1234) == expected
        copied = [Outcome(o.number, json.loads(json.dumps(o.vals)), o.status, o.loss) for o in past]
        assert used.suggest(SPACE, copied, 1234) == expected
        assert used.suggest(SPACE, past, 1234, known) == expected


def test_values_are_in_range_and_exist_where_their_choices_were_made(name):
    known = samplers_by_label(SPACE)
    for outcome in play(get_engine(name), 40, lag=3):
        vals = outcome.vals
        assert sorted(vals) == sorted(known)
        assert json.loads(json.dumps(vals)) == vals
        choice = vals["c"][0]
        assert [len(vals[label]) for label in ("l", "d")] == [int(choice == 0), int(choice == 1)]
        assert len(vals["e"]) == int(choice == 1 and vals["d"] == [1])
        for label, held in vals.items():
            for value in held:
                sampler = known[label]
                if isinstance(sampler, Choice):
                    assert value in range(len(sampler.options))
                    assert type(value) is int
                else:
                    assert sampler.lower <= value <= sampler.upper
        evaluate(SPACE, vals)


def test_seeds_change_the_draws(name):
    for past in ([], play(get_engine(name), 25)):
        drawn = {json.dumps(get_engine(name, seed).suggest(SPACE, past, seed)) for seed in range(5)}
        # with a history some seeds may lead to one best candidate
        assert len(drawn) >= (3 if past else 5)


def test_only_an_engine_that_can_tell_expects_an_improvement(name):
    """As it declares; then the improvement is a number of at least 0, and it goes with the trial's number."""
    engine = get_engine(name, 1)
    history = [Outcome(n, v, "ok", v["u"][0]) for n in range(25) for v in [get_engine("random").suggest(SPACE, [], n)]]
    gain = engine.expected_improvement(SPACE, history, 5)
    assert (gain is not None) == engine.predicts_improvement == name.startswith("gp")
    assert gain is None or gain >= 0.0
    assert engine.expected_improvement(SPACE, history[:2], 5) is None


def test_a_history_of_failures_is_no_obstacle(name):
    history = []
    for number in range(25):
        vals = get_engine(name).suggest(SPACE, history, trial_seed(3, number), number)
        evaluate(SPACE, vals)
        history.append(Outcome(number, vals, "fail", None, ("ValueError", "NaNLoss", "InfiniteLoss", None)[number % 4]))


def test_a_space_without_samplers_is_refused(name):
    with pytest.raises(EngineError, match="nothing to scan"):
        get_engine(name).suggest({"a": 1}, [], 0)


def test_an_engine_learns(name):
    """Of 60 trials of a bowl the last 20 are better than chance, but for those that look at no history."""
    space = {"x": hp_uniform("x", 0, 1), "y": hp_quniform("y", 0, 1, steps=50), "k": hp_choice("k", [0, 1, 2])}
    engine, history = get_engine(name), []
    for number in range(60):
        vals = engine.suggest(space, history, trial_seed(5, number), number)
        loss = (vals["x"][0] - 0.7) ** 2 + (vals["y"][0] - 0.2) ** 2 + vals["k"][0]
        history.append(Outcome(number, vals, "ok", loss))
    mean = sum(outcome.loss for outcome in history[40:]) / 20
    # by chance: 1 for k, 1/12 + 0.04 for x, 1/12 + 0.09 for y
    assert (mean < 0.9) == (not name.startswith("random"))


def test_extreme_ranges(name):
    """1e-300 to 1e300 and -1e308 to 1e308: values stay inside, and of 60 trials the last 20 are better than chance."""
    space = {
        "l": hp_loguniform("l", 1e-300, 1e300),
        "u": hp_uniform("u", -1e308, 1e308),
        "q": hp_quniform("q", 1, 1e300, step_size=1),
        "w": hp_quniform("w", -1e308, 1e308, steps=20),
        "tiny": hp_uniform("tiny", 1e-300, 3e-300),
    }
    known, engine, history = samplers_by_label(space), get_engine(name), []
    for number in range(60):
        vals = engine.suggest(space, history, trial_seed(1, number), number)
        value = {label: held[0] for label, held in vals.items()}
        assert all(known[label].lower <= value[label] <= known[label].upper for label in space)
        evaluate(space, vals)
        loss = abs(math.log10(value["l"]) - 150) / 300 + abs(value["u"] / 1e308 + 0.5)
        history.append(Outcome(number, vals, "ok", loss))
    # by chance 5/8 for each
    assert (sum(outcome.loss for outcome in history[40:]) / 20 < 1.05) == (not name.startswith("random"))


#: ranges in which formulae of libraries overflow, vanish or lose digits
HARD = {
    "widest": hp_uniform("x", -sys.float_info.max, sys.float_info.max),
    "subnormal": hp_uniform("x", -1e-320, 1e-320),
    "narrow": hp_uniform("x", 0, 1e-100),
    "two neighbours": hp_uniform("x", 1.0, 1.0 + 2.0**-52),
    "all positive floats": hp_loguniform("x", 5e-324, sys.float_info.max),
    "narrow logarithm": hp_loguniform("x", 1.0, 1.0 + 2.0**-52),
    "grid of a huge range": hp_quniform("x", 1, 1e300, step_size=1),
    "whole numbers from 2**53": hp_quniform("x", 2**53, 2**53 + 100, step_size=1, make_int=True),
    "whole numbers of 64 bits": hp_quniform("x", -(2**63), 2**63, step_size=1, make_int=True),
    "coarse whole numbers": hp_quniform("x", 2**63, 2**63 + 2**20, step_size=2**14, make_int=True),
    "subnormal grid": hp_quniform("x", 0, 1e-320, steps=7),
}


@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("engine_name", [name for name in ENGINES if name != "random"])
def test_hard_ranges_are_searched(engine_name, hard):
    """Where the loss is the share, the mean of ten trials is lower than 1/2 by more than chance gives, 0.09."""
    sampler, engine, history = HARD[hard], get_engine(engine_name), []
    space = {"x": sampler}
    for number in range(engine.start + 18):
        vals = engine.suggest(space, history, trial_seed(2, number), number)
        value = vals["x"][0]
        assert sampler.lower <= value <= sampler.upper
        assert sampler.lower <= evaluate(space, vals)["x"] <= sampler.upper
        history.append(Outcome(number, vals, "ok", float(sampler.share(value))))
    assert sum(outcome.loss for outcome in history[-10:]) / 10 < 0.38


def test_ranges_of_one_value_are_fixed(name):
    """They keep their labels; the numbers beside them are searched as ever, and a space may hold nothing else."""
    fixed = {
        "u": hp_uniform("u", 3, 3), "l": hp_loguniform("l", 1e-300, 1e-300), "g": hp_quniform("g", 0, 0, steps=5),
        "n": hp_quniform("n", 8, 8, step_size=1, make_int=True),
        "c": hp_choice("c", [{"d": hp_uniform("d", -1e308, -1e308)}]),
    }  # fmt: skip
    for space, trials in ((fixed, 22), ({**fixed, "x": hp_uniform("x", 0, 1)}, 38)):
        engine, history = get_engine(name), []
        for number in range(trials):
            vals = engine.suggest(space, history, trial_seed(4, number), number)
            chosen = evaluate(space, vals)
            found = {label: chosen[label] for label in fixed}
            assert found == {"u": 3.0, "l": 1e-300, "g": 0.0, "n": 8, "c": {"d": -1e308}}
            assert vals["d"] == [-1e308]
            history.append(Outcome(number, vals, "ok", chosen.get("x", 1.0)))
    assert name.startswith("random") or sum(outcome.loss for outcome in history[28:]) / 10 < 0.38


def test_an_unknown_engine_is_named():
    with pytest.raises(EngineError, match="did you mean 'hyperopt'"):
        get_engine("hyperop")
    with pytest.raises(EngineError, match=r"unknown start 'sobl'.*accepted: optuna\+sobol, optuna\+halton"):
        check_engine("optuna+sobl")
    with pytest.raises(EngineError, match="unknown start 'sobol0'"):
        check_engine("optuna+sobol0")


def test_an_engine_that_is_gone_is_named_with_those_that_remain():
    with pytest.raises(EngineError, match=r"'optuna:gp' is gone \(it needed torch\).*accepted: gp, hyperopt, optuna"):
        check_engine("optuna:gp+sobol")
