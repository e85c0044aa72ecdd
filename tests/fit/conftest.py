"""What the tests of training share: a few small data sets that ship, one of them a ratio, and quick methodologies."""

import json
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data.load import load_fit_data
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.run import run_fit
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.parameters import Parameters

DIS_FIT = Path(__file__).parents[1] / "data" / "dis_fit.yml"
RATIO, PROTON, CHARGED, CHARM = (
    "NMC_NC_NOTFIXED_EM-F2",
    "SLAC_NC_NOTFIXED_P_EM-F2",
    "HERA_CC_318GEV_EM-SIGMARED",
    "HERA_NC_318GEV_EAVG_CHARM-SIGMARED",
)
SETS = (RATIO, PROTON, CHARGED, CHARM)
PARTITIONS = [
    {"datasets": [RATIO, CHARM]},
    {"datasets": [PROTON], "weight": 2.5},
    {"datasets": [CHARGED], "overfit": True},
    {"datasets": []},
]
PARAMETERS = {
    "nodes_per_layer": [6, 5, 8],
    "activation_per_layer": ["tanh", "tanh", "linear"],
    "initializer": "glorot_normal",
    "optimizer": {"optimizer_name": "Nadam", "learning_rate": 5e-3, "clipnorm": 1e-5},
    "epochs": 150,
    "stopping_patience": 0.9,
    "positivity": {"initial": 100.0, "multiplier": 1.1},
    "integrability": {"initial": 10.0, "multiplier": 1.1},
    "layer_type": "dense",
    "dropout": 0.0,
    "threshold_chi2": 20.0,
}


@pytest.fixture(scope="session")
def make_card():
    """A function that makes a runcard of the small data sets; its arguments replace sections of it."""
    base = YAML(typ="safe").load(DIS_FIT)
    base["dataset_inputs"] = [entry for entry in base["dataset_inputs"] if entry["dataset"] in SETS]
    base["datacuts"]["t0pdfset"] = "HYPERPARTON_dis_t0"
    base["parameters"] = PARAMETERS

    def make(**sections):
        return parse_runcard(json.dumps({**base, **sections}))

    return make


@pytest.fixture(scope="session")
def data(make_card):
    return load_fit_data(make_card())


@pytest.fixture(scope="session")
def setup(make_card, data):
    """The base of most tests: two replicas."""
    return FitSetup(make_card(), data, (1, 2))


@pytest.fixture(scope="session")
def fit():
    """A function that fits all data of a setup; its arguments replace parameters."""

    def run(setup, **parameters):
        methodology = Methodology.from_parameters(Parameters.model_validate({**PARAMETERS, **parameters}))
        return run_fit(setup, methodology)

    return run


@pytest.fixture(scope="session")
def parameters():
    """The parameters of the runcard of `make_card`."""
    return PARAMETERS


@pytest.fixture(scope="session")
def last():
    """Parameters with which no epoch is the best one, so that a fit ends with its last weights."""
    return {"threshold_chi2": 1e-9}


@pytest.fixture(scope="session")
def leaves():
    """A function that gives all arrays of a fit's parameters, flat (model, number)."""

    def flat(result):
        parameters = result.trained.parameters
        arrays = [layer[kind] for layer in parameters["layers"] for kind in ("kernel", "bias")]
        arrays += [parameters["exponents"]["alpha"], parameters["exponents"]["beta"]]
        return np.concatenate([np.asarray(a, float).reshape(len(a), -1) for a in arrays], axis=1)

    return flat
