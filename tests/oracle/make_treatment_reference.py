"""Makes ``data/treatment_reference.npz``: what validphys makes of the keys that say how data are treated.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_treatment_reference.py [FILE]

The card is ``tests/data/treatment.yml``; the tables of two protons that it needs are made up.  Of each case there are
the covariance matrix of the fit and its chi2, the groups of the data sets, and three data replicas.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CARD = ROOT / "tests/data/treatment.yml"
#: without resampling, cross sections of replica 5 are negative, and with factors apart of replica 36
REPLICAS = (1, 5, 36)
#: data set -> its weight, where a case has weights
WEIGHTS = {"NMC_NC_NOTFIXED_P_EM-SIGMARED": 2.5, "HERA_NC_318GEV_EAVG_BOTTOM-SIGMARED": 0.5, "LHCB_Z0_7TEV_MUON_Y": 3}
#: theories, of t0 predictions too
THEORIES = (40_000_000, 208)

KEYS = ("use_t0_sampling", "separate_multiplicative", "resample_negative_pseudodata")
#: case -> the keys that it adds to the card; `weights` stands for those above
CASES: dict[str, dict[str, Any]] = {
    **{
        "".join("01"[value] for value in values): dict(zip(KEYS, values, strict=True))
        for values in product((True, False), repeat=3)
    },
    "weights": {"weights": True},
    "weights, experimental": {"weights": True, "use_t0_sampling": False},
    "weights, separate": {"weights": True, "separate_multiplicative": True},
    "weights that do not count": {"weights": True, "use_weights_in_covmat": False},
    "regularised": {"norm_threshold": 2},
    "regularised, experimental": {"norm_threshold": 2.0, "use_t0_sampling": False},
    "regularised, weights, groups": {"norm_threshold": 2.0, "weights": True, "diagonal_basis": False},
    "t0theoryid": {"t0theoryid": 208},
    "t0theoryid, separate": {"t0theoryid": 208, "separate_multiplicative": True},
    "by default": {"diagonal_basis": False},
    "by data_grouping": {"diagonal_basis": False, "data_grouping": "standard_report"},
    "all by data_grouping": {"diagonal_basis": False, "data_grouping": "thcovmat_fit"},
    **{
        f"by {group}": {"diagonal_basis": False, "metadata_group": group}
        for group in ("ALL", "experiment", "nnpdf31_process", "process_type", "dataset_label", "custom_group")
    },
    **{
        f"theory {'01'[t0]}{'01'[separate]}": {"theory": {}, "use_t0_sampling": t0, "separate_multiplicative": separate}
        for t0, separate in product((True, False), repeat=2)
    },
    "theory in the fit": {"theory": {"use_thcovmat_in_sampling": False}},
    "theory in the replicas": {
        "theory": {"use_thcovmat_in_fitting": False, "mult_factor": 2.5},
        "diagonal_basis": False,
    },
    "theory, weights": {"theory": {}, "weights": True, "norm_threshold": 2.0},
}
#: process and name of the data sets of the theory covariance matrix, in its order, and their points before cuts
THEORY_SETS = (
    ("DIS NC", "HERA_NC_318GEV_EAVG_CHARM-SIGMARED", 52),
    ("DIS NC", "NMC_NC_NOTFIXED_P_EM-SIGMARED", 292),
    ("DY CC", "ATLAS_WPWM_7TEV_36PB_ETA", 22),
    ("SINGLETOP", "CMS_SINGLETOP_7TEV_TCHANNEL-XSEC", 1),
)
USER_FILE = "user_covmat.csv"


def make_tables(folder: Path) -> None:
    """The tables of both theories in ``folder/theory_<id>``; they differ in those of one proton, which ship."""
    script = SimpleNamespace(**runpy.run_path(str(HERE / "make_global_reference.py")))
    least = script.SMALL[: script.SMALL.index("--have")]
    there: list[Path] = []
    for theory in THEORIES:
        shipped = ROOT / f"src/hyperparton/theories/theory_{theory}"
        script.make_tables(CARD, folder, *least, "--have", *map(str, [shipped, *there]), "--theoryid", str(theory))
        there.append(folder / f"theory_{theory}")


def write_user_covmat(folder: Path) -> None:
    """A covariance matrix of theory as a table of validphys, with a few variances of the size of those of the data."""
    points = [(group, name, place) for group, name, count in THEORY_SETS for place in range(count)]
    size = np.array(
        [{"CMS_SINGLETOP_7TEV_TCHANNEL-XSEC": 9e3, "ATLAS_WPWM_7TEV_36PB_ETA": 1e4}.get(p[1], 0.03) for p in points]
    )
    shifts = np.random.default_rng(20240504).normal(size=(len(points), 3)) * size[:, None]
    matrix = shifts @ shifts.T
    with (folder / USER_FILE).open("w", encoding="utf-8") as file:
        for level, name in enumerate(("group", "dataset", "id")):
            print(name, "", "", *(point[level] for point in points), sep="\t", file=file)
        print("group", "dataset", "id", *([""] * len(points)), sep="\t", file=file)
        for point, row in zip(points, matrix, strict=True):
            print(*point, *(repr(float(value)) for value in row), sep="\t", file=file)


def with_theory(given: dict[str, Any], config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The inputs with the matrix as vp-setupfit leaves it for n3fit."""
    from reportengine.table import savetable
    from validphys.api import API

    made = {"user_covmat_path": USER_FILE, "mult_factor": config.get("mult_factor", 1.0)}
    (folder / "tables").mkdir(exist_ok=True)
    table = API.user_covmat_fitting(**given, **made)
    savetable(table, folder / "tables/datacuts_theory_theorycovmatconfig_user_covmat.csv")
    flags = {key: config.get(key, True) for key in ("use_thcovmat_in_fitting", "use_thcovmat_in_sampling")}
    return {**given, **flags, **made, "output_path": folder, "load_thcovmat_from_file": True}


