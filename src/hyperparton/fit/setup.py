"""Fits of one runcard: what they share (`FitSetup`), one fit of all data (`run_fit`), its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.data.masks import replica_seeds
from hyperparton.data.pseudodata import make_replicas
from hyperparton.data.types import FitData
from hyperparton.errors import TrainingError
from hyperparton.fit.folds import Fold, SplitSettings, build_folds
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.models import Constraints, ModelData, Theory, TrainedModels, build_model, untrained_models
from hyperparton.fit.observables import Convolution, build_convolution, union_grid
from hyperparton.fit.train import Member, Progress, train_together
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.sum_rules import sum_rule_mode
from hyperparton.runcard import Parameters, Runcard

__all__ = ["FitNumbers", "FitResult", "FitSetup", "central_chi2", "evaluate_fit", "fit_runcard", "run_fit"]

#: features with smaller singular values are left out of the training: its chi2 then agrees to 2e-6
_TRAINING_CUT = 1e-3


@dataclass(frozen=True, eq=False)
class FitNumbers:
    """What came of a fit of all data; arrays are (rep,), chi2 per point."""

    replicas: tuple[int, ...]
    training_chi2: np.ndarray
    validation_chi2: np.ndarray
    experimental_chi2: np.ndarray
    """of the measured data, with the covariance matrix of the fit"""
    best_epoch: np.ndarray
    stop_epoch: np.ndarray
    passed: np.ndarray
    """whether any epoch passed positivity and the chi2 threshold"""
    central_chi2: float
    """of the mean PDF of all replicas"""


@dataclass(frozen=True, eq=False)
class FitResult(FitNumbers):
    """A fit of all data whose replicas were trained as one batch."""

    trained: TrainedModels

    def xf(self, x: np.ndarray) -> np.ndarray:
        """x f (rep, x, evol) at Q0."""
        return self.trained.model.evaluate_evolution(self.trained.parameters, x)


class FitSetup:
    """What all fits of a runcard share: data, convolutions, splits, seeds.  Built once, used for every trial."""

    def __init__(
        self,
        data: FitData,
        fitting: Any,
        nnseeds: Sequence[int],
        split: SplitSettings,
        *,
        fitted_values: np.ndarray | None = None,
        partitions: Sequence[Any] | None = None,
        sum_rules: object = "All",
    ):
        self.data = data
        self.fitting = fitting
        self.replicas = split.replicas
        self.nnseeds = tuple(int(seed) for seed in nnseeds)
        self.split = split
        self.partitions = partitions
        self.sum_rules = sum_rule_mode(sum_rules)
        self._last_data: tuple[list[Fold], ModelData] | None = None
        self.fitted_values = np.tile(data.central, (len(self.replicas), 1)) if fitted_values is None else fitted_values

    @classmethod
    def from_runcard(cls, card: Runcard, data: FitData, replicas: Sequence[int]) -> FitSetup:
        """The setup of a runcard for the replicas with these numbers (from 1), with n3fit's seeds for each."""
        values = make_replicas(data, card.mcseed, replicas) if card.genrep else None
        split = SplitSettings(
            tuple(replicas), card.trvlseed, card.same_trvl_per_replica, card.diagonal_basis, card.diagonal_frac
        )
        return cls(
            data,
            card.fitting,
            replica_seeds(card.nnseed, replicas).tolist(),
            split,
            fitted_values=values,
            partitions=None if card.kfold is None else card.kfold.partitions,
            sum_rules=card.sum_rules,
        )

    def sharing(self, other: FitSetup) -> FitSetup:
        """`other`, a setup of the same data for other replicas, with what does not depend on replicas taken from here.

        Nothing of it may have been used before.
        """
        for name in ("grid", "convolution", "compressed", "theory"):
            other.__dict__[name] = getattr(self, name)
        return other

    @cached_property
    def observables(self) -> list[Any]:
        return [d.observable for d in self.data.datasets]

    @cached_property
    def grid(self) -> np.ndarray:
        """(x,) nodes of all observables, positivity and integrability sets with them."""
        return union_grid([*self.observables, *self.data.positivity, *self.data.integrability])

    @cached_property
    def convolution(self) -> Convolution:
        return build_convolution(self.observables, self.grid)

    @cached_property
    def compressed(self) -> Convolution:
        """The convolution in fewer features, for the chi2 that are evaluated every epoch."""
        return self.convolution.compressed(self.data.covmat)

    @cached_property
    def theory(self) -> Theory:
        """What the programs of all trials share."""
        return Theory(
            self.compressed,
            Constraints.build(self.data.positivity, self.grid),
            Constraints.build(self.data.integrability, self.grid),
            self.compressed.leading(_TRAINING_CUT),
        )

    @cached_property
    def xgrids(self) -> list[np.ndarray]:
        """The grids that feature scaling sees: those of the data once if they agree, and of each further set."""
        data = [table.xgrid for o in self.observables for table in o.tables]
        if all(np.array_equal(grid, data[0]) for grid in data):
            data = data[:1]
        return [*data, *(o.tables[0].xgrid for o in (*self.data.positivity, *self.data.integrability))]

    @cached_property
    def _folds(self) -> list[Fold]:
        return self._build(self.partitions)

    @cached_property
    def _full_fit(self) -> list[Fold]:
        return self._build(None)

    def _build(self, partitions: Sequence[Any] | None) -> list[Fold]:
        return build_folds(self.data, self.compressed, self.fitted_values, self.split, partitions)

    def folds(self) -> list[Fold]:
        """The folds of the runcard's partitions; raises TrainingError where it has none."""
        if not self.partitions:
            raise TrainingError("a scan needs kfold: partitions in the runcard, given: none")
        return self._folds

    def full_fit(self) -> list[Fold]:
        """The one fold that hides nothing."""
        return self._full_fit

    def fold_seeds(self, k: int) -> list[int]:
        """Network seeds of fold `k`: the replicas' own for the first, numbers drawn from them for the others."""
        if k == 0:
            return list(self.nnseeds)
        return [int(np.random.default_rng(seed).integers(1, 2**30)) * k for seed in self.nnseeds]

    def model(self, methodology: Methodology) -> PDFModel:
        """The PDF model of a methodology."""
        return build_model(methodology, self.fitting, self.sum_rules, self.xgrids)

    def train(
        self,
        methodology: Methodology,
        folds: Sequence[Fold],
        progress: Progress | None,
        start: dict[str, Any] | None = None,
    ) -> TrainedModels:
        """All folds and replicas as one batch, fold by fold; `start` are the parameters to begin with."""
        member = Member(self.model(methodology), methodology, start=start)
        (trained,) = train_together([member], self.model_data(folds), self.theory, progress)
        assert isinstance(trained, TrainedModels), "nothing looks, so nothing is ended"
        return trained

    def untrained(self, methodology: Methodology, folds: Sequence[Fold], parameters: dict[str, Any]) -> TrainedModels:
        """The same batch with these parameters as they are."""
        return untrained_models(self.model(methodology), self.model_data(folds), self.theory, parameters)

    def model_data(self, folds: Sequence[Fold]) -> ModelData:
        """The data of all models; kept for the next trial with the same folds."""
        kept = self._last_data
        if kept is None or len(kept[0]) != len(folds) or any(a is not b for a, b in zip(kept[0], folds, strict=True)):
            data = ModelData(
                training=[chi2 for fold in folds for chi2 in fold.training],
                validation=[chi2 for fold in folds for chi2 in fold.validation],
                seeds=[seed for k in range(len(folds)) for seed in self.fold_seeds(k)],
                folds=[k for k, fold in enumerate(folds) for _ in fold.training],
            )
            self._last_data = kept = (list(folds), data)
        return kept[1]


