"""What a batch of models is made of: its data, what predicts them, and what comes of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.types import Observable
from hyperparton.fit import runtime
from hyperparton.fit.chi2 import ReducedChi2, stack
from hyperparton.fit.compiled import Constraint, Forms
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.observables import Convolution, build_convolution
from hyperparton.fit.positivity import multipliers
from hyperparton.fit.projection import build_maps
from hyperparton.pdf.feature_scaling import feature_scaling
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.runcard import LagrangeOptions

__all__ = [
    "Constraints",
    "ModelData",
    "Theory",
    "TrainedModels",
    "build_model",
    "to_device",
    "untrained_models",
    "with_chi2",
]


@dataclass(frozen=True, eq=False)
class Constraints:
    """Positivity or integrability sets on the grid of the fit."""

    observables: tuple[Observable, ...]
    convolution: Convolution

    @classmethod
    def build(cls, observables: Sequence[Observable], grid: np.ndarray) -> Constraints:
        return cls(tuple(observables), build_convolution(observables, grid))

    def membership(self) -> np.ndarray:
        """(set, dat): 1 where a point belongs to a set."""
        sets = np.zeros((len(self.observables), sum(o.ndata for o in self.observables)), np.float32)
        start = 0
        for i, observable in enumerate(self.observables):
            sets[i, start : start + observable.ndata] = 1.0
            start += observable.ndata
        return sets

    def multipliers(self, options: LagrangeOptions, epochs: int, models: int) -> Constraint:
        """The Lagrange multipliers of `models` models, the same for each."""
        largest = [o.maxlambda for o in self.observables]
        return Constraint(*(np.tile(v, (models, 1)) for v in multipliers(options, largest, epochs)))


@dataclass(frozen=True, eq=False)
class ModelData:
    """The data of a batch of models, one entry per model."""

    training: list[ReducedChi2]
    validation: list[ReducedChi2]
    seeds: list[int]
    folds: list[int]
    """numbers from 0; the models of a fold follow each other"""
    _stacked: list[Forms] = field(default_factory=list)

    def forms(self, kept: np.ndarray) -> Forms:
        """Training and validation chi2 of all models in the features `kept`, in single precision; for all trials.

        Where the matrices H of training and validation add up to the same in all replicas of a fold (eigenmodes are
        split), `whole` is that sum (fold, kept, kept), and the validation comes without H; else it is None.
        """
        if not self._stacked:
            training, validation, whole = stack(self.training, kept), stack(self.validation, kept), self._whole(kept)
            own = validation if whole is None else (None, *validation[1:])
            self._stacked.append(Forms(training, own, whole))
        return self._stacked[0]

    def _whole(self, kept: np.ndarray) -> np.ndarray | None:
        first = {fold: i for i, fold in reversed(list(enumerate(self.folds)))}
        if len(first) == len(self.folds):
            return None  # one replica: nothing is shared
        pairs = list(zip(self.training, self.validation, strict=True))
        wholes = [pairs[first[fold]][0].hessian + pairs[first[fold]][1].hessian for fold in sorted(first)]
        for (training, validation), fold in zip(pairs, self.folds, strict=True):
            if not np.allclose(training.hessian + validation.hessian, wholes[fold], rtol=0.0, atol=1e-9):
                return None
        return np.stack([whole[np.ix_(kept, kept)] for whole in wholes]).astype(np.float32)

    @property
    def origin(self) -> np.ndarray:
        """(feature,) where the forms of all models are written around."""
        return self.training[0].origin


@dataclass(frozen=True, eq=False)
class Theory:
    """What predicts data and constraints from PDFs, for all trials."""

    convolution: Convolution
    """in the features of the chi2"""
    positivity: Constraints
    integrability: Constraints
    linear: int
    """how many of the linear features matter in training; those behind them are for what is reported"""

    @cached_property
    def kept(self) -> np.ndarray:
        """(feature,): the features of the training."""
        size = self.convolution.matrix.shape[1]
        index = np.arange(size)
        return (index < self.linear) | (index >= size - self.convolution.nonlinear_size)

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The arrays of `program.Shared` that do not depend on the trial, on the device."""
        maps = build_maps(self.convolution, self.linear, self.positivity.convolution, self.integrability.convolution)
        return {
            "maps": to_device(maps),
            "positivity_sets": to_device(self.positivity.membership()),
            "integrability_sets": to_device(self.integrability.membership()),
        }


