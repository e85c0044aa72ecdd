"""What all fits of a runcard share: data, predictions, folds, seeds (`FitSetup`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.data.masks import replica_seeds
from hyperparton.data.pseudodata import make_replicas
from hyperparton.data.types import FitData
from hyperparton.errors import TrainingError
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.folds import Fold, SplitSettings, build_folds
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.observables import Convolution, build_convolution, union_grid
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.projection import Predictions
from hyperparton.fit.result import TrainedModels
from hyperparton.fit.train import FitJob, ProgressCallback, train_batch
from hyperparton.pdf.feature_scaling import feature_scaling
from hyperparton.pdf.model import ModelParameters, PDFModel, build_model
from hyperparton.runcard.card import Runcard

__all__ = ["FitSetup"]

#: features with smaller singular values are left out of the training: its chi2 then agrees to 2e-6
_TRAINING_CUT = 1e-3


class FitSetup:
    """What all fits of a runcard share: data, predictions, splits, seeds.  Built once, used for every trial."""

    def __init__(
        self,
        data: FitData,
        fitting: Any,
        nnseeds: Sequence[int],
        split: SplitSettings,
        *,
        fitted_values: np.ndarray | None = None,
        partitions: Sequence[Any] | None = None,
        sum_rules: str | None = "All",
    ):
        self.data = data
        self.fitting = fitting
        self.replicas = split.replicas
        self.nnseeds = tuple(int(seed) for seed in nnseeds)
        self.split = split
        self.partitions = partitions
        self.sum_rules = sum_rules
        self._last_data: tuple[list[Fold], BatchData] | None = None
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
        for name in ("grid", "convolution", "compressed", "predictions"):
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
    def predictions(self) -> Predictions:
        """What the programs of all trials share."""
        return Predictions(
            self.compressed,
            ConstraintSets.build(self.data.positivity, self.grid),
            ConstraintSets.build(self.data.integrability, self.grid),
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
        points = methodology.feature_scaling_points
        return build_model(
            self.fitting,
            methodology.nodes,
            methodology.activations,
            methodology.layer_type,
            sum_rules=self.sum_rules,
            scaling=None if points is None else feature_scaling(self.xgrids, points),
        )

    def train(
        self,
        methodology: Methodology,
        folds: Sequence[Fold],
        progress: ProgressCallback | None,
        start: ModelParameters | None = None,
    ) -> TrainedModels:
        """All folds and replicas as one batch, fold by fold; `start` are the parameters to begin with."""
        job = FitJob(self.model(methodology), methodology, start=start)
        (trained,) = train_batch([job], self.batch_data(folds), self.predictions, progress)
        assert isinstance(trained, TrainedModels), "without a checkpoint nothing is pruned"
        return trained

    def untrained(self, methodology: Methodology, folds: Sequence[Fold], parameters: ModelParameters) -> TrainedModels:
        """The same batch with these parameters as they are."""
        return TrainedModels.evaluated(self.model(methodology), self.batch_data(folds), self.compressed, parameters)

    def batch_data(self, folds: Sequence[Fold]) -> BatchData:
        """The data of all models; kept for the next trial with the same folds."""
        kept = self._last_data
        if kept is None or len(kept[0]) != len(folds) or any(a is not b for a, b in zip(kept[0], folds, strict=True)):
            data = BatchData(
                training=[chi2 for fold in folds for chi2 in fold.training],
                validation=[chi2 for fold in folds for chi2 in fold.validation],
                seeds=[seed for k in range(len(folds)) for seed in self.fold_seeds(k)],
                folds=[k for k, fold in enumerate(folds) for _ in fold.training],
            )
            self._last_data = kept = (list(folds), data)
        return kept[1]
