"""The keys that say how data are treated, against validphys; see make_treatment_reference.py."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML

from hyperparton.data import load, t0
from hyperparton.data.commondata import load_commondata
from hyperparton.data.fktables import load_observable
from hyperparton.data.load import load_fit_data
from hyperparton.data.pdfsets import find_pdfset
from hyperparton.data.predictions import chi2
from hyperparton.data.pseudodata import make_replicas
from hyperparton.data.t0 import central_predictions
from hyperparton.runcard.check import parse_runcard

HERE = Path(__file__).parent
script = SimpleNamespace(**runpy.run_path(str(HERE / "make_treatment_reference.py")))
REFERENCE = dict(np.load(HERE / "data" / "treatment_reference.npz", allow_pickle=False))


def card_of(case, **changes):
    """The card of a case, with its keys where they stand in a card."""
    content = YAML(typ="safe").load(script.CARD.read_text(encoding="utf-8"))
    keys = dict(script.CASES[case])
    if keys.pop("weights", False):
        for entry in content["dataset_inputs"]:
            entry["weight"] = script.WEIGHTS.get(entry["dataset"], 1)
    if "t0theoryid" in keys:
        content["theory"]["t0theoryid"] = keys.pop("t0theoryid")
    if "theory" in keys:
        keys["theorycovmatconfig"] = {"user_covmat_path": script.USER_FILE, **keys.pop("theory")}
    return parse_runcard(json.dumps({**content, **keys, **changes}))


@pytest.fixture(scope="module")
def theories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theories")
    script.make_tables(folder)
    script.write_user_covmat(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where the file of a card without a folder is looked for
        yield folder


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """All cases are of the same files, which are read once."""
    observables, sets = {}, {}

    def observable(name, tables, theory, *rest, **more):
        key = name, theory.source.theoryid
        if key not in observables:
            observables[key] = load_observable(name, tables, theory, *rest, **more)
        return observables[key]

    def commondata(metadata):
        if metadata.name not in sets:
            sets[metadata.name] = load_commondata(metadata)
        return sets[metadata.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "load_commondata", commondata)
        for module in (load, t0):
            patch.setattr(module, "load_observable", observable)
        yield


@pytest.fixture(scope="module", params=script.CASES)
def case(request, theories):
    """What the reference has of a case, the data, and the rows of these in the order of n3fit's groups."""
    head = f"{request.param}/"
    expected = {name.removeprefix(head): array for name, array in REFERENCE.items() if name.startswith(head)}
    card = card_of(request.param)
    data = load_fit_data(card, theories)
    slices = data.slices()
    rows = [np.arange(slices[name].start, slices[name].stop) for name in expected["names"]]
    return SimpleNamespace(name=request.param, card=card, data=data, expected=expected, rows=rows)


def blocks(case):
    """The rows of each group."""
    groups = case.expected["groups"]
    for group in dict.fromkeys(groups):
        yield np.concatenate([rows for rows, name in zip(case.rows, groups, strict=True) if name == group])


def test_groups(case):
    names = dict(zip(case.expected["names"], case.expected["groups"], strict=True))
    assert {dataset.name: dataset.group for dataset in case.data.datasets} == names


def test_covariance_matrix_of_the_fit(case):
    rows = np.concatenate(case.rows)
    np.testing.assert_allclose(np.sqrt(np.diag(case.data.covmat))[rows], case.expected["sigma"], rtol=1e-9)
    products = []
    for block in blocks(case):
        covmat = case.data.covmat[np.ix_(block, block)]
        sigma = np.sqrt(np.diag(covmat))
        products.append(script.vectors(len(block)) @ (covmat / np.outer(sigma, sigma)))
    np.testing.assert_allclose(np.concatenate(products, axis=1), case.expected["products"], rtol=1e-7, atol=1e-9)
    between = case.data.covmat.copy()
    for block in blocks(case):
        between[np.ix_(block, block)] = 0.0
    assert not between.any()


def test_chi2_of_the_t0_set(case):
    predictions = central_predictions(
        [each.observable for each in case.data.datasets], find_pdfset("HYPERPARTON_dis_t0")
    )
    ours = [
        float(chi2(case.data.central[block], predictions[block], case.data.covmat[np.ix_(block, block)]))
        for block in blocks(case)
    ]
    np.testing.assert_allclose(ours, case.expected["chi2"], rtol=1e-8)


def test_data_replicas(case):
    ours = make_replicas(case.data, case.card.mcseed, script.REPLICAS)
    np.testing.assert_allclose(ours[:, np.concatenate(case.rows)], case.expected["replicas"], rtol=1e-7)


def test_each_key_changes_something():
    """So that none of the comparisons above is of a key that has no effect on this card."""
    replicas = {name: REFERENCE[f"{name}/replicas"] for name in script.CASES}
    for one, other in (("111", "101"), ("001", "101"), ("110", "111"), ("100", "101"), ("000", "001")):
        assert not np.array_equal(replicas[one], replicas[other]), (one, other)
    plain = replicas["101"]
    for name in (
        "weights",
        "regularised",
        "t0theoryid",
        "by experiment",
        "by process_type",
        "by custom_group",
        "theory 10",
    ):
        assert np.abs(np.sort(replicas[name]) / np.sort(plain) - 1).max() > 1e-3, name
