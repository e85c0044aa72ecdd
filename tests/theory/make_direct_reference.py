"""Writes data/direct_reference.json: predictions without tables, by plain yadism and by eko at the very scale.

Needs the extra `theory`; the better part of an hour on one core, of which nothing is lost if it is stopped:

    python tests/theory/make_direct_reference.py --pieces FOLDER [--jobs N] [--theories 40000000 208]

The PDF set is the one that ships.  Nothing that makes the tables cheap takes part: no common quadrature, no
remembered coefficients, no interpolation between scales.  For the latter the file has x f of some partons after
evolution to the scales between which tables interpolate, and to the very scales of the points.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from hyperparton.data.pdfsets import SHIPPED_SET, find_pdfset
from hyperparton.data.theory_folder import SHIPPED
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import TheoryCard, read_card
from hyperparton.theory.direct import DirectTheory, direct_jobs, sample_rows
from hyperparton.theory.evolution import nodes_for, segments_to
from hyperparton.theory.fonll import parts_of
from hyperparton.theory.grids import x_grid
from hyperparton.theory.jobs import EvolutionJob, Row
from hyperparton.theory.optional import require
from hyperparton.theory.plan import KinematicLimits, expand_datasets, plan_tables
from hyperparton.theory.pool import run_jobs

OUTPUT = Path(__file__).parent / "data" / "direct_reference.json"
#: theory -> rows of each table
EACH = {"40000000": 2, "208": 1}
PARTONS = (21, 2, -2, 3, 4, 5)
#: places in the x grid: about 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.7
PLACES = tuple(int(np.abs(np.array(x_grid()) - x).argmin()) for x in (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.7))


def evolved(theory: DirectTheory, nf: int, q2: float) -> list[list[float]]:
    """[parton][place] x f with `nf` flavours."""
    pids = list(require("eko.basis_rotation").flavor_basis_pids)
    xf = theory.evolved(nf, q2) * np.array(x_grid())
    return [[float(f"{xf[pids.index(pid), place]:.7g}") for place in PLACES] for pid in PARTONS]


def evolution(theory: DirectTheory, rows: list[Row]) -> dict[str, object]:
    """nf -> x f at the scales between which tables interpolate, and at those of the rows."""
    card, found = theory.card, {}
    for nf in (3, 4, 5):
        nodes = nodes_for(card, nf, KinematicLimits().q2min).q2
        counted = {row.point.q2 for row in rows for p in parts_of(card) if p.nf == nf and p.counts(row.point.q2)}
        scales = {"nodes": nodes, "exact": sorted(counted - set(nodes))}
        found[str(nf)] = {key: [[q2, evolved(theory, nf, q2)] for q2 in some] for key, some in scales.items()}
    return found


def reference(card: TheoryCard, each: int, pieces: PieceCache, workers: int) -> dict[str, object]:
    """Everything about one theory."""
    rows = sample_rows(plan_tables(expand_datasets(["all"]), KinematicLimits()), each)
    scales = [(nf, q2) for nf in (3, 4, 5) for q2 in nodes_for(card, nf, KinematicLimits().q2min).q2]
    nodes = {segment for nf, q2 in scales for segment in segments_to(card, nf, q2)}
    jobs = {job.path(pieces): job for job in (*direct_jobs(card, rows), *(EvolutionJob(card, node) for node in nodes))}
    run_jobs(list(jobs.values()), pieces, workers, lambda progress: print(progress, flush=True))
    theory = DirectTheory(card, find_pdfset(SHIPPED_SET).evolution_basis(np.array(x_grid()), card.q0, [0])[0], pieces)
    predictions: dict[str, list[list[float]]] = {}
    for row in rows:
        value = theory.predict(row.observable, row.point)
        entry = [row.index, row.point.q2, row.point.x, float(f"{value:.9g}")]
        predictions.setdefault(row.table, []).append(entry)
    return {"predictions": predictions, "evolution": evolution(theory, rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", required=True, type=Path, help="folder that keeps what is computed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--theories", nargs="+", default=list(EACH))
    arguments = parser.parse_args()
    known = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.is_file() else {}
    known |= {"x": [x_grid()[place] for place in PLACES], "partons": PARTONS}
    for number in arguments.theories:
        card = read_card(SHIPPED / f"theory_{number}" / "theory_card.yaml")  # as `check --direct` does
        known[number] = reference(card, EACH[number], PieceCache(arguments.pieces), arguments.jobs)
        OUTPUT.write_text(json.dumps(known, indent=None) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
