"""A scan described with hyperopt's own expressions, as n3fit's HyperScanner describes it, is a scan of ours."""

from __future__ import annotations

import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll.base import scope

from hyperparton import ActivationStr, HyperScanner, hyper_scan_wrapper
from hyperparton.errors import ScanError, SpaceError
from hyperparton.interop.n3fit_space import as_scanner
from hyperparton.space.tree import describe, fingerprint
from hyperparton.trials.tries_read import read_tries

PARAMETERS = {
    "nodes_per_layer": [15, 8], "activation_per_layer": ["tanh", "linear"], "optimizer": {"optimizer_name": "Adam"},
    "epochs": 100, "stopping_patience": 0.5, "dropout": 0.0, "threshold_chi2": 3.5,
}  # fmt: skip
CONFIG = {
    "stopping": {"min_epochs": 10, "max_epochs": 50, "min_patience": 0.2, "max_patience": 0.7},
    "optimizer": [
        {"optimizer_name": "Adam", "learning_rate": {"sampling": "log", "min": 1e-4, "max": 2e-2}},
        {"optimizer_name": "RMSprop", "learning_rate": {"min": 1e-4, "max": 1e-2}, "clipnorm": 1e-5},
    ],
    "architecture": {"activations": ["tanh", "sigmoid"], "n_layers": [1, 2], "min_units": 5, "max_units": 20},
}


class Activation:
    """What n3fit has for an activation of networks of any depth."""

    def __init__(self, name):
        self.function_name = name

    def __call__(self, depth):
        return [self.function_name] * (depth - 1) + ["linear"]


class Scanner:
    """What `hyper_scan_wrapper` is given by n3fit: `CONFIG` in hyperopt's expressions."""

    parallel_hyperopt = False

    def __init__(self, **changes):
        def width(label):
            return scope.int(hp.quniform(label, 5, 20, 1))

        adam = {"optimizer_name": "Adam", "learning_rate": hp.loguniform("Adam_learning_rate", *np.log([1e-4, 2e-2]))}
        rms = {"optimizer_name": "RMSprop", "learning_rate": hp.uniform("RMSprop_learning_rate", 1e-4, 1e-2)}
        scanned = {
            "epochs": scope.int(hp.quniform("epochs", 10, 50, 1)),
            "stopping_patience": hp.quniform("stopping_patience", 0.2, 0.7, (0.7 - 0.2) / 5),
            "optimizer": hp.choice("optimizer", [adam, {**rms, "clipnorm": 1e-5}]),
            "activation_per_layer": hp.choice("activation_per_layer", [Activation("tanh"), Activation("sigmoid")]),
            "nodes_per_layer": hp.choice(
                "nodes_per_layer", [[width("nl1:-0/1"), 8], [width("nl2:-0/2"), width("nl2:-1/2"), 8]]
            ),
        } | changes
        self.parameters = {**PARAMETERS, **scanned}
        self.hyper_keys = set(scanned)

    def as_dict(self):
        return self.parameters


class Trainer:
    def set_hyperopt(self, on, keys=None):
        self.keys = set(keys)

    def hyperparametrizable(self, params):
        assert params["activation_per_layer"](3)[-1] == "linear"
        return {"status": "ok", "loss": np.float32(params["optimizer"]["learning_rate"] * params["epochs"])}


def test_the_space_is_that_of_the_same_card():
    ours, theirs = HyperScanner(PARAMETERS, CONFIG), as_scanner(Scanner())
    assert describe(theirs.as_dict()) == describe(ours.as_dict())
    assert fingerprint(theirs.as_dict()) == fingerprint(ours.as_dict())
    assert theirs.hyper_keys == ours.hyper_keys
    assert isinstance(theirs.as_dict()["activation_per_layer"].options[0], ActivationStr)
    assert as_scanner(ours) is ours


def test_it_runs_and_is_continued_by_the_scan_of_the_card(tmp_path):
    trainer = Trainer()
    hyper_scan_wrapper(tmp_path, trainer, Scanner(), max_evals=3)
    assert trainer.keys == Scanner().hyper_keys
    best = hyper_scan_wrapper(tmp_path, Trainer(), HyperScanner(PARAMETERS, CONFIG), max_evals=5)
    entries = read_tries(tmp_path / "tries.json")
    assert len(entries) == 5
    low = min(entries, key=lambda entry: entry["result"]["loss"])
    assert best["epochs"] == low["misc"]["space_vals"]["epochs"]
    assert best["activation_per_layer"][-1] == "linear"


def test_whole_sets_from_trials_of_an_earlier_scan():
    class Earlier:
        def __init__(self, epochs):
            self.params = {**PARAMETERS, "epochs": epochs}

    class Reusing(Scanner):
        def __init__(self):
            self.parameters = {"parameters": hp.choice("parameters", [Earlier(10), Earlier(20)])}
            self.hyper_keys = {"parameters"}

    scanner = as_scanner(Reusing())
    assert scanner.space_eval({"parameters": [1]})["epochs"] == 20


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (hp.normal("epochs", 0, 1), "distribution 'normal' is none of uniform, loguniform, quniform"),
        (hp.randint("epochs", 5), "distribution 'randint'"),
        (scope.int(hp.uniform("epochs", 0, 1)), "expression 'int'"),
        (hp.pchoice("epochs", [(0.1, 1), (0.9, 2)]), "'categorical'"),
        (hp.uniform("epochs", 0, 1) + 1, "expression 'add'"),
        (scope.float(scope.hyperopt_param("epochs", scope.uniform(hp.uniform("low", 0, 1), 2))), "must be numbers"),
    ],
)
def test_what_no_runcard_can_ask_for_is_refused(expression, message):
    with pytest.raises(SpaceError, match=message):
        as_scanner(Scanner(epochs=expression))


def test_n3fits_own_database_is_refused(tmp_path):
    scanner = Scanner()
    scanner.parallel_hyperopt = True
    with pytest.raises(ScanError, match="--store URL"):
        hyper_scan_wrapper(tmp_path, Trainer(), scanner)


def test_what_is_no_scanner_is_refused(tmp_path):
    with pytest.raises(ScanError, match="given dict"):
        hyper_scan_wrapper(tmp_path, Trainer(), {"epochs": 1})
