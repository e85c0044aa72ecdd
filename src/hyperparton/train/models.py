"""Training a batch of models: from a methodology and the data of each model to trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.backend.moments import COEFFICIENTS, MOMENTS, first_moments, schedule
from hyperparton.backend.optimizers import optimizer_rule
from hyperparton.data.contents import Observable
from hyperparton.pdf.columns import columns, from_columns, shape_of, to_columns
from hyperparton.pdf.convolution import Convolution, build_convolution
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import Architecture, dropout_layer
from hyperparton.pdf.preprocessing import Preprocessing
from hyperparton.pdf.scaling import feature_scaling
from hyperparton.train.chi2 import ReducedChi2, stack
from hyperparton.train.chunks import Chunks
from hyperparton.train.lagrange import PUSH_EACH, multipliers
from hyperparton.train.maps import build_maps
from hyperparton.train.methodology import Methodology
from hyperparton.train.program import FAMILY, Constraint, FitState, Models, Program, Settings, Shared
from hyperparton.train.stopping import Criteria
from hyperparton.train.stopping import start as start_stopping

__all__ = [
    "Constraints",
    "Look",
    "ModelData",
    "Theory",
    "TrainedModels",
    "build_model",
    "train_models",
    "untrained_models",
]

Progress = Callable[[dict[str, Any]], None]
#: called with the epochs that were run and what collects the models as they stand
Look = Callable[[int, Callable[[], "TrainedModels"]], None]


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

    def multipliers(self, options: Any, epochs: int, models: int) -> Constraint:
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
    _stacked: list[Any] = field(default_factory=list)

    def quadratics(self, kept: np.ndarray) -> tuple[Any, Any, Any]:
        """Training and validation chi2 of all models in the features `kept`, in single precision; for all trials.

        Where the matrices H of training and validation add up to the same in all replicas of a fold (eigenmodes are
        split), the third is that sum (fold, kept, kept), and the validation comes without H; else it is None.
        """
        if not self._stacked:
            training, validation = stack(self.training, kept), stack(self.validation, kept)
            whole = self._whole(kept)
            self._stacked.extend((training, validation if whole is None else (None, *validation[1:]), whole))
        training, validation, whole = self._stacked
        return training, validation, whole

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
            "maps": _f32(maps),
            "positivity_sets": _f32(self.positivity.membership()),
            "integrability_sets": _f32(self.integrability.membership()),
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


def _f32(tree: Any) -> Any:
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


def _settings(methodology: Methodology, models: int) -> Settings:
    def repeated(value: float, dtype: Any = np.float32) -> np.ndarray:
        return np.full(models, value, dtype)

    criteria = Criteria(
        epochs=repeated(methodology.epochs, np.int32),
        patience=repeated(methodology.patience, np.int32),
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
    layers = to_columns(model.architecture, start["layers"])
    if model.preprocessing.any_trainable:
        return {"layers": layers, "exponents": start["exponents"]}, {}
    return {"layers": layers}, {"exponents": start["exponents"]}


def _start_state(parameters: dict[str, Any], optimizer: str, settings: Settings) -> FitState:
    """The state before the first epoch, for the parameters that are trained."""
    parameters = jax.tree.map(lambda a: np.asarray(a, np.float32), parameters)

    def slots(leaf: np.ndarray) -> Any:
        return first_moments(optimizer, leaf) if optimizer in MOMENTS else optimizer_rule(optimizer).start(leaf)

    nan = np.full(settings.dropout.shape, np.nan, np.float32)
    return FitState(
        epoch=np.zeros((), np.int32),
        parameters=parameters,
        slots=[slots(leaf) for leaf in jax.tree.leaves(parameters)],
        best=parameters,
        stopping=start_stopping(settings.criteria, np),
        training_loss=nan,
        training_chi2=nan,
        validation_chi2=nan,
    )


def _models(methodology: Methodology, data: ModelData, theory: Theory, fixed: dict[str, Any]) -> Models:
    count = len(data.seeds)
    training, validation, _ = data.quadratics(theory.kept)
    return Models(
        training=training,
        validation=validation,
        whole=None,
        validation_ndata=np.array([r.ndata for r in data.validation], np.float32),
        positivity=theory.positivity.multipliers(methodology.positivity, methodology.epochs, count),
        integrability=theory.integrability.multipliers(methodology.integrability, methodology.epochs, count),
        fixed=fixed,
        keys=np.array([np.random.SeedSequence(s).generate_state(1)[0] for s in data.seeds], np.uint32),
    )


def train_models(
    model: PDFModel,
    methodology: Methodology,
    data: ModelData,
    theory: Theory,
    progress: Progress | None = None,
    look: Look | None = None,
    start: dict[str, Any] | None = None,
) -> TrainedModels:
    """Train one model per seed of `data`, until each has stopped.

    `start` are the parameters of all models to begin with; without, they are drawn from the seeds.
    `progress` is called every 100 epochs with `epoch`, `epochs` and the `running` models, `look` as long as any model
    runs, with the epochs and a function that gives the models as they stand; an exception that one of them raises ends
    the training.
    """
    optimizer = methodology.optimizer
    trained, fixed = _split(model, model.start(methodology.initializer, data.seeds) if start is None else start)
    settings = _settings(methodology, len(data.seeds))
    whole = data.quadratics(theory.kept)[2]
    program = Program(
        shape=shape_of(model, theory.convolution.grid),
        optimizer=FAMILY if optimizer in MOMENTS else optimizer,
        use_dropout=methodology.dropout > 0 and dropout_layer(model.architecture) is not None,
        use_regularizer=methodology.l1 != 0 or methodology.l2 != 0,
        preprocessing=model.preprocessing if model.preprocessing.any_trainable else None,
        split=whole is not None,
    )
    shared = Shared(
        columns=_f32(columns(model, theory.convolution.grid)), origin=_f32(data.origin[theory.kept]), **theory.arrays
    )
    models = _models(methodology, data, theory, fixed)
    state = _start_state(trained, optimizer, settings)
    chunks = Chunks(program, shared, state, models, settings, None if whole is None else (np.array(data.folds), whole))
    collect = partial(_collect, model, data, theory.convolution, fixed)
    history: list[np.ndarray] = []
    points = np.array([r.ndata for r in data.training], np.float64)
    for epoch in range(0, methodology.epochs + 1, PUSH_EACH):
        rows = np.zeros((PUSH_EACH, len(COEFFICIENTS)), np.float32)
        if program.optimizer == FAMILY:
            rows = schedule(optimizer, methodology.optimizer_numbers, epoch, PUSH_EACH)
        running = chunks.advance(rows)
        training, validation = chunks.course()
        history.append(np.stack([training / points, validation], axis=-1))
        if progress is not None:
            progress(
                {"epoch": min(epoch + PUSH_EACH, methodology.epochs), "epochs": methodology.epochs, "running": running}
            )
        if not running:
            break
        if look is not None:
            look(epoch + PUSH_EACH, lambda: collect(chunks.states(), np.array(history)))
    return collect(chunks.states(), np.array(history))


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
    parameters["layers"] = from_columns(model.architecture, parameters["layers"])
    stop_epoch = np.asarray(state.stopping.stop_epoch)
    return _with_chi2(model, data, convolution, parameters, best_epoch, stop_epoch, history)


def _with_chi2(
    model: PDFModel,
    data: ModelData,
    convolution: Convolution,
    parameters: dict[str, Any],
    best_epoch: np.ndarray,
    stop_epoch: np.ndarray,
    history: np.ndarray,
) -> TrainedModels:
    features = convolution.features(model.evaluate(parameters, convolution.grid), np)

    def chi2(reduced: list[ReducedChi2]) -> np.ndarray:
        return np.array([r(features[i : i + 1])[0] / max(r.ndata, 1) for i, r in enumerate(reduced)])

    return TrainedModels(
        model=model,
        parameters=parameters,
        best_epoch=best_epoch,
        stop_epoch=stop_epoch,
        history=history,
        validation_chi2=chi2(data.validation),
        training_chi2=chi2(data.training),
    )


def untrained_models(model: PDFModel, data: ModelData, theory: Theory, parameters: dict[str, Any]) -> TrainedModels:
    """Models with these parameters as they are: chi2 without any training; no epoch of theirs passed."""
    none = np.zeros(len(data.seeds), int)
    return _with_chi2(model, data, theory.convolution, parameters, none - 1, none, np.zeros((0, len(none), 2)))
