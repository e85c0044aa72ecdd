"""What is wrong with the names of a card is raised at once, before anything is read."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hyperparton.data.load import examine_fit_data, load_fit_data
from hyperparton.data.pseudodata import expect_drawable
from hyperparton.data.theory_folder import SHIPPED, tables_digest
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


def card_of(**changes):
    return parse_runcard(json.dumps({**CARD, **changes}))


def load(**changes):
    return load_fit_data(card_of(**changes))


def test_a_small_card():
    every = load()
    assert (every.ndata, every.group, every.t0pdfset) == (len(every.t0_predictions), "ALL", "HYPERPARTON_dis_t0")
    fewer = load(datacuts={"q2min": 10.0}, diagonal_basis=False)
    assert (fewer.group, fewer.t0pdfset, fewer.t0_predictions) == ("experiment", None, None)
    assert 0 < fewer.ndata < every.ndata


def test_t0_predictions_of_another_theory():
    own, other = load(), load(theory={"theoryid": 40000000, "t0theoryid": 208})
    fitted = load(theory={"theoryid": 208})
    np.testing.assert_array_equal(other.t0_predictions, fitted.t0_predictions)
    assert not np.array_equal(own.t0_predictions, other.t0_predictions)
    assert (own.t0_theory, other.t0_theory.theoryid, other.theory.theoryid) == (None, 208, 40000000)
    assert tables_digest(own) != tables_digest(other) != tables_digest(fitted)
    with pytest.raises(TheoryError, match=r"theory.t0theoryid: theory 12345 is not there; searched: "):
        load(theory={"theoryid": 40000000, "t0theoryid": 12345})
    _, faults = examine_fit_data(card_of(theory={"theoryid": 40000000, "t0theoryid": 208}, datacuts={}))
    assert "changes nothing: there is no t0pdfset" in str(*faults.idle)


def test_a_theory_of_t0_predictions_beside_that_of_the_fit():
    shipped = SHIPPED / "theory_40000000"
    for folder in (shipped, SHIPPED):
        data = load_fit_data(card_of(theory={"theoryid": 40000000, "t0theoryid": 208}), folder)
        assert (data.theory.origin, data.t0_theory.origin, data.t0_theory.path.parent) == (
            "--theory",
            "--theory",
            SHIPPED,
        )


def test_eigenmodes_are_of_all_data():
    sets = [
        *CARD["dataset_inputs"],
        {"dataset": "HERA_CC_318GEV_EM-SIGMARED", "variant": "legacy", "custom_group": "x"},
    ]
    told = "diagonal_basis splits the eigenmodes of all data, so they must be in one group; experiment makes 2: SLAC, "
    with pytest.raises(
        DataError, match=rf"metadata_group: {told}HERACOMB. Set diagonal_basis: false, or metadata_group"
    ):
        load(dataset_inputs=sets, metadata_group="experiment")
    with pytest.raises(DataError, match=r"data_grouping: .* or data_grouping: diagonal_basis"):
        load(dataset_inputs=sets, data_grouping="standard_report")
    assert {
        each.group for each in load(dataset_inputs=sets, metadata_group="custom_group", diagonal_basis=False).datasets
    } == {"unset", "x"}
    assert load(dataset_inputs=sets[:1], metadata_group="experiment").datasets[0].group == "SLAC"


def test_points_that_have_no_uncertainty_to_draw():
    data = load(separate_multiplicative=True)
    without = replace(data, sampling_covmat=data.sampling_covmat * (np.arange(data.ndata) > 0))
    with pytest.raises(DataError, match=r"data replicas of SLAC_NC_NOTFIXED_P_EM-F2 cannot be drawn: .* separate_mult"):
        expect_drawable(without)
    with pytest.raises(
        DataError, match="is not positive definite: uncertainties of SLAC_NC_NOTFIXED_P_EM-F2 are fully"
    ):
        expect_drawable(replace(data, sampling_covmat=np.ones_like(data.covmat)))


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
        ({"dataset_inputs": [NO_TABLES]}, TheoryError, "lacks FK tables or C-factors of 1 data sets"),
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
