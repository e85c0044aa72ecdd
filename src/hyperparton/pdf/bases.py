"""Flavour bases at the initial scale.

At Q0, above charm and below bottom and without an intrinsic charm asymmetry, the 14 evolution-basis flavours of an
FK table are combinations of eight: Sigma, g, V, V3, V8, T3, T8, T15 (arXiv:2109.02653, eqs. 3.4-3.6).  The fit
works in these eight, the working basis; every fit basis is a linear map onto them.

To add a fit basis, list its elements in `catalogue.FITBASES`; an element that no basis had before is a line of
`_CONTENT` below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyperparton.data.types import EVOLUTION_BASIS

__all__ = ["WORKING_BASIS", "fit_to_working", "working_to_evolution"]

WORKING_BASIS = ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")

#: what an element is made of: coefficients of u, ubar, d, dbar, s, sbar, c, g; c = cbar, so c+ = 2 c
_CONTENT = {
    "sng": (1, 1, 1, 1, 1, 1, 2, 0),
    "v": (1, -1, 1, -1, 1, -1, 0, 0),
    "v3": (1, -1, -1, 1, 0, 0, 0, 0),
    "v8": (1, -1, 1, -1, -2, 2, 0, 0),
    "t3": (1, 1, -1, -1, 0, 0, 0, 0),
    "t8": (1, 1, 1, 1, -2, -2, 0, 0),
    "t15": (1, 1, 1, 1, 1, 1, -6, 0),
    "cp": (0, 0, 0, 0, 0, 0, 2, 0),
    "u": (1, 0, 0, 0, 0, 0, 0, 0),
    "ubar": (0, 1, 0, 0, 0, 0, 0, 0),
    "d": (0, 0, 1, 0, 0, 0, 0, 0),
    "dbar": (0, 0, 0, 1, 0, 0, 0, 0),
    "s": (0, 0, 0, 0, 1, 0, 0, 0),
    "sbar": (0, 0, 0, 0, 0, 1, 0, 0),
    "c": (0, 0, 0, 0, 0, 0, 1, 0),
    "g": (0, 0, 0, 0, 0, 0, 0, 1),
}  # fmt: skip

# the working element that each of the 14 evolution flavours equals at Q0; the photon is zero
_EVOLUTION_CONTENT = {
    "sigma": "sng", "g": "g", "v": "v", "v3": "v3", "v8": "v8", "v15": "v", "v24": "v", "v35": "v",
    "t3": "t3", "t8": "t8", "t15": "t15", "t24": "sng", "t35": "sng",
}  # fmt: skip


def fit_to_working(elements: Sequence[str]) -> np.ndarray:
    """Matrix (working, flav) from the network's outputs to the working basis.

    `elements` are those of one of `FITBASES`, in the order of the outputs.
    """
    fitted, working = (np.array([_CONTENT[name] for name in basis], float) for basis in (elements, WORKING_BASIS))
    # the coefficients are ratios of small integers: rounding takes away what the solution of the equations adds
    return np.ascontiguousarray(np.round(np.linalg.solve(fitted.T, working.T).T, 12) + 0.0)


def working_to_evolution() -> np.ndarray:
    """Matrix (evol, working) from the eight working flavours to the 14 of `EVOLUTION_BASIS`."""
    matrix = np.zeros((len(EVOLUTION_BASIS), len(WORKING_BASIS)))
    for i, flavour in enumerate(EVOLUTION_BASIS):
        if flavour in _EVOLUTION_CONTENT:
            matrix[i, WORKING_BASIS.index(_EVOLUTION_CONTENT[flavour])] = 1.0
    return matrix
