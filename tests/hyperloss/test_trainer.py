"""The trainer: the result of a trial of several folds, and what it takes from a runcard."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from hyperparton.data.predictions import chi2, predict
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.setup import FitSetup
from hyperparton.hyperloss.trainer import ModelTrainer
from hyperparton.runcard.parameters import trial_parameters
from hyperparton.scan.trainer import BatchTrainer, ProgressTrainer, ReportingTrainer

FITS = runpy.run_path(str(Path(__file__).parents[1] / "fit" / "conftest.py"))
PARTITIONS = FITS["PARTITIONS"]
KFOLD = {"partitions": PARTITIONS, "penalties": ["saturation", "patience", "integrability"], "threshold": 1e9}


@pytest.fixture(scope="module")
def folded(make_card, data):
    return FitSetup(make_card(kfold=KFOLD), data, (1, 2))


@pytest.fixture(scope="module")
def trial(folded, parameters):
    """A trial of four folds with two replicas, and the PDFs that it fitted."""
    trainer = ModelTrainer(folded)
    trainer.set_hyperopt(True, ["epochs"])
    params = {**parameters, "epochs": 120}
    result = trainer.hyperparametrizable(params)
    trained = trainer.setup.train(Methodology.from_parameters(trial_parameters(params)), trainer.setup.folds, None)
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
    data, fold, meta = trainer.setup.data, trainer.setup.folds[k], result["kfold_meta"]
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


def test_a_trial_over_its_threshold(trial, make_card, data, parameters):
    """Later folds do not count, and the losses are multiplied by the number of folds left."""
    meta = trial[2]["kfold_meta"]
    folds = np.mean(meta["validation_losses"], axis=1) + np.maximum(np.min(meta["experimental_losses"], axis=1), 2) - 2
    folds *= [1, 2.5, 1, 1]
    over = int(np.argmax(folds[:3]))
    card = make_card(kfold={**KFOLD, "threshold": float(0.999 * folds[over])})
    strict = ModelTrainer.from_runcard(card, data, (1, 2))
    strict.set_hyperopt(True)
    result = strict.hyperparametrizable({**parameters, "epochs": 120})
    assert result["status"] == "fail"
    assert f"of fold {over + 1} is above the threshold" in result["reason"]
    assert len(result["kfold_meta"]["validation_losses"]) == over + 1
    assert len(result["kfold_meta"]["beyond_threshold"]["validation_losses"]) == 3 - over
    penalty = max(np.mean(meta["trvl_losses_chi2exp"][: over + 1]) - 1.2, 0.0)
    assert result["loss"] == pytest.approx((4 - over) * np.mean(folds[: over + 1]) + 100 * penalty, rel=1e-6)


def test_abilities(setup):
    """A scan may prune its trials, train several as one batch, and hear how far the fits are."""
    for ability in (ReportingTrainer, BatchTrainer, ProgressTrainer):
        assert isinstance(ModelTrainer(setup), ability)


def test_without_hyperopt_the_trainer_fits_all_data(setup, fit, parameters, leaves):
    result = ModelTrainer(setup).hyperparametrizable(parameters)
    assert result["status"] == "ok"
    np.testing.assert_array_equal(leaves(result["fit"]), leaves(fit(setup)))


def test_refits_are_the_losses_of_single_replicas(trial, make_card, data, parameters):
    """By the formula of arXiv:2410.16248 for one replica, from what a scan with those replicas reports."""
    trainer, _, _ = trial
    params = {**parameters, "epochs": 120}
    again = trainer.refit(params, [5, 3])
    other = ModelTrainer(FitSetup(make_card(kfold=KFOLD), data, (5, 3)))
    other.set_hyperopt(True, ["epochs"])
    meta = other.hyperparametrizable(params)["kfold_meta"]
    validation, experimental = np.array(meta["validation_losses"]), np.array(meta["experimental_losses"])
    folds = validation + np.maximum(experimental, 2.0) - 2.0
    expected = np.mean(folds * np.array([1, 2.5, 1, 1])[:, None], axis=0)
    np.testing.assert_allclose(again["replica_losses"], expected, rtol=1e-9)
    assert again["loss"] == pytest.approx(expected.mean())
    assert again["hidden_phi2"] == pytest.approx(meta["hyper_losses_phi2"])
    assert len(set(again["replica_losses"])) == 2


def test_refits_leave_the_scan_as_it_is(trial, parameters):
    trainer, _, result = trial
    params = {**parameters, "epochs": 120}
    for first in range(10, 20):
        trainer.refit({**parameters, "epochs": 100}, [first])
    assert trainer.hyperparametrizable(params) == result
    assert trainer.setup.replicas == (1, 2)


def test_a_trial_says_how_much_patience_it_needed(make_card, data, parameters):
    """The largest share of the epochs that a fit of any fold waited; at most the patience that it had."""
    trainer = ModelTrainer(FitSetup(make_card(kfold=KFOLD), data, range(1, 13)))
    trainer.set_hyperopt(True, ["epochs"])
    params = {**parameters, "epochs": 600, "stopping_patience": 0.9, "dropout": 0.1}
    methodology = Methodology.from_parameters(trial_parameters(params))
    trained = trainer.setup.train(methodology, trainer.setup.folds, None)
    assert trained.stalls.max() > 0
    needed = min(trained.stalls.max() / 600, 0.9)
    assert trainer.hyperparametrizable(params)["fails_below"] == {"stopping_patience": pytest.approx(needed)}
    # re-fits say it of each replica, over its folds; the replicas are those of the trial
    again = trainer.refit(params, range(1, 13))["replica_fails_below"]
    waited = np.minimum(trained.stalls.reshape(len(trainer.setup.folds), 12).max(axis=0) / 600, 0.9)
    assert again == {"stopping_patience": pytest.approx(waited)}
    assert len(set(waited)) > 2


def test_fits_of_a_scan_begin_with_given_weights(folded, parameters):
    """`start` is asked for the replicas of each fold, those of a re-fit by their own numbers."""
    asked = []

    def start(model, numbers):
        asked.append(tuple(numbers))
        return model.start("glorot_normal", [5] * len(numbers))

    trainer = ModelTrainer(folded, start=start)
    trainer.set_hyperopt(True, ["epochs"])
    params = {**parameters, "epochs": 1}
    result = trainer.hyperparametrizable(params)
    assert asked == [(1, 2) * 4]
    # after one small step, replicas that began with equal weights are nearly equal
    hidden = np.array(result["kfold_meta"]["experimental_losses"])
    np.testing.assert_allclose(hidden[:, 0], hidden[:, 1], rtol=0.1)
    trainer.refit(params, (7,))
    assert asked[1:] == [(7,) * 4]
    drawn = ModelTrainer(folded)
    drawn.set_hyperopt(True, ["epochs"])
    assert result["loss"] != drawn.hyperparametrizable(params)["loss"]
