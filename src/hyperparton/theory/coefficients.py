"""Coefficient functions of DIS observables on the x grid, by yadism with the convolutions of `quadrature`.

yadism (arXiv:2401.15187) knows the coefficient functions, couplings, target-mass corrections and cross sections.  While
`fast_yadism` is active, `quadrature` turns the coefficient functions into numbers on the grid in place of yadism.  The
numbers are cached: nodes of target-mass integrals, proton and deuteron, neutrino and antineutrino share them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperparton.theory.grids import DEGREE, x_grid
from hyperparton.theory.optional import require
from hyperparton.theory.quadrature import InterpolationBasis, QuadratureRule, convolve, is_empty, quadrature_rule

__all__ = ["CoefficientCache", "Point", "YadismObservable", "coefficients", "fast_yadism", "yadism_runner"]

_LIGHT = "yadism.coefficient_functions.light"


@dataclass(frozen=True)
class YadismObservable:
    """An observable by yadism's names."""

    name: str
    """such as XSHERANC, F2_total, XSHERANCAVG_charm"""
    process: str
    """EM, NC or CC"""
    projectile: str = "electron"
    target: str = "proton"
    positivity: str | None = None
    """the one quark that the photon couples to (up, down, strange), or all"""
    tmc: bool = True


@dataclass(frozen=True)
class Point:
    """A row of a table: where a DIS observable is computed."""

    x: float
    q2: float
    """GeV²"""
    y: float = 1.0


def yadism_runner(theory: Mapping[str, Any], observable: YadismObservable, points: Sequence[Point]) -> Any:
    """yadism's runner for an observable at some points, silent; `theory` is yadism's theory dictionary."""
    log: Any = require("yadism.log")
    log.silent_mode = True
    card = {
        "prDIS": observable.process,
        "ProjectileDIS": observable.projectile,
        "TargetDIS": observable.target,
        "NCPositivityCharge": observable.positivity,
        "PolarizationDIS": 0.0,
        "PropagatorCorrection": 0.0,
        "interpolation_xgrid": list(x_grid()),
        "interpolation_is_log": True,
        "interpolation_polynomial_degree": DEGREE,
        "observables": {observable.name: [{"x": p.x, "Q2": p.q2, "y": p.y} for p in points]},
    }
    return require("yadism.runner").Runner(dict(theory), card)


class CoefficientCache:
    """The coefficient functions computed so far on the x grid; those that depend on Q² are kept until the next Q²."""

    def __init__(self) -> None:
        self.basis = InterpolationBasis(x_grid(), DEGREE)
        self._light: dict[Any, np.ndarray | None] = {}
        self._heavy: dict[Any, np.ndarray | None] = {}
        self._rules: dict[tuple[float, float], QuadratureRule] = {}

    def next_q2(self) -> None:
        """Forgets what belongs to one Q²."""
        self._heavy.clear()
        if len(self._rules) > 2000:
            self._rules.clear()

    def channel(self, channel: Any, order: int) -> np.ndarray | None:
        """(x of the grid,) values of one partonic channel at one order, with the factor x of F2; None for nothing."""
        light = type(channel).__module__.startswith(_LIGHT)
        store = self._light if light else self._heavy
        key = _key(channel, order, light)
        if key not in store:
            store[key] = self._compute(channel, order)
        return store[key]

    def _compute(self, channel: Any, order: int) -> np.ndarray | None:
        rsl = channel[order]()
        if rsl is None:
            return None
        point = channel.convolution_point()
        if is_empty(point):
            return None
        return point * convolve(rsl, self.quadrature_rule(point, _top(channel)))

    def quadrature_rule(self, x: float, top: float = 1.0) -> QuadratureRule:
        """The quadrature rule at x, made once."""
        key = (x, top)
        if key not in self._rules:
            self._rules[key] = quadrature_rule(self.basis, x, top)
        return self._rules[key]


def _key(channel: Any, order: int, light: bool) -> tuple[Any, ...]:
    """Everything the numbers of a channel depend on: its class, where it is, its masses and logarithms."""
    numbers = tuple((name, value) for name, value in sorted(vars(channel).items()) if isinstance(value, int | float))
    return (type(channel), order, channel.ESF.x, None if light else channel.ESF.Q2, numbers)


def _top(channel: Any) -> float:
    """Largest z that counts: pair production ends where the energy is that of two heavy quarks."""
    heavy = require("yadism.coefficient_functions.heavy.partonic_channel")
    if not isinstance(channel, heavy.NeutralCurrentBase):
        return 1.0
    top = 1 / (1 + 4 * channel.m2hq / channel.ESF.Q2)
    return top if channel.ESF.x < top else 1.0


