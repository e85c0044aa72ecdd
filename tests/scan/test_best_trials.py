"""Methodologies of the best trials, shared among replicas: which are chosen, who gets which, what a card changes."""

import numpy as np
import pytest

from hyperparton.errors import StoreError
from hyperparton.scan.best_trials import assigned, best_trials, find_scan, methodology
from hyperparton.trials.trial import ranked
from hyperparton.trials.tries_entry import from_tries


def entry(tid, loss, status="ok", **parameters):
    held = {"nodes_per_layer": [5, 8], "activation_per_layer": "tanh", **parameters}
    return from_tries({"tid": tid, "result": {"status": status, "loss": loss}, "misc": {"space_vals": held}})


TRIES = [
    entry(0, 0.5),
    entry(1, 2.0),
    entry(2, 0.1, "fail"),  # n3fit's sampling takes it: it has the lowest loss
    entry(3, 1.0),
    entry(4, None, "fail"),
    entry(5, 1.0),
    entry(6, 3.0),
]


def test_the_best_are_those_that_succeeded():
    assert [trial.number for trial, _ in ranked(TRIES)] == [0, 3, 5, 1, 6]
    assert [trial.number for trial in best_trials(TRIES, 3)] == [0, 3, 5]


def test_the_first_trials_are_left_out():
    assert [trial.number for trial in best_trials(TRIES, 2, skip=1)] == [3, 5]
    assert [trial.number for trial in best_trials(TRIES, 2, skip=4)] == [5, 6]
    with pytest.raises(StoreError, match=r"here: 2 of its 7 trials after the first 4 succeeded, asked for the best 3"):
        best_trials(TRIES, 3, skip=4, source="here")


def test_a_trial_that_does_not_say_its_parameters_is_refused():
    silent = {"tid": 4, "result": {"status": "ok", "loss": 1.0}, "misc": {}}
    with pytest.raises(StoreError, match="trial 4 does not say its parameters"):
        best_trials([from_tries(silent)], 1)


def test_replicas_take_turns_as_in_n3fit():
    """n3fit: replica r has the methodology in place r modulo the number of trials."""
    assert assigned(range(1, 8), 3) == {1: 1, 2: 2, 3: 0, 4: 1, 5: 2, 6: 0, 7: 1}


def test_a_draw_depends_on_seed_and_replica_alone():
    drawn = assigned(range(1, 2001), 4, seed=7)
    assert drawn == {**assigned(range(1000, 2001), 4, seed=7), **assigned(range(1, 1000), 4, seed=7)}
    assert drawn != assigned(range(1, 2001), 4, seed=8)
    counts = np.bincount(list(drawn.values()), minlength=4)
    assert np.all(np.abs(counts - 500) < 5 * np.sqrt(500 * 0.75))  # five standard deviations of a fair draw


TRIAL = {
    "nodes_per_layer": [5, 6, 8],
    "activation_per_layer": "sigmoid",
    "initializer": "glorot_normal",
    "optimizer": {"optimizer_name": "Nadam", "learning_rate": 1e-3, "clipnorm": 1e-5},
    "epochs": 900,
    "positivity": {"initial": 3.0, "multiplier": 1.2, "threshold": 1e-5},
    "threshold_chi2": 5.0,
}


def test_a_card_has_its_say_in_what_the_trial_does_not_bring():
    """As in n3fit: all but the first value of the positivity multiplier is the card's."""
    made = methodology(TRIAL, {"positivity": {"initial": 184.8, "multiplier": None}, "threshold_chi2": 3.5}, {})
    assert made["positivity"] == {"initial": 3.0, "multiplier": None}
    assert made["threshold_chi2"] == 3.5
    assert made["activation_per_layer"] == ["sigmoid", "sigmoid", "linear"]
    assert {key: made[key] for key in ("epochs", "optimizer")} == {key: TRIAL[key] for key in ("epochs", "optimizer")}


def test_an_override_goes_before_everything():
    override = {"epochs": 500, "learning_rate": 2e-3, "optimizer": "Adam", "initial": 7.0, "nodes_per_layer": [9, 8]}
    made = methodology(TRIAL, {"positivity": {"initial": 1.0}}, override)
    assert made["epochs"] == 500
    assert made["optimizer"] == {"optimizer_name": "Adam", "learning_rate": 2e-3, "clipnorm": 1e-5}
    assert made["positivity"] == {"initial": 7.0}
    assert made["activation_per_layer"] == ["sigmoid", "linear"]
    assert TRIAL["optimizer"]["optimizer_name"] == "Nadam"


def test_a_scan_is_found_by_path_beside_the_card_or_among_n3fits_results(tmp_path):
    for place in ("cards", "results"):
        (tmp_path / place / place).mkdir(parents=True)
    cards, results = tmp_path / "cards", tmp_path / "results"
    assert find_scan(str(cards / "cards"), None) == cards / "cards"
    assert find_scan("cards", cards, [results]) == cards / "cards"
    assert find_scan("results", cards, [results]) == results / "results"
    with pytest.raises(StoreError, match=f"no scan 'nowhere'; looked for nowhere, {cards}/nowhere, {results}/nowhere"):
        find_scan("nowhere", cards, [results])
