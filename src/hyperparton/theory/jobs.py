"""The jobs of a build: evolution operators and coefficient functions.

A job computes one piece, the arrays of one file, in a process of its own.  It knows the name of that file before it
runs, so that a piece that is on disk already is not computed again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.coefficients import Point, YadismObservable, coefficients
from hyperparton.theory.evolution import Segment, solve
from hyperparton.theory.fonll import FonllPart
from hyperparton.theory.grids import DEGREE, x_grid
from hyperparton.theory.optional import versions

__all__ = ["CoefficientJob", "EvolutionJob", "Job", "Row", "batches"]

#: keys of a theory card that no number of a piece depends on
_IRRELEVANT = frozenset({"ID", "Comments", "FNS", "global_nx", "EScaleVar", "SxOrd", "XIA", "QrefQED", "Qedref"})
_BATCH = 120


@dataclass(frozen=True)
class Row:
    """A row of a table that yadism computes."""

    table: str
    index: int
    observable: YadismObservable
    point: Point


@dataclass(frozen=True)
class Job(ABC):
    """One piece to compute."""

    card: TheoryCard

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is, for people and for the name of the file."""

    @property
    @abstractmethod
    def cost(self) -> float:
        """Rough seconds on one core."""

    @abstractmethod
    def depends_on(self) -> dict[str, Any]:
        """Everything the numbers depend on, as JSON."""

    @abstractmethod
    def compute(self) -> Mapping[str, np.ndarray]:
        """The arrays of the piece."""

    def path(self, cache: PieceCache) -> Path:
        """The file of the piece."""
        return cache.path(self.label, self.depends_on())

    def computed(self, cache: PieceCache) -> dict[str, np.ndarray]:
        """The arrays of the piece, computed before.  Raises `TheoryError` if it is not there or is damaged."""
        return cache.computed(self.path(cache))

    def _common(self, packages: Sequence[str]) -> dict[str, Any]:
        card = {key: value for key, value in self.card.full.items() if key not in _IRRELEVANT}
        known = {name: number for name, number in versions().items() if name in packages}
        return {"card": card, "x": list(x_grid()), "degree": DEGREE, "packages": known}


@dataclass(frozen=True)
class EvolutionJob(Job):
    """A factor of an evolution operator: array `operator` (pid, x, pid, x)."""

    segment: Segment

    @property
    def label(self) -> str:
        kind = "matching" if self.segment.matching else "evolution"
        return f"{kind}-nf{self.segment.nf}-q2_{self.segment.target:.6g}"

    @property
    def cost(self) -> float:
        return 6.0 if self.segment.matching else 12.0 * self.card.light_order + 3.0 * (self.segment.nf == 3)

    def depends_on(self) -> dict[str, Any]:
        return {"evolution": asdict(self.segment), **self._common(("eko",))}

    def compute(self) -> Mapping[str, np.ndarray]:
        return {"operator": solve(self.card, self.segment)}


@dataclass(frozen=True)
class CoefficientJob(Job):
    """Coefficient functions of one FONLL part at some rows: array `values` (row, order, pid, x)."""

    part: FonllPart
    number: int
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        return f"{self.part.name}-{self.rows[0].observable.process.lower()}-{self.number:02d}"

    @property
    def cost(self) -> float:
        each = {"massive3": 0.06, "mass4": 0.05, "mass5": 0.02}.get(self.part.name, 0.025)
        return each * len(self.rows)

    def depends_on(self) -> dict[str, Any]:
        rows = [[asdict(row.observable), asdict(row.point)] for row in self.rows]
        return {"part": self.part.calculation, "rows": rows, **self._common(("yadism", "eko", "LeProHQ", "adani"))}

    def compute(self) -> Mapping[str, np.ndarray]:
        values = np.zeros(())
        for tmc in (True, False):
            places = [place for place, row in enumerate(self.rows) if row.observable.tmc is tmc]
            if places:
                theory = self.card.yadism(*self.part.calculation, tmc)
                some = coefficients(theory, [(self.rows[place].observable, self.rows[place].point) for place in places])
                values = np.zeros((len(self.rows), *some.shape[1:])) if values.ndim == 0 else values
                values[places] = some
        return {"values": values}


def batches(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """Rows of like process and target-mass correction in the order of Q², about 120 in each and no Q² in two."""

    def kind(row: Row) -> tuple[str, bool]:
        return row.observable.process, row.observable.tmc

    ordered = sorted(rows, key=lambda row: (kind(row), row.point.q2, row.point.x, row.table, row.index))
    batches_of_rows: list[list[Row]] = []
    for _, like in groupby(ordered, kind):
        batches_of_rows.append([])
        for row in like:
            if len(batches_of_rows[-1]) >= _BATCH and row.point.q2 != batches_of_rows[-1][-1].point.q2:
                batches_of_rows.append([])
            batches_of_rows[-1].append(row)
    return [tuple(batch) for batch in batches_of_rows]
