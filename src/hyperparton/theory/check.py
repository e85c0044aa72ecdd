"""Checks a theory folder: files, kinematics, predictions and χ².

Every table must load and have one row for each point of its data set, at the kinematics of nnpdf-data. Its entries must
be finite, no row that was computed may be zero, and the checksum must be that of the manifest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.data.commondata import FKOperands, find_metadata, operands_of
from hyperparton.data.covmat import covariance
from hyperparton.data.cut_policies import CardCuts
from hyperparton.data.cuts import RuleCuts
from hyperparton.data.fktables import load_observable, read_fktable
from hyperparton.data.load import DatasetLoader
from hyperparton.data.manifest import fault_of_table, read_manifest
from hyperparton.data.pdfsets import SHIPPED_SET, find_pdfset
from hyperparton.data.predictions import chi2_by_dataset, predict
from hyperparton.data.t0 import central_predictions
from hyperparton.data.theory_folder import TABLE_SUFFIX, find_theory
from hyperparton.errors import DataError, TheoryError
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.text import counted
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import read_card
from hyperparton.theory.direct import DirectTheory, direct_jobs
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import Row
from hyperparton.theory.listing import datasets_of_tables
from hyperparton.theory.observables import known_datasets
from hyperparton.theory.optional import require_extra
from hyperparton.theory.plan import KinematicLimits, PlannedTable, plan_tables
from hyperparton.theory.pool import BuildProgress, run_jobs
from hyperparton.theory.tables import coordinates

__all__ = [
    "Comparison",
    "DatasetChi2",
    "TableReport",
    "TheoryReport",
    "check_theory",
    "compare_directly",
    "dataset_chi2",
    "table_predictions",
]

#: largest relative difference of a row's Q², x or y from nnpdf-data's: NuTeV's Q² in NNPDF's own tables is of 0.2 %
_KINEMATIC_TOLERANCE = 3e-3


@dataclass(frozen=True)
class TableReport:
    """The result for one table."""

    name: str
    rows: int = 0
    computed: int = 0
    """rows that are not zero"""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetChi2:
    """How a PDF set describes a data set."""

    dataset: str
    points: int
    chi2: float
    """per point, with the t0 covariance matrix"""
    chi2_experimental: float
    """per point, with the experimental one"""


@dataclass(frozen=True)
class Comparison:
    """A row of a table against a direct computation with the same PDF set."""

    table: str
    row: int
    q2: float
    x: float
    from_table: float
    direct: float

    @property
    def difference(self) -> float:
        """Relative."""
        return self.from_table / self.direct - 1


@dataclass(frozen=True)
class TheoryReport:
    """The results for a theory folder."""

    path: Path
    tables: tuple[TableReport, ...]
    chi2: tuple[DatasetChi2, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        return tuple(f"{table.name}: {fault}" for table in self.tables for fault in table.faults)


def check_theory(folder: Path, datasets: Sequence[str] | None = None) -> TheoryReport:
    """Checks the tables of a theory folder (those of `datasets`, all that are there without); needs no extra.

    Raises `TheoryError` for a folder without tables or with a damaged manifest.
    """
    there = {file.name.removesuffix(TABLE_SUFFIX) for file in (folder / "fastkernel").glob(f"*{TABLE_SUFFIX}")}
    manifest = read_manifest(folder)
    known = datasets_of_tables()
    checked = [name for name in known if set(known[name]) & there] if datasets is None else list(datasets)
    # the limits of the last build: rows outside them are zero
    limits = manifest["builds"][-1]["limits"] if manifest and manifest["builds"] else {}
    planned = {table.name: table for table in plan_tables(checked, KinematicLimits(**limits))}
    recorded = {} if manifest is None else manifest["tables"]
    names = sorted(set(planned) | (there | set(recorded) if datasets is None else set()))
    if not names:
        raise TheoryError(f"{folder / 'fastkernel'} has no FK tables")
    tables = tuple(_check_table(folder, name, planned.get(name), manifest) for name in names)
    bad = {table.name for table in tables if table.faults}
    complete = [name for name in checked if not set(operands_of(find_metadata(name, with_data=False)).names) & bad]
    notes = () if manifest else (f"{folder} has no manifest, so that checksums cannot be compared",)
    return TheoryReport(folder, tables, dataset_chi2(folder, complete), notes)


def _check_table(
    folder: Path, name: str, planned: PlannedTable | None, manifest: Mapping[str, Any] | None
) -> TableReport:
    path = folder / "fastkernel" / f"{name}{TABLE_SUFFIX}"
    if not path.is_file():
        return TableReport(name, faults=(f"{path} is missing",))
    faults = list(filter(None, [fault_of_table(manifest, name, path)]))
    try:
        values = read_fktable(path).values
    except TheoryError as error:
        return TableReport(name, faults=(*faults, str(error)))
    filled = np.abs(values).reshape(len(values), -1).max(axis=1) > 0
    if planned is not None:
        faults += _compare_rows(path, planned, filled)
    return TableReport(name, len(values), int(filled.sum()), tuple(faults))


def _compare_rows(path: Path, planned: PlannedTable, filled: np.ndarray) -> list[str]:
    """What is wrong with a table's rows, compared with the data set's kinematics."""
    if len(filled) != len(planned.computed):
        points = counted(len(planned.computed), "point")
        return [f"{path} has {counted(len(filled), 'row')}, data set {planned.dataset} {points}"]
    faults = []
    empty = np.flatnonzero(planned.computed & ~filled)
    if len(empty):
        faults.append(f"{path} is zero in rows {empty[:5].tolist()}, which lie within the limits of the build")
    limits = coordinates(path)
    expected = np.array(planned.coordinates)
    if limits.shape != expected.shape:
        return [*faults, f"{path} has {limits.shape[1]} kinematic variables, expected {expected.shape[1]}"]
    far = ~np.isclose(limits, expected, rtol=_KINEMATIC_TOLERANCE, atol=1e-12).all(axis=1)
    if far.any():
        row = int(np.flatnonzero(far)[0])
        faults.append(
            f"{path}: row {row} is at (Q², x, y) = {limits[row].tolist()}, data set {planned.dataset} has "
            f"{expected[row].tolist()}"
        )
    return faults


def dataset_chi2(folder: Path, datasets: Iterable[str], pdfset: str = SHIPPED_SET) -> tuple[DatasetChi2, ...]:
    """χ² per point of a PDF set's central member for each measured data set, after NNPDF's cuts."""
    measured = [name for name in datasets if name in known_datasets()["dis"]]
    if not measured:
        return ()
    theory = find_theory(read_card(folder / "theory_card.yaml").theoryid, folder)
    rules = RuleCuts(theory.card)
    loader = DatasetLoader(theory, CardCuts(rules, rules))
    sets = [loader.dataset(*_as_in_nnpdf40(name)) for name in measured]
    predictions = central_predictions([each.observable for each in sets], find_pdfset(pdfset))
    t0 = chi2_by_dataset(sets, predictions, covariance(sets, predictions))
    experimental = chi2_by_dataset(sets, predictions, covariance(sets))
    return tuple(
        DatasetChi2(each.name, each.ndata, t0[each.name] / each.ndata, experimental[each.name] / each.ndata)
        for each in sets
    )


def _as_in_nnpdf40(dataset: str) -> tuple[DatasetInput, Any]:
    """The set as NNPDF4.0 fits it, and its metadata: with its C-factors and its variant."""
    cfactors = ("MAS",) if dataset.startswith("NUTEV") else ()
    for variant in (("legacy_dw",), ("legacy",)):  # the first has the uncertainties of nuclear effects
        with contextlib.suppress(DataError):
            return DatasetInput(dataset=dataset, variant=variant, cfac=cfactors), find_metadata(dataset, variant)
    return DatasetInput(dataset=dataset, cfac=cfactors), find_metadata(dataset)


def compare_directly(
    folder: Path,
    rows: Sequence[Row],
    pieces: Path,
    workers: int = 1,
    report: Callable[[BuildProgress], None] = lambda progress: None,
    pdfset: str = SHIPPED_SET,
) -> Iterable[Comparison]:
    """Compares rows of the tables in a theory folder with plain yadism and eko; needs the extra `theory`.

    What is computed is kept in the folder `pieces`, so that a comparison that was stopped goes on.
    """
    card = read_card(folder / "theory_card.yaml")
    require_extra()
    pdf, cache = find_pdfset(pdfset), PieceCache(pieces)
    run_jobs(direct_jobs(card, rows), cache, workers, report)
    theory = DirectTheory(card, pdf.evolution_basis(np.array(x_grid()), card.q0, [0])[0], cache)
    predictions = {name: table_predictions(folder, name, pdfset) for name in dict.fromkeys(row.table for row in rows)}
    for row in rows:
        direct = theory.predict(row.observable, row.point)
        from_table = float(predictions[row.table][row.index])
        yield Comparison(row.table, row.index, row.point.q2, row.point.x, from_table, direct)


def table_predictions(folder: Path, name: str, pdfset: str = SHIPPED_SET) -> np.ndarray:
    """(row,) what a PDF set's central member predicts with one table, without C-factors."""
    pdf = find_pdfset(pdfset)
    theory = find_theory(read_card(folder / "theory_card.yaml").theoryid, folder)
    operands = FKOperands(((name,),), "NULL", 1.0, {}, {})
    return predict(load_observable(name, operands, theory), lambda x, q: pdf.evolution_basis(x, q, [0])[0])
