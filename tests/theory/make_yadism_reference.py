"""Writes data/yadism_reference.json: structure functions of plain yadism at a few points, part by part of FONLL.

Needs the extra `theory`; takes about a minute, and longer where numba has yet to compile yadism:

    python tests/theory/make_yadism_reference.py

Each value is the sum over partons and x of yadism's coefficients times f of the PDF set that ships at Q0 (no
evolution), for each power of a_s; f itself is in the file too, so that the reference outlives the set.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hyperparton.data.pdfsets import SHIPPED_SET, find_pdfset
from hyperparton.theory.card import read_card
from hyperparton.theory.coefficients import Point, YadismObservable
from hyperparton.theory.direct import plain_coefficients
from hyperparton.theory.fonll import parts_of
from hyperparton.theory.grids import x_grid
from hyperparton.theory.optional import require

OUTPUT = Path(__file__).parent / "data" / "yadism_reference.json"
PARTS = ("massive3", "limit3", "massless4", "mass4", "limit4", "massless5")
POINTS = {
    "F2": (YadismObservable("F2_total", "NC"), Point(0.275, 6.2)),
    "HERA NC": (YadismObservable("XSHERANC", "NC"), Point(0.0013, 90.0, 0.5)),
    "HERA CC": (YadismObservable("XSHERACC", "CC", "positron"), Point(0.013, 1000.0, 0.3)),
    "CHORUS": (YadismObservable("XSCHORUSCC", "CC", "neutrino", "lead"), Point(0.1, 12.0, 0.5)),
}


def parton_densities() -> np.ndarray:
    """(pid, x) f at Q0 in eko's flavour basis."""
    rotation = require("eko.basis_rotation").rotate_flavor_to_evolution
    x = np.array(x_grid())
    return np.linalg.inv(rotation) @ (find_pdfset(SHIPPED_SET).evolution_basis(x, 1.65, [0])[0] / x)


def main() -> None:
    card, f = read_card("40000000"), parton_densities()
    parts = {part.name: part for part in parts_of(card)}
    values: dict[str, dict[str, list[float]]] = {}
    for name, (observable, point) in POINTS.items():
        values[name] = {}
        for part in PARTS:
            orders = plain_coefficients(card, parts[part], observable, point)
            values[name][part] = [float(f"{np.sum(orders[order] * f):.9g}") for order in sorted(orders)]
            print(name, part, values[name][part], flush=True)
    OUTPUT.write_text(json.dumps({"values": values, "f": f.tolist()}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
