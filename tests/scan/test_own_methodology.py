"""The first trial of a scan: the user's own methodology, the runcard's parameters as near as the space has them."""

from __future__ import annotations

import pytest
import refitting

from hyperparton import HyperScanner, hyper_scan_wrapper
from hyperparton.scan.racers import Racers
from hyperparton.trials.local import FileTrials
from hyperparton.trials.refits import read_refits
from hyperparton.trials.tries_read import read_trials

OPTIONS = {"engine": "gp", "lag": 1, "confirm": 4}


def own(x):
    return HyperScanner({"x": x}, {"space": {"x": {"min": -5, "max": 5}}})


def points(folder):
    return [trial.vals["x"][0] for trial in read_trials(folder / "tries.json")]


def scan(folder, scanner, trials=4, **options):
    return hyper_scan_wrapper(folder, refitting.Trainer(), scanner, trials, **{**OPTIONS, **options})


@pytest.mark.parametrize(("given", "first"), [(0.25, 0.25), (7, 5.0), (-1e9, -5.0)])
def test_gp_begins_with_the_cards_own_parameters(tmp_path, given, first):
    scan(tmp_path, own(given))
    assert points(tmp_path)[0] == first
    # no other trial depends on it before the engine has seen its random ones
    scan(tmp_path / "other", own(1.5))
    assert points(tmp_path)[1:] == points(tmp_path / "other")[1:]


@pytest.mark.parametrize("engine", ["random", "hyperopt", "optuna", "gp+sobol"])
def test_other_engines_draw_their_first_trial(tmp_path, engine):
    scan(tmp_path, own(0.25), engine=engine)
    assert points(tmp_path)[0] != 0.25


def test_what_the_parameters_do_not_say_is_drawn_from_the_seed(tmp_path):
    scan(tmp_path / "none", own(None), seed=5)
    scan(tmp_path / "random", own(None), seed=5, engine="random")
    assert points(tmp_path / "none") == points(tmp_path / "random")
    scanner = HyperScanner(
        {"x": 0.5, "kind": "elsewhere"},
        {"space": {"x": {"min": -5, "max": 5}, "kind": {"choice": ["one", "two"]}}},
    )
    drawn = [scanner.own_vals(seed) for seed in range(20)]
    assert {vals["x"][0] for vals in drawn} == {0.5}
    assert {vals["kind"][0] for vals in drawn} == {0, 1}
    assert scanner.own_vals(3) == drawn[3]


def test_a_scan_keeps_what_it_was_begun_with(tmp_path):
    """The value outside of the space is none of what the scan is: who continues it may give another."""
    scan(tmp_path, own(7), trials=2)
    scan(tmp_path, own(-7), trials=12)
    scan(tmp_path / "at_once", own(7), trials=12)
    assert points(tmp_path) == points(tmp_path / "at_once")
    assert points(tmp_path)[0] == 5.0


def test_a_scan_that_an_earlier_version_began_goes_on_without_it(tmp_path):
    scan(tmp_path, own(0.25), engine="random", trials=1, confirm=0)
    with FileTrials(tmp_path / "nnfit" / "replica_1" / "tries.json") as store:
        assert "own" not in store.metadata()


def test_it_takes_part_in_the_race_whatever_is_predicted_of_it(tmp_path):
    """x = -4.9 is the worst of all, and no other of the worst is fitted again."""
    scan(tmp_path, own(-4.9), trials=16)
    trials = read_trials(tmp_path / "tries.json")
    again = {refit.trial for refit in read_refits(tmp_path / "tries.json", trials)}
    assert max(trials, key=lambda trial: trial.loss).number == 0
    assert 0 in again
    finished = [trial.outcome for trial in trials]
    space = own(-4.9).as_dict()
    assert 0 not in Racers(space, finished).best_first([], 4)[:4]
    lowest = min(trials, key=lambda trial: trial.loss).number
    assert {0, lowest} <= set(Racers(space, finished, asked_for=(0,)).best_first([], 4)[:4])
