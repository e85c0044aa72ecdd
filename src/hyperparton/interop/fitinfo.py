"""Numbers of a fitted PDF by which validphys' `postfit` keeps or vetoes a replica."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import simpson

from hyperparton.data.types import EVOLUTION_BASIS

__all__ = ["arc_lengths", "integrability_numbers"]

#: in the order in which n3fit's files have them
_ARCS = ("sigma", "g", "v", "v3", "v8")
_INTEGRABLE = ("v", "t3", "v3", "t8", "v8")

#: the pieces of the x axis, and into how many points each is divided
_SEGMENTS = ((1e-6, 1e-4), (1e-4, 1e-2), (1e-2, 1.0))
_POINTS = 199

PDF = Callable[[np.ndarray], np.ndarray]


def _columns(xf: PDF, x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(rep, len(names), x) x f of the flavours `names`."""
    return np.moveaxis(xf(x), 1, 2)[:, [EVOLUTION_BASIS.index(name) for name in names]]


def arc_lengths(xf: PDF) -> np.ndarray:
    """(rep, 5): length of the curve x · x f(x) of Sigma, g, V, V3 and V8, as validphys takes it.

    `xf` gives x f (rep, x, evol) of x (x,) at Q0.
    """
    total = np.zeros(())
    for low, high in _SEGMENTS:
        x = np.linspace(low, high, _POINTS, endpoint=False)
        slope = np.diff(x * _columns(xf, x, _ARCS)) / ((high - low) / _POINTS)
        total = total + simpson(np.sqrt(1.0 + slope**2), x=x[1:])
    return total


def integrability_numbers(xf: PDF) -> np.ndarray:
    """(rep, 5): the sum of |x f| at x = 1e-9, 1e-8 and 1e-7 of V, T3, V3, T8 and V8."""
    return np.abs(_columns(xf, np.array([1e-9, 1e-8, 1e-7]), _INTEGRABLE)).sum(axis=2)
