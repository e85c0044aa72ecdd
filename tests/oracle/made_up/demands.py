"""What the metadata of data sets demand: tables, C-factors and numbers of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from nnpdf_data import CFACTOR_PATH
from nnpdf_data.commondataparser import parse_new_metadata
from nnpdf_data.utils import DEFAULT_PATH_VPDATA, quick_yaml_load


@dataclass
class Request:
    """A data set of a runcard with its metadata; its numbers are read when they are asked for, which takes long."""

    name: str
    variant: Any
    metadata: Any
    cfactors: tuple[str, ...]

    @cached_property
    def central(self) -> np.ndarray | None:
        """(dat,) measured values; None for positivity and integrability sets."""
        special = self.metadata.is_nnpdf_special
        return None if special else self.metadata.load_data_central()["data"].to_numpy(float)

    @cached_property
    def uncorrelated(self) -> np.ndarray:
        """(dat,) uncertainties that are independent from point to point."""
        errors = self.metadata.load_uncertainties()
        alone = [column for column in errors if column[0].lower() == "stat" or column[2] == "UNCORR"]
        return np.sqrt(np.sum(errors[alone].to_numpy(float) ** 2, axis=1))

    @cached_property
    def kinematics(self) -> dict[str, np.ndarray]:
        """Variable -> (dat,) middle of the bins."""
        frame = self.metadata.load_kinematics()
        return {column[0]: frame[column].to_numpy(float) for column in frame.columns}

    @property
    def operands(self) -> list[list[str]]:
        return [list(operand) for operand in self.metadata.theory.FK_tables]

    @property
    def shifts(self) -> Mapping[str, int]:
        return self.metadata.theory.shifts or {}

    @property
    def operation(self) -> str:
        return self.metadata.theory.operation

    def factor(self, member: str) -> float:
        theory = self.metadata.theory
        return float(theory.conversion_factor) * float((theory.normalization or {}).get(member, 1.0))


def requests(cards: Sequence[Path]) -> list[Request]:
    """Every data set that the cards name, once for each variant."""
    found: dict[tuple[str, str], Request] = {}
    for card in cards:
        contents = quick_yaml_load(card)
        entries = list(contents.get("dataset_inputs") or [])
        for section, key in (("positivity", "posdatasets"), ("integrability", "integdatasets")):
            entries += (contents.get(section) or {}).get(key) or []
        for entry in entries:
            variant = entry.get("variant")
            variant = tuple(variant) if isinstance(variant, list) else variant
            key = entry["dataset"], str(variant)
            kinds = tuple(entry.get("cfac") or ())
            if key in found:
                found[key].cfactors = tuple(dict.fromkeys((*found[key].cfactors, *kinds)))
            else:
                found[key] = _request(entry["dataset"], variant, kinds)
    return list(found.values())


def _request(name: str, variant: Any, kinds: tuple[str, ...]) -> Request:
    folder, _, observable = name.rpartition("_")
    metadata = parse_new_metadata(DEFAULT_PATH_VPDATA / folder / "metadata.yaml", observable, variant=variant)
    if metadata.theory is None:
        raise SystemExit(f"{name} names no FK tables in nnpdf-data")
    return Request(name, variant, metadata, kinds)


def read_cfactor(path: Path) -> np.ndarray:
    """(row,) the factors of a file: a head between two lines of stars, then a factor and its uncertainty a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    stars = [place for place, line in enumerate(lines) if line.startswith("*")]
    return np.array([float(line.split()[0]) for line in lines[stars[1] + 1 :] if line.strip()])


def _cfactor_rows(member: str, kinds: Sequence[str]) -> int | None:
    """How many factors nnpdf-data has for a table, of those kinds that the runcards name; None if it has none."""
    for kind in kinds:
        path = CFACTOR_PATH / f"CF_{kind}_{member}.dat"
        if path.is_file():
            return len(read_cfactor(path))
    return None


_ONE_ROW = re.compile(r"NORM_MCgrid|TOT$|_TOT\b|INTEGRATED|TCH_R_[0-9]+TEV_T")


class Rows:
    """How many rows each table has."""

    def __init__(self, known: Mapping[str, int]):
        self.of: dict[str, int] = dict(known)

    def settle(self, request: Request) -> None:
        """Numbers for all tables of a data set; raises ValueError where they contradict what is known."""
        for place, members in enumerate(request.operands):
            divisor = request.operation == "RATIO" and place == len(request.operands) - 1 and len(members) == 1
            if divisor and request.metadata.ndata > 1 and (self.of.get(members[0]) == 1 or _ONE_ROW.search(members[0])):
                self._put(members[0], 1)
                continue
            self._operand(request, members)

    def _operand(self, request: Request, members: list[str]) -> None:
        total = request.metadata.ndata - sum(request.shifts.get(member, 0) for member in members)
        for member in members:
            rows = _cfactor_rows(member, request.cfactors)
            if rows is not None:
                self._put(member, rows)
        unknown = [member for member in members if member not in self.of]
        if not unknown:
            if sum(self.of[member] for member in members) != total:
                raise ValueError(f"{request.name}: {members} have {[self.of[m] for m in members]} rows, not {total}")
            return
        runs = _runs(request, len(members))
        if runs is not None:
            wanted = {m: run - request.shifts.get(m, 0) for m, run in zip(members, runs, strict=True)}
        else:
            left = total - sum(self.of.get(member, 0) for member in members)
            shares = [left // len(unknown) + (k < left % len(unknown)) for k in range(len(unknown))]
            wanted = dict(zip(unknown, shares, strict=True))
        for member in members:
            self._put(member, wanted.get(member, self.of.get(member, 0)))

    def _put(self, member: str, rows: int) -> None:
        if rows < 1:
            raise ValueError(f"{member} would have {rows} rows")
        if self.of.setdefault(member, rows) != rows:
            raise ValueError(f"{member} has {self.of[member]} rows by one set and {rows} by another")


def _runs(request: Request, number: int) -> list[int] | None:
    """The points of each of `number` tables, as some kinematic variable shows it: constant or rising in each."""
    if number == 1:
        return [request.metadata.ndata]
    for breaks in (lambda a: np.diff(a) != 0, lambda a: np.diff(a) < 0):
        for values in request.kinematics.values():
            edges = np.concatenate([[0], np.flatnonzero(breaks(values)) + 1, [len(values)]])
            if len(edges) == number + 1:
                return np.diff(edges).tolist()
    return None
