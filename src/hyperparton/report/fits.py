"""Fits of the best trials, as far as a report shows them: learning curves, PDFs, predictions beside the data.

The fits themselves are made elsewhere, with the training backend; here they are plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.report.panel import Panel, Section
from hyperparton.report.plots.fits import DrawnSet, plot_chi2_by_set, plot_data, plot_learning, plot_pdfs
from hyperparton.report.tables import Table
from hyperparton.text import counted
from hyperparton.trials.result import number_of

__all__ = ["FittedSet", "FittedTrial", "fit_sections"]


@dataclass(frozen=True, eq=False)
class FittedSet:
    """One data set: arrays are (dat,), in the set's own units; `predictions` are (rep, dat)."""

    name: str
    central: np.ndarray
    errors: np.ndarray
    """square roots of the diagonal of the covariance matrix of the fit"""
    predictions: np.ndarray
    chi2: float
    """of the mean prediction, per point"""
    kinematics: Mapping[str, np.ndarray]
    """kinematic variables by nnpdf-data's names, (dat,) each"""
    shifted: np.ndarray
    """the data moved by those shifts of their correlated uncertainties that describe the mean prediction best"""
    uncorrelated: np.ndarray
    """the uncertainties that are independent from point to point"""

    @property
    def variables(self) -> list[tuple[str, np.ndarray]]:
        """The two variables against which the set is shown: x and Q2 where it has them, else the first that vary."""
        varying = [name for name, values in self.kinematics.items() if len(values) and np.ptp(values) > 0.0]
        chosen = [name for name in ("x", "Q2") if name in self.kinematics]
        chosen += [name for name in varying if name not in chosen]
        return [(name, self.kinematics[name]) for name in chosen[:2]]


@dataclass(frozen=True, eq=False)
class FittedTrial:
    """A fit of all data with a trial's parameters."""

    name: str
    """of the trial"""
    chi2: float
    """of the mean PDF, per point, of all data"""
    epochs: np.ndarray
    """(entry,) epochs of the history; 0 is before the first"""
    training: np.ndarray
    """(entry, rep) χ² per point; NaN after a replica has stopped"""
    validation: np.ndarray
    best_epoch: np.ndarray
    """(rep,) epoch that was kept"""
    best_validation: np.ndarray
    """(rep,) validation χ² per point at that epoch"""
    x: np.ndarray
    """(x,)"""
    flavours: tuple[str, ...]
    xf: np.ndarray
    """(rep, x, flav) at the initial scale"""
    q0: float
    """the initial scale in GeV"""
    sets: tuple[FittedSet, ...]
    noise: bool
    """whether each replica is fitted to a Monte Carlo replica of the data, not to the measured values (`genrep`)"""


def fit_sections(fits: Sequence[FittedTrial]) -> list[Section]:
    """The sections of these fits, best trial first."""
    replicas = fits[0].xf.shape[0]
    note = f"{counted(replicas, 'replica')} of all data with the parameters of each trial."
    curves = [_learning(fit) for fit in fits]
    comparison = [_data(fit) for fit in fits]
    return [
        Section("learning", "Learning curves of the best trials", tuple(curves), f"{note} {_CURVES}"),
        Section("pdfs", "PDFs of the best trials", (_pdfs(fits),)),
        Section("data", "Data and predictions of the best trials", (_chi2(fits), *comparison)),
    ]


_CURVES = (
    "Lines are training χ² (solid) and validation χ² (dashed) of each replica, from the first weights (epoch 0) on and "
    "then every 100 epochs; dots are the epochs whose parameters were kept. Where the validation rises while the "
    "training falls, the network learns the fluctuations of the training data; where both still fall at the end, it "
    "ended early."
)


def _learning(fit: FittedTrial) -> Panel:
    body = [
        (
            int(epoch),
            replica + 1,
            number_of(float(fit.training[i, replica])),
            number_of(float(fit.validation[i, replica])),
        )
        for i, epoch in enumerate(fit.epochs)
        for replica in range(fit.training.shape[1])
    ]
    return Panel(
        f"learning_{fit.name}",
        f"Trial {fit.name}",
        "",
        Table.of(("epoch", "replica", "training χ²", "validation χ²"), body),
        lambda: plot_learning(fit.epochs, fit.training, fit.validation, fit.best_epoch, fit.best_validation),
        small=True,
    )


