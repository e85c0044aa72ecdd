"""Every key that n3fit and vp-setupfit read: honoured, refused with its place, or named as one that changes nothing.

The keys are those of `make_keys_reference.py`, which follows what n3fit 4.1.5 asks a card for.
"""

import copy
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hyperparton.runcard.check import examine
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.dead_keys import dead_keys
from hyperparton.runcard.kfold import KFold
from hyperparton.runcard.namespaces import NOT_IN_FITTING
from hyperparton.runcard.old_cards import older_words
from hyperparton.runcard.parameters import TrialSpecs

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE.parent / "oracle" / "data" / "keys_reference.json").read_text(encoding="utf-8"))
CARD = YAML(typ="safe").load(HERE.parent / "data" / "dis_scan.yml")
CARD["dataset_inputs"] = CARD["dataset_inputs"][:1]
CARD["positivity"]["posdatasets"] = CARD["positivity"]["posdatasets"][:1]
CARD["kfold"]["partitions"] = [{"datasets": None}]
SCOPES = ("", "datacuts", "theory", "fitting")

#: values that differ from those of the card, or from the default, of keys that are honoured
VALUES = {
    "added_filter_rules": [{"dataset": "BCDMS_NC_NOTFIXED_D_EM-F2", "rule": "x < 0.7"}],
    "basis": [{"fl": "g", "smallx": [0.5, 0.6], "largex": [1, 2]}],
    "data_grouping": "standard_report",
    "diagonal_basis": False,
    "diagonal_frac": 0.6,
    "drop_internal_rules": ["BCDMS_NC_NOTFIXED_D_EM-F2"],
    "filter_defaults": {"q2min": 7.0},
    "filter_rules": [{"dataset": "BCDMS_NC_NOTFIXED_D_EM-F2", "rule": "x < 0.7"}],
    "fit": "folder",
    "fitbasis": "CCBAR_ASYMM",
    "genrep": True,
    "hyperscan_config": {"stopping": {"min_epochs": 10, "max_epochs": 20}},
    "integrability": {"integdatasets": []},
    "kfold": {"partitions": [{"datasets": []}]},
    "load": "weights.h5",
    "load_weights_from_fit": "fit",
    "maxTau": 0.2,
    "maxcores": 5,
    "mcseed": 3,
    "metadata_group": "experiment",
    "nnseed": 3,
    "norm_threshold": 4.0,
    "parameters": {**CARD["parameters"], "stopping_patience": 0.1},
    "positivity": {"posdatasets": []},
    "q2min": 7.0,
    "resample_negative_pseudodata": True,
    "same_trvl_per_replica": True,
    "save": "weights.h5",
    "separate_multiplicative": True,
    "sum_rules": "ALLBUTCSR",
    "t0pdfset": "another",
    "t0theoryid": 208,
    "theorycovmatconfig": {"user_covmat_path": "covmat.csv"},
    "theoryid": 208,
    "threshold": 0.01,
    "trvlseed": 3,
    "use_cuts": "nocuts",
    "use_t0_sampling": False,
    "use_weights_in_covmat": False,
    "w2min": 20.0,
}
#: what stands in the scopes of a card that is honoured there alone
HOMES = {"basis": "fitting", "fitbasis": "fitting", "theoryid": "theory"}
#: what n3fit reads from the top level alone
AT_TOP = ("hyperscan_config", "kfold", "parameters", "theorycovmatconfig")


def outcome(tmp_path, scope, key, value):
    """What becomes of a key in a scope: faults with its place, notes with its place, and the card."""
    content = copy.deepcopy(CARD)
    (content[scope] if scope else content)[key] = value
    path = tmp_path / "card.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    place = f"{scope}.{key}" if scope else key
    told = [fault for fault in faults if fault.path == place or fault.path.startswith((f"{place}.", f"{place}["))]
    assert all(fault.line for fault in told)
    notes = [] if card is None else [note for note in card.notes if note.path == place]
    if card is not None and not scope and key in card.unused:
        notes.append(key)
    return card, told, notes