@contextlib.contextmanager
def fast_yadism(cache: CoefficientCache) -> Iterator[None]:
    """While active, yadism computes structure functions with the rules of `cache`."""
    esf, tmc = require("yadism.esf.esf"), require("yadism.esf.tmc")
    plain, corrected = esf.EvaluatedStructureFunction, tmc.EvaluatedStructureFunctionTMC
    before = plain.compute_local, corrected._convolve_FX
    plain.compute_local = _structure_function(cache)
    corrected._convolve_FX = _target_mass_integral(cache)
    try:
        yield
    finally:
        plain.compute_local, corrected._convolve_FX = before


def _structure_function(cache: CoefficientCache) -> Callable[[Any], None]:
    """The sum over partonic channels, in place of `EvaluatedStructureFunction.compute_local`."""
    combiner = require("yadism.coefficient_functions").Combiner
    pids = require("eko.basis_rotation").flavor_basis_pids
    shape = (len(pids), len(x_grid()))

    def compute(self: Any) -> None:
        if self._computed:
            return
        values = {order: np.zeros(shape) for order in self.orders}
        for kernel in combiner(self).collect_elems():
            partons = np.array([kernel.partons.get(pid, 0.0) for pid in pids])
            for order in self.orders:
                column = cache.channel(kernel.coeff, order) if kernel.has_order(order) else None
                if column is not None:
                    values[order] += np.multiply.outer(partons, column)
        nothing = np.zeros(shape)
        self.res.orders = {(order, 0, 0, 0): (value, nothing) for order, value in values.items()}
        self._computed = True

    return compute


def _target_mass_integral(cache: CoefficientCache) -> Callable[[Any, str, Callable], Any]:
    """The integral over a structure function, in place of `EvaluatedStructureFunctionTMC._convolve_FX`."""
    result = require("yadism.esf.result").ESFResult
    rsl = require("yadism.coefficient_functions.partonic_channel").RSL

    def integrate(self: Any, kind: str, kernel: Callable) -> Any:
        weights = convolve(rsl(kernel, args=[self.xi]), cache.quadrature_rule(self.xi))
        name = self.sf.obs_name.apply_kind(kind)
        total: dict[tuple[int, ...], np.ndarray] = {}
        for x, weight in zip(x_grid(), weights, strict=True):
            if weight == 0.0 or is_empty(x):
                continue
            inner = self.sf.get_esf(name, {"Q2": self.Q2, "x": x})
            inner.compute_local()
            for order, (value, _) in inner.res.orders.items():
                total[order] = total.get(order, 0.0) + weight * value
        sums = {order: (value, np.zeros_like(value)) for order, value in total.items()}
        return result(self.xi, self.Q2, None, sums)

    return integrate


def coefficients(
    theory: Mapping[str, Any],
    rows: Sequence[tuple[YadismObservable, Point]],
    cache: CoefficientCache | None = None,
) -> np.ndarray:
    """(row, order, pid, x): what multiplies a_s^order f(x) at the row's scale, in eko's flavour basis.

    `theory` is yadism's theory dictionary.  `cache` (a new one without it) serves one theory only.
    """
    cache = cache or CoefficientCache()
    places_of: dict[YadismObservable, list[int]] = {}
    for place, (observable, _) in enumerate(rows):
        places_of.setdefault(observable, []).append(place)
    elements: dict[int, Any] = {}
    runners = []
    for observable, places in places_of.items():
        runner = yadism_runner(theory, observable, [rows[place][1] for place in places])
        runners.append(runner)
        elements.update(zip(places, runner.observables[observable.name].elements, strict=True))
    results: dict[int, np.ndarray] = {}
    with fast_yadism(cache):
        for q2 in sorted({point.q2 for _, point in rows}):
            for place in (each for each, (_, point) in enumerate(rows) if point.q2 == q2):
                results[place] = _by_order(elements.pop(place).get_result(), int(theory["PTODIS"]))
            for runner in runners:
                runner.drop_cache()
            cache.next_q2()
    return np.array([results[place] for place in range(len(rows))])


def _by_order(result: Any, highest: int) -> np.ndarray:
    """(order, pid, x) of yadism's result."""
    some = next(iter(result.orders.values()))[0]
    zero = np.zeros_like(some)
    return np.array([result.orders.get((order, 0, 0, 0), (zero,))[0] for order in range(highest + 1)])
