"""Where parameters lie in a space: what a space evaluates to is found again, and what it cannot give is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.scan.scanner import HyperScanner
from hyperparton.space.locate import Misfit, locate, nearest_values
from hyperparton.space.tree import evaluate, readable, sample

N3FIT = json.loads((Path(__file__).parents[1] / "oracle" / "data" / "n3fit_scan.json").read_text())

PARAMETERS = {
    "epochs": 300,
    "stopping_patience": 0.3,
    "optimizer": {"optimizer_name": "Adam"},
    "positivity": {"threshold": 1e-6, "multiplier": None},
    "nodes_per_layer": [5, 8],
    "activation_per_layer": ["tanh", "linear"],
    "initializer": "glorot_normal",
    "dropout": 0.0,
    "layer_type": "dense",
}
CONFIG = {
    "stopping": {"min_epochs": 100, "max_epochs": 900, "min_patience": 0.1, "max_patience": 0.5},
    "optimizer": [
        {"optimizer_name": "Adam", "learning_rate": {"sampling": "log", "min": 1e-4, "max": 1e-2}},
        {"optimizer_name": "SGD", "learning_rate": {"min": 0.1, "max": 0.2}, "clipnorm": {"min": 1, "max": 2}},
    ],
    "positivity": {"min_initial": 1, "max_initial": 100},
    "architecture": {
        "initializers": ["glorot_normal", "glorot_uniform"],
        "activations": ["tanh", "sigmoid"],
        "n_layers": [1, 2],
        "min_units": 5,
        "max_units": 21,
        "max_drop": 0.2,
    },
}
SCANNER = HyperScanner(PARAMETERS, CONFIG)
SPACE = SCANNER.as_dict()


def record(parameters):
    """As a tries.json holds them."""
    return json.loads(json.dumps(readable(parameters)))


@given(st.integers(0, 2**32 - 1))
def test_what_a_space_gives_is_found_again(seed):
    vals = sample(SPACE, np.random.default_rng(seed))
    found, misfits = locate(SPACE, record(evaluate(SPACE, vals)))
    assert misfits == []
    assert record(evaluate(SPACE, found)) == record(evaluate(SPACE, vals))
    assert {label: bool(held) for label, held in found.items()} == {label: bool(held) for label, held in vals.items()}


@pytest.mark.parametrize("name", sorted(N3FIT))
def test_trials_of_n3fit_are_found(name):
    case = N3FIT[name]
    space = HyperScanner(case["parameters"], case["hyperscan_config"]).as_dict()
    for trial in case["trials"]:
        found, misfits = locate(space, trial["space_vals"])
        assert misfits == []
        for label, held in trial["vals"].items():
            if label in ("stopping_patience", "epochs") or label.startswith("nl"):
                continue  # grids
            assert found[label] == pytest.approx(held, rel=1e-9), label


@pytest.mark.parametrize(
    ("patience", "nearest"), [(0.05, None), (0.061, 0.1), (0.13, 0.1), (0.15, 0.18), (0.539, 0.5), (0.55, None)]
)
def test_a_number_beyond_a_grid_by_half_a_step_is_its_end(patience, nearest):
    """hyperopt's grids are multiples of the step: from 0.1 to 0.5 in steps of 0.08 it draws 0.08, 0.16, ..., 0.48."""
    point = record(evaluate(SPACE, sample(SPACE, np.random.default_rng(1))))
    found, misfits = locate(SPACE, {**point, "stopping_patience": patience})
    if nearest is None:
        assert misfits == [Misfit("stopping_patience", f"{patience:g}", "0.1 to 0.5")]
    else:
        assert found["stopping_patience"] == pytest.approx([nearest])


def test_options_that_moved_are_found_by_what_they_are():
    vals = sample(SPACE, np.random.default_rng(3))
    old = record(evaluate(SPACE, vals))
    turned = {**CONFIG, "optimizer": CONFIG["optimizer"][::-1]}
    turned["architecture"] = {**CONFIG["architecture"], "activations": ["sigmoid", "relu", "tanh"], "n_layers": [2, 1]}
    space = HyperScanner(PARAMETERS, turned).as_dict()
    found, misfits = locate(space, old)
    assert misfits == []
    assert found["optimizer"] == [1 - vals["optimizer"][0]]
    assert record(evaluate(space, found)) == old


def changed(path, value):
    """Parameters of the space but for one value; None takes it away."""
    point = record(evaluate(SPACE, sample(SPACE, np.random.default_rng(1))))
    point["optimizer"] = {"optimizer_name": "Adam", "learning_rate": 1e-3}
    place = point
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    if value is None:
        del place[path[-1]]
    return point


