"""Training a batch of models: from a methodology and the data of each model to trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.contents import Observable
from hyperparton.pdf.convolution import Convolution, build_convolution
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture, dropout_layer
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.pdf.scaling import feature_scaling
from hyperparton.train.chi2 import ReducedChi2, stack
from hyperparton.train.lagrange import PUSH_EACH, multipliers
from hyperparton.train.methodology import Methodology
from hyperparton.train.program import Constraint, FitState, Problem, Settings, advance, start_state
from hyperparton.train.stopping import Criteria

__all__ = ["Constraints", "ModelData", "TrainedModels", "build_model", "train_models"]

Progress = Callable[[dict[str, Any]], None]


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

    def as_arguments(self, options: Any, epochs: int, models: int) -> Constraint:
        """The arrays of a program for `models` models with the same multipliers."""
        largest = [o.maxlambda for o in self.observables]
        initial, multiplier = (np.tile(v, (models, 1)) for v in multipliers(options, largest, epochs))
        c = self.convolution
        return Constraint(_f32(c.matrix), _f32(c.nonlinear), _f32(self.membership()), _f32(initial), _f32(multiplier))


@dataclass(frozen=True, eq=False)
class ModelData:
    """The data of a batch of models, one entry per model."""

    training: list[ReducedChi2]
    validation: list[ReducedChi2]
    seeds: list[int]


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


def _f32(tree: Any) -> Any:
    """Arrays of a tree in single precision on the device; integer arrays (indices) stay integers."""

    def convert(a: Any) -> Any:
        a = np.asarray(a)
        return jnp.asarray(a, jnp.float32 if a.dtype.kind == "f" else jnp.int32)

    return jax.tree.map(convert, tree)


def build_model(methodology: Methodology, fitting: Any, sum_rules: str | None, xgrids: Sequence[np.ndarray]) -> PDFModel:
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


def _settings(methodology: Methodology, models: int) -> Settings:
    def repeated(value: float, dtype: Any = jnp.float32) -> jax.Array:
        return jnp.full(models, value, dtype)

    criteria = Criteria(
        epochs=repeated(methodology.epochs, jnp.int32),
        patience=repeated(methodology.patience, jnp.int32),
        delta=repeated(methodology.delta),
        threshold_chi2=repeated(methodology.threshold_chi2),
        threshold_positivity=repeated(methodology.threshold_positivity),
    )
    numbers = {key: repeated(value) for key, value in methodology.optimizer_numbers.items()}
    return Settings(
        numbers, repeated(methodology.dropout), repeated(methodology.l1), repeated(methodology.l2), criteria
    )


def _split(model: PDFModel, start: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is trained and what stays fixed."""
    if model.preprocessing.any_trainable:
        return start, {}
    return {"layers": start["layers"]}, {"exponents": start["exponents"]}


def train_models(
    model: PDFModel,
    methodology: Methodology,
    data: ModelData,
    convolution: Convolution,
    positivity: Constraints,
    integrability: Constraints,
    progress: Progress | None = None,
) -> TrainedModels:
    """Train one model per seed of `data`, all in one batch, until each has stopped.

    `progress` is called every 100 epochs with `epoch`, `epochs` and the `running` models; an exception that it
    raises ends the training.
    """
    models = len(data.seeds)
    trained, fixed = _split(model, model.start(methodology.initializer, data.seeds))
    settings = _settings(methodology, models)
    problem = _problem(model, methodology, data, convolution, positivity, integrability, fixed)
    use_dropout = methodology.dropout > 0 and dropout_layer(model.architecture) is not None
    state = start_state(trained, methodology.optimizer, settings)
    points = np.array([r.ndata for r in data.training], np.float64)
    history: list[np.ndarray] = []
    while bool(jnp.any(state.stopping.running)):
        state = advance(
            state,
            state.epoch + PUSH_EACH,
            problem,
            settings,
            model=model,
            optimizer=methodology.optimizer,
            use_dropout=use_dropout,
        )
        history.append(np.stack([np.asarray(state.training_chi2) / points, np.asarray(state.validation_chi2)], axis=-1))
        if progress is not None:
            running = int(jnp.sum(state.stopping.running))
            progress({"epoch": int(state.epoch), "epochs": methodology.epochs, "running": running})
    return _collect(model, data, convolution, fixed, state, np.array(history))


def _problem(
    model: PDFModel,
    methodology: Methodology,
    data: ModelData,
    convolution: Convolution,
    positivity: Constraints,
    integrability: Constraints,
    fixed: dict[str, Any],
) -> Problem:
    models = len(data.seeds)
    points = model.points(convolution.grid)
    assert convolution.basis is not None
    seeds = np.array([np.random.SeedSequence(s).generate_state(1)[0] for s in data.seeds], np.uint32)
    return Problem(
        points=_f32((points.inputs, points.x, points.log_x, points.log_1mx)),
        training=_f32(stack(data.training)),
        validation=_f32(stack(data.validation)),
        validation_ndata=jnp.asarray([r.ndata for r in data.validation], jnp.float32),
        basis=_f32(convolution.basis),
        nonlinear=_f32(convolution.nonlinear),
        positivity=positivity.as_arguments(methodology.positivity, methodology.epochs, models),
        integrability=integrability.as_arguments(methodology.integrability, methodology.epochs, models),
        fixed=_f32(fixed),
        keys=jax.vmap(jax.random.key)(seeds),
    )


def _collect(
    model: PDFModel,
    data: ModelData,
    convolution: Convolution,
    fixed: dict[str, Any],
    state: FitState,
    history: np.ndarray,
) -> TrainedModels:
    best_epoch = np.asarray(state.stopping.best_epoch)

    def chosen(best: Any, last: Any) -> np.ndarray:
        best, last = np.asarray(best), np.asarray(last)
        return np.where((best_epoch >= 0).reshape(-1, *([1] * (best.ndim - 1))), best, last)

    parameters = {**jax.tree.map(chosen, state.best, state.parameters), **fixed}
    features = convolution.features(model.evaluate(parameters, convolution.grid), np)

    def chi2(reduced: list[ReducedChi2]) -> np.ndarray:
        return np.array([r(features[i : i + 1])[0] / max(r.ndata, 1) for i, r in enumerate(reduced)])

    return TrainedModels(
        model=model,
        parameters=parameters,
        best_epoch=best_epoch,
        stop_epoch=np.asarray(state.stopping.stop_epoch),
        history=history,
        validation_chi2=chi2(data.validation),
        training_chi2=chi2(data.training),
    )
