"""Flavours, luminosities of processes, and smooth kernels in momentum fractions: what the rows are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: what is independent with four flavours at Q0, and PineAPPL's numbers of it
BASIS = ("Sigma", "g", "V", "V3", "V8", "V15", "T3", "T8", "T15")
PIDS = (100, 21, 200, 203, 208, 215, 103, 108, 115)
ODD = np.array([name.startswith("V") for name in BASIS])
ISOVECTOR = np.array([name in ("V3", "T3") for name in BASIS])
QUARKS = "udsc"

_PLUS = {  # quark plus antiquark in terms of Sigma, T3, T8, T15
    "u": (1 / 4, 1 / 2, 1 / 6, 1 / 12),
    "d": (1 / 4, -1 / 2, 1 / 6, 1 / 12),
    "s": (1 / 4, 0, -1 / 3, 1 / 12),
    "c": (1 / 4, 0, 0, -1 / 4),
}


def parton(name: str) -> np.ndarray:
    """(basis,) a parton such as ``g``, ``u`` or ``U`` (the antiquark) in the evolution basis."""
    row = np.zeros(len(BASIS))
    if name == "g":
        row[BASIS.index("g")] = 1.0
        return row
    sign = 0.5 if name.islower() else -0.5
    for even, odd, value in zip(
        ("Sigma", "T3", "T8", "T15"), ("V", "V3", "V8", "V15"), _PLUS[name.lower()], strict=True
    ):
        row[BASIS.index(even)], row[BASIS.index(odd)] = 0.5 * value, sign * value
    return row


def _each(form: str, weights: Sequence[float]) -> dict[str, float]:
    """`form` with q and Q (the antiquark) replaced by each quark in turn."""
    return {form.replace("q", q).replace("Q", q.upper()): w for q, w in zip(QUARKS, weights, strict=True)}


CHARGE2 = (4 / 9, 1 / 9, 1 / 9, 4 / 9)
_WEAK = (0.29, 0.37, 0.37, 0.29)
_ONE = (1.0, 1.0, 1.0, 1.0)
#: processes in which it matters which parton goes forward
_DIRECTED = ("W+", "W-", "top", "antitop")


def _boson(weights: Sequence[float]) -> dict[str, float]:
    gluon = [0.15 * w for w in weights]
    return {**_each("qQ", weights), **_each("qg", gluon), **_each("Qg", gluon)}


def _any_two(weight: float) -> dict[str, float]:
    """Any two quarks or antiquarks, alike or not."""
    names = QUARKS + QUARKS.upper()
    return {one + two: weight for one in names for two in names}


#: process -> partonic luminosities at the hard scale
PROCESSES: dict[str, dict[str, float]] = {
    "photon exchange": _boson(CHARGE2),
    "Z": _boson(_WEAK),
    "W+": {"uD": 1.0, "cS": 1.0, "uS": 0.05, "cD": 0.05, "ug": 0.15, "Dg": 0.15, "cg": 0.15, "Sg": 0.15},
    "W-": {"dU": 1.0, "sC": 1.0, "sU": 0.05, "dC": 0.05, "dg": 0.15, "Ug": 0.15, "sg": 0.15, "Cg": 0.15},
    "jets": {"gg": 0.5, **_each("qg", _ONE), **_each("Qg", _ONE), **_any_two(0.4), **_each("qq", (0.1,) * 4),
             **_each("QQ", (0.1,) * 4), **_each("qQ", (0.2,) * 4)},
    "photon": {**_each("qg", CHARGE2), **_each("Qg", CHARGE2), **_each("qQ", CHARGE2)},
    "top pairs": {"gg": 1.0, **_each("qQ", (0.5,) * 4), **_each("qg", (0.05,) * 4), **_each("Qg", (0.05,) * 4)},
    "top": {"ug": 1.0, "cg": 1.0, "Dg": 1.0, "Sg": 1.0},
    "antitop": {"Ug": 1.0, "Cg": 1.0, "dg": 1.0, "sg": 1.0},
}  # fmt: skip


@lru_cache(maxsize=64)
def pairs(process: str, first: float) -> np.ndarray:
    """(basis, basis) of the luminosities of a process.

    `first` is the share of the order in which their partons are named, the rest that of the other order.
    """
    matrix = np.zeros((len(BASIS), len(BASIS)))
    for (one, two), weight in PROCESSES[process].items():
        product = np.multiply.outer(parton(one), parton(two))
        matrix += weight * (first * product + (1 - first) * product.T)
    return matrix


def x_grid(points: int = 50, least: float = 2e-7) -> np.ndarray:
    """NNPDF's nodes, equal steps in log(1/x) + 5 (1 - x); Newton's method stops where theirs does, for equal digits."""
    nodes = []
    for step in np.linspace(float(_coordinate(least)), 0.0, points):
        minus_log = float(step)
        while abs(error := step - minus_log - 5 * (1 - np.exp(-minus_log))) >= 1e-12:
            minus_log += error / (1 + 5 * np.exp(-minus_log))
        nodes.append(np.exp(-minus_log))
    return np.array(nodes)


def _coordinate(x: np.ndarray | float) -> np.ndarray:
    return 5 * (1 - np.asarray(x)) - np.log(x)


def at_node(grid: np.ndarray, x: float) -> np.ndarray:
    """(x,) weights of linear interpolation in the grid's own coordinate."""
    place = np.interp(-_coordinate(x), -_coordinate(grid), np.arange(len(grid)))
    low = min(int(place), len(grid) - 2)
    weights = np.zeros(len(grid))
    weights[low], weights[low + 1] = 1 - (place - low), place - low
    return weights


