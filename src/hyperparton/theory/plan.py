"""Plans a build: the FK tables that some data sets need, and which of their rows are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.catalogue import Q2MIN, W2MIN
from hyperparton.data.commondata import FKOperands, find_metadata, operands_of, read_kinematics
from hyperparton.errors import DataError, TheoryError, nearest
from hyperparton.text import counted
from hyperparton.theory.coefficients import Point
from hyperparton.theory.grids import Q2_MAX, x_grid
from hyperparton.theory.jobs import Row
from hyperparton.theory.observables import DISTable, TableKind, known_datasets, table_kind

__all__ = ["KinematicLimits", "PlannedTable", "expand_datasets", "kinematics_of", "plan_tables"]


@dataclass(frozen=True)
class KinematicLimits:
    """The points that are computed; the rows of the others are zero, since a table keeps one row for each point."""

    q2min: float = Q2MIN
    """GeV²: smallest Q²; the default is NNPDF's cut"""
    w2min: float = W2MIN
    """GeV²: smallest Q² (1 - x)/x; likewise"""

    def __post_init__(self) -> None:
        if not 1.0 <= self.q2min <= Q2_MAX:
            raise TheoryError(f"q2min: must lie between 1 and {Q2_MAX:g} GeV², given {self.q2min:g}")
        if not self.w2min >= 0.0:
            raise TheoryError(f"w2min: must not be negative, given {self.w2min:g}")


@dataclass(frozen=True, eq=False)
class PlannedTable:
    """A table and where its rows are."""

    name: str
    dataset: str
    """the first data set that uses it"""
    kind: TableKind
    kinematics: dict[str, np.ndarray]
    """variable -> (row,)"""
    computed: np.ndarray
    """(row,) whether the row lies within the limits"""

    @property
    def coordinates(self) -> list[list[float]]:
        """The coordinates of each row, as they are written in the file."""
        names = ["Q2", "x" if "x" in self.kinematics else "y"]
        if isinstance(self.kind, DISTable):
            names = ["Q2", self.kind.x, *([self.kind.y] if self.kind.y else [])]
        return np.array([self.kinematics[name] for name in names]).T.tolist()

    @property
    def rows(self) -> list[Row]:
        """The rows that yadism computes."""
        if not isinstance(self.kind, DISTable):
            return []
        x, q2 = self.kinematics[self.kind.x], self.kinematics["Q2"]
        y = self.kinematics[self.kind.y] if self.kind.y else np.ones(len(x))
        return [
            Row(self.name, int(row), self.kind.observable, Point(float(x[row]), float(q2[row]), float(y[row])))
            for row in np.flatnonzero(self.computed)
        ]


def expand_datasets(datasets: Sequence[str]) -> tuple[str, ...]:
    """The data sets of a list of names and of kinds (dis, positivity, integrability, all), each once."""
    known = known_datasets()
    groups = {**known, "all": tuple(name for names in known.values() for name in names)}
    names = [name for each in datasets for name in groups.get(each, (each,))]
    return tuple(dict.fromkeys(names))


def plan_tables(datasets: Sequence[str], limits: KinematicLimits) -> list[PlannedTable]:
    """The tables of the data sets, each once.

    Raises `DataError` for an unknown set or one without kinematics, `TheoryError` for a table that cannot be computed.
    """
    tables: dict[str, PlannedTable] = {}
    for dataset in datasets:
        try:
            metadata = find_metadata(dataset, with_data=False)
        except DataError as error:
            hint = nearest(dataset, expand_datasets(["all"]))
            raise DataError(f"{error}{hint if hint not in str(error) else ''}") from error
        for name, kinematics in kinematics_of(dataset, operands_of(metadata), read_kinematics(metadata)):
            kind = table_kind(name)
            computed = _within(name, kind, kinematics, limits)
            tables.setdefault(name, PlannedTable(name, dataset, kind, kinematics, computed))
    return list(tables.values())


def kinematics_of(
    dataset: str, operands: FKOperands, kinematics: dict[str, np.ndarray]
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Each table of a set with its share of the set's kinematics: tables of one operand follow one another."""
    shares = []
    total = next(iter(kinematics.values())).size
    for operand in operands.operands:
        at = 0
        for name in operand:
            number = _rows_of(name, len(operand), total)
            shares.append((name, {key: values[at : at + number] for key, values in kinematics.items()}))
            at += number
        if at != total:
            rows, points = counted(at, "row"), counted(total, "point")
            raise DataError(f"data set {dataset}: the tables {', '.join(operand)} have {rows} for {points}")
    return shares


def _rows_of(name: str, tables: int, points: int) -> int:
    kind = table_kind(name)
    if isinstance(kind, DISTable) and kind.rows is not None:
        return kind.rows
    if tables != 1:
        raise TheoryError(f"the FK table {name} is one of {tables} of its set, and how many points it has is not known")
    return points


def _within(name: str, kind: TableKind, kinematics: dict[str, np.ndarray], limits: KinematicLimits) -> np.ndarray:
    """(row,) whether each row is computed."""
    needed = ("Q2", kind.x, *([kind.y] if kind.y else [])) if isinstance(kind, DISTable) else ("Q2",)
    absent = [variable for variable in needed if variable not in kinematics]
    if absent:
        raise DataError(f"FK table {name}: the kinematics lack {', '.join(absent)}, they have {', '.join(kinematics)}")
    for variable in needed:
        if not np.isfinite(kinematics[variable]).all():
            row = int(np.flatnonzero(~np.isfinite(kinematics[variable]))[0])
            raise DataError(f"FK table {name}: {variable} of point {row} is {kinematics[variable][row]:g}")
    q2 = kinematics["Q2"]
    if not isinstance(kind, DISTable) or not kind.observable.tmc:
        return np.ones(len(q2), dtype=bool)
    cut_x = kinematics["x"]
    within = (q2 >= limits.q2min) & (q2 * (1 - cut_x) / cut_x >= limits.w2min)
    outside = within & ((q2 > Q2_MAX) | (kinematics[kind.x] < x_grid()[0]) | (kinematics[kind.x] > 1))
    if outside.any():
        raise TheoryError(
            f"FK table {name}: point {np.flatnonzero(outside)[0]} lies outside what can be computed, "
            f"x from {x_grid()[0]:g} to 1 and Q² up to {Q2_MAX:g} GeV²"
        )
    return within
