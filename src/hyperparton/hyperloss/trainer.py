"""The trainer that a scan calls: k folds of one methodology, each with its data hidden, then the hyper loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from hyperparton.data.types import FitData
from hyperparton.errors import TrialPrunedError
from hyperparton.fit import parallel
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.result import FitResult, TrainedModels
from hyperparton.fit.run import run_fit
from hyperparton.fit.setup import FitSetup
from hyperparton.fit.train import FitJob, ProgressCallback, batch_key, train_batch
from hyperparton.hyperloss.loss import FoldResult, HyperLoss, TrialLoss
from hyperparton.hyperloss.metrics import ReducedMetrics
from hyperparton.hyperloss.penalties import PENALTY_FUNCTIONS, FoldFit
from hyperparton.pdf.model import ModelParameters, PDFModel, Start
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.parameters import trial_parameters

__all__ = ["ModelTrainer"]

#: how many trainers of other replicas are kept
_KEPT = 4


class ModelTrainer:
    """Fits of one runcard with any parameters.

    In a scan (`set_hyperopt(True, keys)`) a call of `hyperparametrizable` fits all folds and all replicas as one
    batch and returns the trial's result; `hyperparametrizable_batch` does so for several trials.  Otherwise a call is
    one fit of all the data.

    A scan that prunes sets `report` before each trial.  It is called every 100 epochs, with the loss that the trial
    would have if the fits ended there.  It may raise TrialPrunedError, which ends the trial.
    """

    #: report(epoch, loss, folds, epochs) -> None
    report: Callable[..., None] | None = None

    def __init__(self, setup: FitSetup, progress: ProgressCallback | None = None, start: Start | None = None):
        """`start` gives the parameters with which replicas begin; without, they are drawn."""
        self.setup = setup
        self.progress = progress
        self.start = start
        self._hyperopt = False
        self._keys: tuple[str, ...] = ()
        #: trainers of other replicas, by their numbers
        self._others: dict[tuple[int, ...], ModelTrainer] = {}

    @classmethod
    def from_runcard(
        cls,
        card: Runcard,
        data: FitData,
        replicas: Sequence[int] = (1,),
        progress: ProgressCallback | None = None,
        start: Start | None = None,
    ) -> ModelTrainer:
        """The trainer of a runcard's fits; `replicas` are the numbers of the replicas fitted in each fold.

        Raises NodeError if JAX does not start on this machine.
        """
        parallel.start()
        return cls(FitSetup(card, data, replicas), progress, start)

    @property
    def hyper_loss(self) -> HyperLoss:
        """The loss of trials; raises TrainingError where the runcard has no `kfold`."""
        return HyperLoss(self.setup.kfold)

    @cached_property
    def fold_metrics(self) -> list[tuple[ReducedMetrics, ReducedMetrics]]:
        """Per fold, the metrics of the data that it hides and of those that it fits."""
        data, matrix = self.setup.data, self.setup.compressed.matrix

        def of(rows: np.ndarray, origin: np.ndarray) -> ReducedMetrics:
            covmat = data.experimental_covmat[np.ix_(rows, rows)]
            return ReducedMetrics.build(matrix[rows], data.central[rows], covmat, origin)

        return [(of(f.hidden, f.experimental.origin), of(f.fitted, f.experimental.origin)) for f in self.setup.folds]

    def set_hyperopt(self, on: bool, keys: Iterable[str] | None = None) -> None:
        """Switch scanning on or off; `keys` are the parameters that the scan samples."""
        self._hyperopt, self._keys = bool(on), tuple(keys or ())

    def hyperparametrizable(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Fit with the parameters `params`.

        In a scan: `status`, `loss`, `validation_loss`, `experimental_loss`, `kfold_meta` (arrays as nested lists)
        and, for a trial over the threshold, `reason`.  Otherwise: `status` and `fit`, a `FitResult`.
        """
        if self._hyperopt:
            (result,) = self.hyperparametrizable_batch([params], [self.report])
            if isinstance(result, Exception):
                raise result
            return result
        methodology = Methodology.from_parameters(trial_parameters(params))
        start = None if self.start is None else self.start(self.setup.model(methodology), self.setup.replicas)
        fit: FitResult = run_fit(self.setup, methodology, self.progress, start)
        return {"status": "ok" if fit.passed.any() else "fail", "fit": fit}

    def refit(self, params: Mapping[str, Any], replicas: Sequence[int]) -> dict[str, Any]:
        """Fit all folds with the parameters `params` and the replicas of these numbers, in a scan.

        `status`, `replica_losses` (what a trial of each replica alone has as its loss, for `loss_type: chi2`), `loss`,
        their mean, `replica_fails_below`, and `hidden_chi2` and `hidden_phi2` (fold,) of these replicas together.
        """
        numbers = tuple(replicas)
        if numbers not in self._others:
            while len(self._others) >= _KEPT:
                del self._others[next(iter(self._others))]
            setup = self.setup.sharing(FitSetup(self.setup.card, self.setup.data, numbers))
            self._others[numbers] = ModelTrainer(setup, self.progress, self.start)
            self._others[numbers].__dict__["fold_metrics"] = self.fold_metrics  # they do not depend on replicas
        other = self._others[numbers]
        other.progress = self.progress
        methodology = Methodology.from_parameters(trial_parameters(params, self._keys))
        start = other._start(other.setup.model(methodology))
        trained = other.setup.train(methodology, other.setup.folds, self.progress, start)
        penalties = self.setup.kfold.penalties if self.setup.kfold.penalties_in_loss else ()
        folds = other._fold_results(trained, methodology, penalties)
        losses = self.hyper_loss.of_replicas(folds)
        waited = np.max(trained.stalls.reshape(len(folds), -1), axis=0)
        return {
            "status": "ok",
            "loss": float(np.mean(losses)),
            "replica_losses": losses.tolist(),
            "replica_fails_below": {"stopping_patience": _share(waited, methodology).tolist()},
            "hidden_chi2": [fold.hidden.chi2 for fold in folds],
            "hidden_phi2": [fold.hidden.phi2 for fold in folds],
        }

    def hyperparametrizable_batch(
        self, trials: Sequence[Mapping[str, Any]], reports: Sequence[Callable[..., None] | None] | None = None
    ) -> list[dict[str, Any] | Exception]:
        """The results of several trials of a scan; those that share a compiled program are trained as one batch.

        Each is what `hyperparametrizable` returns for the trial, or the exception that it raises.  `reports` takes the
        place of `report`, one for each trial.
        """
        results: dict[int, dict[str, Any] | Exception] = {}
        groups: dict[Any, list[tuple[int, FitJob]]] = {}
        data, predictions = self.setup.batch_data(self.setup.folds), self.setup.predictions
        for k, params in enumerate(trials):
            try:
                job = self._job(params, None if reports is None else reports[k])
                groups.setdefault(batch_key(job, data, predictions), []).append((k, job))
            except Exception as fault:  # whatever is wrong with one trial, the others go on
                results[k] = fault
        for group in groups.values():
            trained = train_batch([job for _, job in group], data, predictions, self.progress)
            for (k, job), outcome in zip(group, trained, strict=True):
                results[k] = outcome if isinstance(outcome, Exception) else self._finished(outcome, job.methodology)
        return [results[k] for k in range(len(trials))]

    def _job(self, params: Mapping[str, Any], report: Callable[..., None] | None) -> FitJob:
        methodology = Methodology.from_parameters(trial_parameters(params, self._keys))
        checkpoint = None if report is None else partial(self._checkpoint, methodology, report)
        model = self.setup.model(methodology)
        return FitJob(model, methodology, checkpoint, self._start(model))

    def _start(self, model: PDFModel) -> ModelParameters | None:
        """The parameters to begin with of all folds and replicas; None where they are drawn."""
        return None if self.start is None else self.start(model, self.setup.replicas * len(self.setup.folds))

    def _finished(self, trained: TrainedModels, methodology: Methodology) -> dict[str, Any]:
        kfold = self.setup.kfold
        results = self._fold_results(trained, methodology, kfold.penalties)
        result = self._trial_result(results, self.hyper_loss.trial_loss(results, kfold.threshold))
        # an engine learns from it how much patience the fits need
        waited = _share(np.max(trained.stalls), methodology)
        return {**result, "fails_below": {"stopping_patience": float(waited)}}

    def _checkpoint(
        self,
        methodology: Methodology,
        report: Callable[..., None],
        epoch: int,
        snapshot: Callable[[], TrainedModels],
    ) -> None:
        """Report the loss of the fits as they stand; a trial that is pruned here keeps the result as it stands."""
        trained, kfold = snapshot(), self.setup.kfold
        results = self._fold_results(trained, methodology, kfold.penalties if kfold.penalties_in_loss else ())
        # no threshold: a fold that is above it now may come down
        stands = self.hyper_loss.trial_loss(results, math.inf)
        try:
            report(epoch, stands.loss, stands.fold_losses, methodology.epochs)
        except TrialPrunedError as pruned:
            pruned.result = self._trial_result(self._fold_results(trained, methodology, kfold.penalties), stands)
            raise

    def _fold_results(
        self, trained: TrainedModels, methodology: Methodology, penalties: Sequence[str]
    ) -> list[FoldResult]:
        folds = range(len(self.fold_metrics))
        return parallel.run_all([partial(self._fold_result, trained, methodology, k, penalties) for k in folds])

    def _fold_result(
        self,
        trained: TrainedModels,
        methodology: Methodology,
        k: int,
        penalties: Sequence[str],
    ) -> FoldResult:
        fold = self.setup.folds[k]
        replicas = len(self.setup.replicas)
        rows = slice(k * replicas, (k + 1) * replicas)
        parameters, model = trained.select(rows), trained.model
        xf = model.evaluate(parameters, self.setup.grid)
        best = trained.best_epoch[rows]
        validation = trained.validation_chi2[rows]
        judged = FoldFit(
            xf=lambda x: model.evaluate_evolution(parameters, x),
            best_epoch=np.where(best >= 0, best, trained.stop_epoch[rows]),
            epochs=methodology.epochs,
            patience=methodology.patience,
            validation_chi2=validation,
        )
        features = self.setup.compressed.features(xf)
        hidden, fitted = self.fold_metrics[k]
        chosen = self.hyper_loss.best_replicas(validation)
        return FoldResult(
            validation=validation,
            experimental=fold.experimental(features) / fold.experimental.ndata,
            penalties={name: PENALTY_FUNCTIONS[name](judged) for name in penalties},
            hidden=hidden(self._mean(xf[chosen]), features[chosen]),
            fitted=fitted(self._mean(xf), features),
            weight=fold.weight,
        )

    def _mean(self, xf: np.ndarray) -> np.ndarray:
        """Features (feature,) of the mean PDF of replicas (rep, x, working)."""
        return self.setup.compressed.features(xf.mean(axis=0, keepdims=True))[0]

    def _trial_result(self, folds: list[FoldResult], trial: TrialLoss) -> dict[str, Any]:
        """The result in the layout of n3fit's tries.json.

        Lists over folds end with the fold that was over the threshold, as in n3fit's files; what later folds gave
        is kept beside them under `beyond_threshold`.
        """
        counted, beyond = folds[: trial.computed], folds[trial.computed :]
        meta = self._meta(counted)
        if beyond:
            meta["beyond_threshold"] = self._meta(beyond)
        result = {
            "status": "ok" if trial.passed else "fail",
            "loss": trial.loss,
            "validation_loss": float(np.mean([f.validation for f in counted])),
            "experimental_loss": float(np.mean([f.experimental for f in counted])),
            "kfold_meta": meta,
        }
        return result if trial.reason is None else {**result, "reason": trial.reason}

    def _meta(self, folds: list[FoldResult]) -> dict[str, Any]:
        return {
            "validation_losses": [f.validation.tolist() for f in folds],
            "trvl_losses_chi2": [f.fitted.chi2 for f in folds],
            "trvl_losses_chi2exp": [f.fitted.chi2exp for f in folds],
            "trvl_losses_phi2": [f.fitted.phi2 for f in folds],
            "trvl_losses_logp": [f.fitted.logp for f in folds],
            "experimental_losses": [f.experimental.tolist() for f in folds],
            "hyper_losses": [self.hyper_loss.penalised(f).tolist() for f in folds],
            "hyper_losses_chi2": [f.hidden.chi2 for f in folds],
            "hyper_losses_phi2": [f.hidden.phi2 for f in folds],
            "hyper_losses_logp": [f.hidden.logp for f in folds],
            "penalties": {name: [f.penalties[name].tolist() for f in folds] for name in self.setup.kfold.penalties},
        }


def _share(waited: np.ndarray, methodology: Methodology) -> np.ndarray:
    """The epochs that fits waited for an improvement as a share of all epochs; of those that failed, the patience."""
    return np.minimum(waited / methodology.epochs, methodology.patience / methodology.epochs)
