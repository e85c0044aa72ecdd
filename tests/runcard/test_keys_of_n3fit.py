"""Every key that n3fit and vp-setupfit read: honoured, refused with its place, or named as one that changes nothing.

The keys are those of `make_keys_reference.py`, which follows what n3fit 4.1.5 asks a card for.
"""

import copy
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hyperparton.runcard.card import DatasetInput, KFold
from hyperparton.runcard.check import examine
from hyperparton.runcard.namespaces import NOT_IN_FITTING
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
    "diagonal_basis": False,
    "diagonal_frac": 0.6,
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
    "nnseed": 3,
    "parameters": {**CARD["parameters"], "stopping_patience": 0.1},
    "positivity": {"posdatasets": []},
    "q2min": 7.0,
    "same_trvl_per_replica": True,
    "save": "weights.h5",
    "sum_rules": "ALLBUTCSR",
    "t0pdfset": "another",
    "theoryid": 208,
    "trvlseed": 3,
    "w2min": 20.0,
}
#: what stands in the scopes of a card that is honoured there alone
HOMES = {"basis": "fitting", "fitbasis": "fitting", "theoryid": "theory"}


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
        inner = scope and key not in ("hyperscan_config", "kfold", "parameters")
        if inner and SCOPES.index(scope) > SCOPES.index(HOMES.get(key, "")):
            assert changed or faults, "an inner scope wins"
    else:
        assert faults or notes


@pytest.mark.parametrize("key", VALUES)
def test_honoured_keys_act(tmp_path, base, key):
    """In the innermost scope, where n3fit finds them first; those that n3fit refuses there at the top level."""
    scope = "" if key in NOT_IN_FITTING | {"hyperscan_config", "kfold"} else "fitting"
    card, _, notes = outcome(tmp_path, scope, key, VALUES[key])
    assert not notes
    assert content_of(card) != base


@pytest.mark.parametrize("section", ["dataset_inputs", "kfold", "trial_specs"])
def test_keys_of_sections(tmp_path, section):
    """None is unknown, but `sys`, which is of older cards."""
    accepted = {"dataset_inputs": DatasetInput, "kfold": KFold, "trial_specs": TrialSpecs}[section].model_fields
    assert set(REFERENCE["sections"][section]) - set(accepted) <= {"sys"}


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
