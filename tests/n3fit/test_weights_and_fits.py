"""Fits that cross over: methodologies, weights in both directions, PDFs evolved to an LHAPDF set."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from ruamel.yaml import YAML

#: a fit by n3fit that starts from weights and does not change them
STILL = {"optimizer_name": "SGD", "learning_rate": 1e-30, "clipnorm": 1.0}


def n3fit_chi2(home, name):
    """χ², training χ² and validation χ² per point, of n3fit's own file."""
    told = json.loads((home.path / name / "nnfit" / "replica_1" / f"{name}.json").read_text())
    return np.array([told["chi2"], told["erf_tr"], told["erf_vl"]])


def our_chi2(home, card, weights):
    """The same, of `hyperparton fit --no-training`."""
    told = home.run("hyperparton", "fit", card, "--load", weights, "--no-training")
    return np.array(told.strip().splitlines()[-1].split()[1:], float)


def test_our_best_methodology_runs_in_n3fit(home, ours):
    block = home.run("hyperparton", "best", ours, "--format", "yaml")
    parameters = YAML(typ="safe", pure=True).load(block)["parameters"]
    home.card("ourbest.yml", parameters=parameters, hyperscan_config=None, kfold=None)
    home.n3fit("ourbest.yml")
    assert np.isfinite(n3fit_chi2(home, "ourbest")).all()
    (best,) = json.loads(home.run("hyperparton", "best", ours, "--top", 1, "--format", "json"))
    assert parameters == best["parameters"]


def test_n3fits_weights_give_n3fits_chi2(home, fit):
    expected = n3fit_chi2(home, fit)
    found = our_chi2(home, "theirfit.yml", home.path / fit / "nnfit" / "replica_1" / "weights.weights.h5")
    print("n3fit", expected, "hyperparton", found, "relative", found / expected - 1)
    assert found == pytest.approx(expected, rel=2e-5)


def test_our_weights_give_our_chi2_in_n3fit(home):
    told = home.run("hyperparton", "fit", "card.yml", "--output", "ourfit", "--save", "weights.h5")
    expected = np.array(re.findall(r"^ +1 +([\d.]+) +([\d.]+) +([\d.]+)", told, re.MULTILINE)[0], float)
    file = home.path / "ourfit" / "nnfit" / "replica_1" / "weights.weights.h5"
    exact = our_chi2(home, "card.yml", file)
    assert exact == pytest.approx(expected, abs=5.1e-4)  # what the fit told, in fewer digits
    parameters = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())["parameters"]
    parameters |= {"optimizer": STILL, "epochs": 1}
    home.card("loaded.yml", parameters=parameters, load=str(file), hyperscan_config=None, kfold=None)
    home.n3fit("loaded.yml")
    found = n3fit_chi2(home, "loaded")
    print("hyperparton", exact, "n3fit", found, "relative", found / exact - 1)
    assert found == pytest.approx(exact, rel=1e-4)


def test_n3fits_weights_exported_by_us_are_n3fits_export(home, fit):
    """One epoch with no step from n3fit's weights: our exportgrid against the one that n3fit wrote."""
    weights = home.path / fit / "nnfit" / "replica_1" / "weights.weights.h5"
    parameters = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())["parameters"]
    card = home.card("exported.yml", parameters={**parameters, "optimizer": STILL, "epochs": 1})
    home.run("hyperparton", "fit", card, "--load", weights)
    read = YAML(typ="safe", pure=True)
    theirs, ours = (
        read.load((home.path / name / "nnfit" / "replica_1" / f"{name}.exportgrid").read_text())
        for name in (fit, "exported")
    )
    assert ours.keys() == theirs.keys()
    assert ours["labels"] == theirs["labels"]
    assert ours["q20"] == pytest.approx(theirs["q20"], rel=1e-15)
    assert ours["xgrid"] == pytest.approx(theirs["xgrid"], rel=2e-12)
    found, expected = np.array(ours["pdfgrid"]), np.array(theirs["pdfgrid"])
    scale = np.abs(expected).max(axis=0).clip(1e-10)
    # n3fit takes the integrals of the sum rules on 2,000 nodes: the normalisation A_k of a flavour may differ
    print("largest difference of a flavour over its largest value:", (np.abs(found - expected) / scale).max(axis=0))
    assert (np.abs(found - expected) <= 2e-4 * scale).all()
    told = [json.loads((home.path / n / "nnfit" / "replica_1" / f"{n}.json").read_text()) for n in ("exported", fit)]
    for key in ("arc_lengths", "integrability"):
        print(key, told[0][key], told[1][key])
        assert told[0][key] == pytest.approx(told[1][key], rel=1e-4, abs=1e-7)
    for one, other in zip(told[0]["preprocessing"], told[1]["preprocessing"], strict=True):
        assert one == pytest.approx(other)


#: an EKO of the fit's theory on few nodes in x and two scales below bottom, with nnpdf's own cards; arguments: FILE
EKO = """
import sys
import numpy as np
from pathlib import Path
from evolven3fit import eko_utils
from eko.interpolation import lambertgrid
from eko.runner.managed import solve
from nnpdf_data import THEORY_CARDS_PATH
from nnpdf_data.theorydbutils import fetch_theory
theory = fetch_theory(THEORY_CARDS_PATH, 40_000_000)
# the test is of files and formats: leading order is enough, and fast
theory_card, operator_card = eko_utils.construct_eko_cards(theory, lambertgrid(40, 1e-4), {}, {"PTO": 0})
operator_card.mugrid = [(1.65, 4), (2.0, 4), (3.0, 4), (4.0, 4)]  # bicubic interpolation needs four
solve(theory_card, operator_card, Path(sys.argv[1]))
print("0")
"""


def test_an_exported_fit_is_evolved_to_an_lhapdf_set(home):
    from hyperparton.data.pdfsets import PDFSet
    from hyperparton.interop.exportgrid import flavours

    card = home.card("tovolve.yml", positivity=None, integrability=None)
    home.run("hyperparton", "fit", card, "--output", "evolved", "--replicas", 3)
    home.run(sys.executable, "-c", EKO, "small.tar")
    home.run("evolven3fit", "--no-net", "evolve", "evolved", "--load", "small.tar")
    home.run("postfit", "3", "evolved", "--integrability-threshold", "1e9")
    evolved = PDFSet("evolved", home.path / "evolved" / "postfit" / "evolved")
    assert evolved.members == 4
    read, members = YAML(typ="safe", pure=True), []
    for replica in (1, 2, 3):
        file = home.path / "evolved" / "postfit" / f"replica_{replica}" / "evolved.exportgrid"
        exported = read.load(file.read_text())
        x = np.array(exported["xgrid"])
        inside = (x > 1e-3) & (x < 0.8)
        values = flavours(evolved.evolution_basis(x[inside], 1.65, [replica])[0].T)
        expected = np.array(exported["pdfgrid"])[inside]
        scale = np.abs(expected).max(axis=0).clip(1e-3)
        difference = np.abs(values - expected) / scale
        print("replica", replica, "largest difference over the largest value of its flavour:", difference.max())
        assert (difference <= 1e-3).all()  # the grid of 40 nodes in x
        members.append(values)
    central = flavours(evolved.evolution_basis(x[inside], 1.65, [0])[0].T)
    assert central == pytest.approx(np.mean(members, axis=0), rel=1e-5, abs=1e-5)