def run_fit(
    setup: FitSetup,
    methodology: Methodology,
    full_fit: Sequence[Fold],
    progress: Progress | None = None,
    start: dict[str, Any] | None = None,
) -> FitResult:
    """One fit of all replicas of `setup` to all its data.

    `start`: parameters of the model, one per replica, to begin with; without, they are drawn from the replicas' seeds.
    """
    return _result(setup, setup.train(methodology, full_fit, progress, start=start), full_fit)


def evaluate_fit(
    setup: FitSetup, methodology: Methodology, full_fit: Sequence[Fold], parameters: dict[str, Any]
) -> FitResult:
    """What these parameters, one set per replica, give without any training."""
    return _result(setup, setup.untrained(methodology, full_fit, parameters), full_fit)


def _result(setup: FitSetup, trained: TrainedModels, full_fit: Sequence[Fold]) -> FitResult:
    experimental = full_fit[0].experimental
    xf = trained.model.evaluate(trained.parameters, setup.grid)
    features = setup.compressed.features(xf, np)
    return FitResult(
        replicas=setup.replicas,
        training_chi2=trained.training_chi2,
        validation_chi2=trained.validation_chi2,
        experimental_chi2=experimental(features) / experimental.ndata,
        best_epoch=trained.best_epoch,
        stop_epoch=trained.stop_epoch,
        passed=trained.best_epoch >= 0,
        central_chi2=central_chi2(setup, full_fit, xf),
        trained=trained,
    )


def central_chi2(setup: FitSetup, full_fit: Sequence[Fold], xf: np.ndarray) -> float:
    """chi2 per point of the mean of the PDFs xf (rep, x, working) on the grid of the setup."""
    experimental = full_fit[0].experimental
    mean = setup.compressed.features(xf.mean(axis=0, keepdims=True), np)
    return float(experimental(mean)[0] / experimental.ndata)


def fit_runcard(
    card: Runcard,
    data: FitData,
    replicas: Sequence[int] = (1,),
    parameters: Parameters | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """One fit of a runcard with its own `parameters`, or with others (a scan's best)."""
    setup = FitSetup.from_runcard(card, data, replicas)
    methodology = Methodology.from_parameters(card.parameters if parameters is None else parameters)
    return run_fit(setup, methodology, setup.full_fit(), progress)