def inputs(card: dict, case: str) -> dict[str, Any]:
    """Of validphys, for a case."""
    keys = dict(CASES[case])
    keys.pop("theory", None)
    sets = [dict(entry) for entry in card["dataset_inputs"]]
    if keys.pop("weights", False):
        sets = [{**entry, "weight": WEIGHTS.get(entry["dataset"], 1)} for entry in sets]
    common = {
        "theoryid": card["theory"]["theoryid"],
        "use_cuts": "internal",
        "use_t0": True,
        "genrep": True,
        "mcseed": card["mcseed"],
        "trvlseed": card["trvlseed"],
    }
    return {"dataset_inputs": sets, **common, **card["datacuts"], **keys}


def of_case(given: dict[str, Any], script: SimpleNamespace) -> dict[str, np.ndarray]:
    """The numbers of a case; rows are in the order of the groups, whose data sets `names` lists."""
    from validphys.api import API

    groups = API.group_dataset_inputs_by_metadata(**given)
    out = {
        "names": np.array([entry.name for group in groups for entry in group["data_input"]]),
        "groups": np.array([group["group_name"] for group in groups for _ in group["data_input"]]),
    }
    blocks = [API.dataset_inputs_fitting_covmat(**{**given, "dataset_inputs": listed(group)}) for group in groups]
    residuals = []
    for group in groups:
        part = {key: value for key, value in given.items() if key != "t0theoryid"} | {"dataset_inputs": listed(group)}
        residuals.append(np.concatenate(API.dataset_inputs_t0_predictions(**part)))
        residuals[-1] -= np.concatenate([each.get_cv() for each in API.dataset_inputs_loaded_cd_with_cuts(**part)])
    ends = [np.array([len(block)]) for block in blocks]
    parts = zip(residuals, blocks, ends, strict=True)
    out["chi2"] = np.array([script.chi2s(residual, block, end)[0] for residual, block, end in parts])
    out["sigma"] = np.concatenate([np.sqrt(np.diag(block)) for block in blocks])
    out["products"] = np.concatenate(
        [vectors(len(b)) @ (b / np.sqrt(np.outer(np.diag(b), np.diag(b)))) for b in blocks], 1
    )
    replicas = [API.experiment_indexed_make_replica(**given, replica=number) for number in REPLICAS]
    out["replicas"] = np.array([np.concatenate([part.to_numpy()[:, 0] for part in parts]) for parts in replicas])
    return out


def listed(group: dict[str, Any]) -> list[dict[str, Any]]:
    """A group of validphys as the entries of a card."""
    keys = ("cfac", "frac", "weight", "custom_group", "variant")
    return [{"dataset": each.name, **{key: getattr(each, key) for key in keys}} for each in group["data_input"]]


def vectors(ndata: int) -> np.ndarray:
    """(2, dat) fixed random vectors."""
    return np.random.default_rng(20240503).normal(size=(2, ndata))


def main() -> None:
    from ruamel.yaml import YAML

    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE / "data" / "treatment_reference.npz"
    script = SimpleNamespace(**runpy.run_path(str(HERE / "make_data_reference.py")))
    out: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as scratch:
        make_tables(Path(scratch))
        script.prepare_environment(SimpleNamespace(theories=Path(scratch), lhapdf=ROOT / "src/hyperparton/lhapdf"))
        card = YAML(typ="safe").load(CARD.read_text(encoding="utf-8"))
        os.chdir(scratch)  # where validphys looks for files of the user
        write_user_covmat(Path(scratch))
        for case in CASES:
            given = inputs(card, case)
            if "theory" in CASES[case]:
                given = with_theory(given, CASES[case]["theory"], Path(scratch))
            out |= {f"{case}/{key}": value for key, value in of_case(given, script).items()}
            print(case)
    np.savez_compressed(target, **out)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