def content_of(card):
    return card.model_dump(mode="json")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "card.yml"
    path.write_text(json.dumps(CARD), encoding="utf-8")
    return content_of(examine(path)[0])


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("key", REFERENCE["keys"])
def test_no_key_is_silent(tmp_path, base, key, scope):
    card, faults, notes = outcome(tmp_path, scope, key, VALUES.get(key, "x"))
    if key in VALUES and not (scope == "fitting" and key in NOT_IN_FITTING):
        changed = card is not None and content_of(card) != base
        assert faults or notes or changed
        inner = scope and key not in AT_TOP
        if inner and SCOPES.index(scope) > SCOPES.index(HOMES.get(key, "")):
            assert changed or faults, "an inner scope wins"
    else:
        assert faults or notes


@pytest.mark.parametrize("key", VALUES)
def test_honoured_keys_act(tmp_path, base, key):
    """In the innermost scope, where n3fit finds them first; those that n3fit refuses there at the top level."""
    scope = "" if key in NOT_IN_FITTING | {*AT_TOP} else "fitting"
    card, _, notes = outcome(tmp_path, scope, key, VALUES[key])
    assert not notes
    assert content_of(card) != base


@pytest.mark.parametrize("section", ["dataset_inputs", "kfold", "trial_specs"])
def test_keys_of_sections(tmp_path, section):
    accepted = {"dataset_inputs": DatasetInput, "kfold": KFold, "trial_specs": TrialSpecs}[section].model_fields
    assert set(REFERENCE["sections"][section]) <= set(accepted)


def test_inner_scopes_win(tmp_path):
    """`fitting`, `theory`, `datacuts`, the top level; what is overruled is named."""
    content = copy.deepcopy(CARD)
    content["diagonal_frac"] = 0.1
    for scope, share in (("datacuts", 0.2), ("theory", 0.3), ("fitting", 0.4)):
        content[scope]["diagonal_frac"] = share
        path = tmp_path / "card.yml"
        path.write_text(json.dumps(content), encoding="utf-8")
        card, faults = examine(path)
        assert not faults
        assert card.diagonal_frac == share
    assert [note.path for note in card.notes if "diagonal_frac" in note.path] == [
        "theory.diagonal_frac",
        "datacuts.diagonal_frac",
        "diagonal_frac",
    ]


def test_closuretest_is_a_scope_where_it_is(tmp_path):
    content = {**copy.deepcopy(CARD), "closuretest": {"fakedata": False, "sum_rules": "MSR"}}
    path = tmp_path / "card.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    assert (faults, card.sum_rules) == ([], "MSR")


def test_treatment_in_sections(tmp_path):
    """Keys of the treatment act wherever n3fit finds them, and `theorycovmatconfig` at the top level alone."""
    content = {**copy.deepcopy(CARD), "threshold": 0.3, "theorycovmatconfig": {"user_covmat_path": "a.csv"}}
    content["fitting"] |= {"threshold": 0.1, "t0theoryid": 208, "theorycovmatconfig": {"user_covmat_path": "b.csv"}}
    content["theory"]["metadata_group"] = "process_type"
    content["datacuts"]["genrep"] = content["theory"]["use_t0_sampling"] = False
    path = tmp_path / "card.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    assert not faults
    assert (card.threshold, card.theory.t0theoryid, card.grouping) == (0.1, 208, "process_type")
    assert card.theorycovmatconfig.user_covmat_path == "a.csv"
    assert {(note.path, note.message) for note in card.notes} >= {
        ("threshold", "changes nothing: n3fit finds threshold in `fitting` first"),
        ("fitting.theorycovmatconfig", "changes nothing: n3fit reads it at the top level alone"),
    }
    # keys without effect are named where the file has them, not where the models expect them
    assert "theory.use_t0_sampling" in [note.path for note in dead_keys(card)]


def test_experiments_beside_sections(tmp_path):
    """Data sets of `experiments` keep their places; those that a section has count first."""
    content = copy.deepcopy(CARD)
    sets = content.pop("dataset_inputs")
    content["experiments"] = [{"experiment": "NMC", "datasets": [{**sets[0], "frac": 2}]}]
    path = tmp_path / "card.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    assert [fault.path for fault in faults] == ["experiments[0].datasets[0].frac"]
    content["fitting"]["dataset_inputs"] = [{**sets[0], "frac": 3}]
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    assert [fault.path for fault in faults] == ["fitting.dataset_inputs[0].frac"]
    del content["fitting"]["dataset_inputs"][0]["frac"]
    path.write_text(json.dumps(content), encoding="utf-8")
    card, faults = examine(path)
    assert (faults, older_words(card)) == ([], [])
    assert [note.path for note in card.notes if "experiments" in note.path] == ["experiments"]