def _pdfs(fits: Sequence[FittedTrial]) -> Panel:
    bands = [(fit.name, fit.x, fit.xf.mean(axis=0), _spread(fit.xf)) for fit in fits]
    body = [
        (name, flavour, float(at), float(mean[i, k]), float(spread[i, k]))
        for fit, (name, x, mean, spread) in zip(fits, bands, strict=True)
        for k, flavour in enumerate(fit.flavours)
        for i, at in enumerate(x)
    ]
    return Panel(
        "pdfs",
        f"x f(x) at Q0 = {fits[0].q0:.4g} GeV",
        f"Each trial has its colour and its line. {_bands(fits[0])}",
        Table.of(("trial", "flavour", "x", "x f", "standard deviation"), body),
        lambda: plot_pdfs(fits[0].flavours, bands),
    )


def _bands(fit: FittedTrial) -> str:
    """What lines and bands of a figure are, how well the bands are known and what they hold."""
    replicas = fit.xf.shape[0]
    if replicas == 1:
        return "The fits have one replica, so there are no bands; a scan with `--replicas` of 2 or more has some."
    # of a standard deviation from n Gaussian numbers, 1 / sqrt(2 (n - 1))
    part = 100 / math.sqrt(2 * (replicas - 1))
    means = f"Lines are means over {counted(replicas, 'replica')}, bands their standard deviation,"
    known = f"{means} which so few replicas tell to "
    known = known if replicas < 20 else known.replace("which so few replicas tell", "known")
    if fit.noise:
        holds = (
            "Each replica is fitted to a Monte Carlo replica of the data, so bands hold the uncertainties of the data. "
            "Where those of different methodologies do not overlap, the methodology matters more than these."
        )
    else:
        holds = (
            "All replicas are fitted to the measured values (`genrep` is off), so bands hold what first weights and "
            "splits of the data change, and none of the uncertainties of the data."
        )
    return f"{known}{part:.0f} %. {holds}"


def _spread(values: np.ndarray) -> np.ndarray:
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def _chi2(fits: Sequence[FittedTrial]) -> Panel:
    names = [entry.name for entry in fits[0].sets]
    values = [[entry.chi2 for entry in fit.sets] for fit in fits]
    points = [len(entry.central) for entry in fits[0].sets]
    body = [(name, count, *(v[i] for v in values)) for i, (name, count) in enumerate(zip(names, points, strict=True))]
    body.append(("all", sum(points), *(fit.chi2 for fit in fits)))
    return Panel(
        "chi2_by_set",
        "χ² per point of each data set",
        "A marker per trial; 1 is a description within the uncertainties. A set far above the others is in tension "
        "with them, or badly described by every methodology.",
        Table.of(("data set", "points", *(f"trial {fit.name}" for fit in fits)), body),
        lambda: plot_chi2_by_set(names, [fit.name for fit in fits], values),
        listed=True,
    )


def _data(fit: FittedTrial) -> Panel:
    names = list(dict.fromkeys(["x", "Q2", *(name for entry in fit.sets for name in entry.kinematics)]))
    body = []
    for entry in fit.sets:
        numbers = (
            entry.central, entry.errors, entry.shifted, entry.uncorrelated, entry.predictions.mean(axis=0),
            _spread(entry.predictions),
        )  # fmt: skip
        for i in range(len(entry.central)):
            at = [float(entry.kinematics[name][i]) if name in entry.kinematics else None for name in names]
            body.append((entry.name, i + 1, *at, *(float(each[i]) for each in numbers)))
    return Panel(
        f"data_{fit.name}",
        f"Data over prediction, trial {fit.name}",
        "A row per data set, against x and Q² (GeV²) where it has them, else against its first kinematic variables. "
        "Correlated uncertainties move many points together, so the filled points are the data moved by those "
        "systematic shifts that describe the predictions best, and their bars hold what is uncorrelated; open points "
        "are the data as measured. Blue bars are the spread of "
        f"{counted(fit.xf.shape[0], 'replica')}. Where the fit is good, filled points scatter around 1 by as much as "
        "their bars and without a trend.",
        Table.of(
            (
                "data set", "point", *names, "measured", "uncertainty", "shifted", "uncorrelated uncertainty",
                "predicted", "spread of replicas",
            ),
            body,
        ),
        lambda: plot_data([_drawn(entry) for entry in fit.sets]),
    )  # fmt: skip


def _drawn(entry: FittedSet) -> DrawnSet:
    """The set over its mean prediction."""
    mean = entry.predictions.mean(axis=0)
    over = np.where(mean == 0.0, np.nan, mean)
    return DrawnSet(
        entry.name, entry.variables, entry.central / over, entry.shifted / over, np.abs(entry.uncorrelated / over),
        np.abs(_spread(entry.predictions) / over),
    )  # fmt: skip
