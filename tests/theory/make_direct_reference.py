"""Writes data/direct_reference.json: predictions without tables, by plain yadism and by eko at the very scale.

Needs the extra `theory`; minutes for a point, most of it eko's:

    python tests/theory/make_direct_reference.py [--theories 40000000 208]

The PDF set is the one that ships.  Nothing that makes the tables cheap takes part: no common quadrature, no
remembered coefficients, no interpolation between scales.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from hyperparton.data import SHIPPED_SET, find_pdfset
from hyperparton.theory.card import read_card
from hyperparton.theory.direct import DirectTheory
from hyperparton.theory.grids import x_grid
from hyperparton.theory.plan import Limits, plan

OUTPUT = Path(__file__).parent / "data" / "direct_reference.json"
#: data set -> (table, row): points at two scales, one below and one above the bottom mass
POINTS = {
    "NNPDF_POS_2P24GEV_F2C-17PTS": ("NNPDF_POS_F2C_40_17PTS", 12),
    "NNPDF_POS_2P24GEV_F2U": ("NNPDF_POS_F2U_40", 12),
    "NNPDF_POS_2P24GEV_FLL-19PTS": ("NNPDF_POS_FLL_40_19PTS", 10),
    "SLAC_NC_NOTFIXED_P_EM-F2": ("SLAC_NC_EM_P_F2", None),
    "BCDMS_NC_NOTFIXED_D_EM-F2": ("BCDMS_NC_200GEV_EM_D_F2", None),
    "CHORUS_CC_NOTFIXED_PB_NB-SIGMARED": ("CHORUS_CC_NB_PB_SIGMARED", None),
    "HERA_NC_318GEV_EP-SIGMARED": ("HERA_NC_318GEV_EP_SIGMARED", None),
    "HERA_CC_318GEV_EP-SIGMARED": ("HERA_CC_318GEV_EP_SIGMARED", None),
    "HERA_NC_318GEV_EAVG_CHARM-SIGMARED": ("HERA_NC_318GEV_EAVG_SIGMARED_CHARM", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theories", nargs="+", default=["40000000", "208"])
    parser.add_argument("--datasets", nargs="+", default=list(POINTS))
    arguments = parser.parse_args()
    known = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.is_file() else {}
    for number in arguments.theories:
        card = read_card(number)
        xf = find_pdfset(SHIPPED_SET).evolution_basis(np.array(x_grid()), card.q0, [0])[0]
        theory = DirectTheory(card, xf)
        values = known.setdefault(number, {})
        for dataset in arguments.datasets:
            name, index = POINTS[dataset]
            table = next(each for each in plan([dataset], Limits()) if each.name == name)
            rows = {row.index: row for row in table.rows}
            row = rows[sorted(rows)[int(0.7 * len(rows))] if index is None else index]
            value = theory.predict(row.observable, row.point)
            values[name] = {"row": row.index, "q2": row.point.q2, "x": row.point.x, "value": float(f"{value:.9g}")}
            print(number, name, values[name], flush=True)
            OUTPUT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
