"""Fits and a k-fold trial on all DIS data, to compare with n3fit's on the same cards (docs/validation.md).

    python benchmarks/compare_with_n3fit.py fit CARD [--replicas R]
    python benchmarks/compare_with_n3fit.py trial CARD [--replicas R]

`trial` fits the folds of CARD with the parameters of the first trial that n3fit draws for it, once with each fold's
own data hidden and once as n3fit 4.1.5 hides them where `diagonal_basis` is on: its masks of points applied to
eigenmodes.  Each replica stands for a trial of one replica.
"""

from __future__ import annotations

import argparse

import numpy as np

from hyperparton.data.load import load_fit_data
from hyperparton.data.masks import diagonal_mask, diagonalise, kfold_masks
from hyperparton.fit.chi2 import ReducedChi2, reduce_rows
from hyperparton.fit.folds import Fold
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.run import run_fit
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import read_runcard
from hyperparton.runcard.parameters import trial_parameters

#: what n3fit's scan of its dis_scan.yml draws first
FIRST_TRIAL = {
    "nodes_per_layer": [37, 33, 41, 8],
    "activation_per_layer": ["tanh", "tanh", "tanh", "linear"],
    "initializer": "glorot_uniform",
    "optimizer": {
        "optimizer_name": "Adam",
        "learning_rate": 0.009544816855218366,
        "clipnorm": 1.810395936731622e-07,
    },
    "epochs": 1324,
    "stopping_patience": 0.36,
    "dropout": 0.06,
    "positivity": {"initial": 140.17655333671672},
    "integrability": {"initial": 10},
    "threshold_chi2": 3.5,
}


def folds_of_n3fit(setup: FitSetup) -> list[Fold]:
    """Masks of points used on eigenmodes, chi2 divided by the points of all data: what n3fit does."""
    data, own = setup.data, setup.folds
    modes, origin = diagonalise(data.covmat), own[0].experimental.origin
    whitening = modes.rotation / np.sqrt(modes.eigenvalues)[:, None]
    rows, measured = whitening @ setup.compressed.matrix, whitening @ data.central
    masks = [diagonal_mask(data.ndata, seed, setup.card.diagonal_frac) for seed in setup.split_seeds]
    values = np.tile(data.central, (len(masks), 1)) if setup.pseudodata is None else setup.pseudodata
    targets = values @ whitening.T

    def chi2(target: np.ndarray, chosen: np.ndarray, ndata: int) -> ReducedChi2:
        return reduce_rows(rows[chosen], target[chosen], origin, ndata)

    folds = []
    for kept in kfold_masks(data, setup.kfold.partitions):
        pairs = list(zip(masks, targets, strict=True))
        training = [chi2(target, mask & kept, int(mask.sum())) for mask, target in pairs]
        validation = [chi2(target, ~mask & kept, int((~mask).sum())) for mask, target in pairs]
        folds.append(Fold(training, validation, chi2(measured, ~kept, int((~kept).sum())), ~kept, kept, kept))
    return folds


def show(name: str, values: np.ndarray) -> None:
    """Mean and spread over the last axis, then the values."""
    for label, row in zip([name] if values.ndim == 1 else range(len(values)), np.atleast_2d(values), strict=True):
        print(f"{name} {label}: {row.mean():.4f} +- {row.std(ddof=1):.4f}  {np.round(row, 4).tolist()}", flush=True)


def fit(setup: FitSetup, parameters: dict) -> None:
    result = run_fit(setup, Methodology.from_parameters(trial_parameters(parameters)))
    for name in ("experimental_chi2", "training_chi2", "validation_chi2", "best_epoch", "stop_epoch"):
        show(name, np.asarray(getattr(result, name), float))
    print(f"chi2 of the mean PDF: {result.central_chi2:.4f}")


def losses(setup: FitSetup, parameters: dict, folds: list[Fold]) -> dict[str, np.ndarray]:
    """Losses and best epochs (fold, replica) of a trial with these folds."""
    trained, shape = (
        setup.train(Methodology.from_parameters(trial_parameters(parameters)), folds, None),
        (len(folds), -1),
    )
    features = setup.compressed.features(trained.model.evaluate(trained.parameters, setup.grid))
    each = zip(folds, features.reshape(*shape, features.shape[1]), strict=True)
    return {
        "validation": trained.validation_chi2.reshape(shape),
        "experimental": np.array([fold.experimental(part) / fold.experimental.ndata for fold, part in each]),
        "best epoch": trained.best_epoch.reshape(shape).astype(float),
    }


def trial(setup: FitSetup) -> None:
    for label, folds in (("data hidden", setup.folds), ("as n3fit", folds_of_n3fit(setup))):
        print(label, flush=True)
        for name, values in losses(setup, FIRST_TRIAL, folds).items():
            show(name, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fit", "trial"])
    parser.add_argument("card")
    parser.add_argument("--replicas", type=int, default=10)
    arguments = parser.parse_args()
    card = read_runcard(arguments.card)
    data = load_fit_data(card)
    setup = FitSetup(card, data, range(1, arguments.replicas + 1))
    if arguments.what == "fit":
        fit(setup, card.scan_parameters())
    else:
        trial(setup)


if __name__ == "__main__":
    main()
