"""HyperScanner: labels and values against n3fit's, what is scanned and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from hyperparton import ActivationStr, HyperScanner, get_engine
from hyperparton.catalogue import INITIALIZERS
from hyperparton.engines import trial_seed
from hyperparton.errors import SpaceError
from hyperparton.space.samplers import QUniform
from hyperparton.space.tree import conditions, describe, samplers_by_label
from hyperparton.trials.trial import Trial

N3FIT = json.loads((Path(__file__).parents[1] / "oracle" / "data" / "n3fit_scan.json").read_text())

PARAMETERS = {
    "nodes_per_layer": [25, 20, 8],
    "activation_per_layer": ["tanh", "tanh", "linear"],
    "initializer": "glorot_normal",
    "optimizer": {"optimizer_name": "Nadam", "learning_rate": 2.6e-3, "clipnorm": 6e-6},
    "epochs": 2500,
    "positivity": {"initial": 184.8, "multiplier": None, "threshold": 1e-6},
    "integrability": {"initial": 10, "multiplier": None},
    "stopping_patience": 0.99,
    "layer_type": "dense",
    "dropout": 0.0,
    "threshold_chi2": 3.5,
}


def n3fit(name):
    return copy.deepcopy(N3FIT[name])


def scanner_of(**config):
    return HyperScanner(PARAMETERS, config)


def labels_of(**config):
    return sorted(samplers_by_label(scanner_of(**config).as_dict()))


@pytest.mark.parametrize("name", sorted(N3FIT))
def test_keys_and_labels_are_those_of_n3fit(name):
    case = n3fit(name)
    scanner = HyperScanner(case["parameters"], case["hyperscan_config"])
    assert sorted(scanner.hyper_keys) == case["hyper_keys"]
    assert sorted(samplers_by_label(scanner.as_dict())) == sorted(case["trials"][0]["vals"])


@pytest.mark.parametrize("name", sorted(N3FIT))
def test_random_draws_are_those_of_n3fit(name):
    """n3fit's first twenty trials do not look at the history; only its patience leaves the grid that ours keeps."""
    case = n3fit(name)
    scanner = HyperScanner(case["parameters"], case["hyperscan_config"])
    engine = get_engine("hyperopt")
    for number, theirs in enumerate(case["trials"][:20]):
        vals = engine.suggest(scanner.as_dict(), [], trial_seed(case["seed"], number))
        patience, their_patience = vals.pop("stopping_patience"), theirs["vals"].pop("stopping_patience")
        # another processor's logarithm and exponential may differ in the last digit
        assert vals == {label: pytest.approx(held, rel=1e-15, abs=0) for label, held in theirs["vals"].items()}
        assert patience == pytest.approx(their_patience, abs=1e-12 if name == "aligned" else 0.06)


@pytest.mark.parametrize("name", sorted(N3FIT))
def test_readable_parameters_are_those_of_n3fit(name):
    case = n3fit(name)
    scanner = HyperScanner(case["parameters"], case["hyperscan_config"])
    for trial in case["trials"]:
        theirs = trial["space_vals"]
        # n3fit forgets the entries of positivity that are not scanned, here they keep the card's values
        theirs["positivity"] = {**case["parameters"]["positivity"], **theirs["positivity"]}
        assert scanner.space_vals({"misc": {"vals": trial["vals"]}}) == theirs


def test_labels_of_each_section():
    assert labels_of(stopping={"min_epochs": 1e3, "max_epochs": 2e3, "max_patience": 0.5}) == [
        "epochs",
        "stopping_patience",
    ]
    assert labels_of(
        positivity={"min_multiplier": 1.01, "max_multiplier": 1.1, "min_initial": 1, "max_initial": 9}
    ) == [
        "initial",
        "multiplier",
    ]
    assert labels_of(optimizer=[{"optimizer_name": "Adagrad"}, {"optimizer_name": "SGD", "clipnorm": 1}]) == [
        "optimizer"
    ]
    assert labels_of(architecture={"n_layers": [1, 2], "min_units": 5, "max_units": 9}) == [
        "nl1:-0/1",
        "nl2:-0/2",
        "nl2:-1/2",
        "nodes_per_layer",
    ]
    assert labels_of(architecture={"layer_types": ["dense"], "initializers": "ALL", "activations": ["relu"]}) == [
        "activation_per_layer",
        "initializer",
        "layer_type",
    ]
    assert labels_of(architecture={"max_drop": 0.2}) == ["dropout"]


