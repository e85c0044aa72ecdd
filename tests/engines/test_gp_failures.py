"""The chance to fail that the engine gp learns: the posterior's maximum, and chances that are known."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_failures import Chance
from hyperparton.engines.gp_trials import SeenTrials
from hyperparton.space.frozen import freeze
from hyperparton.space.samplers import hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.trials.trial import Outcome

SPACE = freeze(
    {"patience": hp_uniform("p", 0.2, 0.6), "rate": hp_loguniform("r", 1e-3, 1e-2), "o": hp_choice("c", ["a", "b"])}
)


def points(count, rng, space=SPACE):
    cube = UnitCube(space)
    return cube, cube.settled(rng.random((count, len(cube.labels))))[0]


def test_the_maximum_of_the_posterior():
    """At the coefficients that it finds, no small step in any direction makes the posterior larger."""
    rng = np.random.default_rng(4)
    # without the choice, whose coordinates follow from one another, the coefficients follow from the chances
    cube, at = points(80, rng, freeze({name: SPACE[name] for name in ("patience", "rate")}))
    failed = (rng.random(80) < 0.3) * rng.random(80)
    chance = Chance(cube, at, failed, {})
    x = cube.coordinates(at)
    bumps = [np.exp(-0.5 * ((x[:, i] - middle / 5) / 0.2) ** 2) for i in range(2) for middle in range(6)]
    z = np.column_stack([np.ones(80), 2 * x - 1, *bumps])
    offset = np.log(chance.of_all / (1 - chance.of_all))
    deviations = np.array([1.0] + [0.5] * 14)

    def posterior(coefficients):
        p = 1 / (1 + np.exp(-offset - z @ coefficients))
        return np.sum(failed * np.log(p) + (1 - failed) * np.log(1 - p)) - 0.5 * np.sum(
            (coefficients / deviations) ** 2
        )

    found = np.linalg.lstsq(z, np.log(chance.at(x) / (1 - chance.at(x))) - offset)[0]
    best = posterior(found)
    for _ in range(200):
        assert posterior(found + 0.01 * rng.standard_normal(len(found))) < best


def scan(rng, count, told):
    """Trials that wait for 0 to 0.6 of their epochs, one in five, and fail if that is more than their patience."""
    cube, at = points(count, rng)
    patience = 0.2 + 0.4 * at[:, cube.labels.index("p")]
    waits = np.where(rng.random(count) < 0.2, rng.uniform(0.0, 0.6, count), 0.0)
    failed = waits > patience
    outcomes = []
    for number, point in enumerate(at):
        below = {"patience": float(min(waits[number], patience[number]))} if told else None
        loss = 5.0 if failed[number] else 1.0 + 0.01 * rng.standard_normal()
        outcomes.append(Outcome(number, cube.vals(point), "ok", loss, None, below))
    return outcomes


def errors(told):
    """How far the learned logarithms of the chance are from the true ones, at both ends of the patience."""
    found = []
    for seed in range(12):
        seen = SeenTrials(UnitCube(SPACE))
        seen.update(scan(np.random.default_rng(seed), 60, told))
        short, long = ({"p": [0.22], "r": [3e-3], "c": [0]}, {"p": [0.56], "r": [3e-3], "c": [0]})
        risk = seen.models().risk(seen.cube.coordinates(seen.cube.points([short, long])))
        found.append(np.log(risk) - np.log([0.2 * 0.38 / 0.6, 0.2 * 0.04 / 0.6]))
    return np.sqrt(np.mean(np.square(found)))


def test_what_trials_would_have_done_with_less_patience_counts():
    """With it 60 trials tell better where fits fail."""
    assert errors(told=True) < 0.85 * errors(told=False)


def test_only_what_the_space_samples_counts():
    """A number that is fixed, or of no such name, is passed over; a grid and a nested one are no matter."""
    space = freeze({"patience": 0.3, "epochs": hp_quniform("e", 100, 300, step_size=50)})
    seen = SeenTrials(UnitCube(space))
    seen.update([
        Outcome(k, {"e": [100 + 50 * (k % 5)]}, "ok", 1.0, None, {"patience": 0.2, "other": 1.0})
        for k in range(12)
    ])  # fmt: skip
    assert seen.models().risk(seen.x) == pytest.approx(np.zeros(12))


def risk_where_fits_are_good(fails, count, searching):
    """The mean chance to fail that is expected at rates in the lower half, after `count` random trials."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        cube, at = points(count, rng)
        losses = np.where(
            fails(at[:, cube.labels.index("r")], rng), rng.uniform(5, 9, count), rng.normal(1, 0.05, count)
        )
        seen = SeenTrials(cube)
        seen.update([Outcome(k, cube.vals(point), "ok", float(losses[k])) for k, point in enumerate(at)])
        rows = rng.random((200, len(cube.labels)))
        rows[:, cube.labels.index("r")] *= 0.5
        found.append(np.mean(seen.models(searching).risk(cube.coordinates(cube.settled(rows)[0]))))
    return float(np.mean(found))


