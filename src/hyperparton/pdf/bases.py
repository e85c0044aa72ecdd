"""Flavour bases at the initial scale.

At Q0, above charm and below bottom, the 14 evolution-basis flavours of an FK table are combinations of nine: Sigma, g,
V, V3, V8, T3, T8, T15 and V15 (arXiv:2109.02653, eqs. 3.4-3.6).  Where charm and anticharm are equal, V15 is V, and
eight are enough.  The fit works in these, the working basis; every fit basis is a linear map onto them.

To add a fit basis, list its elements in `catalogue.FITBASES`; an element that no basis had before is a line of
`_CONTENT` below, and what vanishes in it is one of `_VANISHING`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hyperparton.catalogue import FITBASES
from hyperparton.data.types import EVOLUTION_BASIS

__all__ = ["V15_FREE", "WORKING_BASIS", "fit_to_working", "working_basis", "working_to_evolution"]

WORKING_BASIS = ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")
#: the working basis of fits in which V15 is not V
V15_FREE = (*WORKING_BASIS, "v15")

#: what an element is made of: coefficients of u, ubar, d, dbar, s, sbar, c, cbar, g
_CONTENT = {
    "sng": (1, 1, 1, 1, 1, 1, 1, 1, 0),
    "v": (1, -1, 1, -1, 1, -1, 1, -1, 0),
    "v3": (1, -1, -1, 1, 0, 0, 0, 0, 0),
    "v8": (1, -1, 1, -1, -2, 2, 0, 0, 0),
    "v15": (1, -1, 1, -1, 1, -1, -3, 3, 0),
    "t3": (1, 1, -1, -1, 0, 0, 0, 0, 0),
    "t8": (1, 1, 1, 1, -2, -2, 0, 0, 0),
    "t15": (1, 1, 1, 1, 1, 1, -3, -3, 0),
    "sm": (0, 0, 0, 0, 1, -1, 0, 0, 0),
    "cp": (0, 0, 0, 0, 0, 0, 1, 1, 0),
    "cm": (0, 0, 0, 0, 0, 0, 1, -1, 0),
    "u": (1, 0, 0, 0, 0, 0, 0, 0, 0),
    "ubar": (0, 1, 0, 0, 0, 0, 0, 0, 0),
    "d": (0, 0, 1, 0, 0, 0, 0, 0, 0),
    "dbar": (0, 0, 0, 1, 0, 0, 0, 0, 0),
    "s": (0, 0, 0, 0, 1, 0, 0, 0, 0),
    "sbar": (0, 0, 0, 0, 0, 1, 0, 0, 0),
    "c": (0, 0, 0, 0, 0, 0, 1, 0, 0),
    "cbar": (0, 0, 0, 0, 0, 0, 0, 1, 0),
    "g": (0, 0, 0, 0, 0, 0, 0, 0, 1),
}  # fmt: skip

_NO_ASYMMETRY, _NO_CHARM = ("cm",), ("cm", "cp")
#: fitbasis -> the combinations that are zero in it, by their names in `_CONTENT`
_VANISHING: Mapping[str, tuple[str, ...]] = {
    "EVOL": _NO_ASYMMETRY,
    "evolution": _NO_ASYMMETRY,
    "NN31IC": _NO_ASYMMETRY,
    "NN31PC": _NO_CHARM,
    "CCBAR_ASYMM": (),
    "FLAVOUR": _NO_ASYMMETRY,
    "FLAVOURPC": _NO_CHARM,
    "CCBAR_ASYMM_FLAVOUR": (),
    "PDF4LHC20": (*_NO_CHARM, "sm"),
}
assert _VANISHING.keys() == FITBASES.keys()

# the working element that each of the 14 evolution flavours equals at Q0; the photon is zero
_EVOLUTION_CONTENT = {
    "sigma": "sng", "g": "g", "v": "v", "v3": "v3", "v8": "v8", "v15": "v15", "v24": "v", "v35": "v",
    "t3": "t3", "t8": "t8", "t15": "t15", "t24": "sng", "t35": "sng",
}  # fmt: skip


def working_basis(fitbasis: str, sum_rules: str | None) -> tuple[str, ...]:
    """The working basis of fits with this `fitbasis` and these `sum_rules`.

    It has V15 where the basis has a charm asymmetry, or where the sum rules scale V and leave V15 as it is.
    """
    equal = "cm" in _VANISHING[fitbasis] and sum_rules != "ALLBUTCSR"
    return WORKING_BASIS if equal else V15_FREE


def fit_to_working(
    fitbasis: str, elements: Sequence[str] | None = None, working: Sequence[str] = WORKING_BASIS
) -> np.ndarray:
    """Matrix (working, flav) from the network's outputs to the working basis.

    `elements` are those of the basis that are fitted, in the order of the outputs, by default all; the others are zero.
    """
    everything = FITBASES[fitbasis]
    fitted, wanted = (
        np.array([_CONTENT[name] for name in basis], float) for basis in ((*everything, *_VANISHING[fitbasis]), working)
    )
    # the coefficients are ratios of small integers: rounding takes away what the solution of the equations adds
    matrix = np.round(np.linalg.solve(fitted.T, wanted.T).T, 12) + 0.0
    places = [everything.index(name) for name in (everything if elements is None else elements)]
    return np.ascontiguousarray(matrix[:, places])


def working_to_evolution(working: Sequence[str] = WORKING_BASIS) -> np.ndarray:
    """Matrix (evol, working) from the flavours of a working basis to the 14 of `EVOLUTION_BASIS`."""
    matrix = np.zeros((len(EVOLUTION_BASIS), len(working)))
    for i, flavour in enumerate(EVOLUTION_BASIS):
        content = _EVOLUTION_CONTENT.get(flavour)
        if content is not None:
            matrix[i, working.index("v" if content not in working else content)] = 1.0
    return matrix
