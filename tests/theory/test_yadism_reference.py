"""The common quadrature, with its remembered coefficients, against plain yadism; see make_yadism_reference.py."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton.theory.card import read_card
from hyperparton.theory.coefficients import CoefficientCache, coefficients
from hyperparton.theory.fonll import parts_of

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.theory,
    pytest.mark.filterwarnings("ignore"),  # numba's, inside yadism and eko
]


@pytest.fixture(scope="module")
def script():
    return SimpleNamespace(**runpy.run_path(str(HERE / "make_yadism_reference.py")))


@pytest.fixture(scope="module")
def reference():
    return json.loads((HERE / "data" / "yadism_reference.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["massive3", "limit3", "massless4", "mass4", "limit4", "massless5"])
def test_every_part_and_order(script, reference, name):
    card = read_card("40000000")
    part = next(part for part in parts_of(card) if part.name == name)
    f = np.array(reference["f"])
    wanted = {where: values[name] for where, values in reference["values"].items() if name in values}
    rows = [script.POINTS[where] for where in wanted]
    theory = card.yadism(part.scheme, part.nf, part.parts, part.order, True)
    cache = CoefficientCache()
    found = np.einsum("ropx,px->ro", coefficients(theory, rows, cache), f)
    for where, orders in zip(wanted, found, strict=True):
        np.testing.assert_allclose(orders, wanted[where], rtol=2e-5, atol=1e-12, err_msg=f"{where} {name}")


def test_yadism_is_as_before_afterwards(script):
    from yadism.esf import esf, tmc

    card = read_card("208")
    before = esf.EvaluatedStructureFunction.compute_local, tmc.EvaluatedStructureFunctionTMC._convolve_FX
    part = parts_of(card)[0]
    theory = card.yadism(part.scheme, part.nf, part.parts, part.order, False)
    coefficients(theory, [script.POINTS["F2"]])
    assert before == (esf.EvaluatedStructureFunction.compute_local, tmc.EvaluatedStructureFunctionTMC._convolve_FX)