def test_widths_and_rates_exist_only_where_they_apply():
    scanner = scanner_of(
        optimizer=[
            {"optimizer_name": "Adam", "learning_rate": {"min": 1, "max": 2}},
            {"optimizer_name": "Adagrad", "clipnorm": {"min": 1, "max": 2}},
        ],
        architecture={"n_layers": [1, 2], "min_units": 5, "max_units": 9},
    )
    ways = conditions(scanner.as_dict())
    assert ways["Adam_learning_rate"] == ((("optimizer", 0),),)
    assert ways["Adagrad_clipnorm"] == ((("optimizer", 1),),)
    assert ways["nl1:-0/1"] == ((("nodes_per_layer", 0),),)
    assert ways["nl2:-1/2"] == ((("nodes_per_layer", 1),),)


def test_the_last_width_is_the_cards_output():
    scanner = scanner_of(architecture={"n_layers": [2], "min_units": 5, "max_units": 9})
    chosen = scanner.space_eval({"nodes_per_layer": [0], "nl2:-0/2": [6.0], "nl2:-1/2": [9.0]})
    assert chosen["nodes_per_layer"] == [6, 9, 8]
    assert [type(width) for width in chosen["nodes_per_layer"]] == [int, int, int]


def test_all_initializers():
    space = scanner_of(architecture={"initializers": "ALL"}).as_dict()
    assert space["initializer"].options == tuple(INITIALIZERS)


def test_patience_has_an_end_where_one_bound_is_missing():
    for given, ends in (({"max_patience": 0.5}, (0.0, 0.5)), ({"min_patience": 0.5}, (0.5, 1.0))):
        sampler = scanner_of(stopping=given).as_dict()["stopping_patience"]
        assert isinstance(sampler, QUniform)
        assert (sampler.lower, sampler.last) == ends
        assert sampler.count == 5


def test_what_is_not_scanned_keeps_its_value():
    scanner = scanner_of(stopping={"min_epochs": 10, "max_epochs": 20}, positivity={"min_initial": 1})
    assert scanner.hyper_keys == {"epochs"}
    chosen = scanner.space_eval({"epochs": [12.0]})
    assert chosen == {**PARAMETERS, "epochs": 12}
    assert type(chosen["epochs"]) is int


def test_the_other_entries_of_a_section_keep_their_values():
    scanner = scanner_of(
        positivity={"min_initial": 1, "max_initial": 10}, integrability={"min_initial": 1, "max_initial": 10}
    )
    chosen = scanner.space_eval({"initial": [5.0], "integrability_initial": [7.0]})
    assert chosen["positivity"] == {"initial": 5.0, "multiplier": None, "threshold": 1e-6}
    assert chosen["integrability"] == {"initial": 7.0, "multiplier": None}


def test_the_cards_dictionaries_are_left_alone():
    parameters = copy.deepcopy(PARAMETERS)
    config = {"positivity": {"min_initial": 1, "max_initial": 9}, "stopping": {"min_epochs": 1, "max_epochs": 9}}
    before = copy.deepcopy(config)
    HyperScanner(parameters, config).space_eval({"initial": [2], "epochs": [3]})
    assert parameters == PARAMETERS
    assert config == before


def test_a_choice_among_whole_sets():
    sets = [{**PARAMETERS, "epochs": 10}, {**PARAMETERS, "epochs": 20, "dropout": 0.1}]
    scanner = scanner_of(parameters=sets)
    assert scanner.hyper_keys == {"parameters"}
    assert sorted(samplers_by_label(scanner.as_dict())) == ["parameters"]
    assert scanner.space_eval({"parameters": [1]}) == sets[1]
    assert scanner.space_vals({"parameters": [0]}) == sets[0]


