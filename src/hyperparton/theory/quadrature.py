"""Convolutions of coefficient functions with all basis functions of the x grid at once, on fixed Gauss nodes.

yadism integrates each coefficient function with each basis function by an adaptive quadrature of its own.  Here one
set of nodes serves them all: Gauss-Legendre in every cell in which the basis functions are polynomials in log x,
with cells ever smaller towards z = 1 and towards a pair threshold, where coefficient functions are singular.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["InterpolationBasis", "QuadratureRule", "convolve", "is_empty", "quadrature_rule"]

_NODES = 6
_SHRINK = 3.0
_WIDEST, _NARROWEST = 0.3, 1e-9
#: below this distance from z = 1 a convolution is nothing, as in yadism
_BORDER = 1e-10
_LAST = 1e-13


class InterpolationBasis:
    """The interpolating polynomials in log x of a grid: `degree + 1` neighbours around each cell.

    They are eko's (arXiv:2202.02338, 2.2): of an even degree the block of nodes around a cell has one more above the
    cell than below it; at the ends of the grid it is moved inwards.
    """

    def __init__(self, grid: Sequence[float], degree: int):
        self.grid = np.array(grid, dtype=float)
        self.log_grid = np.log(self.grid)
        size = len(self.grid)
        first = np.clip(np.arange(size - 1) - (degree - 1) // 2, 0, size - 1 - degree)
        self._members = first[:, None] + np.arange(degree + 1)
        nodes = self.log_grid[self._members]
        differences = nodes[:, :, None] - nodes[:, None, :]
        differences[:, np.arange(degree + 1), np.arange(degree + 1)] = 1.0
        self._denominators = differences.prod(axis=2)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(x of the grid, place): every basis function at the places `x`; zero below the grid."""
        u = np.log(np.asarray(x, dtype=float))
        cell = np.clip(np.searchsorted(self.log_grid, u, side="left") - 1, 0, len(self.grid) - 2)
        members = self._members[cell]
        differences = u[:, None] - self.log_grid[members]
        values = np.zeros((len(self.grid), len(u)))
        for place in range(members.shape[1]):
            others = np.arange(members.shape[1]) != place
            product = differences[:, others].prod(axis=1) / self._denominators[cell, place]
            values[members[:, place], np.arange(len(u))] = product
        values[:, u < self.log_grid[0] - 1e-12] = 0.0
        return values


@dataclass(frozen=True)
class QuadratureRule:
    """Nodes and weights of one convolution, and what the basis functions are there."""

    x: float
    z: np.ndarray
    """(node,)"""
    weights: np.ndarray
    """(node,)"""
    shifted: np.ndarray
    """(x of the grid, node): basis functions at x/z, divided by z"""
    at_x: np.ndarray
    """(x of the grid,): basis functions at x"""


def quadrature_rule(basis: InterpolationBasis, x: float, top: float = 1.0) -> QuadratureRule:
    """The rule for a convolution at `x` of a coefficient function that lives from z = x to `top` (1 at most)."""
    z, weights = _nodes(basis, x, top)
    return QuadratureRule(x, z, weights, basis(x / z) / z, basis(np.array([x]))[:, 0])


def _nodes(basis: InterpolationBasis, x: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    distances = _graded(top - x)
    cells = x / basis.grid[basis.grid > x]
    edges = np.unique(np.concatenate([cells[(cells > x) & (cells < top)], top - distances, [x]]))
    edges = edges[np.concatenate([[True], np.diff(edges) > _LAST])]
    unit, unit_weights = _gauss()
    low, width = edges[:-1, None], np.diff(edges)[:, None]
    last, last_weights = _endpoint(edges[-1], top)
    z = np.concatenate([(low + width * unit).ravel(), last])
    return z, np.concatenate([(width * unit_weights).ravel(), last_weights])


def _graded(length: float) -> np.ndarray:
    """Distances from the upper end at which cells end, ever smaller by the same factor."""
    number = int(np.log(_WIDEST / _NARROWEST) / np.log(_SHRINK)) + 1
    distances = _WIDEST * _SHRINK ** -np.arange(number + 1.0)
    return distances[distances < length] if length > distances[-1] else np.array([0.5 * length])


@lru_cache(maxsize=1)
def _gauss() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return 0.5 * (nodes + 1), 0.5 * weights


def _endpoint(low: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    """The last cell, with its nodes crowded towards `top` so that logarithms there do no harm."""
    unit, unit_weights = _gauss()
    width = top - low
    return top - width * (1 - unit) ** 3, 3 * width * (1 - unit) ** 2 * unit_weights


def convolve(rsl: Any, at: QuadratureRule) -> np.ndarray:
    """(x of the grid,) ``int_x^1 dz/z C(z) p(x/z)`` of yadism's regular, singular and local parts of C."""
    total = np.zeros(len(at.at_x))
    if rsl.reg is not None:
        total += at.shifted @ (at.weights * _values(rsl.reg, at.z, rsl.args["reg"]))
    if rsl.sing is not None:
        singular = at.weights * _values(rsl.sing, at.z, rsl.args["sing"])
        total += (at.shifted - at.at_x[:, None]) @ singular
    if rsl.loc is not None:
        total += at.at_x * rsl.loc(at.x, rsl.args["loc"])
    return total


def _values(function: Callable[..., float], z: np.ndarray, args: np.ndarray) -> np.ndarray:
    return np.array([function(each, args) for each in z.tolist()], dtype=float)


def is_empty(x: float) -> bool:
    """Whether a convolution at x is nothing because the range of z is."""
    return x >= 1 - _BORDER
