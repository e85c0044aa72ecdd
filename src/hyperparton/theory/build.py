"""Builds the FK tables of a theory card: plans them, computes the pieces, assembles and writes the tables."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hyperparton.data.theory_folder import CARD, TABLE_SUFFIX
from hyperparton.errors import StoreError, TheoryError
from hyperparton.files import UNFINISHED, FolderLock, replacing
from hyperparton.theory.assemble import active_flavours, dis_entries, other_table
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import TheoryCard, read_card
from hyperparton.theory.evolution import CHANNELS, Evolution, Segment, nodes_for, segments_to
from hyperparton.theory.fonll import parts_of
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import CoefficientJob, EvolutionJob, batches
from hyperparton.theory.manifest import write_manifest
from hyperparton.theory.observables import DISTable, DrellYanTable, IntegrabilityTable
from hyperparton.theory.optional import require_extra
from hyperparton.theory.plan import KinematicLimits, PlannedTable, expand_datasets, plan_tables
from hyperparton.theory.pool import BuildProgress, run_jobs
from hyperparton.theory.tables import empty_rows, linear_table, write

__all__ = ["BuildRequest", "build"]


@dataclass(frozen=True)
class BuildRequest:
    """A theory card, the data sets whose tables are wanted, the output folder and the limits."""

    card: TheoryCard
    datasets: tuple[str, ...]
    output: Path
    limits: KinematicLimits = field(default_factory=KinematicLimits)

    @property
    def folder(self) -> Path:
        """NNPDF's layout: `theory_<id>` with `fastkernel` in it."""
        return self.output / f"theory_{self.card.theoryid}"

    @property
    def pieces(self) -> PieceCache:
        return PieceCache(self.output / ".pieces")


def build(
    card: str | int | Path,
    datasets: Sequence[str],
    output: str | Path,
    *,
    limits: KinematicLimits | None = None,
    workers: int = 1,
    keep_pieces: bool = False,
    report: Callable[[BuildProgress], None] = lambda progress: None,
) -> Path:
    """Builds the tables of `datasets` (names, or all, dis, positivity, integrability) and gives their folder.

    Pieces that an earlier, stopped build left in ``<output>/.pieces`` are used; a finished build removes them unless
    `keep_pieces` is set.  Tables appear when they are complete; those of other data sets that are there already stay.
    One build at a time works in an output folder.
    Raises `TheoryError` for a card or a table that cannot be computed or if the extra `theory` is not installed, and
    `DataError` for data sets that are unknown or have no kinematics.
    """
    request = BuildRequest(
        read_card(card), expand_datasets(datasets), Path(os.path.expanduser(output)), limits or KinematicLimits()
    )
    if not request.datasets:
        raise TheoryError("no data sets: name some, or all, dis, positivity, integrability")
    if workers < 1:
        raise TheoryError(f"a build needs at least one process, given {workers}")
    tables = plan_tables(request.datasets, request.limits)
    require_extra()
    with _alone(request):
        _sweep(request)
        started = time.monotonic()
        evolution_jobs, coefficient_jobs = _jobs(request, tables)
        seconds = run_jobs([*evolution_jobs, *coefficient_jobs], request.pieces, workers, report)
        names = _write_tables(request, tables, evolution_jobs, coefficient_jobs)
        with replacing(request.folder / CARD) as stream:
            YAML(typ="safe", pure=True).dump(dict(sorted(request.card.full.items())), stream)
        write_manifest(
            request.folder, request.card, names, _record(request, seconds, time.monotonic() - started, workers)
        )
        if not keep_pieces:
            shutil.rmtree(request.pieces.folder, ignore_errors=True)
    return request.folder


@contextlib.contextmanager
def _alone(request: BuildRequest) -> Iterator[None]:
    """Holds the output folder for one build, so that none sweeps away what another is writing."""
    try:
        request.pieces.folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(request.pieces.folder / "lock", work="build")
    except StoreError as error:
        raise TheoryError(str(error)) from None
    except OSError as error:
        raise TheoryError(f"{request.output}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.close()


def _sweep(request: BuildRequest) -> None:
    """Removes what a build that was killed was about to write: files under another name that nobody reads."""
    for folder in (request.pieces.folder, request.folder, request.folder / "fastkernel"):
        for path in folder.glob(f".*{UNFINISHED}"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _jobs(request: BuildRequest, tables: Sequence[PlannedTable]) -> tuple[list[EvolutionJob], list[CoefficientJob]]:
    rows = [row for table in tables for row in table.rows]
    coefficient_jobs = []
    for number, batch in enumerate(batches(rows)):
        for part in parts_of(request.card):
            counted = tuple(row for row in batch if part.counts(row.point.q2))
            if counted:
                coefficient_jobs.append(CoefficientJob(request.card, part, number, counted))
    flavours = {job.part.nf for job in coefficient_jobs}
    for table in tables:
        if not isinstance(table.kind, DISTable | IntegrabilityTable):
            flavours |= {active_flavours(request.card, float(q2)) for q2 in table.kinematics["Q2"]}
    segments: dict[Segment, None] = {}
    for nf in sorted(flavours):
        for q2 in nodes_for(request.card, nf, request.limits.q2min).q2:
            segments.update(dict.fromkeys(segments_to(request.card, nf, q2)))
    return [EvolutionJob(request.card, segment) for segment in segments], coefficient_jobs


def _write_tables(
    request: BuildRequest,
    tables: Sequence[PlannedTable],
    evolution_jobs: Sequence[EvolutionJob],
    coefficient_jobs: Sequence[CoefficientJob],
) -> list[str]:
    factors = {job.segment: job.computed(request.pieces)["operator"] for job in evolution_jobs}
    evolution = Evolution(request.card, request.limits.q2min, factors)
    entries = dis_entries(request.card, tables, coefficient_jobs, request.pieces, evolution)
    metadata = {"theory": request.card.full, "made_by": "hyperparton theory build"}
    for table in tables:
        if isinstance(table.kind, DISTable):
            content = linear_table(request.card.q0, CHANNELS, x_grid(), entries[table.name], table.coordinates)
        else:
            content = other_table(request.card, table, evolution)
        empty = sorted(set(empty_rows(content).tolist()) & set(table.computed.nonzero()[0].tolist()))
        if empty:
            raise TheoryError(f"FK table {table.name}: rows {empty[:5]} came out as zero")
        # of two protons a table has the square of the channels: without those that are not independent it is a fifth
        nf0 = int(request.card.full["nf0"]) if isinstance(table.kind, DrellYanTable) else None
        write(content, request.folder / "fastkernel" / f"{table.name}{TABLE_SUFFIX}", metadata, nf0)
    return [table.name for table in tables]


def _record(request: BuildRequest, seconds: dict[str, float], wall: float, workers: int) -> dict[str, Any]:
    """How the build went, for the manifest."""
    return {
        "datasets": list(request.datasets),
        "limits": asdict(request.limits),
        "nodes_q2": {nf: list(nodes_for(request.card, nf, request.limits.q2min).q2) for nf in (3, 4, 5)},
        "processes": workers,
        "seconds": round(wall, 1),
        "seconds_by_piece": {label: round(value, 1) for label, value in sorted(seconds.items())},
    }
