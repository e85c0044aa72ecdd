"""Drell-Yan at leading order with one quark flavour, as NNPDF's positivity sets DYU, DYD and DYS ask.

At leading order the momentum fractions are fixed by mass M and rapidity y of the lepton pair (photon exchange only)::

    M^3 d sigma/(dM dy) = (8 pi alpha^2/9) e_q^2 [x1 q(x1) x2 qbar(x2) + x1 qbar(x1) x2 q(x2)]
    x1 = M/sqrt(s) e^y,  x2 = M/sqrt(s) e^-y

in pb GeV², the quantity and the unit of NNPDF's own grids (which are of next-to-leading order).  The PDFs are taken at
M².  What is tested is the sign, so that alpha = 1/137.035999 does as well as a running one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hyperparton.errors import DataError
from hyperparton.theory.grids import DEGREE, x_grid
from hyperparton.theory.quadrature import InterpolationBasis
from hyperparton.theory.tables import Kinematic, fill, proton_grid

__all__ = ["ALPHA", "PB_GEV2", "drell_yan_grid", "fractions", "prefactor"]

ALPHA = 1 / 137.035999
"""fine-structure constant"""

PB_GEV2 = 3.893793721e8
"""pb in units of 1/GeV² (hbar c squared)"""

_CHARGES = {1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3}


def prefactor(pid: int) -> float:
    """What multiplies the sum of products of x f, in pb GeV²."""
    return 8 * np.pi * ALPHA**2 / 9 * _CHARGES[pid] ** 2 * PB_GEV2


def fractions(q2: float, y: float, sqrts: float) -> tuple[float, float]:
    """The two momentum fractions.  Raises `DataError` if one exceeds 1."""
    root = np.sqrt(q2) / sqrts
    x1, x2 = float(root * np.exp(y)), float(root * np.exp(-y))
    if max(x1, x2) > 1:
        raise DataError(f"Drell-Yan at Q² = {q2:g} GeV², y = {y:g}, sqrt(s) = {sqrts:g} GeV is out of reach")
    return x1, x2


def drell_yan_grid(pid: int, q2: np.ndarray, y: np.ndarray, sqrts: np.ndarray) -> Any:
    """A grid (pineappl's `Grid`) filled for the quark `pid`: a row for each (Q², y, sqrt(s)), all of the same Q².

    Between the nodes in x it interpolates as eko does, so that a prediction is exactly the sum of products of the x f
    that the positivity sets of single partons have: where these are positive, so is Drell-Yan.  That matters at
    x = 0.9, where an evolved sea quark is all rounding and interpolation.
    """
    if len(set(q2.tolist())) != 1:
        raise DataError(f"a Drell-Yan table needs one Q² for all its points, given {sorted(set(q2.tolist()))}")
    rows: list[Kinematic] = [(float(a), float(b)) for a, b in zip(q2, y, strict=True)]
    grid = proton_grid([[(pid, -pid), (-pid, pid)]], rows, float(q2[0]))
    basis = InterpolationBasis(x_grid(), DEGREE)
    for row, (scale, rapidity, energy) in enumerate(zip(q2, y, sqrts, strict=True)):
        x1, x2 = fractions(float(scale), float(rapidity), float(energy))
        # a grid multiplies its weights by f, so the x of x f are part of the weight
        one, two = (x * basis(np.array([x]))[:, 0] for x in (x1, x2))
        fill(grid, row, prefactor(pid) * np.multiply.outer(one, two), float(scale))
    return grid
