"""What all fits of a runcard share: data, predictions, folds, seeds (`FitSetup`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from hyperparton.data.masks import replica_seeds, split_seeds
from hyperparton.data.pseudodata import make_replicas
from hyperparton.data.types import FitData, Observable
from hyperparton.errors import TrainingError
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.condensed import Condensed
from hyperparton.fit.condensing import find_condensed
from hyperparton.fit.folds import Fold, FoldSource, build_folds
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.moving import can_move
from hyperparton.fit.observables import Convolution, build_convolution, union_grid
from hyperparton.fit.positivity import ConstraintSets
from hyperparton.fit.predictions import Predictions, training_predictions
from hyperparton.fit.result import TrainedModels
from hyperparton.fit.train import FitJob, ProgressCallback, train_batch
from hyperparton.pdf.bases import working_basis
from hyperparton.pdf.feature_scaling import feature_scaling, scaling_grids
from hyperparton.pdf.model import ModelParameters, PDFModel, build_model
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.kfold import KFold, Partition

__all__ = ["FitSetup"]

_LOG = logging.getLogger(__name__)

#: what does not depend on replicas
_SHARED = (
    "grid", "convolution", "compressed", "constraints", "_full_source", "condensed", "predictions", "fold_source",
)  # fmt: skip


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
        for name in (
            "grid",
            "convolution",
            "compressed",
            "constraints",
            "_full_source",
            "condensed",
            "predictions",
            "fold_source",
        ):
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
    def constraints(self) -> tuple[ConstraintSets, ConstraintSets]:
        """Positivity and integrability."""
        sets = self.data.positivity, self.data.integrability
        positivity, integrability = (ConstraintSets.build(each, self.grid, self.working) for each in sets)
        return positivity, integrability

    @cached_property
    def _full_source(self) -> FoldSource:
        """What folds share in the features of the full tables."""
        return FoldSource(self.data, self.compressed, self.card)

    @cached_property
    def condensed(self) -> Condensed | None:
        """The rows of the fast path; None where it is off, or where it cannot be taken: that is said."""
        accuracy = self.card.hadronic_accuracy
        if not accuracy:
            return None
        if not can_move(self.compressed, [each.convolution for each in self.constraints]):
            _LOG.warning("hadronic_accuracy changes nothing: these data have no tables that the fast path can take")
            return None
        if (found := find_condensed(self._full_source, self.constraints, accuracy)) is None:
            _LOG.warning(
                "hadronic_accuracy: few rows do not give χ² within %g for these tables, so the fits take the full "
                "tables, which is slower", accuracy,
            )  # fmt: skip
        return found

    @cached_property
    def predictions(self) -> Predictions:
        """What the programs of all trials share."""
        return training_predictions(self.compressed, self.constraints, self.condensed, self.card.hadronic_accuracy)

    @cached_property
    def fold_source(self) -> FoldSource:
        """What the folds of all replicas share."""
        return self._full_source if self.condensed is None else self._full_source.by(self.condensed)

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

    def _full_batch(self, folds: Sequence[Fold], places: Sequence[int]) -> tuple[BatchData, Predictions]:
        """The data of some models, by their places (fit,) among those of `folds`, in the full tables' features."""
        predictions = training_predictions(self.compressed, self.constraints, None, 0.0)
        count, training, validation, seeds = len(self.replicas), [], [], []
        for place in places:
            k, replica = divmod(int(place), count)
            pseudodata = None if self.pseudodata is None else self.pseudodata[[replica]]
            pair = self._full_source.split(folds[k].trained, pseudodata, [self.split_seeds[replica]])[0]
            training.append(pair[0])
            # without a validation set the training set stops the fit
            validation.append(pair[1] if pair[1].ndata else pair[0])
            seeds.append(self.fold_seeds(k)[replica])
        # each of them is a fold of its own, which shares nothing
        return BatchData(training, validation, seeds, list(range(len(seeds))), predictions.kept), predictions

    def batch_data(self, folds: Sequence[Fold]) -> BatchData:
        """The data of all models; kept for the next trial with the same folds."""
        if self._last_data is None or self._last_data[0] != list(folds):
            data = BatchData(
                training=[chi2 for fold in folds for chi2 in fold.training],
                validation=[chi2 for fold in folds for chi2 in fold.validation],
                seeds=[seed for k in range(len(folds)) for seed in self.fold_seeds(k)],
                folds=[k for k, fold in enumerate(folds) for _ in fold.training],
                kept=self.predictions.kept,
                full=None if self.condensed is None else partial(self._full_batch, list(folds)),
            )
            self._last_data = (list(folds), data)
        return self._last_data[1]
