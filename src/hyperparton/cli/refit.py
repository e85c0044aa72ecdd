"""Fits of a scan's best trials, for the report: the one part of it that needs the training backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hyperparton.catalogue import PUSH_EACH
from hyperparton.errors import HyperpartonError, ReportError
from hyperparton.report.fits import FittedSet, FittedTrial
from hyperparton.trials.trial import Trial

if TYPE_CHECKING:
    from hyperparton.cli.progress import Display
    from hyperparton.data.types import DataSet, FitData
    from hyperparton.fit.methodology import Methodology
    from hyperparton.fit.result import FitResult, TrainedModels
    from hyperparton.fit.setup import FitSetup
    from hyperparton.report.scans import Scan
    from hyperparton.report.summary import Summary

__all__ = ["fit_best"]

#: flavours that a report shows, of those of the evolution basis that a fit at Q0 can tell apart
_SHOWN = ("g", "sigma", "v", "v3", "v8", "t3", "t8", "t15")


def fit_best(
    summary: Summary, count: int, theory: Path | None, t0pdfset: str | None, display: Display
) -> list[FittedTrial]:
    """The best `count` trials, fitted anew to all data of the runcard beside the trials.

    As many replicas are fitted as the scan had, and with its t0 set if none is named. Raises ReportError for a scan
    without a card of PDF fits, or whose card can no longer be used.
    """
    fitted = []
    setups: dict[str, FitSetup] = {}
    scans = {trial.name: scan for scan in summary.scans for trial in scan.trials}
    for trial, _ in summary.ranked[:count]:
        scan = scans[trial.name]
        if scan.name not in setups:
            setups[scan.name] = _setup(scan, theory, t0pdfset)
        display.say(f"fit of trial {trial.name} to all data")
        fitted.append(_fitted(setups[scan.name], trial, display))
    return fitted


def _setup(scan: Scan, theory: Path | None, t0pdfset: str | None) -> FitSetup:
    from hyperparton.data.load import load_fit_data
    from hyperparton.fit.setup import FitSetup
    from hyperparton.runcard.card import Runcard
    from hyperparton.runcard.check import parse_runcard

    if scan.runcard is None:
        raise ReportError(f"{scan.path}: --fits needs the runcard beside the trials, filter.yml, and there is none")
    try:
        card = parse_runcard(scan.runcard)
    except HyperpartonError as fault:
        raise ReportError(f"{scan.path}: --fits cannot use its runcard: {fault}") from fault
    if not isinstance(card, Runcard):
        raise ReportError(f"{scan.path}: --fits fits PDFs; this scan has a trainer of its own")
    data = load_fit_data(card, theory, t0pdfset or scan.settings.get("t0pdfset"))
    return FitSetup(card, data, range(1, int(scan.settings.get("replicas", 1)) + 1))


def _fitted(setup: FitSetup, trial: Trial, display: Display) -> FittedTrial:
    from hyperparton.data.types import EVOLUTION_BASIS
    from hyperparton.fit.methodology import Methodology
    from hyperparton.fit.run import run_fit
    from hyperparton.runcard.parameters import trial_parameters

    methodology = Methodology.from_parameters(trial_parameters(trial.parameters))
    fit = run_fit(setup, methodology, display.epochs)
    x = np.geomspace(1e-4, 0.95, 80)
    history = np.array(fit.trained.history, dtype=float)
    begun = PUSH_EACH * np.arange(len(history))
    history[begun[:, None] >= np.asarray(fit.stop_epoch)[None]] = np.nan
    first = _before_training(setup, methodology)
    return FittedTrial(
        name=trial.name,
        chi2=fit.central_chi2,
        epochs=np.concatenate([[0], np.minimum(begun + PUSH_EACH, methodology.epochs)]),
        training=np.concatenate([first.training_chi2[None], history[:, :, 0]]),
        validation=np.concatenate([first.validation_chi2[None], history[:, :, 1]]),
        best_epoch=np.asarray(fit.best_epoch),
        best_validation=np.asarray(fit.validation_chi2),
        x=x,
        flavours=_SHOWN,
        xf=np.asarray(fit.xf(x))[:, :, [EVOLUTION_BASIS.index(name) for name in _SHOWN]],
        q0=setup.data.datasets[0].observable.tables[0].q0,
        sets=_sets(setup, fit),
        noise=setup.card.genrep,
    )


def _before_training(setup: FitSetup, methodology: Methodology) -> TrainedModels:
    """The replicas with their first weights."""
    from hyperparton.fit.train import FitJob

    seeds = setup.batch_data([setup.full_fit]).seeds
    start = FitJob(setup.model(methodology), methodology).begin(seeds)
    return setup.untrained(methodology, [setup.full_fit], start)


def _sets(setup: FitSetup, fit: FitResult) -> tuple[FittedSet, ...]:
    xf = fit.trained.model.evaluate(fit.trained.parameters, setup.grid)
    predictions = setup.convolution.predict(xf)
    mean = setup.convolution.predict(xf.mean(axis=0, keepdims=True))[0]
    slices, (shifted, uncorrelated) = setup.data.slices(), _shifted(setup.data, mean)
    sets = []
    for entry in setup.data.datasets:
        rows = slices[entry.name]
        covmat = setup.data.covmat[rows, rows]
        residual = mean[rows] - entry.central
        chi2 = float(residual @ np.linalg.solve(covmat, residual)) / entry.ndata
        errors = np.sqrt(np.diag(covmat))
        sets.append(
            FittedSet(
                entry.name, entry.central, errors, predictions[:, rows], chi2, _kinematics(entry), shifted[rows],
                uncorrelated[rows],
            )
        )  # fmt: skip
    return tuple(sets)


def _shifted(data: FitData, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dat,) the data with those shifts of their correlated uncertainties that fit `predicted` best; their errors.

    With C = D + K, the uncorrelated and the correlated part of the covariance, the shifts that minimise chi2 are
    K C^-1 (data - predicted), and the errors that remain are the square roots of D (arXiv:hep-ph/0201195, appendix B).
    """
    from hyperparton.data.covmat import uncorrelated_variances

    variances = uncorrelated_variances(data.datasets, data.t0_predictions)
    weighted = np.linalg.solve(data.covmat, data.central - predicted)
    return data.central - (data.covmat @ weighted - variances * weighted), np.sqrt(variances)


def _kinematics(entry: DataSet) -> dict[str, np.ndarray]:
    """The kinematic variables (dat,) of the points that passed the cuts, by nnpdf-data's names."""
    from hyperparton.data.commondata import find_metadata, read_kinematics

    kinematics = read_kinematics(find_metadata(entry.name, entry.variant))
    return {name: values[entry.kept] for name, values in kinematics.items()}
