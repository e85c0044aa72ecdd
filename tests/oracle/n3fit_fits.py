"""What compares whole fits with n3fit's: its start weights, its quadrature of the sum rules, chi2 of a fold."""

import numpy as np

from hyperparton.fit.methodology import Methodology
from hyperparton.pdf.sum_rules import Quadrature
from hyperparton.runcard.parameters import trial_parameters


def methodology_of(params):
    return Methodology.from_parameters(trial_parameters(params))


def n3fit_rule():
    """n3fit's points and weights: 1,000 spaced in log x up to 0.1, 1,000 in x from there."""
    x = np.concatenate([np.logspace(-9, -1, 1001)[:-1], np.linspace(0.1, 1, 1000)])
    spacing = np.concatenate([[0.0], np.diff(x), [0.0]])
    weights = 0.5 * (spacing[1:] + spacing[:-1])
    return Quadrature(x, weights, weights / x)


def start_weights(reference, case, folds=1):
    """n3fit's start weights, one model per fold and replica, from the numbers `reference` of its fits."""

    def together(name):
        return np.concatenate([reference[f"{case}/{name}/{k}"] for k in range(folds)]).astype(np.float32)

    depth = sum(f"{case}/w{2 * i}/0" in reference for i in range(20))
    layers = [{"kernel": together(f"w{2 * i}"), "bias": together(f"w{2 * i + 1}")} for i in range(depth)]
    return {"layers": layers, "exponents": {"alpha": together("alpha"), "beta": together("beta")}}


def chi2_of(fold, features):
    """chi2 (training, validation, experimental; replica) of a fold for features (rep, feature)."""
    rows = [[each(features[r : r + 1])[0] for r, each in enumerate(part)] for part in (fold.training, fold.validation)]
    return np.array([*rows, fold.experimental(features)])


def close(ours, reference, tolerance):
    ours, reference = np.asarray(ours), np.asarray(reference)
    print(f"largest relative difference {np.max(np.abs(ours / reference - 1)):.2g}")
    np.testing.assert_allclose(ours, reference, rtol=tolerance)
