"""Assembles the pieces of a build: coefficient functions and evolution operators become the entries of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.errors import TheoryError
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.coefficients import CoefficientCache
from hyperparton.theory.drellyan import drell_yan_grid
from hyperparton.theory.evolution import CHANNELS, Evolution, coupling
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import CoefficientJob
from hyperparton.theory.observables import DISTable, DrellYanTable, IntegrabilityTable, PDFTable
from hyperparton.theory.optional import require
from hyperparton.theory.plan import PlannedTable
from hyperparton.theory.tables import evolved_grid, linear_table, without_noise

__all__ = ["active_flavours", "at_scale", "dis_entries", "other_table", "pdf_entries"]

#: x grid and value of the tables that test whether x f vanishes at the smallest x
_INTEGRABILITY_X = (1e-9, 1.0)


def active_flavours(card: TheoryCard, q2: float) -> int:
    """How many flavours PDFs have at Q² in GeV²."""
    return 5 if q2 > card.threshold(5) else 4


def at_scale(card: TheoryCard, job: CoefficientJob, values: np.ndarray) -> np.ndarray:
    """(row, pid, x): what multiplies f at the row's scale, the orders summed with the coupling of the part's nf."""
    strength = np.array([coupling(card, job.part.nf, row.point.q2) for row in job.rows])
    powers = strength[:, None] ** np.arange(values.shape[1])
    return job.part.sign * np.einsum("ro,ropx->rpx", powers, values)


def dis_entries(
    card: TheoryCard,
    tables: Sequence[PlannedTable],
    jobs: Iterable[CoefficientJob],
    cache: PieceCache,
    evolution: Evolution,
) -> dict[str, np.ndarray]:
    """Table -> (row, channel, x) entries that multiply f at Q0, all FONLL parts added."""
    entries = {
        table.name: np.zeros((len(table.computed), len(CHANNELS), len(x_grid())))
        for table in tables
        if isinstance(table.kind, DISTable)
    }
    for job in jobs:
        coefficients = at_scale(card, job, job.computed(cache)["values"])
        at_q0 = evolution.contract(job.part.nf, [row.point.q2 for row in job.rows], coefficients)
        for row, values in zip(job.rows, at_q0, strict=True):
            entries[row.table][row.index] += values
    for name, values in entries.items():
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise TheoryError(f"FK table {name}: row {row} is not finite")
    return entries


def other_table(card: TheoryCard, table: PlannedTable, evolution: Evolution) -> Any:
    """A table (pineappl's `FkTable`) without coefficient functions: PDFs, integrability, Drell-Yan."""
    kind, q2 = table.kind, table.kinematics["Q2"]
    if isinstance(kind, IntegrabilityTable):
        x = table.kinematics["x"]
        if len(x) != 1 or not np.isclose(x[0], _INTEGRABILITY_X[0], rtol=1e-9):
            raise TheoryError(f"FK table {table.name}: integrability is computed at x = 1e-9 only, given {x.tolist()}")
        values = np.array([[[x[0], 0.0]]])
        return linear_table(card.q0, [kind.channel], _INTEGRABILITY_X, values, table.coordinates)
    if isinstance(kind, PDFTable):
        values = pdf_entries(card, kind.pid, table.kinematics, evolution)
        return linear_table(card.q0, CHANNELS, x_grid(), values, table.coordinates)
    if isinstance(kind, DrellYanTable):
        grid = drell_yan_grid(kind.pid, q2, table.kinematics["y"], table.kinematics["sqrts"])
        scale = float(q2[0])
        operator = evolution.operator(active_flavours(card, scale), scale)
        return without_noise(evolved_grid(grid, card.q0, CHANNELS, _pids(), scale, operator), card.q0)
    raise TheoryError(f"FK table {table.name} is of a kind that has coefficient functions")


def pdf_entries(card: TheoryCard, pid: int, kinematics: Mapping[str, np.ndarray], evolution: Evolution) -> np.ndarray:
    """(row, channel, x): x f(x, Q²) of one parton."""
    place = _pids().index(pid)
    basis = CoefficientCache().basis
    entries = []
    for x, q2 in zip(kinematics["x"], kinematics["Q2"], strict=True):
        at_x = basis(np.array([x]))[:, 0]
        operator = evolution.operator(active_flavours(card, float(q2)), float(q2))
        entries.append(x * np.einsum("y,ycx->cx", at_x, operator[place]))
    return np.array(entries)


def _pids() -> list[int]:
    return list(require("eko.basis_rotation").flavor_basis_pids)
