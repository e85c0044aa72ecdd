"""Makes ``data/global_reference.npz``: what validphys says of a runcard whose tables `make_theory.py` made up.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed.  Without arguments it makes the tables
of ``tests/data/hadronic.yml`` and writes the numbers that ``tests/oracle/test_global_reference.py`` compares with:

    python tests/oracle/make_global_reference.py

For a whole card, such as NNPDF's global one, make the tables first; ``compare_global.py`` then compares:

    python tests/oracle/make_theory.py CARD.yml --output TABLES
    python tests/oracle/make_global_reference.py --card CARD.yml --theories TABLES --out REFERENCE.npz
    python tests/oracle/compare_global.py CARD.yml --theory TABLES --reference REFERENCE.npz

The PDF is the set that ships with hyperparton, whatever the card names.  The covariance matrices are kept as their
diagonals, products with fixed random vectors and the chi2 of all data and of each set.
"""

from __future__ import annotations

import argparse
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CARD = ROOT / "tests/data/hadronic.yml"
PDF_SET = "HYPERPARTON_dis_t0"
#: how the tables of the test are made: few nodes in x, and those of one proton are the ones that ship
SMALL = ("--least-x", "3e-3", "--have", str(ROOT / "src/hyperparton/theories/theory_40000000"))


def make_tables(card: Path, folder: Path, *options: str) -> None:
    """All tables that `card` names in ``folder/theory_<id>``, by `make_theory.py`."""
    command = [sys.executable, str(HERE / "make_theory.py"), str(card), "--output", str(folder), *options]
    subprocess.run(command, check=True, capture_output=True, text=True)


def vectors(ndata: int) -> np.ndarray:
    """(4, dat) fixed random vectors."""
    return np.random.default_rng(20240502).normal(size=(4, ndata))


def digest(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Of a covariance matrix (dat, dat): standard deviations, and products in units of these."""
    sigma = np.sqrt(np.diag(matrix))
    return {"sigma": sigma, "products": vectors(len(matrix)) @ (matrix / np.outer(sigma, sigma))}


def predictions(dataset: Any, pdf: Any) -> np.ndarray:
    """Of a data, positivity or integrability set, by validphys."""
    from validphys.convolution import central_predictions

    return central_predictions(dataset, pdf).to_numpy().ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", type=Path, default=CARD)
    parser.add_argument("--theories", type=Path, help="folder with theory_<id>; made here if it is not given")
    parser.add_argument("--out", type=Path, default=HERE / "data" / "global_reference.npz")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        theories = arguments.theories
        if theories is None:
            theories = Path(scratch)
            make_tables(arguments.card, theories, *SMALL)
        known = SimpleNamespace(**runpy.run_path(str(HERE / "make_data_reference.py")))
        known.prepare_environment(SimpleNamespace(theories=theories, lhapdf=ROOT / "src/hyperparton/lhapdf"))
        out = reference(arguments.card, known.chi2s)
    np.savez_compressed(arguments.out, **out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e3:.0f} kB, {len(out['central'])} points")


def reference(card_path: Path, chi2s: Any) -> dict[str, np.ndarray]:
    """All numbers of a card."""
    from ruamel.yaml import YAML
    from validphys.api import API

    card = YAML(typ="safe").load(card_path.read_text(encoding="utf-8"))
    inputs = {
        "dataset_inputs": [{k: v for k, v in each.items() if k != "frac"} for each in card["dataset_inputs"]],
        "theoryid": card["theory"]["theoryid"],
        "use_cuts": "internal",
        "use_t0": True,
        "pdf": PDF_SET,
        **card["datacuts"],
        "t0pdfset": PDF_SET,
    }
    if "added_filter_rules" in card:
        inputs["added_filter_rules"] = card["added_filter_rules"]
    data, pdf = API.data(**inputs), API.pdf(**inputs)
    special = API.posdatasets(**inputs, positivity=card["positivity"])
    special += API.integdatasets(**inputs, integrability=card["integrability"])
    out: dict[str, np.ndarray] = {
        "names": np.array([dataset.name for dataset in data.datasets]),
        "special_names": np.array([dataset.name for dataset in special]),
    }
    for dataset in (*data.datasets, *special):
        out[f"kept_{dataset.name}"] = np.array(dataset.cuts.load(), dtype=np.int16)
        out[f"predictions_{dataset.name}"] = predictions(dataset, pdf)
    ends = np.cumsum([len(dataset.cuts.load()) for dataset in data.datasets])
    out["central"] = np.concatenate([each.get_cv() for each in API.dataset_inputs_loaded_cd_with_cuts(**inputs)])
    residuals = np.concatenate([out[f"predictions_{name}"] for name in out["names"]]) - out["central"]
    for name, matrix in (
        ("t0", API.dataset_inputs_t0_covmat_from_systematics(**inputs)),
        ("experimental", API.dataset_inputs_covmat_from_systematics(**inputs)),
    ):
        out |= {f"{name}_{key}": value for key, value in digest(matrix).items()}
        out[f"{name}_chi2"] = chi2s(residuals, matrix, ends)
    return out


if __name__ == "__main__":
    main()