def test_trials_of_every_kind_are_evaluated():
    scanner = scanner_of(architecture={"activations": ["tanh", "relu"]})
    vals = {"activation_per_layer": [1]}
    for trial in (Trial(0, vals), {"misc": {"vals": vals}}, vals, {"activation_per_layer": 1}):
        assert scanner.space_eval(trial)["activation_per_layer"] == ["relu", "relu", "linear"]
        assert scanner.space_vals(trial)["activation_per_layer"] == "relu"
    with pytest.raises(SpaceError, match="activation_per_layer"):
        scanner.space_eval({})


def test_own_parameters():
    entries = {
        "a": {"min": 0, "max": 1},
        "b": {"min": 1e-3, "max": 1.0, "sampling": "log"},
        "c": {"min": 1, "max": 5, "make_int": True},
        "d": {"choice": ["x", "y"]},
        "e": {"min": 0, "max": 1, "step": 0.25},
        "f": {"min": 0, "max": 1, "sampling": "quniform"},
        "g": {"min": 0, "max": 9, "steps": 3},
    }
    scanner = HyperScanner(dict.fromkeys(entries, 0), {"space": entries}, steps=4)
    space = scanner.as_dict()
    assert scanner.hyper_keys == set(entries)
    kinds = [type(space[key]).__name__ for key in entries]
    assert kinds == ["Uniform", "LogUniform", "QUniform", "Choice", "QUniform", "QUniform", "QUniform"]
    assert [space[key].step for key in "cefg"] == [1.0, 0.25, 0.25, 3.0]
    assert scanner.space_eval({key: [1] for key in entries})["d"] == "y"


def test_how_the_scan_runs():
    config = {"restart": True, "parallel": True, "db_host": "host", "db_port": 1, "db_name": "name"}
    scanner = scanner_of(**config, num_mongo_workers=3, stopping={"min_epochs": 1, "max_epochs": 9})
    told = (scanner.restart_hyperopt, scanner.parallel_hyperopt, scanner.db_host, scanner.db_port, scanner.db_name)
    assert (*told, scanner.num_mongo_workers) == (True, True, "host", 1, "name", 3)
    scanner = scanner_of(restart=None, db_port=None)
    assert (scanner.restart_hyperopt, scanner.db_port) == (False, 27017)
    assert scanner.hyper_keys == set()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"stoping": {}}, "stoping: unknown key 'stoping' .did you mean 'stopping'.*accepted: stopping, optimizer"),
        (
            {"stopping": {"min_epoch": 1}},
            "stopping.min_epoch: unknown key 'min_epoch' .did you mean 'min_epochs'.*accepted: min_epochs, max",
        ),
        ({"stopping": [1]}, "stopping: must be keys with values, given .1"),
        ({"stopping": {"min_epochs": 2, "max_epochs": 1}}, "lower bound is above"),
        ({"stopping": {"min_epochs": "many", "max_epochs": 1}}, "min_epochs: must be a number, given 'many'"),
        (
            {"optimizer": [{"optimizer_name": "Adm"}]},
            "optimizer.0..optimizer_name: unknown optimizer .did you mean 'Adam'.*given 'Adm', accepted: RMSprop",
        ),
        ({"optimizer": [{"learning_rate": 1}]}, "optimizer.0..optimizer_name: 'optimizer_name' is missing$"),
        ({"optimizer": {"optimizer_name": "Adam"}}, "optimizer: must be a list, given .optimizer_name"),
        ({"optimizer": [{"optimizer_name": "Adagrad", "learning_rate": 0.1}]}, "Adagrad has no 'learning_rate'"),
        (
            {"optimizer": [{"optimizer_name": "Adam", "learning_rate": {"min": 1, "max": 2, "sampling": "lin"}}]},
            "sampling: unknown sampling, given 'lin', accepted: uniform, log",
        ),
        (
            {"architecture": {"initializers": ["glorot"]}},
            "unknown initializer .*, given 'glorot', accepted: random_uniform",
        ),
        ({"architecture": {"initializers": "glorot_normal"}}, "initializers: must be a list, given 'glorot_normal'"),
        (
            {"architecture": {"activations": ["tan"]}},
            "unknown activation .did you mean 'tanh'.*, given 'tan', accepted: tanh",
        ),
        (
            {"architecture": {"layer_types": ["dens"]}},
            "unknown layer type .did you mean 'dense'.*, given 'dens', accepted: dense",
        ),
        ({"architecture": {"n_layers": [2]}}, "needs both min_units and max_units"),
        ({"architecture": {"n_layers": [2], "min_units": 3}}, "needs both min_units and max_units"),
        (
            {"architecture": {"n_layers": [0], "min_units": 3, "max_units": 4}},
            "n_layers.0.: is out of range, given 0, accepted: a whole number of layers from 1 to 64",
        ),
        ({"architecture": {"n_layers": 2, "min_units": 3, "max_units": 4}}, "n_layers: must be a list, given 2"),
        (
            {"architecture": {"output_size": 8}},
            "architecture.output_size: unknown key 'output_size', accepted: initializers",
        ),
        ({"space": {"my_own": {"min": 0, "max": 1}}}, "scans 'my_own', which `parameters` does not declare"),
        ({"space": {"epoch": {"min": 0, "max": 1}}}, "did you mean 'epochs'"),
        ({"space": {"epochs": {"min": 0}}}, "needs both min and max"),
        (
            {"space": {"epochs": {"min": 1, "max": 2, "sampling": "log", "steps": 3}}},
            "need sampling: quniform, given log",
        ),
        ({"space": {"epochs": {"choice": []}}}, "choice: must be a list with at least one entry, given .]"),
        ({"space": {"epochs": {"choice": [1], "min": 0}}}, "nothing beside it"),
        ({"space": {"epochs": 5}}, "space.epochs: must be keys with values, given 5"),
        ({"space": [1]}, "space: must be keys with values, given .1"),
        ({"parameters": {"epochs": 1}}, "parameters: must be a list, given .epochs: 1"),
        ({"parameters": [{}], "stopping": {"min_epochs": 1}}, "scans nothing else, given also stopping"),
    ],
)
def test_errors_say_what_was_given_and_what_is_accepted(config, message):
    with pytest.raises(SpaceError, match=message):
        HyperScanner(PARAMETERS, config)


