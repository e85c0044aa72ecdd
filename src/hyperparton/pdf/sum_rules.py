"""Momentum and valence sum rules, imposed through the normalisations A_k (arXiv:2109.02653, eqs. 3.10-3.11).

    A_g = (1 - <Sigma>) / <g>,   A_V = 3 / <V>,   A_V3 = 1 / <V3>,   A_V8 = 3 / <V8>,   A_V15 = 3 / <V15>

with <f> the integral of x f for Sigma and g and of f for the valence combinations, from x = 1e-9 to 1 as NNPDF
takes it (the region below is left out of the sum rules by convention).  The last, without which charm has a number of
its own, is that of a working basis with V15.  ALLBUTCSR leaves that number free: V = V15 + 4 (c - cbar), so that three
valence quarks besides charm ask for

    A_V = (4 - <V15> / 3) / <V>

To add a sum rule, write its function below, enter it in `_FUNCTIONS` and `_MODES`, and its name in
`catalogue.SUM_RULES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hyperparton.catalogue import SUM_RULES
from hyperparton.pdf.bases import V15_FREE

__all__ = ["X_MIN", "Quadrature", "gauss_panels", "normalisation", "quadrature"]

Array = Any
X_MIN = 1e-9
_SIGMA, _GLUON, _V, _V15 = (V15_FREE.index(name) for name in ("sng", "g", "v", "v15"))
_VALENCE = {"v": 3.0, "v3": 1.0, "v8": 3.0, "v15": 3.0}
#: value of `sum_rules` -> the rules that it imposes, functions of `_FUNCTIONS`
_MODES = {
    "All": ("momentum", "valence"),
    "MSR": ("momentum",),
    "VSR": ("valence",),
    "ALLBUTCSR": ("momentum", "valence_but_charm"),
}
assert set(_MODES) == set(SUM_RULES)


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Nodes `x` (node,) and weights of the two kinds of integral of x f."""

    x: np.ndarray
    momentum: np.ndarray
    """(node,): sum(momentum * xf) is the integral of x f"""
    valence: np.ndarray
    """(node,): sum(valence * xf) is the integral of f"""


def gauss_panels(edges: list[float], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes (node,) and weights (node,) on consecutive panels."""
    node, weight = np.polynomial.legendre.leggauss(order)
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    return (0.5 * (high + low) + 0.5 * (high - low) * node).ravel(), (0.5 * (high - low) * weight).ravel()


@lru_cache(maxsize=8)
def quadrature(small: int = 13, large: int = 11) -> Quadrature:
    """Gauss-Legendre in log x on [1e-9, 1e-6, 1e-3, 0.1], then in x on [0.1, 0.5, 1].

    The default 61 nodes integrate x^(1-alpha) (1-x)^beta NN(x, log x) to better than 1e-6 of the integral of the
    modulus, for networks with weights well beyond those of a fit (tests/pdf/test_sum_rules.py).
    """
    t, dt = gauss_panels([float(v) for v in np.log([X_MIN, 1e-6, 1e-3, 0.1])], small)
    y, dy = gauss_panels([0.1, 0.5, 1.0], large)
    x = np.concatenate([np.exp(t), y])
    dx = np.concatenate([np.exp(t) * dt, dy])
    return Quadrature(x, dx, dx / x)


def _momentum(momentum: Array, valence: Array) -> dict[int, Array]:
    return {_GLUON: (1.0 - momentum[:, _SIGMA]) / momentum[:, _GLUON]}


def _valence(momentum: Array, valence: Array) -> dict[int, Array]:
    numbers = {V15_FREE.index(name): number for name, number in _VALENCE.items()}
    return {k: number / valence[:, k] for k, number in numbers.items() if k < valence.shape[1]}


def _valence_but_charm(momentum: Array, valence: Array) -> dict[int, Array]:
    factors = {**_valence(momentum, valence), _V: (4.0 - valence[:, _V15] / 3.0) / valence[:, _V]}
    return {k: factor for k, factor in factors.items() if k != _V15}


#: rule -> function of the integrals of x f and of f, each (model, working): element -> its A_k (model,)
_FUNCTIONS = {"momentum": _momentum, "valence": _valence, "valence_but_charm": _valence_but_charm}


def normalisation(momentum: Array, valence: Array, mode: str | None, xp: Any) -> Array:
    """A_k (model, working) from the integrals of x f and of f, each (model, working), with or without V15.

    `xp` is the module of the arrays, numpy or jax.numpy.
    """
    factors = [xp.ones_like(momentum[:, 0])] * momentum.shape[1]
    for rule in _MODES[mode] if mode else ():
        for k, factor in _FUNCTIONS[rule](momentum, valence).items():
            factors[k] = factor
    return xp.stack(factors, axis=-1)
