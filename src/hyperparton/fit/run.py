"""One fit of all data: of a setup with a methodology (`run_fit`), or of a runcard (`fit_runcard`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.data.types import FitData
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.result import FitResult, TrainedModels
from hyperparton.fit.setup import FitSetup
from hyperparton.fit.train import ProgressCallback
from hyperparton.pdf.model import ModelParameters
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.parameters import Parameters, trial_parameters

__all__ = ["central_chi2", "evaluate_fit", "fit_runcard", "run_fit"]


def run_fit(
    setup: FitSetup,
    methodology: Methodology,
    progress: ProgressCallback | None = None,
    start: ModelParameters | None = None,
) -> FitResult:
    """One fit of all replicas of `setup` to all its data.

    `start`: parameters of the model, one per replica, to begin with; without, they are drawn from the replicas' seeds.
    """
    return _result(setup, setup.train(methodology, [setup.full_fit], progress, start=start))


def evaluate_fit(setup: FitSetup, methodology: Methodology, parameters: ModelParameters) -> FitResult:
    """The same result for these parameters, one set per replica, without any training."""
    return _result(setup, setup.untrained(methodology, [setup.full_fit], parameters))


def _result(setup: FitSetup, trained: TrainedModels) -> FitResult:
    experimental = setup.full_fit.experimental
    xf = trained.model.evaluate(trained.parameters, setup.grid)
    features = setup.compressed.features(xf)
    return FitResult(
        replicas=setup.replicas,
        training_chi2=trained.training_chi2,
        validation_chi2=trained.validation_chi2,
        experimental_chi2=experimental(features) / experimental.ndata,
        best_epoch=trained.best_epoch,
        stop_epoch=trained.stop_epoch,
        passed=trained.best_epoch >= 0,
        central_chi2=central_chi2(setup, xf),
        trained=trained,
    )


def central_chi2(setup: FitSetup, xf: np.ndarray) -> float:
    """chi2 per point of the mean of the PDFs xf (rep, x, working) on the grid of the setup."""
    experimental = setup.full_fit.experimental
    mean = setup.compressed.features(xf.mean(axis=0, keepdims=True))
    return float(experimental(mean)[0] / experimental.ndata)


def fit_runcard(
    card: Runcard,
    data: FitData,
    replicas: Sequence[int] = (1,),
    parameters: Parameters | Mapping[str, Any] | None = None,
    progress: ProgressCallback | None = None,
) -> FitResult:
    """One fit of a runcard with its own `parameters`, or with others: a scan's best, as `hyper_scan_wrapper` has them.

    Raises TrainingError with everything that is wrong with the others.
    """
    setup = FitSetup(card, data, replicas)
    chosen = card.parameters if parameters is None else parameters
    if not isinstance(chosen, Parameters):
        chosen = trial_parameters(chosen)
    return run_fit(setup, Methodology.from_parameters(chosen), progress)
