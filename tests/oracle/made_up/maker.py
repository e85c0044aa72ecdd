"""Tables scaled such that predictions are near the data."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from made_up.demands import Request, Rows, read_cfactor
from made_up.files import Q0, Table
from made_up.rows import make_table
from nnpdf_data import CFACTOR_PATH


def toy_pdf(x: np.ndarray) -> np.ndarray:
    """(basis, x): the Les Houches toy (hep-ph/0204316, at Q² = 2 GeV²) with a little charm."""
    x = np.asarray(x)
    u_valence, d_valence = 5.1072 * x**0.8 * (1 - x) ** 3, 3.06432 * x**0.8 * (1 - x) ** 4
    d_sea = 0.1939875 * x**-0.1 * (1 - x) ** 6
    u_sea = d_sea * (1 - x)
    strange = 0.2 * (u_sea + d_sea)
    charm = 0.1 * strange
    gluon = 1.7 * x**-0.1 * (1 - x) ** 5
    plus = (u_valence + 2 * u_sea, d_valence + 2 * d_sea, 2 * strange, 2 * charm)
    minus = (u_valence, d_valence, 0 * x, 0 * x)
    return _evolution_basis(plus, minus, gluon)


def _evolution_basis(plus: Sequence[np.ndarray], minus: Sequence[np.ndarray], gluon: np.ndarray) -> np.ndarray:
    def nonsinglets(q: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [sum(q), q[0] - q[1], q[0] + q[1] - 2 * q[2], q[0] + q[1] + q[2] - 3 * q[3]]

    sigma, t3, t8, t15 = nonsinglets(plus)
    v, v3, v8, v15 = nonsinglets(minus)
    return np.array([sigma, gluon, v, v3, v8, v15, t3, t8, t15])


def lhapdf_set(folder: Path) -> Any:
    """The central member of a set in LHAPDF's format at the scale next to Q0, as a function of x."""
    blocks = (folder / f"{folder.name}_0000.dat").read_text(encoding="utf-8").split("---")[1:]
    for block in blocks:
        lines = block.strip().splitlines()
        if len(lines) < 4:
            continue
        x, q, pids = (np.array(line.split(), dtype=float) for line in lines[:3])
        values = np.array(" ".join(lines[3:]).split(), dtype=float).reshape(len(x), len(q), len(pids))
        if q[0] <= Q0 * 1.001 and q[-1] >= Q0 * 0.999:
            values = values[:, int(np.abs(q - Q0).argmin())]
            columns = {int(pid): values[:, k] for k, pid in enumerate(pids)}
            break
    else:
        raise SystemExit(f"{folder} does not reach Q0 = {Q0} GeV")

    def xf(nodes: np.ndarray) -> np.ndarray:
        def of(pid: int) -> np.ndarray:
            return np.interp(np.log(nodes), np.log(x), columns.get(pid, np.zeros(len(x))))

        plus, minus = [of(k) + of(-k) for k in (2, 1, 3, 4)], [of(k) - of(-k) for k in (2, 1, 3, 4)]
        return _evolution_basis(plus, minus, of(21))

    return xf


@dataclass
class Maker:
    """Makes tables set by set; a table that several sets share is as the first of them needs it."""

    xf: Any
    scatter: float
    full: bool
    least: float
    rows: Rows
    cfactors: dict[tuple[str, str], np.ndarray]
    made: dict[str, Table] = field(default_factory=dict)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def data_set(self, request: Request, have: set[str]) -> list[str]:
        """Makes the missing tables of a data set; their names."""
        new = []
        for members in request.operands:
            at = 0
            for member in members:
                at += request.shifts.get(member, 0)
                number = self.rows.of[member]
                if member not in self.made and member not in have:
                    one_row = number == 1 and request.metadata.ndata > 1 and len(members) == 1
                    places = [None] if one_row else list(range(at, at + number))
                    self.made[member] = make_table(request, member, places, self.full, self.least)
                    self.predictions[member] = self.made[member].predict(self.xf)
                    new.append(member)
                at += number
        if new and request.central is not None and not have & {m for members in request.operands for m in members}:
            self._scale(request, set(new))
        return new

    def _operand(self, request: Request, members: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(point it is of, prediction) of all rows of an operand."""
        places, values, at = [], [], 0
        for member in members:
            at += request.shifts.get(member, 0)
            rows = self.rows.of[member]
            places.append(np.arange(at, at + rows))
            values.append(self._predicted(request, member))
            at += rows
        return np.concatenate(places), np.concatenate(values)

    def _predicted(self, request: Request, member: str) -> np.ndarray:
        """(row,) what a table contributes, with the set's factors and C-factors."""
        value = self.predictions[member] * request.factor(member)
        for kind in request.cfactors:
            made = self.cfactors.get((kind, member))
            value = value * (read_cfactor(CFACTOR_PATH / f"CF_{kind}_{member}.dat") if made is None else made)
        return value

    def _scale(self, request: Request, new: set[str]) -> None:
        """Multiplies the rows of the tables that are new, so that the set's predictions are near its data."""
        assert request.central is not None
        seed = zlib.crc32(request.name.encode())
        noise = np.random.default_rng(seed).normal(size=len(request.central))
        target = request.central + self.scatter * request.uncorrelated * noise
        operands = [self._operand(request, members) for members in request.operands]
        half = {"RATIO": 1, "ASY": 1, "SMN": 2, "COM": 10}.get(request.operation, len(operands))
        upper, lower = request.operands[:half], request.operands[half:]
        for members in lower:
            for member in members:
                if member in new:  # each row 1 to begin with
                    self._multiply(member, _inverse(self._predicted(request, member)))
        below = np.ones(len(target))
        if lower:
            below = np.zeros(len(target))
            for members in lower:
                places, values = self._operand(request, members)
                below += values[0] if len(values) == 1 and len(target) > 1 else _spread(places, values, len(target))
        above = np.zeros(len(target))
        fixed = np.zeros(len(target))
        for members in upper:
            for member in members:
                if member in new:
                    self._multiply(member, _inverse(self._predicted(request, member)))
            places, values = self._operand(request, members)
            above += _spread(places, values, len(target))
            if not set(members) & new:
                fixed += _spread(places, values, len(target))
        wanted = below * ((1 + target) / (1 - target) if request.operation == "ASY" else target)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = (wanted - fixed) / (above - fixed)
        bad = ~(factor > 0)
        if bad.any() and any(set(members) & new for members in upper):
            which = f"{request.name} ({request.variant})"
            self.notes.append(f"{which}: {int(bad.sum())} points cannot be scaled to the data")
        factor = np.where(bad, 1.0, factor)
        for members in upper:
            at = 0
            for member in members:
                at += request.shifts.get(member, 0)
                rows = self.rows.of[member]
                if member in new:
                    self._multiply(member, factor[at : at + rows])
                at += rows

    def _multiply(self, member: str, factor: np.ndarray) -> None:
        self.made[member].scale(factor)
        self.predictions[member] = self.predictions[member] * factor


def _inverse(values: np.ndarray) -> np.ndarray:
    """1 / values; 1 where a row predicts nothing, as one at x = 1 does: it stays as it is."""
    return 1 / np.where(values == 0, 1.0, values)


def _spread(places: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    result = np.zeros(size)
    result[places] = values
    return result
