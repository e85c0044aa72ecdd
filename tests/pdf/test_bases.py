"""Rotations of the fit bases to the working basis, exact, by their definitions (arXiv:2109.02653, eqs. 3.4-3.6)."""

import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.data.types import EVOLUTION_BASIS
from hyperparton.pdf.bases import V15_FREE, WORKING_BASIS, fit_to_working, working_basis, working_to_evolution

#: c+ and c- are those of c and cbar; in FLAVOUR c stands for both
QUARKS = {
    "sng": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": 1, "sbar": 1},
    "g": {"g": 1},
    "v": {"u": 1, "ubar": -1, "d": 1, "dbar": -1, "s": 1, "sbar": -1},
    "v3": {"u": 1, "ubar": -1, "d": -1, "dbar": 1},
    "v8": {"u": 1, "ubar": -1, "d": 1, "dbar": -1, "s": -2, "sbar": 2},
    "t3": {"u": 1, "ubar": 1, "d": -1, "dbar": -1},
    "t8": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": -2, "sbar": -2},
    "t15": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": 1, "sbar": 1},
    "v15": {"u": 1, "ubar": -1, "d": 1, "dbar": -1, "s": 1, "sbar": -1},
}
THEMSELVES = {name: {name: 1} for name in V15_FREE}
V15_IS_V = {**THEMSELVES, "v15": {"v": 1}}
ROWS = {
    "EVOL": V15_IS_V,
    "evolution": V15_IS_V,
    # T15 = Sigma - 4 c+, with c+ = c + cbar
    "NN31IC": V15_IS_V | {"t15": {"sng": 1, "cp": -4}},
    "NN31PC": V15_IS_V | {"t15": {"sng": 1}},
    "PDF4LHC20": V15_IS_V | {"t15": {"sng": 1}, "v8": {"v": 1}},
    "CCBAR_ASYMM": THEMSELVES,
    "FLAVOURPC": QUARKS,
    "FLAVOUR": QUARKS | {"sng": {**QUARKS["sng"], "c": 2}, "t15": {**QUARKS["t15"], "c": -6}},
    "CCBAR_ASYMM_FLAVOUR": QUARKS
    | {
        "sng": {**QUARKS["sng"], "c": 1, "cbar": 1},
        "v": {**QUARKS["v"], "c": 1, "cbar": -1},
        "t15": {**QUARKS["t15"], "c": -3, "cbar": -3},
        "v15": {**QUARKS["v15"], "c": -3, "cbar": 3},
    },
}


@pytest.mark.parametrize("fitbasis", FITBASES)
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("fitted", [slice(None), slice(1, 5)])
def test_rotation(fitbasis, order, fitted):
    """In any order of the elements, of all or of some, to the last digit."""
    elements = FITBASES[fitbasis][fitted][::order]
    expected = np.array([[ROWS[fitbasis][name].get(element, 0) for element in elements] for name in V15_FREE])
    np.testing.assert_array_equal(fit_to_working(fitbasis, elements, V15_FREE), expected)
    np.testing.assert_array_equal(fit_to_working(fitbasis, elements), expected[:8])


def test_v15_is_free_where_charm_and_anticharm_differ_or_where_v_alone_is_scaled():
    for fitbasis, rows in ROWS.items():
        equal = rows["v15"] == rows["v"]
        assert working_basis(fitbasis, "All") == (WORKING_BASIS if equal else V15_FREE)
        assert working_basis(fitbasis, "ALLBUTCSR") == V15_FREE


def test_evolution_of_nine():
    """V24 = V35 = V and T24 = T35 = Sigma; V15 is its own, or V where there are eight."""
    nine, eight = working_to_evolution(V15_FREE), working_to_evolution()
    v15 = EVOLUTION_BASIS.index("v15")
    np.testing.assert_array_equal(nine[v15], [0, 0, 0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(eight[v15], [0, 0, 1, 0, 0, 0, 0, 0])
    rest = [i for i in range(14) if i != v15]
    np.testing.assert_array_equal(nine[rest, :8], eight[rest])
    assert not nine[rest, 8].any()
