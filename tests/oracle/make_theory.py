"""Made-up FK tables, well formed and in NNPDF's layout, for every data set that some runcards name.

    python make_theory.py CARD.yml [CARD.yml ...] --output DIR [--theoryid 40000000] [--have DIR ...] [--pdf DIR]

NNPDF's own hadronic FK tables are gigabytes on a server.  This writes tables that can stand in for them in tests of
programs and of their speed: ``DIR/theory_<id>/fastkernel/<table>.pineappl.lz4`` for every table that the metadata in
`nnpdf-data` names for the data sets, positivity and integrability sets of the runcards (with their variants), and
``DIR/theory_<id>/cfactor/CF_<kind>_<table>.dat`` for the C-factors that the runcards name and `nnpdf-data` does not
ship.  Tables that lie in a folder given with ``--have`` are linked instead.  ``DIR/tables_<id>.json`` tells what was
made.  The modules are in ``made_up``; `pineappl` and `nnpdf-data`, which hyperparton needs too, are all that they use.

What is as in real tables
    the names; the number of rows, as metadata, shifts, kinematics and C-factors demand it; PineAPPL's format, evolution
    basis at Q0 with four flavours and `FkTable.optimize`; one proton for DIS, two for hadrons, where a Tevatron table
    is one of two protons with the second one's valence flavours reversed (which is how NNPDF's are, as validphys wants
    protons only) and a deuteron has no isospin; the channels that a process has after evolution (10 of jets and top
    pairs, which do not tell flavours apart, 25 of a Z, 45 of a W; both orders of two flavours are one channel); the 50
    nodes of NNPDF's grid in x from the least momentum fraction of the table upwards; entries only where both x exceed
    those of the hard process; bin widths that are not one.

What is not
    the numbers.  A row is a positive smooth kernel around the momentum fractions that its kinematics give at leading
    order, scaled such that the prediction for one PDF (`--pdf`, a folder in LHAPDF's format, or a toy) is the measured
    value, `--scatter` of its uncorrelated uncertainties off.  Nothing physical follows from them, nor do ranks of
    matrices.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made_up.demands import Request, Rows, requests
from made_up.files import SUFFIX
from made_up.maker import Maker, lhapdf_set, toy_pdf
from nnpdf_data import CFACTOR_PATH, THEORY_CARDS_PATH
from pineappl.fk_table import FkTable


def existing(folders: Sequence[Path]) -> dict[str, Path]:
    """Table -> file, of all folders given (a theory's own, or its fastkernel)."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / "fastkernel" if (folder / "fastkernel").is_dir() else folder).glob(f"*{SUFFIX}")):
            found.setdefault(path.name.removesuffix(SUFFIX), path.resolve())
    return found


def missing_cfactors(wanted: Sequence[Request], rows: Rows) -> dict[tuple[str, str], np.ndarray]:
    """(kind, table) -> made-up factors for the C-factors that nnpdf-data does not ship."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for request in wanted:
        for kind in request.cfactors:
            for member in (m for members in request.operands for m in members):
                if not (CFACTOR_PATH / f"CF_{kind}_{member}.dat").is_file():
                    seed = zlib.crc32(f"{kind} {member}".encode())
                    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
                    found[kind, member] = 1 + 0.02 * np.sin(phase + 0.4 * np.arange(rows.of[member]))
    return found


def write_cfactor(path: Path, factors: np.ndarray) -> None:
    stars = "*" * 80
    head = f"{stars}\nSetName: made up\nAuthor: make_theory.py\n{stars}\n"
    path.write_text(head + "".join(f"{value:.8f}    0.0\n" for value in factors), encoding="utf-8")


def _rows_of(path: Path) -> int:
    return len(FkTable.read(path).bin_normalizations())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cards", type=Path, nargs="+", metavar="CARD.yml")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets theory_<id> in it")
    parser.add_argument("--theoryid", type=int, default=40_000_000)
    parser.add_argument("--have", type=Path, nargs="*", default=[], metavar="DIR", help="theories to link tables of")
    parser.add_argument("--pdf", type=Path, metavar="DIR", help="PDF set to scale predictions for")
    parser.add_argument("--scatter", type=float, default=1.0, help="of predictions, in uncorrelated uncertainties")
    parser.add_argument("--full-grid", action="store_true", help="all 50 nodes in all tables, not optimized")
    parser.add_argument("--least-x", type=float, default=2e-7, help="least node of the hadronic tables")
    options = parser.parse_args(arguments)

    folder = options.output / f"theory_{options.theoryid}"
    (folder / "fastkernel").mkdir(parents=True, exist_ok=True)
    (folder / "cfactor").mkdir(exist_ok=True)
    card = THEORY_CARDS_PATH / f"{options.theoryid}.yaml"
    if not card.is_file():
        raise SystemExit(f"nnpdf-data has no theory card {card.name}")
    shutil.copy(card, folder / "theory_card.yaml")

    there = existing(options.have)
    wanted = requests(options.cards)
    named = {member for request in wanted for members in request.operands for member in members}
    rows = Rows({name: _rows_of(path) for name, path in there.items() if name in named})
    for request in wanted:
        rows.settle(request)
    for name in sorted(named & set(there)):
        link = folder / "fastkernel" / f"{name}{SUFFIX}"
        link.unlink(missing_ok=True)
        link.symlink_to(there[name])
    cfactors = missing_cfactors(wanted, rows)
    for (kind, member), factors in cfactors.items():
        write_cfactor(folder / "cfactor" / f"CF_{kind}_{member}.dat", factors)

    xf = toy_pdf if options.pdf is None else lhapdf_set(options.pdf)
    maker = Maker(xf, options.scatter, options.full_grid, options.least_x, rows, cfactors)
    told: dict[str, Any] = {}
    # tables that are compared with data on their own come first: divisors may be among them
    wanted.sort(key=lambda request: request.operation not in ("NULL", "NONE"))
    for number, request in enumerate(wanted):
        for member in maker.data_set(request, set(there)):
            table = maker.made[member]
            path = folder / "fastkernel" / f"{member}{SUFFIX}"
            shape = table.write(path, not options.full_grid)
            told[member] = {
                "set": request.name, "kind": table.kind, "rows": shape[0], "channels": shape[1], "x": shape[2],
                "entries": int(np.prod(shape)), "bytes": path.stat().st_size,
            }  # fmt: skip
            table.values = np.zeros((0, *table.values.shape[1:]))  # it is on disk; its predictions are kept
        print(f"[{number + 1}/{len(wanted)}] {request.name} {request.variant or ''}", file=sys.stderr)
    total = sum(entry["entries"] for entry in told.values())
    summary = {"tables": told, "entries": total, "cfactors": len(cfactors), "notes": maker.notes}
    (options.output / f"tables_{options.theoryid}.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    linked = len(named & set(there))
    print(f"{len(told)} tables made, {linked} linked, {len(cfactors)} C-factors, {total / 1e6:.0f} million entries")
    for note in maker.notes:
        print(note)


if __name__ == "__main__":
    main()
