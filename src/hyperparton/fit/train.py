"""Training: the models of one trial, or of several trials that share a compiled program, as one batch."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from hyperparton.catalogue import PUSH_EACH
from hyperparton.errors import TrialPrunedError
from hyperparton.fit import pace
from hyperparton.fit.batch_data import BatchData
from hyperparton.fit.batches import BatchRunner
from hyperparton.fit.compiled import MOMENTS
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.predictions import Predictions
from hyperparton.fit.program_arrays import CompileKey, FitState, HyperArrays, ModelArrays, ProblemArrays
from hyperparton.fit.projection import to_device
from hyperparton.fit.result import TrainedModels, Training
from hyperparton.fit.stopping import Criteria, StoppingState, longest_stalls
from hyperparton.fit.stopping import start as start_stopping
from hyperparton.nn.optimizers import COEFFICIENTS, RULES, MomentRule
from hyperparton.pdf.batched import network_shape, node_masks, pad_weights, point_arrays, unpad_weights
from hyperparton.pdf.model import ModelParameters, PDFModel
from hyperparton.pdf.network import dropout_layer

__all__ = [
    "Checkpoint",
    "FitJob",
    "ProgressCallback",
    "batch_key",
    "compile_key",
    "parameters_on_the_way",
    "train_batch",
]

_LOG = logging.getLogger(__name__)

#: called every 100 epochs with `epoch`, `epochs`, the number of `running` models and their mean `validation` chi2
ProgressCallback = Callable[[dict[str, Any]], None]
#: called with the epochs that were run and what collects the models as they stand
Checkpoint = Callable[[int, Callable[[], TrainedModels]], None]


@dataclass(frozen=True, eq=False)
class FitJob:
    """One trial: a methodology and, for each fit of the data, the parameters to begin with."""

    model: PDFModel
    methodology: Methodology
    checkpoint: Checkpoint | None = None
    """called every 100 epochs as long as any model runs; a TrialPrunedError that it raises ends the trial"""
    start: ModelParameters | None = None
    """without, they are drawn from the seeds of the data"""

    def begin(self, seeds: Sequence[int]) -> ModelParameters:
        """The parameters before the first epoch."""
        return self.model.start(self.methodology.initializer, seeds) if self.start is None else self.start


def compile_key(job: FitJob, data: BatchData, predictions: Predictions) -> CompileKey:
    """What is compiled for this job."""
    methodology, model = job.methodology, job.model
    fused = isinstance(RULES[methodology.optimizer], MomentRule)
    return CompileKey(
        shape=network_shape(model, predictions.convolution.grid),
        optimizer=MOMENTS if fused else methodology.optimizer,
        use_dropout=methodology.dropout > 0 and dropout_layer(model.architecture) is not None,
        use_regularizer=methodology.l1 != 0 or methodology.l2 != 0,
        preprocessing=model.preprocessing if model.preprocessing.any_trainable else None,
        split=data.chi2_arrays.summed is not None,
        moving=predictions.condensed is not None,
    )


def batch_key(job: FitJob, data: BatchData, predictions: Predictions) -> Hashable:
    """Jobs for which this is equal can be trained as one batch."""
    return compile_key(job, data, predictions), job.methodology.feature_scaling_points


def train_batch(
    jobs: Sequence[FitJob], data: BatchData, predictions: Predictions, progress: ProgressCallback | None = None
) -> list[TrainedModels | TrialPrunedError]:
    """Train a model per entry of `data` for each of `jobs`, whose `batch_key` is equal, until each has stopped.

    Each result is what it would be alone: to the last digit on a CPU, to rounding on an accelerator.  In the place of a
    job that its checkpoint ended stands the TrialPrunedError; any other exception ends the training.
    """
    batch = _Batch(jobs, data, predictions)
    longest = max(job.methodology.epochs for job in jobs)
    for epoch in range(0, longest + 1, PUSH_EACH):
        left = batch.advance(epoch)
        if progress is not None:
            progress(
                {
                    "epoch": min(epoch + PUSH_EACH, longest), "epochs": longest, "running": len(left),
                    "validation": batch.validation(),
                }
            )  # fmt: skip
        if not len(batch.checkpoint(left, epoch + PUSH_EACH)):
            break
    states = batch.runner.states()
    return [batch.pruned.get(k) or batch.finished(k, states) for k in range(len(jobs))]


def parameters_on_the_way(
    job: FitJob, data: BatchData, predictions: Predictions, epochs: Sequence[int]
) -> list[ModelParameters]:
    """Those of the models of a job after so many epochs each, multiples of 100: the best so far, or the last."""
    batch, seen = _Batch([job], data, predictions), []
    for epoch in range(0, max(epochs), PUSH_EACH):
        batch.advance(epoch)
        if epoch + PUSH_EACH in epochs:
            seen.append(jax.tree.map(np.copy, batch.parameters(0, batch.runner.states())))
    return seen


class _Batch:
    """Jobs while they are trained: models (model, ...) are job after job, those of a job in the order of the data."""

    def __init__(self, jobs: Sequence[FitJob], data: BatchData, predictions: Predictions):
        self.jobs, self.data, self.predictions = jobs, data, predictions
        self.count = len(data.seeds)
        self.key = compile_key(jobs[0], data, predictions)
        self.models, state = self._arrays()
        problem = ProblemArrays(
            points=to_device(point_arrays(jobs[0].model, predictions.convolution.grid)),
            origin=to_device(data.origin[data.kept]),
            **predictions.arrays,
        )
        self.runner = BatchRunner(self.key, problem, state, data.chi2_arrays, np.array(data.folds), self.models)
        #: (model, 2) training and validation chi2 per point of each push, and how many of them belong to each job
        self.history: list[np.ndarray] = []
        self.pushes = [0] * len(jobs)
        #: (model, 3) training loss of the epoch before each push, validation loss and chi2 of the push before
        self.losses: list[np.ndarray] = []
        self.stopping: list[StoppingState] = []
        """after each push"""
        self.running = [True] * len(jobs)
        self.pruned: dict[int, TrialPrunedError] = {}

    def _arrays(self) -> tuple[ModelArrays, FitState]:
        """What does not change of all models, and their state before the first epoch."""
        trained, models = zip(*(_start(job, self.data, self.predictions) for job in self.jobs), strict=True)
        parameters = jax.tree.map(lambda a: np.asarray(a, np.float32), _joined(trained))

        def slots(leaf: np.ndarray) -> Any:
            parts = zip(self.jobs, np.split(leaf, len(self.jobs)), strict=True)
            return _joined([RULES[job.methodology.optimizer].start(part) for job, part in parts])

        arrays: ModelArrays = _joined(models)
        nan = np.full(arrays.keys.shape, np.nan, np.float32)
        return arrays, FitState(
            epoch=np.zeros((), np.int32),
            parameters=parameters,
            slots=[slots(leaf) for leaf in jax.tree.leaves(parameters)],
            best=parameters,
            stopping=start_stopping(arrays.hyper.criteria),
            training_loss=nan,
            training_chi2=nan,
            validation_chi2=nan,
            pushed_loss=nan,
            pushed_chi2=nan,
            pace=None if self.predictions.condensed is None else pace.start(len(nan)),
        )

    def advance(self, epoch: int) -> np.ndarray:
        """The next 100 epochs, which begin at `epoch`; the models (model,) that still run."""
        left = self.runner.advance(self._coefficients(epoch))
        training, validation, *losses = self.runner.last(
            "training_chi2", "validation_chi2", "training_loss", "pushed_loss", "pushed_chi2"
        )
        self.losses.append(np.stack(losses, axis=-1))
        points = np.tile(np.array([r.ndata for r in self.data.training], np.float64), len(self.jobs))
        self.history.append(np.stack([training / points, validation], axis=-1))
        self.stopping.append(self.runner.stopping())
        self.pushes = [len(self.history) if on else n for n, on in zip(self.pushes, self.running, strict=True)]
        return left

    def validation(self) -> float | None:
        """The mean validation chi2 per point after the last epochs of models that ran in them, if it is finite."""
        values = self.history[-1][:, 1]
        mean = float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else math.nan
        return mean if math.isfinite(mean) else None

    def _coefficients(self, epoch: int) -> np.ndarray:
        """(epoch, trial, coefficient) of the next call."""
        if self.key.optimizer != MOMENTS:
            return np.zeros((PUSH_EACH, len(self.jobs), len(COEFFICIENTS)), np.float32)
        tables = []
        for methodology in (job.methodology for job in self.jobs):
            rule = RULES[methodology.optimizer]
            assert isinstance(rule, MomentRule)
            tables.append(rule.schedule(methodology.optimizer_numbers, epoch, PUSH_EACH))
        return np.stack(tables, axis=1)

    def checkpoint(self, left: np.ndarray, epoch: int) -> np.ndarray:
        """Call the checkpoints of the jobs of the models `left` (model,); the models that still run."""
        ended = []
        states = cache(self.runner.states)  # one reading of the chunks serves all checkpoints
        for k, job in enumerate(self.jobs):
            self.running[k] = self.running[k] and bool(np.any(left // self.count == k))
            if job.checkpoint is None or not self.running[k]:
                continue
            try:
                job.checkpoint(epoch, lambda k=k: self.collect(k, states()))
            except TrialPrunedError as pruned:
                self.pruned[k], self.running[k] = pruned, False
                ended.append(k)
        if not ended:
            return left
        models = np.arange(len(self.jobs) * self.count)
        return self.runner.stop(models[np.isin(models // self.count, ended)])

    def finished(self, k: int, states: FitState) -> TrainedModels:
        """The models of job `k`; those that the fast path led astray are fitted again by the full tables."""
        trained, accuracy = self.collect(k, states), self.predictions.wanted
        if self.data.full is None:
            return trained
        astray = np.flatnonzero(~(trained.difference <= accuracy))
        if not len(astray):
            return trained
        job, worst = self.jobs[k], np.max(trained.difference[astray])
        _LOG.warning(
            "chi2 of %d of %d fits differ by up to %.1e from the full tables', more than hadronic_accuracy, %g: "
            "they are fitted again by the full tables",
            *(len(astray), self.count, worst, accuracy),
        )
        start = None if job.start is None else jax.tree.map(lambda a: np.asarray(a)[astray], job.start)
        (again,) = train_batch([replace(job, checkpoint=None, start=start)], *self.data.full(astray.tolist()))
        assert isinstance(again, TrainedModels)
        return trained.replaced(astray, again)

    def _of_job(self, k: int, states: FitState) -> tuple[slice, FitState]:
        """The places of the models of job `k`, and their state."""
        rows = slice(k * self.count, (k + 1) * self.count)
        return rows, jax.tree.map(lambda a: np.asarray(a)[rows] if np.ndim(a) else a, states)

    def parameters(self, k: int, states: FitState) -> ModelParameters:
        """Those of the best epoch of the models of job `k`, or of the last where no epoch passed."""
        rows, state = self._of_job(k, states)
        best_epoch = np.array(state.stopping.best_epoch)

        def chosen(best: Any, last: Any) -> np.ndarray:
            return np.where((best_epoch >= 0).reshape(-1, *([1] * (best.ndim - 1))), best, last)

        fixed = jax.tree.map(lambda a: a[rows], self.models.fixed)
        parameters = {**jax.tree.map(chosen, state.best, state.parameters), **fixed}
        parameters["layers"] = unpad_weights(self.jobs[k].model.architecture, parameters["layers"])
        return parameters

    def collect(self, k: int, states: FitState) -> TrainedModels:
        """The models of job `k` with their best parameters, or the last where no epoch passed."""
        rows, state = self._of_job(k, states)
        model, parameters = self.jobs[k].model, self.parameters(k, states)
        history = np.array([each[rows] for each in self.history[: self.pushes[k]]])
        stalls = longest_stalls([jax.tree.map(lambda a: a[rows], each) for each in self.stopping], PUSH_EACH)
        losses = [each[rows] for each in self.losses[: self.pushes[k]]]
        best_epoch, stop_epoch = np.array(state.stopping.best_epoch), np.array(state.stopping.stop_epoch)
        stopping = Training(best_epoch, stop_epoch, history, stalls, _log(losses))
        told = None if state.pace is None else (state.pace.best_training, state.pace.best_validation)
        if self.key.use_dropout and told is not None:
            told = np.full_like(told[1], np.nan), told[1]  # training saw other PDFs
        return TrainedModels.evaluated(model, self.data, self.predictions.convolution, parameters, stopping, told)


def _log(losses: Sequence[np.ndarray]) -> np.ndarray:
    """(push, model, 3) the losses of each push together: what belongs to the validation is known one push later."""
    if len(losses) < 2:
        return np.zeros((0, len(losses[0]) if losses else 0, 3))
    return np.stack([np.column_stack([now[:, 0], later[:, 1:]]) for now, later in pairwise(losses)])


def _start(job: FitJob, data: BatchData, predictions: Predictions) -> tuple[ModelParameters, ModelArrays]:
    """The parameters that are trained, and what does not change, of a job's models: arrays (model, ...)."""
    count, methodology = len(data.seeds), job.methodology
    start = job.begin(data.seeds)
    trained: ModelParameters = {"layers": pad_weights(job.model.architecture, start["layers"])}
    exponents = {"exponents": start["exponents"]}
    if job.model.preprocessing.any_trainable:
        trained, exponents = {**trained, **exponents}, {}
    return trained, ModelArrays(
        masks=to_device(node_masks(job.model.architecture, count)),
        validation_ndata=np.array([r.ndata for r in data.validation], np.float32),
        positivity=predictions.positivity.multipliers(methodology.positivity, methodology.epochs, count),
        integrability=predictions.integrability.multipliers(methodology.integrability, methodology.epochs, count),
        fixed=exponents,
        keys=np.array([np.random.SeedSequence(s).generate_state(1)[0] for s in data.seeds], np.uint32),
        hyper=_hyper_arrays(methodology, count),
    )


def _hyper_arrays(methodology: Methodology, models: int) -> HyperArrays:
    """The methodology's numbers, each (model,), the same for all models."""
    real, integer = partial(np.full, models, dtype=np.float32), partial(np.full, models, dtype=np.int32)
    criteria = Criteria(
        epochs=integer(methodology.epochs),
        patience=integer(methodology.patience),
        delta=real(methodology.delta),
        threshold_chi2=real(methodology.threshold_chi2),
        threshold_positivity=real(methodology.positivity.threshold),
    )
    numbers = {key: real(value) for key, value in methodology.optimizer_numbers.items()}
    return HyperArrays(numbers, real(methodology.dropout), real(methodology.l1), real(methodology.l2), criteria)


def _joined(trees: Sequence[Any]) -> Any:
    """Trees of arrays with a leading axis `model`, one after the other."""
    return jax.tree.map(lambda *arrays: np.concatenate([np.asarray(a) for a in arrays]), *trees)
