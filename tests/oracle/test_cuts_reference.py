"""The keys that say which points stay, against validphys; see make_cuts_reference.py."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data.commondata import find_metadata, load_commondata
from hyperparton.data.cut_policies import card_cuts, examine_rules
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.theory_folder import find_theory
from hyperparton.runcard.check import parse_runcard

HERE = Path(__file__).parent
script = SimpleNamespace(**runpy.run_path(str(HERE / "make_cuts_reference.py")))
treatment = SimpleNamespace(**runpy.run_path(str(HERE / "make_treatment_reference.py")))
REFERENCE = dict(np.load(HERE / "data" / "cuts_reference.npz", allow_pickle=False))

#: keys whose place is the top level; the others are in datacuts
TOP = ("added_filter_rules", "filter_rules", "drop_internal_rules", "filter_defaults")


def card_of(case):
    content = YAML(typ="safe").load(treatment.CARD.read_text(encoding="utf-8"))
    keys = script.CASES[case]
    content["datacuts"] |= {key: value for key, value in keys.items() if key not in TOP}
    return parse_runcard(json.dumps({**content, **{key: value for key, value in keys.items() if key in TOP}}))


@pytest.fixture(scope="module")
def theories(tmp_path_factory):
    """Tables are needed for similar predictions alone."""
    folder = tmp_path_factory.mktemp("theories")
    treatment.make_tables(folder)
    return folder


@pytest.fixture(scope="module")
def sets():
    """Each set of the card: whether it is measured, its data before cuts."""
    card = card_of("internal")
    special = [(entry, False) for entry in (*card.positivity, *card.integrability)]
    every = [*((entry, True) for entry in card.dataset_inputs), *special]
    return [(measured, load_commondata(find_metadata(e.dataset, e.variant))) for e, measured in every]


@pytest.mark.parametrize("case", script.CASES)
def test_points_that_stay(case, sets, request):
    similar = "similar" in script.CASES[case].get("use_cuts", "")
    folder = request.getfixturevalue("theories") if similar else None
    card = card_of(case)
    faults = InputFaults(card)
    cuts = card_cuts(examine_rules(card, faults), find_theory(card.theoryid, folder), folder, faults)
    assert not faults.errors
    for measured, data in sets:
        ours = (cuts.data if measured else cuts.constraints).kept(data)
        np.testing.assert_array_equal(ours, REFERENCE[f"{case}/{data.name}"], err_msg=data.name)


def test_each_case_keeps_other_points():
    """So that no comparison above is of a key that has no effect on this card."""
    names = [name.removeprefix("internal/") for name in REFERENCE if name.startswith("internal/")]
    kept = {case: tuple(REFERENCE[f"{case}/{name}"].tobytes() for name in names) for case in script.CASES}
    assert len(set(kept.values())) == len(kept)
