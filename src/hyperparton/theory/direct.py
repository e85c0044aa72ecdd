"""Predictions without tables: plain yadism, and eko at the very scale, for a PDF set at Q0.

They use nothing that makes tables cheap: neither the common quadrature, nor the cached coefficient functions, nor the
interpolation between a few scales.  A scale costs two or three evolution operators, a point every part of FONLL by
yadism's own quadrature.  So the rows lie at as few scales as possible, and the results are kept in pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.coefficients import Point, YadismObservable, yadism_runner
from hyperparton.theory.evolution import Segment, coupling, segments_to
from hyperparton.theory.fonll import FonllPart, parts_of
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import EvolutionJob, Job, Row
from hyperparton.theory.optional import require
from hyperparton.theory.plan import PlannedTable

__all__ = ["DirectTheory", "PlainJob", "direct_jobs", "plain_coefficients", "sample_rows"]

#: GeV²: of scales that serve equally many tables the one farthest from this is taken
_MIDDLE = 20.0


def plain_coefficients(
    card: TheoryCard, part: FonllPart, observable: YadismObservable, point: Point
) -> dict[int, np.ndarray]:
    """Order -> (pid, x): what yadism's own quadrature gives for one part of FONLL."""
    runner = yadism_runner(card.yadism(*part.calculation, observable.tmc), observable, [point])
    result = runner.observables[observable.name].elements[0].get_result()
    return {order[0]: values for order, (values, _) in result.orders.items() if order[1:] == (0, 0, 0)}


@dataclass(frozen=True)
class PlainJob(Job):
    """One part of FONLL at one point by plain yadism: arrays `orders` (order,) and `values` (order, pid, x)."""

    part: FonllPart
    observable: YadismObservable
    point: Point

    @property
    def label(self) -> str:
        return f"plain-{self.part.name}-{self.observable.name.lower()}-q2_{self.point.q2:.6g}-x_{self.point.x:.6g}"

    @property
    def cost(self) -> float:
        each = {"massive3": 10.0, "limit3": 4.0, "mass4": 6.0, "limit4": 5.0}.get(self.part.name, 1.0)
        if not self.observable.tmc:
            return 0.1 * each
        return each if self.point.x < 0.1 else 0.35 * each  # a target-mass integral has the fewer nodes, the larger x

    def depends_on(self) -> dict[str, Any]:
        row = [asdict(self.observable), asdict(self.point)]
        return {
            "plain": self.part.calculation,
            "row": row,
            **self._common(("yadism", "eko", "LeProHQ", "adani", "scipy")),
        }

    def compute(self) -> Mapping[str, np.ndarray]:
        by_order = plain_coefficients(self.card, self.part, self.observable, self.point)
        orders = sorted(by_order)
        return {"orders": np.array(orders), "values": np.array([by_order[order] for order in orders])}


def sample_rows(tables: Sequence[PlannedTable], each: int) -> list[Row]:
    """`each` rows of every DIS table (all, if it has fewer), spread over Q² and x, at as few scales as can be.

    The rows of a table in the order of Q² are cut into `each` shares, and one is taken of every share: at the scale
    that most shares of all tables have, with the smallest, the middle or the largest x there by turns.
    """
    left: dict[tuple[int, int], dict[float, list[Row]]] = {}
    for number, table in enumerate(table for table in tables if table.rows):
        rows = sorted(table.rows, key=lambda row: (row.point.q2, row.point.x, row.index))
        for share, places in enumerate(np.array_split(np.arange(len(rows)), each)):
            for place in places:
                left.setdefault((number, share), {}).setdefault(rows[place].point.q2, []).append(rows[place])
    chosen: dict[tuple[int, int], Row] = {}
    while left:
        number_of = Counter(q2 for scales in left.values() for q2 in scales)
        best = max(number_of, key=lambda q2: (number_of[q2], abs(np.log(q2 / _MIDDLE))))
        for place in [place for place, scales in left.items() if best in scales]:
            like = left.pop(place)[best]
            chosen[place] = like[round((len(like) - 1) * (0.0, 0.5, 1.0)[sum(place) % 3])]
    return [chosen[place] for place in sorted(chosen)]


def direct_jobs(card: TheoryCard, rows: Sequence[Row]) -> list[Job]:
    """Everything to compute for direct predictions of some rows, each once: factors of evolution, then coefficients."""
    segments: dict[Segment, None] = {}
    plain: dict[tuple[FonllPart, YadismObservable, Point], None] = {}
    for row in rows:
        for part in parts_of(card):
            if part.counts(row.point.q2):
                segments.update(dict.fromkeys(segments_to(card, part.nf, row.point.q2)))
                plain[part, row.observable, row.point] = None
    return [*(EvolutionJob(card, segment) for segment in segments), *(PlainJob(card, *each) for each in plain)]


@dataclass
class DirectTheory:
    """Predictions of one PDF set, evolved by eko to each scale that is asked for, from pieces that were computed."""

    card: TheoryCard
    xf: np.ndarray
    """(evol, x) x f at Q0 on the x grid, in eko's evolution basis (the order of `data.EVOLUTION_BASIS`)"""
    pieces: PieceCache
    _evolved: dict[tuple[int, float], np.ndarray] = field(default_factory=dict, repr=False)

    def predict(self, observable: YadismObservable, point: Point) -> float:
        """The FONLL prediction at one point.  Raises `TheoryError` if a job of `direct_jobs` was not computed."""
        return sum(self._part(part, observable, point) for part in parts_of(self.card) if part.counts(point.q2))

    def _part(self, part: FonllPart, observable: YadismObservable, point: Point) -> float:
        """One part's share, with its sign."""
        piece = PlainJob(self.card, part, observable, point).computed(self.pieces)
        powers = coupling(self.card, part.nf, point.q2) ** piece["orders"]
        return part.sign * float(np.einsum("o,opx,px->", powers, piece["values"], self.evolved(part.nf, point.q2)))

    def evolved(self, nf: int, q2: float) -> np.ndarray:
        """(pid, x): f with `nf` flavours at `q2` (GeV²)."""
        if (nf, q2) not in self._evolved:
            rotation: Any = require("eko.basis_rotation")
            pdf = np.linalg.inv(rotation.rotate_flavor_to_evolution) @ (self.xf / np.array(x_grid()))
            for segment in segments_to(self.card, nf, q2):
                pdf = np.einsum("pxby,by->px", EvolutionJob(self.card, segment).computed(self.pieces)["operator"], pdf)
            self._evolved[nf, q2] = pdf
        return self._evolved[nf, q2]
