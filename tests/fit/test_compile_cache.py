"""The compile cache: a program for the first trial of a shape and none for the next; where programs are kept."""

import logging

import jax
import pytest

from hyperparton.files import CACHE_VARIABLE, cache_folder
from hyperparton.hyperloss.trainer import ModelTrainer

PROGRAM = "advance"


@pytest.fixture
def compiled(caplog):
    """A function that gives the names of what was compiled since it was last called."""

    def names():
        found = [record.args[0] for record in caplog.records if record.msg.startswith("Compiling")]
        caplog.clear()
        return [str(name) for name in found]

    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        yield names


@pytest.fixture(scope="module")
def trainer(make_card, data):
    sets = [d.name for d in data.datasets]
    partitions = [{"datasets": sets[:1]}, {"datasets": sets[1:2]}]
    made = ModelTrainer.from_runcard(make_card(kfold={"partitions": partitions, "threshold": 1e9}), data, (1, 2))
    made.set_hyperopt(True, [])
    return made


def programs(names):
    return [name for name in names if PROGRAM in name]


def test_one_program_per_trial_and_none_for_a_second_one(trainer, parameters, compiled):
    """What a scan varies is data of the program, widths that are padded to the same and like optimizers with it."""
    # widths that no other test has
    first = {**parameters, "nodes_per_layer": [20, 12, 8], "epochs": 120, "dropout": 0.1}
    assert trainer.hyperparametrizable(first)["status"] == "ok"
    assert len(programs(compiled())) == 1
    second = {
        **first,
        "nodes_per_layer": [17, 30, 8],
        "activation_per_layer": ["sigmoid", "sigmoid", "linear"],
        "epochs": 230,
        "dropout": 0.25,
        "stopping_patience": 0.3,
        "initializer": "glorot_uniform",
        "optimizer": {"optimizer_name": "Adam", "learning_rate": 1e-3, "clipnorm": 1e-6},
        "positivity": {"initial": 3.0, "multiplier": 1.3},
        "integrability": {"initial": 20.0, "multiplier": None},
        "threshold_chi2": 3.0,
    }
    assert trainer.hyperparametrizable(second)["status"] == "ok"
    assert compiled() == []
    # the counting itself: another network is another program
    assert trainer.hyperparametrizable({**first, "nodes_per_layer": [20, 33, 8], "epochs": 1})["status"] == "ok"
    assert len(programs(compiled())) == 1


@pytest.mark.parametrize(("given", "expected"), [("off", None), ("/somewhere", "/somewhere/programs")])
def test_folder_of_programs(monkeypatch, given, expected):
    monkeypatch.setenv(CACHE_VARIABLE, given)
    folder = cache_folder("programs")
    assert (folder if folder is None else str(folder)) == expected
