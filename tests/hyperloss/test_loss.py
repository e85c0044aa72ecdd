"""The hyper loss: against n3fit 4.1.5 (oracle/make_fit_reference.py), two trials that n3fit wrote, and its rules."""

from pathlib import Path

import numpy as np
import pytest

from hyperparton.hyperloss.loss import FoldResult, HyperLoss
from hyperparton.hyperloss.metrics import Metrics
from hyperparton.runcard.kfold import KFold

REFERENCE = np.load(Path(__file__).parents[1] / "oracle" / "data" / "fit_reference.npz")


def hyper_loss(**said):
    return HyperLoss(KFold(partitions=[{"datasets": []}], **said))


def arrays(prefix):
    """Reference arrays below `prefix`, by the rest of their name."""
    return {k[len(prefix) + 1 :]: REFERENCE[k] for k in REFERENCE.files if k.startswith(prefix + "/")}


def fold_results():
    reference = arrays("hyper")
    return [
        FoldResult(
            validation=reference["validation"][k],
            experimental=reference["experimental"][k],
            penalties={name: reference[name][k] for name in ("saturation", "patience")},
            hidden=Metrics(*reference["metrics"][k], 0.0),
            fitted=Metrics(1.0, 1.0, 1.0, 1.0),
        )
        for k in range(4)
    ]


@pytest.mark.parametrize("key", [k for k in REFERENCE.files if k.startswith("hyper/") and k.count("/") == 4])
def test_hyper_loss(key):
    _, loss_type, replica_statistic, fold_statistic, in_loss = key.split("/")
    hyper = hyper_loss(
        loss_type=loss_type,
        replica_statistic=replica_statistic,
        fold_statistic=fold_statistic,
        reduce_proportion=0.85,
        penalties_in_loss=bool(int(in_loss)),
    )
    folds = [hyper.fold_loss(fold) for fold in fold_results()]
    np.testing.assert_allclose([*folds, hyper.over_folds(folds)], REFERENCE[key], rtol=1e-12)


def folds_of(validation, experimental, chi2exp, weights=None):
    """Fold results of one replica with these losses."""
    weights = weights or [1.0] * len(validation)
    return [
        FoldResult(np.array([v]), np.array([e]), {}, Metrics(1.0, 0.5, 1.0, 1.0), Metrics(c, 0.0, 0.0, c), w)
        for v, e, c, w in zip(validation, experimental, chi2exp, weights, strict=True)
    ]


def test_trials_of_a_scan_of_n3fit():
    """Two trials that n3fit 4.1.5 wrote, one that passed and one that its first fold stopped: the same losses."""
    passed = folds_of(
        [1.1067574, 1.0964726, 2.1767411, 0.82305664],
        [1.39632621, 1.60751107, 1.89331487, 1.2676255],
        [1.20680428, 1.23400254, 1.31883899, 1.22033608],
    )
    trial = hyper_loss().trial_loss(passed, threshold=20.0)
    assert trial.passed
    assert trial.loss == pytest.approx(5.800304412841797, rel=1e-6)
    stopped = folds_of([22.94448, 1, 1, 1], [22.42408279, 1, 1, 1], [1.20680428, 9, 9, 9])
    trial = hyper_loss().trial_loss(stopped, threshold=20.0)
    assert (trial.passed, trial.computed) == (False, 1)
    assert trial.loss == pytest.approx(174.1547, rel=1e-6)
    assert "hyper loss 43.37 of fold 1 is above the threshold 20" in trial.reason


@pytest.mark.parametrize(("statistic", "expected"), [("average", 2.5), ("best_worst", 4.0), ("std", np.sqrt(1.25))])
def test_statistics_over_folds(statistic, expected):
    folds = folds_of([1.0, 2.0, 3.0, 4.0], [1.0] * 4, [1.0] * 4)
    assert hyper_loss(fold_statistic=statistic).trial_loss(folds, 50.0).loss == pytest.approx(expected, abs=1e-6)


def test_breach_in_a_later_fold():
    """Fold 3 of 4: its loss and those before it are doubled, fold 4 does not count."""
    folds = folds_of([1.0, 2.0, 9.0, 100.0], [1.0] * 4, [1.0, 1.0, 1.0, 50.0])
    trial = hyper_loss().trial_loss(folds, 5.0)
    assert trial.fold_losses == (2.0, 4.0, 18.0)
    assert trial.loss == pytest.approx(8.0, abs=1e-6)


def test_a_loss_that_is_no_number_is_over_the_threshold():
    trial = hyper_loss().trial_loss(folds_of([np.nan, 1.0], [1.0, 1.0], [1.0, 1.0]), 5.0)
    assert (trial.passed, trial.computed) == (False, 1)


def test_weights_count_in_the_loss_and_against_the_threshold():
    folds = folds_of([1.0, 2.0], [1.0, 1.0], [1.0, 1.0], weights=[3.0, 0.5])
    assert hyper_loss().trial_loss(folds, 50.0).fold_losses == (3.0, 1.0)
    assert not hyper_loss().trial_loss(folds, 2.9).passed


@pytest.mark.parametrize(("proportion", "best"), [(0.85, 9), (1.0, 10), (0.5, 5), (0.01, 1)])
def test_reduce_proportion(proportion, best):
    """Validation: the best share of the replicas; experimental: the best of the remaining share, one at least."""
    rng = np.random.default_rng(0)
    validation, experimental = 1 + rng.random(10), 2 + rng.random(10)
    fold = FoldResult(validation, experimental, {}, Metrics(1, 1, 1, 1), Metrics(1, 1, 1, 1))
    hyper = hyper_loss(reduce_proportion=proportion)
    count = max(int(np.ceil((1 - proportion) * 10)), 1)
    expected = np.sort(validation)[:best].mean() + np.sort(experimental)[:count].mean() - 2.0
    assert hyper.fold_loss(fold) == pytest.approx(expected)
    np.testing.assert_array_equal(hyper.best_replicas(validation), np.argsort(validation)[:best])
