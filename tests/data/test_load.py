"""What is wrong with the names of a card is raised at once, before anything is read."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hyperparton.data.commondata import find_metadata, load_commondata
from hyperparton.data.cut_policies import FitCuts
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.load import examine_fit_data, examine_names, load_fit_data
from hyperparton.data.masks import kfold_masks
from hyperparton.data.pseudodata import expect_drawable
from hyperparton.data.theory_folder import SHIPPED, tables_digest
from hyperparton.data.wanted import find_sets
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


def points_of_a_fit(folder, name, lines):
    (folder / "filter" / name).mkdir(parents=True)
    if lines is not None:
        (folder / "filter" / name / f"FKMASK_{name}.dat").write_text(lines, encoding="utf-8")
    return {"datacuts": {"use_cuts": "fromfit", "fit": str(folder)}}


def test_the_points_of_a_fit(tmp_path):
    """As vp-setupfit writes them; the folder may have an older name of the set, and no file where nothing is cut."""
    name, kept = "SLAC_NC_NOTFIXED_P_EM-F2", load().datasets[0].kept[[5, 2, 9]].tolist()
    (data,) = load(**points_of_a_fit(tmp_path / "a", name, "".join(f"{point}\n" for point in kept))).datasets
    assert data.kept.tolist() == sorted(kept)
    (data,) = load(**points_of_a_fit(tmp_path / "b", "SLACP", f"{kept[0]}\n")).datasets
    assert data.kept.tolist() == kept[:1]
    points_of_a_fit(tmp_path / "c", name, None)
    whole = load_commondata(find_metadata(name, "legacy"))
    np.testing.assert_array_equal(FitCuts(tmp_path / "c").kept(whole), np.arange(whole.ndata))


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("SLAC_NC_NOTFIXED_P_EM-F2", "1\n211\n", "names point 211 of SLAC_NC_NOTFIXED_P_EM-F2, which has 211"),
        ("SLAC_NC_NOTFIXED_P_EM-F2", "1\nx\n", "FKMASK_SLAC_NC_NOTFIXED_P_EM-F2.dat is no list of points"),
        ("SLAC_NC_NOTFIXED_P_EM-F2", "", "no point passes the cuts; .* the fit .* has none"),
        ("NMC", "1", "the fit .* has no data set SLAC_NC_NOTFIXED_P_EM-F2"),
    ],
)
def test_points_of_a_fit_that_cannot_be_used(tmp_path, name, lines, told):
    with pytest.raises(DataError, match=told):
        load(**points_of_a_fit(tmp_path, name, lines))


def test_folders_that_are_no_fit(tmp_path):
    with pytest.raises(DataError, match=r"datacuts.fit: /none/such is not there; searched: /none/such"):
        load(datacuts={"use_cuts": "fromfit", "fit": "/none/such"})
    with pytest.raises(DataError, match="has no folder `filter`, which vp-setupfit writes"):
        load(datacuts={"use_cuts": "fromfit", "fit": str(tmp_path)})


def test_theories_of_cuts_need_no_tables():
    """nnpdf-data has the card of theory 212, which is NNLO; 12345 is nowhere."""
    spec = [{"theoryid": 40000000}, {"theoryid": 200}]
    every, both = load(), load(datacuts={"use_cuts": "fromintersection", "cuts_intersection_spec": spec})
    assert every.ndata == both.ndata
    with pytest.raises(TheoryError, match=r"cuts_intersection_spec\[1\].theoryid: theory 12345 is not there"):
        load(datacuts={"use_cuts": "fromintersection", "cuts_intersection_spec": [{}, {"theoryid": 12345}]})


def test_rules_of_the_card_are_checked_where_they_stand():
    rule = {"dataset": "SLAC_NC_NOTFIXED_P_EM-F2", "rule": "xx > 1"}
    with pytest.raises(DataError, match=r"filter_rules\[0\].rule: cut of SLAC_NC_NOTFIXED_P_EM-F2: 'xx > 1' needs xx"):
        load(filter_rules=[rule])
    spec = {"use_cuts": "fromintersection", "cuts_intersection_spec": [{"added_filter_rules": [rule]}]}
    with pytest.raises(DataError, match=r"datacuts.cuts_intersection_spec\[0\].added_filter_rules\[0\].rule: cut of"):
        load(datacuts=spec)
    with pytest.raises(DataError, match=r"drop_internal_rules\[0\]: unknown data set 'SLAC_NC_NOTFIXED_P_EM-F9'"):
        load(drop_internal_rules=["SLAC_NC_NOTFIXED_P_EM-F9"])
    idle = {"dataset": "HERA_CC_318GEV_EM-SIGMARED", "rule": "x > 1"}
    limits = {
        "process_type": "DIS_ALL",
        "rule": "Q2 > q2min and w2 > w2min",
        "local_variables": {"w2": "Q2 * (1 - x) / x"},
    }
    _, faults = examine_fit_data(card_of(filter_rules=[idle, limits]))
    assert [(each.path, each.message.partition(": no")[0]) for each in faults.idle] == [
        ("filter_rules[0]", "changes nothing")
    ]


def test_older_names_of_data_sets():
    sets = [{"dataset": "SLACP_dwsh"}, {"dataset": "HERACOMBCCEM"}]
    data, faults = examine_fit_data(card_of(dataset_inputs=sets))
    assert [(each.name, each.variant, each.given) for each in data.datasets] == [
        ("SLAC_NC_NOTFIXED_P_EM-F2", "legacy_dw", "SLACP_dwsh"),
        ("HERA_CC_318GEV_EM-SIGMARED", "legacy", "HERACOMBCCEM"),
    ]
    (told,) = (str(each) for each in faults.idle)
    assert (
        "dataset_inputs[0].dataset: older names of data sets, which are read as: SLACP_dwsh {dataset: SLAC_NC" in told
    )
    assert "HERACOMBCCEM {dataset: HERA_CC_318GEV_EM-SIGMARED, variant: legacy}" in told
    new = load(dataset_inputs=[{"dataset": each.name, "variant": each.variant} for each in data.datasets])
    np.testing.assert_array_equal(new.covmat, data.covmat)
    masks = kfold_masks(data, [["SLACP_dwsh"], ["HERA_CC_318GEV_EM-SIGMARED"]])
    np.testing.assert_array_equal(
        masks, kfold_masks(new, [["SLAC_NC_NOTFIXED_P_EM-F2"], ["HERA_CC_318GEV_EM-SIGMARED"]])
    )


def test_systematics_of_older_names():
    """They choose the variant of that number, of sets that nnpdf-data has it of."""
    entry = {"dataset": "CMSZDIFF12", "sys": 10}
    metadata = find_sets(card_of(dataset_inputs=[entry]), InputFaults(card_of()))[0][2]
    assert (metadata.name, metadata.applied_variant) == ("CMS_Z0J_8TEV_PT-Y", "legacy_10")
    faults = examine_names(card_of(dataset_inputs=[{"dataset": "ATLAS_WPWM_7TEV_36PB_ETA", "sys": 3}]))
    assert ("dataset_inputs[0].sys", True) in [(each.path, "changes nothing" in each.message) for each in faults.idle]
    with pytest.raises(DataError, match=r"has no variant 'legacy_10' \(did you mean 'legacy'\?\)"):
        load(dataset_inputs=[{"dataset": "SLACP", "sys": 10}])
    both = [*CARD["dataset_inputs"], {"dataset": "SLACP"}]
    with pytest.raises(
        DataError, match=r"\[1\].dataset: SLACP is the data set SLAC_NC_NOTFIXED_P_EM-F2, which SLAC_NC_NO"
    ):
        load(dataset_inputs=both)
