"""Quasi-random starts: properties of the sequences, and what comes after."""

from __future__ import annotations

import pytest
from scipy.stats import qmc

from hyperparton.engines import get_engine, trial_seed
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.trials.trial import Outcome

SPACE = {
    "u": hp_uniform("u", 0.0, 16.0),
    "l": hp_loguniform("l", 1.0, 2.0**16),
    "q": hp_quniform("q", 0, 7, step_size=1),
    "c": hp_choice("c", [0, {"in": hp_uniform("in", 0.0, 1.0)}]),
}


def test_every_stratum_of_each_label_is_drawn_once():
    """Of 16 points of a scrambled Sobol sequence each sixteenth of every coordinate has one (Owen 1998)."""
    engine = get_engine("random+sobol", 3)
    drawn = [engine.suggest(SPACE, [], seed=0, number=number) for number in range(16)]
    assert sorted(int(vals["u"][0]) for vals in drawn) == list(range(16))
    assert sorted(vals["l"][0].__floor__().bit_length() - 1 for vals in drawn) == list(range(16))
    assert sorted(vals["q"][0] for vals in drawn) == sorted([*range(8), *range(8)])
    assert sum(vals["c"][0] for vals in drawn) == 8
    assert all(len(vals["in"]) == vals["c"][0] for vals in drawn)


@pytest.mark.parametrize("sequence", ["sobol", "halton"])
def test_points_fill_the_space_better_than_independent_ones(sequence):
    def points(name):
        engine = get_engine(name, 8)
        drawn = [engine.suggest(SPACE, [], trial_seed(8, n), n) for n in range(128)]
        return [[vals["u"][0] / 16, (vals["q"][0] + 0.5) / 8] for vals in drawn]

    assert qmc.discrepancy(points(f"random+{sequence}")) < 0.3 * qmc.discrepancy(points("random"))


@pytest.mark.parametrize("sequence", ["sobol", "halton"])
def test_a_point_does_not_depend_on_those_asked_for_before(sequence):
    late = get_engine(f"random+{sequence}", 5).suggest(SPACE, [], 0, 300)
    engine = get_engine(f"random+{sequence}", 5)
    for number in (0, 17, 1000, 300):
        found = engine.suggest(SPACE, [], number, number)
    assert found == late
    assert get_engine(f"random+{sequence}", 6).suggest(SPACE, [], 0, 300) != late


def test_after_the_start_the_engine_suggests():
    history = [Outcome(n, get_engine("random").suggest(SPACE, [], n), "ok", float(n)) for n in range(30)]
    for name, start in (("hyperopt+sobol", 20), ("hyperopt+halton7", 7)):
        engine, own = get_engine(name, 1), get_engine("hyperopt")
        assert engine.start == start
        assert engine.suggest(SPACE, history[:start], 99) == own.suggest(SPACE, history[:start], 99)
        assert engine.suggest(SPACE, history[: start - 1], 99) != own.suggest(SPACE, history[: start - 1], 99)
