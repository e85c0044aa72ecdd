"""What is wrong with the names of a card is raised at once, before anything is read."""

import json

import pytest

from hyperparton.data.load import load_fit_data
from hyperparton.errors import DataError, PDFSetError, RuncardError, TheoryError
from hyperparton.runcard.check import parse_runcard

CARD = {
    "dataset_inputs": [{"dataset": "SLAC_NC_NOTFIXED_P_EM-F2", "variant": "legacy"}],
    "datacuts": {"t0pdfset": "HYPERPARTON_dis_t0"},
    "theory": {"theoryid": 40000000},
    "trvlseed": 1,
    "nnseed": 2,
    "parameters": {
        "nodes_per_layer": [5, 8],
        "activation_per_layer": ["tanh", "linear"],
        "initializer": "glorot_normal",
        "optimizer": {"optimizer_name": "Adam", "learning_rate": 1e-3},
        "epochs": 10,
        "stopping_patience": 0.5,
        "positivity": {"initial": 10.0, "multiplier": 1.1},
        "layer_type": "dense",
        "dropout": 0.0,
    },
    "fitting": {
        "fitbasis": "EVOL",
        "basis": [
            {"fl": name, "smallx": [1.0, 1.1], "largex": [1.5, 3.0], "trainable": False}
            for name in ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")
        ],
    },
}
UNKNOWN = {"dataset": "SLAC_NC_NOTFIXED_P_EM-F3"}
NO_TABLES = {"dataset": "ATLAS_TTBAR_7TEV_TOT_X-SEC", "variant": "legacy"}


def load(**changes):
    return load_fit_data(parse_runcard(json.dumps({**CARD, **changes})))


def test_a_small_card():
    every = load()
    assert (every.ndata, every.group, every.t0pdfset) == (len(every.t0_predictions), "ALL", "HYPERPARTON_dis_t0")
    fewer = load(datacuts={"q2min": 10.0}, diagonal_basis=False)
    assert (fewer.group, fewer.t0pdfset, fewer.t0_predictions) == ("experiment", None, None)
    assert 0 < fewer.ndata < every.ndata


def test_a_set_of_which_no_point_passes_the_cuts():
    with pytest.raises(DataError, match="SLAC_NC_NOTFIXED_P_EM-F2: no point passes the cuts; change them, or take"):
        load(datacuts={"q2min": 100.0})


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            {"dataset_inputs": [UNKNOWN, {"dataset": "NO_SUCH_SET"}]},
            DataError,
            r"(?s)dataset_inputs\[0\].*\n.*dataset_inputs\[1\]",
        ),
        ({"dataset_inputs": [NO_TABLES]}, TheoryError, "lacks FK tables or C-factors of 1 data set;"),
        ({"theory": {"theoryid": 12345}}, TheoryError, "theory 12345 is not there; searched: "),
        ({"datacuts": {"t0pdfset": "NO_SUCH_SET"}}, PDFSetError, "'NO_SUCH_SET' is not installed"),
        (
            {"added_filter_rules": [{"dataset": "SLAC_NC_NOTFIXED_P_EM-F2", "rule": "x >"}]},
            DataError,
            r"added_filter_rules\[0\]: not an expression: 'x >'",
        ),
    ],
)
def test_faults_of_one_kind(changes, error, said):
    with pytest.raises(error, match=said) as raised:
        load(**changes)
    assert type(raised.value) is error


def test_faults_of_several_kinds():
    with pytest.raises(RuncardError) as raised:
        load(dataset_inputs=[UNKNOWN], theory={"theoryid": 12345}, datacuts={"t0pdfset": "NO_SUCH_SET"})
    paths = [fault.path for fault in raised.value.faults]
    assert paths == ["dataset_inputs[0]", "datacuts.t0pdfset", "theory.theoryid"]
