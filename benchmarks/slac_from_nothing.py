"""Builds the FK table of SLAC p from nothing and compares it with the one that ships.

    python benchmarks/slac_from_nothing.py [--theory 40000000] [--jobs 2]

Needs the extra `theory`.  Nearly all of the time goes into evolution.  Exit code 0 if every prediction of the PDF set
that ships agrees to 1e-6, 1 if not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hyperparton.data.theory import find_theory
from hyperparton.theory.build import build
from hyperparton.theory.check import check_theory, table_predictions

DATASET, TABLE = "SLAC_NC_NOTFIXED_P_EM-F2", "SLAC_NC_EM_P_F2"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theory", default="40000000")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--dataset", default=DATASET)
    parser.add_argument("--table", default=TABLE)
    arguments = parser.parse_args()
    shipped = find_theory(int(arguments.theory)).source.path
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        built = build(arguments.theory, [arguments.dataset], folder, workers=arguments.jobs, report=print)
        print(f"built in {time.monotonic() - started:.0f} s")
        for fault in check_theory(built).faults:
            print(f"fault: {fault}")
        new, old = (table_predictions(Path(path), arguments.table) for path in (built, shipped))
    computed = old != 0
    difference = float(np.abs(new[computed] / old[computed] - 1).max())
    print(f"{int(computed.sum())} points, largest relative difference from the table that ships: {difference:.1e}")
    return int(not difference < 1e-6)


if __name__ == "__main__":
    sys.exit(main())
