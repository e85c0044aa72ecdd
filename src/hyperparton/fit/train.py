"""Training the models of one trial, or of several trials of like kind together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.errors import TrialPrunedError
from hyperparton.fit.batches import Chunks
from hyperparton.fit.compiled import FAMILY, FitState, Models, Program, Settings, Shared
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.models import ModelData, Theory, TrainedModels, to_device, with_chi2
from hyperparton.fit.positivity import PUSH_EACH
from hyperparton.fit.stopping import Criteria
from hyperparton.fit.stopping import start as start_stopping
from hyperparton.nn.optimizers import optimizer_rule
from hyperparton.nn.optimizers_fused import COEFFICIENTS, MOMENTS, first_moments, schedule
from hyperparton.pdf.batched import columns, from_columns, nodes_of, shape_of, to_columns
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.network import dropout_layer

__all__ = ["Look", "Member", "Progress", "alike", "train_together"]

Progress = Callable[[dict[str, Any]], None]
#: called with the epochs that were run and what collects the models as they stand
Look = Callable[[int, Callable[[], TrainedModels]], None]


@dataclass(frozen=True, eq=False)
class Member:
    """One trial: a methodology and, for each model of the data, the parameters to begin with."""

    model: PDFModel
    methodology: Methodology
    look: Look | None = None
    """called every 100 epochs as long as any model runs; a TrialPrunedError that it raises ends the trial"""
    start: dict[str, Any] | None = None
    """without, they are drawn from the seeds of the data"""

    def begin(self, seeds: Sequence[int]) -> dict[str, Any]:
        """The parameters before the first epoch."""
        return self.model.start(self.methodology.initializer, seeds) if self.start is None else self.start


@dataclass(eq=False)
class _Running:
    """What is known of a member while it is trained; its models are the rows `rows` of all."""

    member: Member
    rows: slice
    fixed: dict[str, Any]
    trained: dict[str, Any]
    history: list[np.ndarray] = field(default_factory=list)
    going: bool = True
    result: TrialPrunedError | None = None
    """what its look ended it with"""


def _program(member: Member, data: ModelData, theory: Theory) -> Program:
    methodology, model = member.methodology, member.model
    return Program(
        shape=shape_of(model, theory.convolution.grid),
        optimizer=FAMILY if methodology.optimizer in MOMENTS else methodology.optimizer,
        use_dropout=methodology.dropout > 0 and dropout_layer(model.architecture) is not None,
        use_regularizer=methodology.l1 != 0 or methodology.l2 != 0,
        preprocessing=model.preprocessing if model.preprocessing.any_trainable else None,
        split=data.forms(theory.kept).whole is not None,
    )


def alike(member: Member, data: ModelData, theory: Theory) -> Hashable:
    """Members for which this is equal can be trained together."""
    methodology = member.methodology
    numbers = tuple(sorted(methodology.optimizer_numbers))
    return _program(member, data, theory), numbers, methodology.feature_scaling_points


def train_together(
    members: Sequence[Member], data: ModelData, theory: Theory, progress: Progress | None = None
) -> list[TrainedModels | TrialPrunedError]:
    """Train a model per entry of `data` for each of `members`, which are `alike`, until each has stopped.

    Each comes out as it would alone: to the last digit on a CPU, to rounding on an accelerator.  `progress` is called
    every 100 epochs with `epoch`, `epochs` and the `running` models.  In the place of a member that its look ended
    stands the TrialPrunedError; any other exception ends the training.
    """
    count = len(data.seeds)
    running = [_start(member, k, data) for k, member in enumerate(members)]
    program = _program(members[0], data, theory)
    grid = theory.convolution.grid
    shared = Shared(
        columns=to_device(columns(members[0].model, grid)), origin=to_device(data.origin[theory.kept]), **theory.arrays
    )
    settings = _joined([_settings(member.methodology, count) for member in members])
    state = _start_state(_joined([each.trained for each in running]), running, settings)
    models = _models(running, data, theory)
    chunks = Chunks(program, shared, state, data.forms(theory.kept), np.array(data.folds), models, settings)
    points = np.array([r.ndata for r in data.training], np.float64)
    longest = max(member.methodology.epochs for member in members)
    for epoch in range(0, longest + 1, PUSH_EACH):
        left = chunks.advance(_coefficients(program, members, epoch))
        training, validation = chunks.course()
        for each in running:
            if each.going:
                each.history.append(np.stack([training[each.rows] / points, validation[each.rows]], axis=-1))
        if progress is not None:
            progress({"epoch": min(epoch + PUSH_EACH, longest), "epochs": longest, "running": len(left)})
        left = _ask(chunks, running, left // count, epoch + PUSH_EACH, data, theory)
        if not len(left):
            break
    states = chunks.states()
    return [_collect(each, data, theory, states) if each.result is None else each.result for each in running]


def _ask(
    chunks: Chunks, running: Sequence[_Running], left: np.ndarray, epoch: int, data: ModelData, theory: Theory
) -> np.ndarray:
    """Let the members in `left` (model,) look; which members still run, one entry for each of their models."""
    ended = []
    states = cache(chunks.states)  # one reading of the chunks serves all who look
    for k, each in enumerate(running):
        each.going = each.going and bool(np.any(left == k))
        look = each.member.look
        if look is None or not each.going:
            continue
        try:
            look(epoch, lambda each=each: _collect(each, data, theory, states()))
        except TrialPrunedError as pruned:
            each.result, each.going = pruned, False
            ended.append(k)
    if not ended:
        return left
    models = np.arange(len(running) * len(data.seeds))
    return chunks.stop(models[np.isin(models // len(data.seeds), ended)]) // len(data.seeds)


def _start(member: Member, number: int, data: ModelData) -> _Running:
    """What is trained of a member and what stays fixed."""
    start = member.begin(data.seeds)
    layers = to_columns(member.model.architecture, start["layers"])
    trained: dict[str, Any] = {"layers": layers}
    exponents = {"exponents": start["exponents"]}
    if member.model.preprocessing.any_trainable:
        trained, exponents = {**trained, **exponents}, {}
    count = len(data.seeds)
    return _Running(member, slice(number * count, (number + 1) * count), exponents, trained)


def _joined(trees: Sequence[Any]) -> Any:
    """Trees of arrays with a leading axis `model`, one after the other."""
    return jax.tree.map(lambda *arrays: np.concatenate([np.asarray(a) for a in arrays]), *trees)


def _settings(methodology: Methodology, models: int) -> Settings:
    def repeated(value: float, dtype: Any = np.float32) -> np.ndarray:
        return np.full(models, value, dtype)

    criteria = Criteria(
        epochs=repeated(methodology.epochs, np.int32),
        patience=repeated(methodology.patience, np.int32),
        delta=repeated(methodology.delta),
        threshold_chi2=repeated(methodology.threshold_chi2),
        threshold_positivity=repeated(methodology.positivity.threshold),
    )
    numbers = {key: repeated(value) for key, value in methodology.optimizer_numbers.items()}
    return Settings(
        numbers, repeated(methodology.dropout), repeated(methodology.l1), repeated(methodology.l2), criteria
    )


def _coefficients(program: Program, members: Sequence[Member], epoch: int) -> np.ndarray:
    """(epoch, trial, coefficient) of the next call."""
    if program.optimizer != FAMILY:
        return np.zeros((PUSH_EACH, len(members), len(COEFFICIENTS)), np.float32)
    each = [m.methodology for m in members]
    return np.stack([schedule(m.optimizer, m.optimizer_numbers, epoch, PUSH_EACH) for m in each], axis=1)


def _start_state(parameters: dict[str, Any], running: Sequence[_Running], settings: Settings) -> FitState:
    """The state before the first epoch, for the parameters that are trained."""
    parameters = jax.tree.map(lambda a: np.asarray(a, np.float32), parameters)

    def slots(leaf: np.ndarray) -> Any:
        parts = [(each.member.methodology.optimizer, leaf[each.rows]) for each in running]
        if parts[0][0] in MOMENTS:
            return _joined([first_moments(optimizer, part) for optimizer, part in parts])
        # one optimizer for all; its slots may be numbers
        return optimizer_rule(parts[0][0]).start(jnp.asarray(leaf))

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


def _models(running: Sequence[_Running], data: ModelData, theory: Theory) -> Models:
    ndata = np.array([r.ndata for r in data.validation], np.float32)
    keys = np.array([np.random.SeedSequence(s).generate_state(1)[0] for s in data.seeds], np.uint32)

    def of(each: _Running) -> Models:
        methodology, count = each.member.methodology, len(data.seeds)
        return Models(
            nodes=to_device(nodes_of(each.member.model.architecture, count)),
            validation_ndata=ndata,
            positivity=theory.positivity.multipliers(methodology.positivity, methodology.epochs, count),
            integrability=theory.integrability.multipliers(methodology.integrability, methodology.epochs, count),
            fixed=each.fixed,
            keys=keys,
        )

    return _joined([of(each) for each in running])


def _collect(each: _Running, data: ModelData, theory: Theory, states: FitState) -> TrainedModels:
    state = jax.tree.map(lambda a: np.asarray(a)[each.rows] if np.ndim(a) else a, states)
    best_epoch = np.array(state.stopping.best_epoch)

    def chosen(best: Any, last: Any) -> np.ndarray:
        return np.where((best_epoch >= 0).reshape(-1, *([1] * (best.ndim - 1))), best, last)

    parameters = {**jax.tree.map(chosen, state.best, state.parameters), **each.fixed}
    model = each.member.model
    parameters["layers"] = from_columns(model.architecture, parameters["layers"])
    stop_epoch = np.array(state.stopping.stop_epoch)
    return with_chi2(model, data, theory.convolution, parameters, best_epoch, stop_epoch, np.array(each.history))
