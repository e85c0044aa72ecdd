"""k folds: what they hide, what they judge by, and the loss that a trial makes of them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hyperparton.data.masks import diagonal_mask, diagonalise, training_masks
from hyperparton.data.predictions import chi2, predict
from hyperparton.errors import DataError, TrainingError
from hyperparton.fit.folds import build_folds
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.setup import FitSetup
from hyperparton.hyperloss import ModelTrainer
from hyperparton.hyperloss.loss import FoldResult, HyperLoss
from hyperparton.hyperloss.metrics import Metrics
from hyperparton.runcard import trial_parameters

RATIO, PROTON, CHARGED, CHARM = (
    "NMC_NC_NOTFIXED_EM-F2",
    "SLAC_NC_NOTFIXED_P_EM-F2",
    "HERA_CC_318GEV_EM-SIGMARED",
    "HERA_NC_318GEV_EAVG_CHARM-SIGMARED",
)
PARTITIONS = [
    {"datasets": [RATIO, CHARM]},
    {"datasets": [PROTON], "weight": 2.5},
    {"datasets": [CHARGED], "overfit": True},
    {"datasets": []},
]
KFOLD = {"partitions": PARTITIONS, "penalties": ["saturation", "patience", "integrability"], "threshold": 1e9}


@pytest.fixture(scope="module")
def folded(make_card, data):
    return FitSetup.from_runcard(make_card(kfold=KFOLD), data, (1, 2))


@pytest.fixture(scope="module")
def xf(folded):
    """Any x f (rep, x, working) of sensible size on the grid."""
    x, k = folded.grid[:, None], np.arange(8)
    return np.stack([(0.5 + 0.1 * k) * x**0.3 * (1 - x) ** (3 + 0.1 * k + r) for r in range(2)])


@pytest.fixture(scope="module")
def predictions(folded, xf):
    return folded.convolution.predict(xf)


def rows(setup, names):
    chosen = np.zeros(setup.data.ndata, bool)
    for name in names:
        chosen[setup.data.slices()[name]] = True
    return chosen


@pytest.mark.parametrize("k", range(4))
def test_what_a_fold_hides(folded, k):
    fold, hidden = folded.folds()[k], rows(folded, PARTITIONS[k]["datasets"])
    everything = np.ones_like(hidden)
    np.testing.assert_array_equal(fold.hidden, hidden if k < 3 else everything)
    np.testing.assert_array_equal(fold.fitted, ~hidden)
    assert fold.weight == (2.5 if k == 1 else 1.0)
    assert fold.experimental.ndata == fold.hidden.sum()
    trained = folded.data.ndata if k >= 2 else (~hidden).sum()
    for training, validation in zip(fold.training, fold.validation, strict=True):
        assert (training.ndata, training.ndata + validation.ndata) == (int(0.75 * trained), trained)


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_a_fold_in_the_diagonal_basis(folded, xf, predictions, k):
    """Training and validation are the eigenmodes of the data that are fitted: together their whole chi2."""
    data, fold = folded.data, folded.folds()[k]
    trained = np.ones(data.ndata, bool) if k >= 2 else fold.fitted
    features, covmat = folded.compressed.features(xf, np), data.covmat[np.ix_(trained, trained)]
    modes = diagonalise(covmat)
    for r in range(2):
        ours = [part[r](features[r : r + 1])[0] for part in (fold.training, fold.validation)]
        residual = modes.rotation @ (predictions[r] - data.central)[trained]
        mask = diagonal_mask(trained.sum(), folded.split.seeds()[r], 0.75)
        expected = [np.sum(residual[m] ** 2 / modes.eigenvalues[m]) for m in (mask, ~mask)]
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
        np.testing.assert_allclose(sum(ours), chi2(data.central[trained], predictions[r][trained], covmat), rtol=1e-6)


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_what_is_hidden(folded, xf, predictions, k):
    """The inverse covariance of all data, with residuals of the hidden data only: n3fit's experimental loss."""
    data, fold = folded.data, folded.folds()[k]
    residual = np.where(fold.hidden, predictions - data.central, 0.0)
    expected = np.einsum("rd,rd->r", residual, np.linalg.solve(data.covmat, residual.T).T)
    np.testing.assert_allclose(fold.experimental(folded.compressed.features(xf, np)), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def split_by_points(make_card, data, folded):
    """Folds with half of the points of each set in training: masks (rep, dat), folds."""
    split = FitSetup.from_runcard(make_card(diagonal_basis=False, kfold=KFOLD), data, (1, 2)).split
    halves = tuple(replace(dataset, frac=0.5) for dataset in data.datasets)
    half = replace(data, datasets=halves)
    partitions = [SimpleNamespace(**{"overfit": False, "weight": 1.0, **p}) for p in PARTITIONS]
    folds = build_folds(half, folded.compressed, np.tile(data.central, (2, 1)), split, partitions)
    return training_masks(half, split, (1, 2)), folds


@pytest.mark.parametrize("k", range(4))
def test_chi2_of_a_fold_in_the_basis_of_the_data(data, split_by_points, folded, xf, predictions, k):
    """The inverse of the covariance of the training points, with residuals of the hidden ones zero, as in n3fit."""
    masks, fold = split_by_points[0], split_by_points[1][k]
    assert 0.45 < masks.mean() < 0.55
    shown = np.ones(data.ndata, bool) if k >= 2 else fold.fitted
    features = folded.compressed.features(xf, np)
    for r, mask in enumerate(masks):
        for part, chosen in ((fold.training, mask), (fold.validation, ~mask)):
            residual = np.where(shown, predictions[r] - data.central, 0.0)[chosen]
            expected = residual @ np.linalg.solve(data.covmat[np.ix_(chosen, chosen)], residual)
            np.testing.assert_allclose(part[r](features[r : r + 1])[0], expected, rtol=1e-6)
            assert part[r].ndata == (chosen & shown).sum()


def test_a_fold_that_hides_everything(folded):
    """A runcard is told so when it is read; a setup made otherwise, when its folds are."""
    everything = SimpleNamespace(datasets=[RATIO, PROTON, CHARGED, CHARM], overfit=False, weight=1.0)
    setup = FitSetup(folded.data, folded.fitting, folded.nnseeds, folded.split, partitions=[everything])
    with pytest.raises(DataError, match="hides all 233 points: nothing to fit"):
        setup.folds()


def test_folds_need_partitions(setup):
    with pytest.raises(TrainingError, match="a scan needs kfold: partitions in the runcard"):
        setup.folds()


@pytest.fixture(scope="module")
def trial(folded, parameters):
    """A trial of four folds with two replicas, and the PDFs that it fitted."""
    trainer = ModelTrainer(folded, KFOLD["penalties"], HyperLoss(), KFOLD["threshold"])
    trainer.set_hyperopt(True, ["epochs"])
    params = {**parameters, "epochs": 120}
    result = trainer.hyperparametrizable(params)
    trained = trainer.setup.train(Methodology.from_parameters(trial_parameters(params)), trainer.setup.folds(), None)
    return trainer, trained, result


def fold_predictions(trainer, trained, k):
    """Predictions (rep, dat) of a fold's PDFs, and of their mean, by the reference convolution."""
    model, parameters = trained.model, trained.select(slice(2 * k, 2 * k + 2))

    def xf(x, q0):
        return np.swapaxes(model.evaluate_evolution(parameters, x), 1, 2)

    observables = [d.observable for d in trainer.setup.data.datasets]
    each = np.concatenate([predict(o, xf) for o in observables], axis=-1)
    return each, np.concatenate([predict(o, lambda x, q0: xf(x, q0).mean(axis=0)) for o in observables])


@pytest.mark.parametrize("k", range(4))
def test_losses_of_a_trial(trial, k):
    """Hidden and fitted data of each fold, from the PDFs by way of the data layer alone."""
    trainer, trained, result = trial
    data, fold, meta = trainer.setup.data, trainer.setup.folds()[k], result["kfold_meta"]
    each, mean = fold_predictions(trainer, trained, k)
    residual = np.where(fold.hidden, each - data.central, 0.0)
    hidden = np.einsum("rd,rd->r", residual, np.linalg.solve(data.covmat, residual.T).T) / fold.hidden.sum()
    np.testing.assert_allclose(meta["experimental_losses"][k], hidden, rtol=1e-6)
    fitted = fold.fitted
    covmat = data.experimental_covmat[np.ix_(fitted, fitted)]
    expected = chi2(data.central[fitted], mean[fitted], covmat) / fitted.sum()
    assert meta["trvl_losses_chi2exp"][k] == pytest.approx(expected, rel=1e-6)
    total = covmat + np.cov(each[:, fitted], rowvar=False)
    expected = chi2(data.central[fitted], mean[fitted], total) / fitted.sum()
    assert meta["trvl_losses_chi2"][k] == pytest.approx(expected, rel=1e-6)


def test_result_of_a_trial(trial):
    """Its loss from what it reports, the layout of n3fit's files, and nothing but plain numbers."""
    _, _, result = trial
    meta = result["kfold_meta"]
    validation, experimental = np.array(meta["validation_losses"]), np.array(meta["experimental_losses"])
    # 85% of two replicas are two, 15% are one: the best one
    folds = validation.mean(axis=1) + np.maximum(experimental.min(axis=1), 2.0) - 2.0
    penalty = np.mean(meta["trvl_losses_chi2exp"]) - 1.2
    expected = np.mean(folds * [1, 2.5, 1, 1]) + (100 * penalty if penalty > 0 else 0.0)
    assert result["loss"] == pytest.approx(expected, rel=1e-9)
    assert result["status"] == "ok"
    assert result["validation_loss"] == pytest.approx(validation.mean())
    assert result["experimental_loss"] == pytest.approx(experimental.mean())
    assert set(meta["penalties"]) == {"saturation", "patience", "integrability"}
    assert np.shape(list(meta["penalties"].values())) == (3, 4, 2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_trial_over_its_threshold(trial, parameters):
    """Later folds do not count, and the losses are multiplied by the number of folds left."""
    trainer, _, passed = trial
    meta = passed["kfold_meta"]
    folds = np.mean(meta["validation_losses"], axis=1) + np.maximum(np.min(meta["experimental_losses"], axis=1), 2) - 2
    folds *= [1, 2.5, 1, 1]
    over = int(np.argmax(folds[:3]))
    strict = ModelTrainer(trainer.setup, trainer.penalties, trainer.hyper_loss, threshold=0.999 * folds[over])
    strict.set_hyperopt(True)
    result = strict.hyperparametrizable({**parameters, "epochs": 120})
    assert result["status"] == "fail"
    assert f"of fold {over + 1} is above the threshold" in result["reason"]
    assert len(result["kfold_meta"]["validation_losses"]) == over + 1
    assert len(result["kfold_meta"]["beyond_threshold"]["validation_losses"]) == 3 - over
    penalty = max(np.mean(meta["trvl_losses_chi2exp"][: over + 1]) - 1.2, 0.0)
    assert result["loss"] == pytest.approx((4 - over) * np.mean(folds[: over + 1]) + 100 * penalty, rel=1e-6)


def test_the_trainer_of_a_runcard(make_card, data):
    """Takes over what the card says of folds and losses."""
    said = {"loss_type": "logp", "fold_statistic": "std", "replica_statistic": "best_worst", "reduce_proportion": 0.5}
    trainer = ModelTrainer.from_runcard(make_card(kfold={**KFOLD, **said, "penalties_in_loss": True}), data, (1, 2))
    assert trainer.hyper_loss == HyperLoss(**said, penalties_in_loss=True)
    assert (trainer.threshold, trainer.penalties) == (1e9, tuple(KFOLD["penalties"]))
    assert [list(p.datasets) for p in trainer.setup.partitions] == [p["datasets"] for p in PARTITIONS]


def test_without_hyperopt_the_trainer_fits_all_data(setup, fit, parameters, leaves):
    result = ModelTrainer(setup).hyperparametrizable(parameters)
    assert result["status"] == "ok"
    np.testing.assert_array_equal(leaves(result["fit"]), leaves(fit(setup)))


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
    trial = HyperLoss().trial_loss(passed, threshold=20.0)
    assert trial.passed
    assert trial.loss == pytest.approx(5.800304412841797, rel=1e-6)
    stopped = folds_of([22.94448, 1, 1, 1], [22.42408279, 1, 1, 1], [1.20680428, 9, 9, 9])
    trial = HyperLoss().trial_loss(stopped, threshold=20.0)
    assert (trial.passed, trial.computed) == (False, 1)
    assert trial.loss == pytest.approx(174.1547, rel=1e-6)
    assert "hyper loss 43.37 of fold 1 is above the threshold 20" in trial.reason


@pytest.mark.parametrize(("statistic", "expected"), [("average", 2.5), ("best_worst", 4.0), ("std", np.sqrt(1.25))])
def test_statistics_over_folds(statistic, expected):
    folds = folds_of([1.0, 2.0, 3.0, 4.0], [1.0] * 4, [1.0] * 4)
    assert HyperLoss(fold_statistic=statistic).trial_loss(folds, 50.0).loss == pytest.approx(expected, abs=1e-6)


def test_breach_in_a_later_fold():
    """Fold 3 of 4: its loss and those before it are doubled, fold 4 does not count."""
    folds = folds_of([1.0, 2.0, 9.0, 100.0], [1.0] * 4, [1.0, 1.0, 1.0, 50.0])
    trial = HyperLoss().trial_loss(folds, 5.0)
    assert trial.fold_losses == (2.0, 4.0, 18.0)
    assert trial.loss == pytest.approx(8.0, abs=1e-6)


def test_a_loss_that_is_no_number_is_over_the_threshold():
    trial = HyperLoss().trial_loss(folds_of([np.nan, 1.0], [1.0, 1.0], [1.0, 1.0]), 5.0)
    assert (trial.passed, trial.computed) == (False, 1)


def test_weights_count_in_the_loss_and_against_the_threshold():
    folds = folds_of([1.0, 2.0], [1.0, 1.0], [1.0, 1.0], weights=[3.0, 0.5])
    assert HyperLoss().trial_loss(folds, 50.0).fold_losses == (3.0, 1.0)
    assert not HyperLoss().trial_loss(folds, 2.9).passed


@pytest.mark.parametrize(("proportion", "best"), [(0.85, 9), (1.0, 10), (0.5, 5), (0.01, 1)])
def test_reduce_proportion(proportion, best):
    """Validation: the best share of the replicas; experimental: the best of the remaining share, one at least."""
    rng = np.random.default_rng(0)
    validation, experimental = 1 + rng.random(10), 2 + rng.random(10)
    fold = FoldResult(validation, experimental, {}, Metrics(1, 1, 1, 1), Metrics(1, 1, 1, 1))
    hyper = HyperLoss(reduce_proportion=proportion)
    count = max(int(np.ceil((1 - proportion) * 10)), 1)
    expected = np.sort(validation)[:best].mean() + np.sort(experimental)[:count].mean() - 2.0
    assert hyper.fold_loss(fold) == pytest.approx(expected)
    np.testing.assert_array_equal(hyper.best_replicas(validation), np.argsort(validation)[:best])