def smeared(grid: np.ndarray, x: float, power: float, hardness: float) -> np.ndarray:
    """(x,) non-negative weights at the nodes z above x, like evolution's: (x/z)^power (1 - x/z)^hardness dlog z."""
    width = np.abs(np.gradient(np.log(grid)))
    ratio = np.where(grid > x, x / grid, 1.0)
    return width * ratio**power * (1 - ratio) ** hardness


def evolution(grid: np.ndarray, x: float) -> np.ndarray:
    """(hard basis, basis, x): a stand-in for evolution from Q0, of x f: what is at `x` at the hard scale."""
    kernel = np.zeros((len(BASIS), len(BASIS), len(grid)))
    own = 0.55 * at_node(grid, x) + 0.35 * smeared(grid, x, 1.0, 0.7)
    for place in range(len(BASIS)):
        kernel[place, place] = own
    sigma, gluon = BASIS.index("Sigma"), BASIS.index("g")
    kernel[sigma, gluon] = 0.10 * smeared(grid, x, 0.3, 1.0)
    kernel[gluon, sigma] = 0.30 * smeared(grid, x, 0.1, 1.0)
    kernel[gluon, gluon] = 0.35 * at_node(grid, x) + 0.45 * smeared(grid, x, 0.2, 1.0)
    return kernel


@dataclass(frozen=True)
class Hard:
    """Momentum fractions of one row with their weights, (point,) each."""

    one: np.ndarray
    two: np.ndarray
    weight: np.ndarray


def fractions(mass: float, rapidity: float | None, energy: float, spread: float) -> Hard:
    """Points along the hyperbolas x1 x2 = tau near a rapidity (all rapidities for None), for both signs of it."""
    root = min(mass / energy, 0.9)
    if rapidity is None:
        most = max(np.log(1 / root) - 0.1, 0.05)
        places = np.linspace(-most, most, 9) * 0.85
        weights = np.exp(-0.5 * (places / (0.5 * most)) ** 2)
    else:
        near = np.linspace(-1, 1, 3) * spread
        places = np.concatenate([rapidity + near, -rapidity + near])
        weights = np.tile([0.5, 1.0, 0.5], 2)
    points: list[tuple[float, float, float]] = []
    for extra, share in ((1.0, 1.0), (1.25, 0.35), (1.7, 0.12)):
        for place, weight in zip(places, weights, strict=True):
            one, two = root * extra * np.exp(place), root * extra * np.exp(-place)
            points.append((min(one, 0.93), min(two, 0.93), weight * share))
    one, two, weight = (np.array(column) for column in zip(*points, strict=True))
    return Hard(one, two, weight / weight.sum())


def bilinear_row(grid: np.ndarray, hard: Hard, process: str, second: np.ndarray) -> np.ndarray:
    """(basis, basis, x, x) of x f x f; `second` (basis,) multiplies the flavours of the second hadron."""
    left = np.array([evolution(grid, x) for x in hard.one])  # point, hard, basis, x
    right = np.array([evolution(grid, x) for x in hard.two])
    forward = 0.3 * np.sign(hard.one - hard.two) * (process in _DIRECTED)
    luminosity = np.array([pairs(process, float(0.5 + each)) for each in forward])
    left = np.einsum("k,kAB,kAax->kBax", hard.weight, luminosity, left)
    right = right * (second[:, None] * np.ones(len(BASIS)))[None, :, :, None]
    size = len(BASIS) * len(grid)
    product = left.reshape(-1, size).T @ right.reshape(-1, size)
    return product.reshape(len(BASIS), len(grid), len(BASIS), len(grid)).transpose(0, 2, 1, 3)
