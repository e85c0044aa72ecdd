"""A scan as a study of Optuna's: read back with Optuna, it is the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from hyperparton.errors import StoreError
from hyperparton.interop.optuna_study import export_study
from hyperparton.scan.scanner import HyperScanner
from hyperparton.space.samplers import hp_loguniform, hp_quniform, hp_uniform
from hyperparton.space.tree import evaluate, readable, sample
from hyperparton.trials.local import FileTrials
from hyperparton.trials.tries_read import read_trials

PARAMETERS = {
    "nodes_per_layer": [15, 8], "activation_per_layer": ["tanh", "linear"], "optimizer": {"optimizer_name": "Adam"},
    "epochs": 100, "stopping_patience": 0.5, "initializer": "glorot_normal", "dropout": 0.0, "threshold_chi2": 3.5,
}  # fmt: skip
CONFIG = {
    "stopping": {"min_epochs": 10, "max_epochs": 55, "min_patience": 0.2, "max_patience": 0.7},
    "optimizer": [
        {"optimizer_name": "Adam", "learning_rate": {"sampling": "log", "min": 1e-4, "max": 2e-2}},
        {"optimizer_name": "RMSprop", "learning_rate": {"min": 1e-4, "max": 1e-2}},
    ],
    "architecture": {
        "activations": ["tanh", "sigmoid"], "n_layers": [1, 2], "min_units": 5, "max_units": 20, "max_drop": 0.3,
        "initializers": ["glorot_normal"],
    },
}  # fmt: skip
SPACE = HyperScanner(PARAMETERS, CONFIG).as_dict()


def result_of(number):
    """One of every kind of end, and what Optuna makes of it."""
    loss = 1.0 + (number - 7.5) ** 2
    curve = {"epochs": [5, 10], "loss": [loss + 1, loss]}
    if number % 5 == 1:
        failure = {"type": "NaNLoss", "message": "the loss is nan", "traceback": None}
        return {"status": "fail", "loss": None, "failure": failure}, TrialState.FAIL
    if number % 5 == 2:
        told = {"reason": "behind", "epoch": 10, "epochs": 50, "epochs_saved": 40}
        return {"status": "fail", "loss": loss, "reason": "behind", "pruned": told, "curve": curve}, TrialState.PRUNED
    if number % 5 == 3:
        return {"status": "fail", "loss": loss, "reason": "over the threshold"}, TrialState.FAIL
    return {"status": "ok", "loss": loss, "validation_loss": loss / 2, "curve": curve}, TrialState.COMPLETE


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A store with 20 finished trials, and the trials of its `tries.json`."""
    folder, rng = tmp_path_factory.mktemp("scan"), np.random.default_rng(3)
    with FileTrials(folder, SPACE) as store:
        for number in range(20):
            store.book(number, sample(SPACE, rng), "me")
            result, _ = result_of(number)
            (store.complete if result["status"] == "ok" else store.fail)(number, "me", result)
        yield store, read_trials(folder / "tries.json")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def test_the_study_is_the_scan(scan, url):
    store, trials = scan
    done = export_study(trials, SPACE, url, "mine")
    assert (done.added, done.present) == (20, 0)
    study = optuna.load_study(study_name="mine", storage=url)
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert len(study.trials) == 20
    for trial in study.trials:
        ours = store.get(trial.user_attrs["hyperparton:trial"])
        result, state = result_of(ours.number)
        assert trial.number == ours.number
        assert trial.state == state
        assert trial.value == (result["loss"] if state == TrialState.COMPLETE else trial.value)
        if state != TrialState.FAIL:
            assert trial.intermediate_values == dict(zip(*result["curve"].values(), strict=True))
            assert trial.last_step == 10
        assert trial.user_attrs["parameters"].items() >= ours.space_vals.items()
        assert trial.duration.total_seconds() == pytest.approx(ours.refresh_time - ours.book_time, abs=2e-3)
        assert set(trial.params) == {label for label, held in ours.vals.items() if held}
    assert study.best_trial.number == store.best().number
    assert study.best_value == store.best().loss
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=1), params=["epochs", "optimizer"])
    assert set(found) == {"epochs", "optimizer"}
    assert sum(found.values()) == pytest.approx(1.0)


def test_parameters_are_those_of_the_trials(scan, url):
    store, trials = scan
    export_study(trials, SPACE, url, "mine")
    for trial in optuna.load_study(study_name="mine", storage=url).trials:
        params = trial.params
        chosen = readable(evaluate(SPACE, store.get(trial.number).vals))
        name, nodes = chosen["optimizer"]["optimizer_name"], chosen["nodes_per_layer"]
        assert params["optimizer"] == name
        assert params[f"{name}_learning_rate"] == chosen["optimizer"]["learning_rate"]
        assert params["nodes_per_layer"] == ("1 layer" if len(nodes) == 2 else f"{len(nodes) - 1} layers")
        widths = [params[f"nl{len(nodes) - 1}:-{i}/{len(nodes) - 1}"] for i in range(len(nodes) - 1)]
        assert widths == nodes[:-1]
        for label in ("epochs", "stopping_patience", "dropout", "activation_per_layer", "initializer"):
            assert params[label] == chosen[label]
    grid = trial.distributions
    assert grid["epochs"] == optuna.distributions.IntDistribution(10, 55)
    assert grid["stopping_patience"] == optuna.distributions.FloatDistribution(0.2, 0.7, step=0.1)
    assert grid["activation_per_layer"].choices == ("tanh", "sigmoid")


