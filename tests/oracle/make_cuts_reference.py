"""Makes ``data/cuts_reference.npz``: which points validphys keeps for the keys that say so.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_cuts_reference.py [FILE [CASE ...]]

With cases, those of FILE are replaced, and the others stay.
The card is ``tests/data/treatment.yml``, the tables are those of ``make_treatment_reference.py``.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

LHCB, CHARM, SLAC, NMC = (
    "LHCB_Z0_7TEV_MUON_Y",
    "HERA_NC_318GEV_EAVG_CHARM-SIGMARED",
    "SLAC_NC_NOTFIXED_P_EM-F2",
    "NMC_NC_NOTFIXED_P_EM-SIGMARED",
)
BOTH = [{"theoryid": 40_000_000}, {"theoryid": 208}]
RULES = [
    {"process_type": "DIS_ALL", "rule": "Q2 > q2min and x < 0.5"},
    {"dataset": LHCB, "rule": "y > 2.4", "PTO": "NNLO+"},
    {"process_type": "POS_XPDF", "rule": "x > 1e-3"},
    {"dataset": "NNPDF_POS_2P24GEV_F2U", "rule": "x < 0.1"},
]
ADDED = [{"dataset": "NNPDF_POS_2P24GEV_F2U", "rule": "x > 1e-4"}, {"dataset": SLAC, "rule": "x < 0.3"}]
PDFS = [{**entry, "pdf": "HYPERPARTON_dis_t0"} for entry in BOTH]
SIMILAR = {"use_cuts": "fromsimilarpredictions", "cuts_intersection_spec": PDFS, "cut_similarity_threshold": 0.2}
#: case -> the keys of cuts that it has, whichever their places in a card are
CASES: dict[str, dict[str, Any]] = {
    "internal": {},
    "added": {"added_filter_rules": ADDED},
    "nocuts": {"use_cuts": "nocuts", "added_filter_rules": ADDED},
    "nocuts, rules": {"use_cuts": "nocuts", "filter_rules": RULES, "added_filter_rules": ADDED},
    "dropped": {"drop_internal_rules": [LHCB, CHARM]},
    "dropped, added": {"drop_internal_rules": [LHCB], "added_filter_rules": [{"dataset": LHCB, "rule": "y > 4"}]},
    "rules": {"filter_rules": RULES},
    "rules, added": {"filter_rules": RULES, "added_filter_rules": ADDED},
    "rules, dropped": {"filter_rules": RULES, "drop_internal_rules": [LHCB]},
    "intersection": {"use_cuts": "fromintersection", "cuts_intersection_spec": BOTH, "added_filter_rules": ADDED},
    "intersection of one": {"use_cuts": "fromintersection", "cuts_intersection_spec": BOTH[1:]},
    "intersection of limits": {
        "use_cuts": "fromintersection",
        "cuts_intersection_spec": [
            {"theoryid": 208, "q2min": 12.0, "drop_internal_rules": [LHCB]},
            {"w2min": 40.0, "added_filter_rules": [{"dataset": NMC, "rule": "x < 0.2"}]},
            {"theoryid": 40_000_000, "filter_rules": RULES},
        ],
    },
    "intersection of a limit": {
        "use_cuts": "fromintersection",
        "cuts_intersection_spec": [BOTH[0], {**BOTH[1], "q2min": 20.0}],
    },
    "limits": {"q2min": None, "w2min": None, "filter_defaults": {"q2min": 10.0, "w2min": 20.0, "maxTau": 0.05}},
    "similar": SIMILAR,
    "similar, but for some": {
        **SIMILAR,
        "cut_similarity_threshold": 0.05,
        "do_not_require_similarity_for": [SLAC, LHCB],
    },
}


def kept(inputs: dict[str, Any], card: dict[str, Any]) -> dict[str, np.ndarray]:
    """The points of each data set and each positivity or integrability set."""
    from validphys.api import API
    from validphys.filters import get_cuts_for_dataset

    get_cuts_for_dataset.cache_clear()  # it keeps points by the words of the rules, whatever the limits are
    data = API.data(**inputs)
    special = API.posdatasets(**inputs, positivity=card["positivity"])
    special += API.integdatasets(**inputs, integrability=card["integrability"])
    found = {}
    for dataset in (*data.datasets, *special):
        everything = np.arange(dataset.commondata.ndata)
        found[dataset.name] = np.array(dataset.cuts.load() if dataset.cuts else everything, dtype=np.int16)
    return found


def main() -> None:
    from ruamel.yaml import YAML

    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data" / "cuts_reference.npz"
    treatment = SimpleNamespace(**runpy.run_path(str(HERE / "make_treatment_reference.py")))
    script = SimpleNamespace(**runpy.run_path(str(HERE / "make_data_reference.py")))
    out: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as scratch:
        treatment.make_tables(Path(scratch))
        script.prepare_environment(SimpleNamespace(theories=Path(scratch), lhapdf=ROOT / "src/hyperparton/lhapdf"))
        card = YAML(typ="safe").load(treatment.CARD.read_text(encoding="utf-8"))
        common = {"dataset_inputs": card["dataset_inputs"], "theoryid": card["theory"]["theoryid"]}
        for case in sys.argv[2:] or CASES:
            keys = CASES[case]
            inputs = {**common, "use_cuts": "internal", **card["datacuts"], **keys}
            inputs = {key: value for key, value in inputs.items() if value is not None}
            out |= {f"{case}/{name}": points for name, points in kept(inputs, card).items()}
    known = dict(np.load(target)) if target.exists() else {}
    np.savez_compressed(target, **{**known, **out})
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
