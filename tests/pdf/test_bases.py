"""Rotations of the fit bases to the working basis, exact, by their definitions (arXiv:2109.02653, eqs. 3.4-3.6)."""

import numpy as np
import pytest

from hyperparton.catalogue import FITBASES
from hyperparton.pdf.bases import WORKING_BASIS, fit_to_working

ROWS = {
    "FLAVOUR": {
        "sng": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": 1, "sbar": 1, "c": 2},
        "g": {"g": 1},
        "v": {"u": 1, "ubar": -1, "d": 1, "dbar": -1, "s": 1, "sbar": -1},
        "v3": {"u": 1, "ubar": -1, "d": -1, "dbar": 1},
        "v8": {"u": 1, "ubar": -1, "d": 1, "dbar": -1, "s": -2, "sbar": 2},
        "t3": {"u": 1, "ubar": 1, "d": -1, "dbar": -1},
        "t8": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": -2, "sbar": -2},
        "t15": {"u": 1, "ubar": 1, "d": 1, "dbar": 1, "s": 1, "sbar": 1, "c": -6},
    },
    "EVOL": {name: {name: 1} for name in WORKING_BASIS},
    # T15 = Sigma - 4 c+, with c+ = c + cbar
    "NN31IC": {name: {name: 1} for name in WORKING_BASIS if name != "t15"} | {"t15": {"sng": 1, "cp": -4}},
}


@pytest.mark.parametrize("fitbasis", FITBASES)
@pytest.mark.parametrize("order", [1, -1])
def test_rotation(fitbasis, order):
    """In any order of the elements, to the last digit."""
    elements = FITBASES[fitbasis][::order]
    expected = np.array([[ROWS[fitbasis][name].get(element, 0) for element in elements] for name in WORKING_BASIS])
    np.testing.assert_array_equal(fit_to_working(elements), expected)