@dataclass(frozen=True, eq=False)
class TrainedModels:
    """A trained batch: the parameters of the best epoch (or the last, where none passed), each (model, ...)."""

    model: PDFModel
    parameters: dict[str, Any]
    best_epoch: np.ndarray
    """(model,), -1 where no epoch passed"""
    stop_epoch: np.ndarray
    history: np.ndarray
    """(push, model, 2): training and validation chi2 per point every 100 epochs"""
    validation_chi2: np.ndarray
    """(model,) per point at `parameters`, double precision"""
    training_chi2: np.ndarray

    def select(self, models: slice | np.ndarray) -> dict[str, Any]:
        """Parameters of some of the models."""
        return jax.tree.map(lambda a: a[models], self.parameters)


def to_device(tree: Any) -> Any:
    """Arrays of a tree in single precision on the device; integer arrays (indices) stay integers."""

    def convert(a: Any) -> Any:
        a = np.asarray(a)
        return jnp.asarray(a, jnp.float32 if a.dtype.kind == "f" else jnp.int32)

    return jax.tree.map(convert, tree)


def build_model(
    methodology: Methodology, fitting: Any, sum_rules: str | None, xgrids: Sequence[np.ndarray]
) -> PDFModel:
    """The PDF model of a methodology with the runcard's `fitting`, for observables with these x grids."""
    points = methodology.feature_scaling_points
    scaling = None if points is None else feature_scaling(xgrids, points)
    architecture = Architecture(
        methodology.nodes, methodology.activations, methodology.layer_type, 2 if scaling is None else 1
    )
    preprocessing = Preprocessing(
        smallx=tuple(tuple(e.smallx) for e in fitting.basis),
        largex=tuple(tuple(e.largex) for e in fitting.basis),
        trainable=tuple(bool(e.trainable) for e in fitting.basis),
        large_x=scaling is None,
    )
    elements = tuple(e.fl for e in fitting.basis)
    return PDFModel(architecture, fitting.fitbasis, elements, preprocessing, sum_rules, scaling)


def with_chi2(
    model: PDFModel,
    data: ModelData,
    convolution: Convolution,
    parameters: dict[str, Any],
    best_epoch: np.ndarray,
    stop_epoch: np.ndarray,
    history: np.ndarray,
) -> TrainedModels:
    """Models with these parameters, one for each entry of `data`, and their chi2 in double precision."""
    features = convolution.features(model.evaluate(parameters, convolution.grid), np)

    def chi2(reduced: list[ReducedChi2]) -> np.ndarray:
        return np.array([r(features[i : i + 1])[0] / max(r.ndata, 1) for i, r in enumerate(reduced)])

    validation, training = runtime.run_all([partial(chi2, data.validation), partial(chi2, data.training)])
    return TrainedModels(
        model=model,
        parameters=parameters,
        best_epoch=best_epoch,
        stop_epoch=stop_epoch,
        history=history,
        validation_chi2=validation,
        training_chi2=training,
    )


def untrained_models(model: PDFModel, data: ModelData, theory: Theory, parameters: dict[str, Any]) -> TrainedModels:
    """Models with these parameters as they are: chi2 without any training; no epoch of theirs passed."""
    none = np.zeros(len(data.seeds), int)
    return with_chi2(model, data, theory.convolution, parameters, none - 1, none, np.zeros((0, len(none), 2)))
