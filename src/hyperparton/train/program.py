"""The compiled fit: many models trained at once, with stopping inside.

One call of `advance` runs a number of epochs of all models without returning to Python.  What differs between
trials of like shape (learning rate, clipnorm, dropout rate, epochs, patience, multipliers, data) is data of the
program, not part of it, so trials with the same architecture and optimizer share one compilation.

Axes: `model` = folds x replicas, `row` of a reduced chi2, `feature` = PDF values and non-linear observables.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hyperparton.backend.optimizers import clip_by_norm, optimizer_rule
from hyperparton.pdf.convolution import features
from hyperparton.pdf.model import PDFModel, Points
from hyperparton.pdf.network import dropout_layer
from hyperparton.train.lagrange import PUSH_EACH, elu
from hyperparton.train.stopping import Criteria, StoppingState, monitor
from hyperparton.train.stopping import start as start_stopping

__all__ = ["Constraint", "FitState", "Problem", "Settings", "advance", "start_state"]

Array = Any
Parameters = dict[str, Any]


class Constraint(NamedTuple):
    """Sets of points whose predictions enter a Lagrange multiplier; `matrix` (dat, feature)."""

    matrix: Array
    nonlinear: tuple[Any, ...]
    sets: Array
    """(set, dat): 1 where a point belongs to a set"""
    initial: Array
    """(model, set)"""
    multiplier: Array
    """(model, set): factor of each push"""

    def at(self, push: Array) -> Array:
        """Multipliers (model, dat) after `push` pushes."""
        return (self.initial * self.multiplier**push) @ self.sets

    def predict(self, xf: Array) -> Array:
        """(model, dat) for xf (model, x, working)."""
        return features(xf, None, self.nonlinear, jnp) @ self.matrix.T


class Problem(NamedTuple):
    """The arrays that a program works on."""

    points: tuple[Array, Array, Array, Array]
    training: tuple[Array, Array]
    """the two blocks of `train.chi2.stack`"""
    validation: tuple[Array, Array]
    validation_ndata: Array
    """(model,)"""
    basis: Array
    """combinations of PDF values that are the linear features"""
    nonlinear: tuple[Any, ...]
    positivity: Constraint
    integrability: Constraint
    fixed: Parameters
    """exponents that are not trained"""
    keys: Array
    """(model,) random keys of dropout"""


class Settings(NamedTuple):
    """Hyperparameters that are data, each (model,)."""

    optimizer: dict[str, Array]
    dropout: Array
    l1: Array
    l2: Array
    criteria: Criteria


class FitState(NamedTuple):
    """Everything that changes in a fit."""

    epoch: Array
    parameters: Parameters
    slots: list[Any]
    best: Parameters
    stopping: StoppingState
    training_loss: Array
    """(model,) chi2 and Lagrange terms at the current parameters"""
    training_chi2: Array
    validation_chi2: Array
    """(model,) per point"""


def _squares(matrix: Array, features: Array) -> Array:
    residual = jnp.einsum("mrf,mf->mr", matrix[:, :, :-1], features) + matrix[:, :, -1]
    return jnp.sum(residual * residual, axis=1)


def _chi2(blocks: tuple[Array, Array], phi: Array) -> Array:
    coupled, linear = blocks
    return _squares(coupled, phi) + _squares(linear, phi[:, : linear.shape[2] - 1])


def _complete(model: PDFModel, parameters: Parameters, fixed: Parameters) -> Parameters:
    return {**fixed, **parameters}


def _validation(problem: Problem, phi: Array, xf: Array) -> tuple[Array, Array]:
    """Validation chi2 (model,) and positivity losses (model, set) at the first multipliers."""
    constraint = problem.positivity
    losses = elu(-constraint.at(jnp.zeros(())) * constraint.predict(xf), jnp)
    return _chi2(problem.validation, phi), losses @ constraint.sets.T


def _regularization(model: PDFModel, parameters: Parameters, settings: Settings) -> Array:
    """n3fit regularizes the kernels of dense networks only."""
    kernels = [layer["kernel"] for layer in parameters["layers"]]
    if model.architecture.per_flavour:
        return jnp.zeros_like(settings.l1)
    return sum(
        settings.l1 * jnp.sum(jnp.abs(k), axis=(1, 2)) + settings.l2 * jnp.sum(k * k, axis=(1, 2)) for k in kernels
    )


def _dropout_mask(model: PDFModel, problem: Problem, settings: Settings, epoch: Array) -> Array:
    """What multiplies the outputs of the dropout layer: 0 or 1/(1 - rate), drawn per model, epoch, point and node."""
    layer = dropout_layer(model.architecture)
    assert layer is not None
    shape: tuple[int, ...] = (problem.points[0].shape[0], model.architecture.shapes()[layer][1])
    if model.architecture.per_flavour:
        shape = (model.architecture.flavours, *shape)
    draw = jax.vmap(lambda key: jax.random.bits(jax.random.fold_in(key, epoch), shape, jnp.uint16))
    uniform = draw(problem.keys).astype(jnp.float32) / 65536.0
    rate = settings.dropout.reshape(-1, *([1] * len(shape)))
    return jnp.where(uniform >= rate, 1.0 / (1.0 - rate), 0.0)


def _losses(model: PDFModel, use_dropout: bool, problem: Problem, settings: Settings, epoch: Array, trained: Parameters):
    """Training loss summed over models, with what the stopping needs as auxiliary values."""
    parameters = _complete(model, trained, problem.fixed)
    points = Points(*problem.points)
    mask = _dropout_mask(model, problem, settings, epoch) if use_dropout else None
    xf = model.xf(parameters, points, jnp, mask)
    phi = features(xf, problem.basis, problem.nonlinear, jnp)
    chi2 = _chi2(problem.training, phi)
    push = epoch // PUSH_EACH
    positivity = elu(-problem.positivity.at(push) * problem.positivity.predict(xf), jnp)
    integrability = (problem.integrability.at(push) * problem.integrability.predict(xf)) ** 2
    loss = chi2 + jnp.sum(positivity, axis=1) + jnp.sum(integrability, axis=1)
    loss += _regularization(model, parameters, settings)
    if use_dropout:
        xf = jax.lax.stop_gradient(model.xf(parameters, points, jnp))
        phi = features(xf, problem.basis, problem.nonlinear, jnp)
    validation = jax.lax.stop_gradient(_validation(problem, phi, xf))
    return jnp.sum(loss), (loss, chi2, *validation)


def _norm(path: tuple[Any, ...], gradient: Array) -> Array:
    """Norm of one weight array of each model, broadcastable against it."""
    kind = path[-1].key
    if kind in ("alpha", "beta"):  # each exponent is a weight of its own
        return jnp.abs(gradient)
    axes = (-2, -1) if kind == "kernel" else (-1,)
    return jnp.sqrt(jnp.sum(gradient * gradient, axis=axes, keepdims=True))


def _per_model(values: Array, like: Array) -> Array:
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def _step(optimizer: str, settings: Settings, epoch: Array, parameters: Parameters, gradients: Parameters, slots):
    """Parameters and slots after one step of the optimizer."""
    rule = optimizer_rule(optimizer)
    step = epoch.astype(jnp.float32) + 1.0
    flat, tree = jax.tree_util.tree_flatten_with_path(parameters)
    stepped, new_slots = [], []
    for (path, value), gradient, slot in zip(flat, jax.tree.leaves(gradients), slots, strict=True):
        hyper = {key: _per_model(number, value) for key, number in settings.optimizer.items()}
        clipped = clip_by_norm(gradient, _norm(path, gradient), hyper["clipnorm"])
        delta, slot = rule.update(clipped, slot, step, hyper)
        stepped.append(value + delta)
        new_slots.append(slot)
    return jax.tree_util.tree_unflatten(tree, stepped), new_slots


def _select(choose: Array, new: Parameters, old: Parameters) -> Parameters:
    return jax.tree.map(lambda a, b: jnp.where(_per_model(choose, a), a, b), new, old)


def _constrain(model: PDFModel, parameters: Parameters, trainable: Array, before: Parameters) -> Parameters:
    """Exponents back in their ranges, those that are not trainable as before."""
    if "exponents" not in parameters:
        return parameters
    clamped = model.preprocessing.clamp(parameters["exponents"], jnp)
    kept = jax.tree.map(lambda new, old: jnp.where(trainable, new, old), clamped, before["exponents"])
    return {**parameters, "exponents": kept}


def _epoch(model: PDFModel, optimizer: str, use_dropout: bool, problem: Problem, settings: Settings, state: FitState):
    """One epoch: losses at the current parameters, stopping for the epoch that led to them, next step."""
    function = partial(_losses, model, use_dropout, problem, settings, state.epoch)
    (_, aux), gradients = jax.value_and_grad(function, has_aux=True)(state.parameters)
    loss, training, validation, positivity = aux
    chi2 = validation / jnp.maximum(problem.validation_ndata, 1)
    total = validation + jnp.sum(positivity, axis=1)
    alive = state.stopping.running
    stopping, passed = monitor(state.stopping, settings.criteria, state.epoch - 1, total, chi2, positivity)
    running = stopping.running & jnp.isfinite(loss)
    stopping = stopping._replace(
        running=running, stop_epoch=jnp.where(stopping.running & ~running, state.epoch, stopping.stop_epoch)
    )
    stepped, slots = _step(optimizer, settings, state.epoch, state.parameters, gradients, state.slots)
    trainable = jnp.asarray(model.preprocessing.trainable)
    stepped = _constrain(model, stepped, trainable, state.parameters)
    return FitState(
        epoch=state.epoch + 1,
        parameters=_select(running, stepped, state.parameters),
        slots=slots,
        best=_select(passed, state.parameters, state.best),
        stopping=stopping,
        training_loss=jnp.where(alive, loss, state.training_loss),
        training_chi2=jnp.where(alive, training, state.training_chi2),
        validation_chi2=jnp.where(alive, chi2, state.validation_chi2),
    )


@partial(jax.jit, static_argnames=("model", "optimizer", "use_dropout"), donate_argnames=("state",))
def advance(
    state: FitState, until: Array, problem: Problem, settings: Settings, *, model: PDFModel, optimizer: str, use_dropout: bool
) -> FitState:
    """Run epochs until `until`, or until every model has stopped.  `state` is consumed."""

    def unfinished(now: FitState) -> Array:
        return (now.epoch < until) & jnp.any(now.stopping.running)

    step = partial(_epoch, model, optimizer, use_dropout, problem, settings)
    return jax.lax.while_loop(unfinished, step, state)


def start_state(parameters: Parameters, optimizer: str, settings: Settings) -> FitState:
    """The state before the first epoch, for the parameters that are trained."""
    rule = optimizer_rule(optimizer)
    parameters = jax.tree.map(jnp.asarray, parameters)
    nan = jnp.full(settings.dropout.shape, jnp.nan, jnp.float32)
    return FitState(
        epoch=jnp.zeros((), jnp.int32),
        parameters=parameters,
        slots=[rule.start(leaf) for leaf in jax.tree.leaves(parameters)],
        best=jax.tree.map(jnp.copy, parameters),
        stopping=start_stopping(settings.criteria),
        training_loss=nan,
        training_chi2=jnp.copy(nan),
        validation_chi2=jnp.copy(nan),
    )
