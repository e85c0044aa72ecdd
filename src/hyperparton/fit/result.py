"""The results of a fit: the trained models of a batch, and the numbers of a fit of all data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from hyperparton.fit import parallel
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.chi2 import ReducedChi2
from hyperparton.fit.observables import Convolution
from hyperparton.pdf.model import ModelParameters, PDFModel

__all__ = ["FitNumbers", "FitResult", "TrainedModels", "Training"]


class Training(NamedTuple):
    """How the training of models went."""

    best_epoch: np.ndarray
    """(model,), -1 where no epoch passed"""
    stop_epoch: np.ndarray
    """(model,) the last epoch"""
    history: np.ndarray
    """(push, model, 2) the learning curve, training and validation chi2 per point every 100 epochs"""
    stalls: np.ndarray
    """(model,) epochs that each waited at most for a better one that came, see `stopping.longest_stalls`"""
    losses: np.ndarray
    """(push, model, 3) n3fit's log: every 100 epochs training loss, validation loss, validation chi2 per point"""


@dataclass(frozen=True, eq=False)
class TrainedModels:
    """A trained batch: the parameters of the best epoch (or the last, where none passed), each (model, ...)."""

    model: PDFModel
    parameters: ModelParameters
    best_epoch: np.ndarray
    """(model,), -1 where no epoch passed"""
    stop_epoch: np.ndarray
    """(model,) last epoch of the training"""
    history: np.ndarray
    """(push, model, 2) the learning curve, training and validation chi2 per point every 100 epochs"""
    stalls: np.ndarray
    """(model,) epochs that each waited at most for a better one that came, see `stopping.longest_stalls`"""
    losses: np.ndarray
    """(push, model, 3) every 100 epochs training loss, validation loss, validation chi2 per point"""
    validation_chi2: np.ndarray
    """(model,) per point at `parameters`, double precision"""
    training_chi2: np.ndarray
    """(model,) the same of the training data"""
    difference: np.ndarray
    """(model,) by how much the chi2 of the fast path in the best epoch differ from these, relatively; else 0"""

    @classmethod
    def evaluated(
        cls,
        model: PDFModel,
        data: BatchData,
        convolution: Convolution,
        parameters: ModelParameters,
        training: Training | None = None,
        told: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> TrainedModels:
        """Models with these parameters, one for each entry of `data`, and their chi2 in double precision.

        `told` are training and validation chi2 (model,), not divided by the points, by which the training judged; it
        has NaN where there is none.  Without `training` the parameters are taken as they are, not trained, and no epoch
        of theirs passed.
        """
        none = np.zeros(len(data.seeds), int)
        how = training or Training(
            none - 1, none, np.zeros((0, len(none), 2)), np.zeros(len(none)), np.zeros((0, len(none), 3))
        )
        features = convolution.features(model.evaluate(parameters, convolution.grid))

        whole = data.training[0].exact is not None
        predictions = features @ convolution.matrix.T if whole else [None] * len(features)

        def chi2(reduced: Sequence[ReducedChi2]) -> np.ndarray:
            each = zip(reduced, np.split(features, len(features)), predictions, strict=True)
            return np.array([r.of(f, None if p is None else p[None])[0] / max(r.ndata, 1) for r, f, p in each])

        of_validation, of_training = parallel.run_all([partial(chi2, data.validation), partial(chi2, data.training)])
        difference = np.zeros(len(features))
        if told is not None:
            for own, exact, forms in zip(
                told, (of_training, of_validation), (data.training, data.validation), strict=True
            ):
                whole = exact * np.maximum([form.ndata for form in forms], 1)
                difference = np.fmax(difference, np.abs(own - whole) / whole)
        return cls(model, parameters, *how, of_validation, of_training, difference)

    def replaced(self, models: np.ndarray, other: TrainedModels) -> TrainedModels:
        """With `other` in the places (model,) of some of the models."""

        def put(known: np.ndarray, new: np.ndarray) -> np.ndarray:
            known = np.array(known)
            known[models] = new
            return known

        history = np.full((max(len(self.history), len(other.history)), *self.history.shape[1:]), np.nan)
        history[: len(self.history)] = self.history
        history[: len(other.history), models] = other.history
        names = "best_epoch", "stop_epoch", "stalls", "validation_chi2", "training_chi2", "difference"
        arrays = {name: put(getattr(self, name), getattr(other, name)) for name in names}
        parameters = jax.tree.map(put, self.parameters, other.parameters)
        return replace(self, parameters=parameters, history=history, **arrays)

    def select(self, models: slice | np.ndarray) -> dict[str, Any]:
        """Parameters of some of the models, by their places (model,)."""
        return jax.tree.map(lambda a: a[models], self.parameters)


@dataclass(frozen=True, eq=False)
class FitNumbers:
    """The numbers of a fit of all data; arrays are (rep,), chi2 per point."""

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