def test_a_second_export_adds_what_is_new(scan, url):
    _, trials = scan
    at_work = replace(trials[15], result=None)
    done = export_study([*trials[:15], at_work], SPACE, url, "mine")
    assert (done.added, done.present, done.unfinished) == (15, 0, 1)
    done = export_study(trials, SPACE, url, "mine")
    assert (done.added, done.present, done.unfinished) == (5, 15, 0)
    study = optuna.load_study(study_name="mine", storage=url)
    assert [trial.user_attrs["hyperparton:trial"] for trial in study.trials] == list(range(20))


def test_a_study_of_another_scan_is_not_touched(scan, url):
    optuna.create_study(storage=url, study_name="other").add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(StoreError, match="holds another study 'other': choose another name"):
        export_study(scan[1], SPACE, url, "other")
    assert len(optuna.load_study(study_name="other", storage=url).trials) == 1


@pytest.mark.parametrize("other", ["no url", "sqlite:////nowhere/at/all.db", "nosuch://host/db"])
def test_a_storage_that_cannot_be_opened(scan, other):
    with pytest.raises(StoreError, match="Optuna cannot open") as fault:
        export_study(scan[1], SPACE, other, "mine")
    assert other in str(fault.value)


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ("postgresql+psycopg://me:SEC/RET@127.0.0.1:1/db", "postgresql+psycopg://127.0.0.1:1/db"),
        ("postgresql+psycopg://me:SEC%2FRET@127.0.0.1:1/db?sslpassword=RET9", "postgresql+psycopg://127.0.0.1:1/db"),
        ("mysql://me:SEC@RET@127.0.0.1:1/db", "mysql://…"),
        ("mysql://me:SEC?RET@127.0.0.1:1/db", "mysql://…"),
        ("nosuch://127.0.0.1/db?password=SEC@RET", "nosuch://…"),
        ("redis://:SECRET@127.0.0.1:1", "redis://127.0.0.1:1"),
    ],
)
def test_no_message_shows_a_password(scan, storage, shown):
    with pytest.raises(StoreError, match="Optuna cannot open") as fault:
        export_study(scan[1], SPACE, storage, "mine")
    assert repr(shown) in str(fault.value)
    assert "SEC" not in str(fault.value)
    assert "RET" not in str(fault.value)
    assert fault.value.__suppress_context__


def test_trials_of_another_space_are_refused(scan, url):
    space = {key: value for key, value in SPACE.items() if key != "epochs"}
    with pytest.raises(StoreError, match="has the label 'epochs', accepted: "):
        export_study(scan[1], space, url, "mine")


@pytest.mark.parametrize(("epochs", "whole"), [(7.0, 7), (9.5, 9)])
def test_values_beside_the_grid_widen_the_range(scan, url, epochs, whole):
    """hyperopt's grids are multiples of the step, whatever the lower bound: n3fit's epochs may lie below it."""
    outside = {"epochs": [epochs], "stopping_patience": [0.75]}
    trials = [replace(trial, vals={**trial.vals, **outside}) for trial in scan[1][:5]]
    export_study(trials, SPACE, url, "wide")
    (first, *_) = optuna.load_study(study_name="wide", storage=url).trials
    assert first.distributions["epochs"] == optuna.distributions.IntDistribution(whole, 55)
    assert first.distributions["stopping_patience"] == optuna.distributions.FloatDistribution(0.2, 0.75)
    assert (first.params["epochs"], first.params["stopping_patience"]) == (whole, 0.75)


def test_ranges_whose_width_no_float_holds(tmp_path, url):
    """A grid too fine for Optuna's decimals is a range without a step."""
    space = {
        "l": hp_loguniform("l", 1e-300, 1e300),
        "u": hp_uniform("u", -1e308, 1e308),
        "q": hp_quniform("q", 1, 1e300, step_size=1),
    }
    with FileTrials(tmp_path, space) as store:
        store.book(0, sample(space, np.random.default_rng(0)), "me")
        store.complete(0, "me", {"status": "ok", "loss": 1.0})
    export_study(read_trials(tmp_path / "tries.json"), space, url, "extreme")
    (trial,) = optuna.load_study(study_name="extreme", storage=url).trials
    assert trial.distributions["q"] == optuna.distributions.FloatDistribution(1, 1e300)
    assert trial.distributions["l"] == optuna.distributions.FloatDistribution(1e-300, 1e300, log=True)
    assert all(space[label].lower <= value <= space[label].upper for label, value in trial.params.items())
