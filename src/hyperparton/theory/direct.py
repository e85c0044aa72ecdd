"""Predictions without tables: plain yadism, and eko at the very scale, for a PDF set at Q0.

Slow (minutes for a point), and independent of everything that makes tables cheap: the common quadrature, the
remembered coefficient functions and the interpolation between a few scales.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hyperparton.theory.card import TheoryCard
from hyperparton.theory.coefficients import Point, YadismObservable, observable_card, silence
from hyperparton.theory.evolution import Segment, coupling, segments_to, solve
from hyperparton.theory.extra import require
from hyperparton.theory.fonll import Part, parts_of
from hyperparton.theory.grids import x_grid

__all__ = ["DirectTheory", "plain_coefficients"]


def plain_coefficients(
    card: TheoryCard, part: Part, observable: YadismObservable, point: Point
) -> dict[int, np.ndarray]:
    """Order -> (pid, x): what yadism's own quadrature gives for one part of FONLL."""
    silence()
    theory = card.yadism(part.scheme, part.nf, part.parts, part.order, observable.tmc)
    runner = require("yadism.runner").Runner(theory, observable_card(observable, [point]))
    result = runner.observables[observable.name].elements[0].get_result()
    return {order[0]: values for order, (values, _) in result.orders.items() if order[1:] == (0, 0, 0)}


@dataclass
class DirectTheory:
    """Predictions of one PDF set, evolved by eko to each scale that is asked for."""

    card: TheoryCard
    xf: np.ndarray
    """(14, x) x f at Q0 on the x grid, in eko's evolution basis (the order of `data.EVOLUTION_BASIS`)"""
    _factors: dict[Segment, np.ndarray] = field(default_factory=dict, repr=False)

    def predict(self, observable: YadismObservable, point: Point) -> float:
        """The FONLL prediction at one point."""
        return sum(self.part(part, observable, point) for part in parts_of(self.card) if part.counts(point.q2))

    def part(self, part: Part, observable: YadismObservable, point: Point) -> float:
        """One part's share, with its sign."""
        strength = coupling(self.card, part.nf, point.q2)
        evolved = self.evolved(part.nf, point.q2)
        coefficients = plain_coefficients(self.card, part, observable, point)
        return part.sign * sum(
            strength**order * float(np.sum(values * evolved)) for order, values in coefficients.items()
        )

    def evolved(self, nf: int, q2: float) -> np.ndarray:
        """(pid, x): f with `nf` flavours at `q2` (GeV²)."""
        rotation: Any = require("eko.basis_rotation")
        pdf = np.linalg.inv(rotation.rotate_flavor_to_evolution) @ (self.xf / np.array(x_grid()))
        for segment in segments_to(self.card, nf, q2):
            if segment not in self._factors:
                self._factors[segment] = solve(self.card, segment)
            pdf = np.einsum("pxby,by->px", self._factors[segment], pdf)
        return pdf