def test_a_section_whose_parameter_is_not_declared():
    declared = {key: value for key, value in PARAMETERS.items() if key != "dropout"}
    with pytest.raises(SpaceError, match="'dropout', which `parameters` does not declare"):
        HyperScanner(declared, {"architecture": {"max_drop": 0.1}})


@pytest.mark.parametrize("given", [None, [], "text", 5])
def test_dictionaries_are_required(given):
    for arguments in ((given, {}), ({}, given)):
        with pytest.raises(SpaceError, match="accepted is a dictionary"):
            HyperScanner(*arguments)


def test_activations_of_any_depth():
    activation = ActivationStr("tanh")
    assert str(activation) == "tanh"
    assert activation(4) == ["tanh", "tanh", "tanh", "linear"]
    assert activation(1) == ["linear"]
    with pytest.raises(SpaceError, match="at least one layer"):
        activation(0)


def test_sections_take_their_keys_in_the_order_of_n3fit():
    declared = dict.fromkeys(("epochs", "stopping_patience", "positivity", "initializer", "activation_per_layer"))
    by_place, by_name = HyperScanner(declared, {}), HyperScanner(declared, {})
    by_place.stopping(1000, 2000, 0.1, 0.4)
    by_name.stopping(min_epochs=1000, max_epochs=2000, min_patience=0.1, max_patience=0.4)
    by_place.positivity(1.0, 1.1, 1, 1000)
    by_name.positivity(min_multiplier=1.0, max_multiplier=1.1, min_initial=1, max_initial=1000)
    by_place.architecture(["glorot_normal"], ["tanh", "sigmoid"])
    by_name.architecture(initializers=["glorot_normal"], activations=["tanh", "sigmoid"])
    assert by_place.hyper_keys == by_name.hyper_keys == set(declared)
    assert describe(by_place.as_dict()) == describe(by_name.as_dict())
