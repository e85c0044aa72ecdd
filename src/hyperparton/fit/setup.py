"""What all fits of a runcard share: data, predictions, folds, seeds (`FitSetup`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hyperparton.data.masks import replica_seeds, split_seeds
from hyperparton.data.pseudodata import make_replicas
from hyperparton.data.types import FitData, Observable
from hyperparton.errors import TrainingError
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.folds import Fold, FoldSource, build_folds
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.observables import Convolution, build_convolution, union_grid
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.projection import Predictions
from hyperparton.fit.result import TrainedModels
from hyperparton.fit.train import FitJob, ProgressCallback, train_batch
from hyperparton.pdf.bases import working_basis
from hyperparton.pdf.feature_scaling import feature_scaling, scaling_grids
from hyperparton.pdf.model import ModelParameters, PDFModel, build_model
from hyperparton.runcard.card import KFold, Partition, Runcard

__all__ = ["FitSetup"]

#: features with smaller singular values are left out of the training: its chi2 then agrees to 2e-6
_TRAINING_CUT = 1e-3


class FitSetup:
    """What all fits of a runcard share.  It is built once and used for every trial."""

    def __init__(self, card: Runcard, data: FitData, replicas: Sequence[int]):
        """`replicas` are their numbers, from 1; each has n3fit's seeds of that number."""
        self.card = card
        self.data = data
        self.replicas = tuple(replicas)
        self.nnseeds: list[int] = replica_seeds(card.nnseed, replicas).tolist()
        self.split_seeds = split_seeds(card, replicas)
        #: (rep, dat) None where all replicas fit the measured data
        self.pseudodata = make_replicas(data, card.mcseed, replicas) if card.genrep else None
        self._last_data: tuple[list[Fold], BatchData] | None = None

    def sharing(self, other: FitSetup) -> FitSetup:
        """`other`, a setup of the same data for other replicas, with what does not depend on replicas taken from here.

        Nothing of it may have been used before.
        """
        for name in ("grid", "convolution", "compressed", "predictions", "fold_source"):
            other.__dict__[name] = getattr(self, name)
        return other

    @property
    def kfold(self) -> KFold:
        """The runcard's `kfold`; raises TrainingError where it has none."""
        if self.card.kfold is None:
            raise TrainingError("a scan needs kfold: partitions in the runcard, given: none")
        return self.card.kfold

    @cached_property
    def observables(self) -> list[Observable]:
        return [d.observable for d in self.data.datasets]

    @cached_property
    def grid(self) -> np.ndarray:
        """(x,) nodes of all observables, positivity and integrability sets with them."""
        return union_grid([*self.observables, *self.data.positivity, *self.data.integrability])

    @cached_property
    def working(self) -> tuple[str, ...]:
        """The elements of the working basis."""
        return working_basis(self.card.fitting.fitbasis, self.card.sum_rules)

    @cached_property
    def convolution(self) -> Convolution:
        return build_convolution(self.observables, self.grid, self.working)

    @cached_property
    def compressed(self) -> Convolution:
        """The convolution in fewer features, for the chi2 that are evaluated every epoch."""
        return self.convolution.compressed(self.data.covmat)

    @cached_property
    def predictions(self) -> Predictions:
        """What the programs of all trials share."""
        return Predictions(
            self.compressed,
            ConstraintSets.build(self.data.positivity, self.grid, self.working),
            ConstraintSets.build(self.data.integrability, self.grid, self.working),
            self.compressed.leading(_TRAINING_CUT),
        )

    @cached_property
    def fold_source(self) -> FoldSource:
        """What the folds of all replicas share."""
        return FoldSource(self.data, self.compressed, self.card)

    @cached_property
    def folds(self) -> list[Fold]:
        """The folds of the runcard's partitions; raises TrainingError where it has none."""
        return self._build(self.kfold.partitions)

    @cached_property
    def full_fit(self) -> Fold:
        """The one fold that hides nothing."""
        return self._build(None)[0]

    def _build(self, partitions: Sequence[Partition] | None) -> list[Fold]:
        return build_folds(self.fold_source, self.pseudodata, self.split_seeds, partitions)

    def fold_seeds(self, k: int) -> list[int]:
        """Network seeds of fold `k`: the replicas' own for the first, numbers drawn from them for the others."""
        if k == 0:
            return self.nnseeds
        return [int(np.random.default_rng(seed).integers(1, 2**30)) * k for seed in self.nnseeds]

    def model(self, methodology: Methodology) -> PDFModel:
        """The PDF model of a methodology."""
        points = methodology.feature_scaling_points
        return build_model(
            self.card.fitting,
            methodology.nodes,
            methodology.activations,
            methodology.layer_type,
            sum_rules=self.card.sum_rules,
            scaling=None if points is None else feature_scaling(scaling_grids(self.data), points),
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
        if self._last_data is None or self._last_data[0] != list(folds):
            data = BatchData(
                training=[chi2 for fold in folds for chi2 in fold.training],
                validation=[chi2 for fold in folds for chi2 in fold.validation],
                seeds=[seed for k in range(len(folds)) for seed in self.fold_seeds(k)],
                folds=[k for k, fold in enumerate(folds) for _ in fold.training],
                kept=self.predictions.kept,
            )
            self._last_data = (list(folds), data)
        return self._last_data[1]
