"""What n3fit writes of a replica's PDF at the initial scale: its grid for `evolven3fit`, and numbers for `postfit`.

An `exportgrid` is a YAML file with x f of 14 flavours on a grid in x at one scale. By the arc lengths and the
integrability numbers validphys' `postfit` keeps or vetoes a replica.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.integrate import simpson
from scipy.special import wrightomega

from hyperparton.data.types import EVOLUTION_BASIS

__all__ = ["LABELS", "arc_lengths", "export_grid", "export_nodes", "flavours", "integrability_numbers"]

#: the columns of the grid, antiquarks first
LABELS = ("TBAR", "BBAR", "CBAR", "SBAR", "UBAR", "DBAR", "GLUON", "D", "U", "S", "C", "B", "T", "PHT")

#: in the order in which the combinations of the evolution basis bring them in
_QUARKS = ("U", "D", "S", "C", "B", "T")

_X_MIN, _NODES, _STRETCH = 1e-9, 196, 30.0

#: in the order in which n3fit's files have them
_ARCS = ("sigma", "g", "v", "v3", "v8")
_INTEGRABLE = ("v", "t3", "v3", "t8", "v8")

#: the pieces of the x axis, and into how many points each is divided
_SEGMENTS = ((1e-6, 1e-4), (1e-4, 1e-2), (1e-2, 1.0))
_POINTS = 199

PDF = Callable[[np.ndarray], np.ndarray]


def export_nodes() -> np.ndarray:
    """(x,): n3fit's nodes, equidistant in ln(1/x) + 30 (1 - x) from 1e-9 to 1."""
    y = np.linspace(-np.log(_X_MIN) + _STRETCH * (1.0 - _X_MIN), 0.0, _NODES)
    # y = a (1 - x) - ln x means a x + ln(a x) = a - y + ln a, of which Wright's omega is the solution
    x = np.real(wrightomega(_STRETCH - y + np.log(_STRETCH))) / _STRETCH
    x[0], x[-1] = _X_MIN, 1.0
    return x


def flavours(xf: np.ndarray) -> np.ndarray:
    """x f (x, 14) of the partons in the order of `LABELS`, for `xf` (x, evol)."""
    by_name: dict[str, np.ndarray] = dict(zip(EVOLUTION_BASIS, np.moveaxis(xf, -1, 0), strict=True))
    plus = _quarks(by_name["sigma"], [by_name[f"t{n}"] for n in (3, 8, 15, 24, 35)])
    minus = _quarks(by_name["v"], [by_name[f"v{n}"] for n in (3, 8, 15, 24, 35)])
    columns = {"GLUON": by_name["g"], "PHT": by_name["photon"]}
    for i, name in enumerate(_QUARKS):
        columns[name], columns[f"{name}BAR"] = (plus[i] + minus[i]) / 2, (plus[i] - minus[i]) / 2
    return np.stack([columns[label] for label in LABELS], axis=-1)


def _quarks(total: np.ndarray, differences: list[np.ndarray]) -> list[np.ndarray]:
    """The six quarks of their sum and of T_n = (sum of the first n) - n times the next, n = 1 to 5."""
    quarks: list[np.ndarray] = []
    left = total  # the sum of the first n + 1
    for n in range(5, 0, -1):
        quarks.append((left - differences[n - 1]) / (n + 1))
        left = left - quarks[-1]
    return [left, *reversed(quarks)]


def export_grid(replica: int, q0: float, x: np.ndarray, xf: np.ndarray) -> str:
    """The text of an exportgrid: x f (x, evol) of replica number `replica` on the nodes `x` at `q0` in GeV."""
    rows = "\n".join(f"- {_listed(row)}" for row in flavours(xf))
    return f"replica: {replica}\nq20: {q0**2!r}\nxgrid: {_listed(x)}\nlabels: [{', '.join(LABELS)}]\npdfgrid:\n{rows}\n"


def _listed(values: Iterable[float]) -> str:
    # with a point and a signed exponent, which every YAML parser takes for a number
    return f"[{', '.join(f'{value:.16e}' for value in values)}]"


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
