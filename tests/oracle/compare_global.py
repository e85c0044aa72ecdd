"""Compares hyperparton's data layer with what `make_global_reference.py` stored of validphys, for a whole runcard.

    python tests/oracle/compare_global.py CARD.yml --theory DIR --reference FILE.npz

Prints the largest difference of each kind and ends with exit code 1 if one is larger than `BOUNDS`.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hyperparton.data.load import load_fit_data
from hyperparton.data.pdfsets import find_pdfset
from hyperparton.data.predictions import chi2, chi2_by_dataset, predict
from hyperparton.data.types import FitData
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.check import read_runcard

script = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("make_global_reference.py"))))

#: what is compared -> the largest difference that rounding explains
BOUNDS = {
    "sets": 0.0,  # how many are not the same, points after cuts included
    "central values": 0.0,
    "predictions": 1e-9,
    "standard deviations": 1e-10,
    "covariance": 1e-9,  # of the vectors' products with correlations
    "chi2": 1e-8,
}


def load(card: Path, theory: Path) -> FitData:
    """The data of a card with the PDF set of the reference as t0 set; without training fractions, as there."""
    made = read_runcard(card)
    assert isinstance(made, Runcard)
    return load_fit_data(made, theory, script.PDF_SET)


def differences(data: FitData, reference: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest difference of each kind in `BOUNDS`; relative, if it is not a number of sets."""
    special = data.positivity + data.integrability
    found = dict.fromkeys(BOUNDS, 0.0)
    names = [*(each.name for each in data.datasets), *(each.name for each in special)]
    found["sets"] += float(names != [*reference["names"], *reference["special_names"]])
    for each in data.datasets:
        found["sets"] += float(not np.array_equal(each.kept, reference[f"kept_{each.name}"]))
    for each in special:
        found["sets"] += float(each.ndata != len(reference[f"kept_{each.name}"]))
    if found["sets"]:
        return found
    found["central values"] = float(np.max(np.abs(data.central - reference["central"])))
    pdfset = find_pdfset(script.PDF_SET)
    for each in (*(dataset.observable for dataset in data.datasets), *special):
        ours = predict(each, lambda x, q0: pdfset.evolution_basis(x, q0, members=[0])[0])
        theirs = reference[f"predictions_{each.name}"]
        # a point of an integrability or positivity set may be near zero
        scale = np.abs(theirs) if each not in special else np.abs(theirs).max()
        _largest(found, "predictions", (ours - theirs) / scale)
    predictions = np.concatenate([reference[f"predictions_{dataset.name}"] for dataset in data.datasets])
    for name, matrix in (("t0", data.covmat), ("experimental", data.experimental_covmat)):
        ours = script.digest(matrix)
        _largest(found, "standard deviations", ours["sigma"] / reference[f"{name}_sigma"] - 1)
        products = reference[f"{name}_products"]
        _largest(found, "covariance", (ours["products"] - products) / np.abs(products).max())
        totals = [float(chi2(data.central, predictions, matrix))]
        totals += chi2_by_dataset(data.datasets, predictions, matrix).values()
        _largest(found, "chi2", np.array(totals) / reference[f"{name}_chi2"] - 1)
    return found


def _largest(found: dict[str, float], kind: str, values: np.ndarray) -> None:
    found[kind] = max(found[kind], float(np.max(np.abs(values))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path, metavar="CARD.yml")
    parser.add_argument("--theory", type=Path, required=True, metavar="DIR")
    parser.add_argument("--reference", type=Path, required=True, metavar="FILE.npz")
    arguments = parser.parse_args()
    with np.load(arguments.reference, allow_pickle=False) as file:
        reference = dict(file)
    data = load(arguments.card, arguments.theory)
    found = differences(data, reference)
    print(f"{data.ndata} points in {len(data.datasets)} sets")
    for kind, largest in found.items():
        print(f"{kind}: {largest:.1e}" + (f", more than {BOUNDS[kind]:.0e}" if largest > BOUNDS[kind] else ""))
    if any(largest > BOUNDS[kind] for kind, largest in found.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