@pytest.mark.parametrize(
    ("path", "value", "given", "accepted"),
    [
        (("epochs",), 1000, "1000", "100 to 900"),
        (("epochs",), None, "nothing", "100 to 900"),
        (("epochs",), "many", "many", "100 to 900"),
        (("optimizer", "learning_rate"), 0.5, "0.5", "0.0001 to 0.01"),
        (("optimizer",), {"optimizer_name": "Nadam"}, "{'optimizer_name': 'Nadam'}", "Adam or SGD"),
        (("optimizer", "clipnorm"), 1e-5, "1e-05", "not set"),
        (("initializer",), "random_uniform", "random_uniform", "glorot_normal or glorot_uniform"),
        (("activation_per_layer",), "relu", "relu", "tanh or sigmoid"),
        (("nodes_per_layer",), [5, 5, 5, 8], "[5, 5, 5, 8]", "a list of 2 or a list of 3"),
        (("layer_type",), "dense_per_flavour", "dense_per_flavour", "dense"),
        (("threshold_chi2",), 3.0, "3", "not set"),
        (("positivity", "initial"), 1e4, "10000", "1 to 100"),
    ],
)
def test_what_does_not_fit_is_named(path, value, given, accepted):
    found, misfits = locate(SPACE, changed(path, value))
    assert found is None
    assert misfits == [Misfit(".".join(path), given, accepted)]


def test_a_fixed_value_that_is_not_told_is_taken_to_be_the_same():
    assert locate(SPACE, changed(("layer_type",), None))[1] == []


def test_activations_may_be_listed_by_layer():
    point = changed(("activation_per_layer",), "tanh")
    depth = len(point["nodes_per_layer"])
    found, _ = locate(SPACE, {**point, "activation_per_layer": ["tanh"] * (depth - 1) + ["linear"]})
    assert found == locate(SPACE, point)[0]


def test_between_the_points_of_a_grid_the_nearest_counts():
    """Patience has five steps of 0.08 from 0.1: 0.31 lies between 0.26 and 0.34."""
    found, _ = locate(SPACE, changed(("stopping_patience",), 0.31))
    assert found["stopping_patience"] == [pytest.approx(0.34)]


def test_whole_numbers_of_a_grid():
    space = HyperScanner({"n": 1}, {"space": {"n": {"min": 1, "max": 10, "steps": 4, "make_int": True}}}).as_dict()
    for value in (1, 3, 5, 7, 10):  # 1, 3.25, 5.5, 7.75, 10 cast to whole numbers
        found, _ = locate(space, {"n": value})
        assert evaluate(space, found) == {"n": value}


def test_whole_parameter_sets():
    sets = [{"epochs": 100, "optimizer": {"optimizer_name": "Adam"}}, {"epochs": 200, "optimizer": None}]
    space = HyperScanner(PARAMETERS, {"parameters": sets}).as_dict()
    assert locate(space, {"parameters": sets[1]})[0] == {"parameters": [1]}
    assert locate(space, {"parameters": {**sets[1], "epochs": 300}})[0] is None


@given(st.integers(0, 2**32 - 1))
def test_what_a_space_gives_is_nearest_to_itself(seed):
    vals = sample(SPACE, np.random.default_rng(seed))
    found = nearest_values(SPACE, record(evaluate(SPACE, vals)))
    assert {label: [value] for label, value in found.items()} == {label: held for label, held in vals.items() if held}


def test_what_a_space_does_not_have_becomes_its_nearest():
    outside = {
        "epochs": 5000,
        "stopping_patience": 0.02,
        "optimizer": {"optimizer_name": "SGD", "learning_rate": 1e-3, "momentum": 0.9},
        "positivity": {"initial": 0.5, "threshold": 1e-6},
        "nodes_per_layer": [40, 8],
        "activation_per_layer": ["sigmoid", "linear"],
        "initializer": "he_normal",
        "dropout": 0.0,
        "layer_type": "dense",
    }
    found = nearest_values(SPACE, outside)
    # no option is like `he_normal`, and clipnorm is not said
    assert found == {
        "epochs": 900.0, "stopping_patience": 0.1, "optimizer": 1, "SGD_learning_rate": 0.1, "initial": 1.0,
        "nodes_per_layer": 0, "nl1:-0/1": 21.0, "activation_per_layer": 1, "dropout": 0.0,
    }  # fmt: skip


def test_a_choice_without_a_like_option_is_left_out_with_all_that_depends_on_it():
    found = nearest_values(SPACE, {**changed(("epochs",), 300), "nodes_per_layer": [5, 6, 7, 8], "optimizer": {}})
    assert not [label for label in found if label.startswith(("nl", "nodes", "optimizer", "Adam", "SGD"))]
    assert found["epochs"] == 300.0
