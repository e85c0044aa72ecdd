"""Integrals of the sum rules from the x at which a PDF is evaluated anyway, and few more.

A fit evaluates the PDF on the grid of the FK tables every epoch.  Those values carry most of the integrals of the sum
rules: nodes are added only in the widest gaps of the grid.  The weights are those with which networks like those of a
fit are integrated best (a least-squares fit to a much finer rule, over networks and exponents that are the same every
time), so the number of points of an epoch falls from the grid and a rule of its own (51 + 61) to 64.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hyperparton.pdf.sum_rules import X_MIN, Quadrature, gauss_panels

__all__ = ["POINT_STEP", "grid_quadrature"]

#: a program's number of points is a multiple of this, the length of a vector
POINT_STEP = 16
_FEWEST = 64
#: singular values below this part of the largest say nothing about the weights but noise
_CUT = 1e-7
_NETWORKS, _WIDTHS = 60, (25, 20, 8)
_SCALES = (0.7, 1.0, 1.5, 2.0, 3.0)
"""of the weights of the networks, relative to those of a start"""
_LARGE_X = (1.2, 5.6)
"""range of the exponents of 1 - x"""
_SMALL_X = {"momentum": (-0.15, 0.25), "valence": (0.2, 1.0)}
"""range of the exponents of x in x f, for the flavours whose integral it is"""


@lru_cache(maxsize=8)
def grid_quadrature(grid: tuple[float, ...]) -> Quadrature:
    """A quadrature whose nodes are `grid`, in its order, and further ones behind it.

    At least 64 nodes, a multiple of 16.  Networks with weights of a start are integrated to 5e-6 of the integral of
    the modulus, with three times these weights to 2e-3 at worst (tests/pdf/test_sum_rule_grid.py).
    """
    nodes = np.array(grid)
    count = max(_FEWEST, -(-(len(nodes) + 6) // POINT_STEP) * POINT_STEP)
    nodes = np.concatenate([nodes, _between(nodes, count - len(nodes))])
    return Quadrature(nodes, _weights(nodes, "momentum", 1), _weights(nodes, "valence", 2))


def _stretched(x: np.ndarray | float) -> np.ndarray | float:
    return np.log(x) + 15.0 * np.asarray(x)


def _between(grid: np.ndarray, count: int) -> np.ndarray:
    """(node,) middles of the widest gaps, in log x + 15 x, one after the other."""
    inside = grid[(grid >= X_MIN) & (grid <= 1.0)]
    known, added = np.unique([X_MIN, *inside, 1.0]), []
    for _ in range(count):
        gaps = np.diff(_stretched(known))
        gaps[-1] *= 2.0  # where (1 - x)^beta is not analytic
        i = int(np.argmax(gaps))
        added.append(_middle(known[i], known[i + 1]))
        known = np.sort(np.append(known, added[-1]))
    return np.sort(added)


def _middle(low: float, high: float) -> float:
    wanted = 0.5 * (_stretched(low) + _stretched(high))
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if _stretched(middle) < wanted else (low, middle)
    return float(np.sqrt(low * high))


def _weights(nodes: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """(node,) such that sum(weights * xf) is the integral of x f or of f from X_MIN to 1."""
    t, dt = gauss_panels([float(v) for v in np.log([X_MIN, 1e-7, 1e-5, 1e-3, 0.1])], 20)
    y, dy = gauss_panels([0.1, 0.4, 0.8, 1.0], 20)
    fine, measure = np.concatenate([np.exp(t), y]), np.concatenate([np.exp(t) * dt, dy])
    if kind == "valence":
        measure = measure / fine
    inside = (nodes >= X_MIN) & (nodes <= 1.0)
    values = _networks(np.concatenate([nodes[inside], fine]), _SMALL_X[kind], seed)
    known, wanted = values[: inside.sum()], values[inside.sum() :]
    size = measure @ np.abs(wanted)
    u, s, v = np.linalg.svd(known / size, full_matrices=False)
    kept = s > _CUT * s[0]
    weights = np.zeros(len(nodes))
    weights[inside] = (u[:, kept] / s[kept]) @ (v[kept] @ (measure @ wanted / size))
    return weights


def _networks(x: np.ndarray, small: tuple[float, float], seed: int) -> np.ndarray:
    """(x, model*flav) x^a (1-x)^b NN(x, log x) of many networks and exponents."""
    rng = np.random.default_rng(seed)
    log_x, log_1mx = np.log(x)[:, None], np.log1p(-np.minimum(x, 1.0 - 1e-16))[:, None]
    columns = []
    for i in range(_NETWORKS):
        scale = _SCALES[i % len(_SCALES)]
        h = np.stack([x, np.log(x)], axis=1)
        for depth, out in enumerate(_WIDTHS):
            kernel = rng.normal(size=(h.shape[1], out)) * np.sqrt(2.0 / (h.shape[1] + out)) * scale
            h = h @ kernel + 0.3 * scale * rng.normal(size=out)
            h = np.tanh(h) if depth + 1 < len(_WIDTHS) else h
        a, b = rng.uniform(*small, _WIDTHS[-1]), rng.uniform(*_LARGE_X, _WIDTHS[-1])
        columns.append(np.where(x[:, None] < 1.0, np.exp(a * log_x + b * log_1mx) * h, 0.0))
    return np.concatenate(columns, axis=1)