def test_the_search_takes_a_few_bad_losses_for_a_bad_region():
    """Large rates are bad and no fit fails by chance. After 12 trials the search expects few failures, naming more."""
    search, naming = (risk_where_fits_are_good(lambda rate, rng: rate > 0.7, 12, each) for each in (True, False))
    assert search < 0.05 < naming


def test_many_trials_tell_how_many_fits_fail_by_chance():
    """One in seven fails, wherever it is: after 90 trials naming expects this, and the search at least half of it."""
    search, naming = (
        risk_where_fits_are_good(lambda rate, rng: rng.random(len(rate)) < 1 / 7, 90, each) for each in (True, False)
    )
    assert naming == pytest.approx(1 / 7, rel=0.25)
    assert 0.5 / 7 < search < 1.25 / 7


def in_need(rng, count, told):
    """Trials whose fits wait, one in four, for a share of their epochs that falls with the rate, give or take 5 %."""
    cube, at = points(count, rng)
    patience, rate = (at[:, cube.labels.index(label)] for label in "pr")
    needs = np.where(rng.random(count) < 0.25, 0.65 - 0.2 * rate + 0.03 * rng.standard_normal(count), 0.0)
    had = 0.2 + 0.4 * patience
    outcomes = []
    for number, point in enumerate(at):
        below = {"patience": float(min(needs[number], had[number]))} if told else None
        loss = 5.0 if needs[number] > had[number] else 1.0 + 0.01 * rng.standard_normal()
        outcomes.append(Outcome(number, cube.vals(point), "ok", loss, None, below))
    return outcomes


def chances(told):
    """(seed, 2) the chance to fail that 150 trials tell, at the longest patience and the largest and smallest rate."""
    found = []
    for seed in range(12):
        seen = SeenTrials(UnitCube(SPACE))
        seen.update(in_need(np.random.default_rng(seed), 150, told))
        at = [{"p": [0.59], "r": [rate], "c": [0]} for rate in (9.8e-3, 1.02e-3)]
        found.append(seen.models().risk(seen.cube.coordinates(seen.cube.points(at))))
    return np.array(found)


def test_how_much_fits_need_tells_where_enough_is_there():
    """With a patience of 59 % fits need 45 % at the largest rate, where none fails, and 65 % at the smallest: 1 in 4.

    Few trials are near either point; what the others waited for tells.
    """
    enough, lacking = chances(told=True).T
    assert np.all(enough < lacking)
    assert np.median(enough) < 0.07 < 0.09 < np.median(lacking)
    blind, blind_lacking = chances(told=False).T
    assert np.mean(np.log(lacking / enough)) > 1.5 * np.mean(np.log(blind_lacking / blind))
    assert np.median(enough) < 0.6 * np.median(blind)


def test_needs_of_a_grid_and_below_the_range():
    """A value between the points of a grid is a need of its own; one at or below the lower end is none."""
    space = freeze({"epochs": hp_quniform("e", 100, 300, step_size=50), "rate": hp_loguniform("r", 1e-3, 1e-2)})
    cube = UnitCube(space)
    column, along = cube.along(cube.labels.index("e"), np.array([80.0, 100.0, 125.0, 300.0, np.nan]))
    assert column == cube.labels.index("e")
    assert along == pytest.approx([np.nan, np.nan, 0.2, 0.9, np.nan], nan_ok=True)
    _, rates = cube.along(cube.labels.index("r"), np.array([10**-2.5, 1e-4]))
    assert rates == pytest.approx([0.5, np.nan], nan_ok=True)
