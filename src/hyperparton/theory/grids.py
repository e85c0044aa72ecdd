"""The grid in x of all tables, and the scales at which evolution is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["DEGREE", "LAMBDA2", "Q2_MAX", "ScaleNodes", "lagrange", "scale_nodes", "x_grid"]

DEGREE = 4
"""degree of the interpolating polynomials in log x"""

Q2_MAX = 5e4
"""largest Q² in GeV² that is computed: the largest of HERA's"""

LAMBDA2 = 0.09
"""GeV²: evolution is smooth in log log(Q²/LAMBDA2)"""

_POINTS = 50
_X_MIN = 2e-7
#: flavours -> number of scales
_NODES = {3: 9, 4: 9, 5: 8}


@lru_cache(maxsize=1)
def x_grid() -> tuple[float, ...]:
    """The 50 nodes of NNPDF4.0's FK tables, from 2e-7 to 1: equal steps in y(x) = log(1/x) + 5 (1 - x), as in APPLgrid.

    Newton's method stops where NNPDF's does (1e-12 in y), so that the nodes are theirs to the last digits.
    """
    steps = np.linspace(_y(_X_MIN), 0.0, _POINTS)
    return tuple(_x(float(step)) for step in steps)


def _y(x: float) -> float:
    return 5 * (1 - x) - np.log(x)


def _x(y: float) -> float:
    minus_log = y
    while abs(error := y - minus_log - 5 * (1 - np.exp(-minus_log))) >= 1e-12:
        minus_log += error / (1 + 5 * np.exp(-minus_log))
    return float(np.exp(-minus_log))


@dataclass(frozen=True)
class ScaleNodes:
    """The scales at which evolution to `nf` flavours is computed, and interpolation between them."""

    nf: int
    q2: tuple[float, ...]

    def weights(self, q2: float) -> np.ndarray:
        """(node,) weights of Lagrange's interpolation in log log(Q²/LAMBDA2)."""
        low, high = min(self.q2), max(self.q2)
        if not low * (1 - 1e-9) <= q2 <= high * (1 + 1e-9):
            raise ValueError(f"Q² of {q2:g} GeV² lies outside {low:g} to {high:g}, where nf = {self.nf} is computed")
        return lagrange(_loglog(np.array(self.q2)), float(_loglog(q2)))


def scale_nodes(nf: int, low: float, high: float = Q2_MAX) -> ScaleNodes:
    """Chebyshev's nodes from `low` to `high` (GeV²) in log log(Q²/LAMBDA2), stretched so that both ends are nodes."""
    number = _NODES[nf]
    angles = np.pi * (2 * np.arange(number) + 1) / (2 * number)
    unit = -np.cos(angles) / np.cos(np.pi / (2 * number))
    first, last = _loglog(low), _loglog(high)
    middle = np.exp(np.exp(0.5 * (first + last) + 0.5 * (last - first) * unit)) * LAMBDA2
    return ScaleNodes(nf, (float(low), *(float(each) for each in middle[1:-1]), float(high)))


def _loglog(q2: float | np.ndarray) -> np.ndarray:
    return np.log(np.log(np.asarray(q2, dtype=float) / LAMBDA2))


def lagrange(nodes: Sequence[float] | np.ndarray, at: float) -> np.ndarray:
    """(node,) values at one place of the polynomials that are 1 at one node and 0 at the others."""
    nodes = np.asarray(nodes, dtype=float)
    differences = at - nodes
    weights = np.empty(len(nodes))
    for place, node in enumerate(nodes):
        others = np.arange(len(nodes)) != place
        weights[place] = np.prod(differences[others] / (node - nodes[others]))
    return weights
