"""The compiled fit: several models trained at once, with stopping inside.

One call of `advance` runs up to `PUSH_EACH` epochs of a few models without returning to Python.  What differs between
trials of like shape (optimizer of one family, learning rate, clipnorm, dropout rate, epochs, patience, multipliers,
initial weights, data) is data of the program, not part of it, so that trials share compilations.

Axes: `form` = some folds and replicas, `model` = those of each trial, the trials of a form following each other;
`feature` = combinations of PDF values and non-linear observables.  With several trials the matrices of a form are read
from memory once for all of them.  What a model becomes does not depend on what it is trained with: a product with one
row, which rounds otherwise than one with several, is avoided.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hyperparton.fit.positivity import PUSH_EACH, elu
from hyperparton.fit.projection import Maps, Outputs
from hyperparton.fit.stopping import Criteria, StoppingState, monitor
from hyperparton.nn.optimizers import clip_by_norm, optimizer_rule
from hyperparton.nn.optimizers_fused import moment_update
from hyperparton.pdf import batched
from hyperparton.pdf.batched import Columns, Nodes, Shape
from hyperparton.pdf.dropout import dropout_mask
from hyperparton.pdf.preprocessing import Preprocessing

__all__ = ["FAMILY", "Constraint", "FitState", "Forms", "Models", "Program", "Settings", "Shared", "advance"]

Array = Any
Parameters = dict[str, Any]
Quadratic = tuple[Array, Array, Array]
#: what `Program.optimizer` is for the optimizers of `backend.moments`
FAMILY = "moments"
_DATA, _POSITIVITY, _INTEGRABILITY = 0, 1, 2


class Program(NamedTuple):
    """What is compiled in; equal ones, with arrays of equal shapes, share a compilation."""

    shape: Shape
    optimizer: str
    use_dropout: bool
    use_regularizer: bool
    preprocessing: Preprocessing | None
    """where exponents are trained"""
    split: bool = False
    """whether training and validation of all models of a call are parts of the same whole, `Forms.whole`"""


class Shared(NamedTuple):
    """Arrays that all models share."""

    columns: Columns
    maps: Maps
    origin: Array
    """(feature,)"""
    positivity_sets: Array
    integrability_sets: Array
    """(set, dat): 1 where a point belongs to a set"""


class Constraint(NamedTuple):
    """Lagrange multipliers, (model, set): the first and the factor of each push."""

    initial: Array
    multiplier: Array

    def at(self, push: Array, sets: Array) -> Array:
        """Multipliers (model, dat) after `push` pushes."""
        return (self.initial * self.multiplier**push) @ sets


class Forms(NamedTuple):
    """The chi2 of folds and replicas, whatever is trained on them, as `train.chi2.stack` gives them (form, ...)."""

    training: Quadratic
    validation: Quadratic
    """without H where it is `whole` less that of the training"""
    whole: Array | None = None
    """(feature, feature): H of training and validation together, the same for all forms of a call"""


class Models(NamedTuple):
    """Arrays with a leading axis `model` that do not change in a fit."""

    nodes: Nodes
    validation_ndata: Array
    """(model,)"""
    positivity: Constraint
    integrability: Constraint
    fixed: Parameters
    """exponents that are not trained"""
    keys: Array
    """(model,) uint32: seeds of dropout"""


class Settings(NamedTuple):
    """Hyperparameters that are data, each (model,)."""

    optimizer: dict[str, Array]
    dropout: Array
    l1: Array
    l2: Array
    criteria: Criteria


class FitState(NamedTuple):
    """Everything that changes in a fit; all but `epoch` have a leading axis `model`."""

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


class _Constants(NamedTuple):
    """What does not change within one call."""

    factor: Array | None
    """preprocessing, where it is not trained"""
    positivity: Array
    first_positivity: Array
    integrability: Array
    """multipliers (model, dat)"""


def _times(hessian: Array, *rows: Array) -> list[Array]:
    """For each of `rows` (model, feature) its product with H of its form, all in one pass over `hessian`."""
    shape = (len(hessian), -1, hessian.shape[-1])
    stacked = jnp.concatenate([jnp.reshape(each, shape) for each in rows], axis=1)
    count = stacked.shape[1]
    if count == 1:
        stacked = jnp.pad(stacked, ((0, 0), (0, 1), (0, 0)))
    product = jnp.einsum("fmk,fkr->fmr", stacked, hessian)[:, :count]
    return [jnp.reshape(each, (-1, shape[-1])) for each in jnp.split(product, len(rows), axis=1)]


def _of_models(form: Array, models: int) -> Array:
    """What belongs to forms (form, ...), for each of the models."""
    return jnp.repeat(form, models // len(form), axis=0)


def _value(product: Array, pull: Array, constant: Array, e: Array) -> Array:
    """e H e - 2 g e + c, (model,)."""
    return jnp.sum((product - 2.0 * _of_models(pull, len(e))) * e, axis=1) + _of_models(constant, len(e))


def _slope(product: Array, pull: Array) -> Array:
    return 2.0 * (product - _of_models(pull, len(product)))


@jax.custom_vjp
def _quadratic(form: Quadratic, e: Array) -> Array:
    """e H e - 2 g e + c, (model,)."""
    return _quadratic_forward(form, e)[0]


def _quadratic_forward(form: Quadratic, e: Array) -> tuple[Array, tuple[Quadratic, Array]]:
    # value and gradient share the one product, in which the matrix is read from memory
    hessian, pull, constant = form
    (product,) = _times(hessian, e)
    return _value(product, pull, constant, e), (form, _slope(product, pull))


def _quadratic_backward(saved: tuple[Quadratic, Array], cotangent: Array) -> tuple[Quadratic, Array]:
    form, slope = saved
    zeros: Quadratic = jax.tree.map(jnp.zeros_like, form)
    return zeros, cotangent[:, None] * slope


_quadratic.defvjp(_quadratic_forward, _quadratic_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _split(same: bool, training: Quadratic, validation: Quadratic, whole: Array, e: Array, fixed: Array):
    """`_quadratic` of `training` at e and of `validation`, whose H is `whole` less that of `training`, at `fixed`.

    `same` says that both are at e.  No gradient flows through the second.  The matrices of the forms, all of which an
    epoch reads from memory, are read once for both; `whole` stays in the cache.
    """
    return _split_forward(same, training, validation, whole, e, fixed)[0]


def _split_forward(same: bool, training: Quadratic, validation: Quadratic, whole: Array, e: Array, fixed: Array):
    hessian, pull, constant = training
    _, other_pull, other_constant = validation
    if same:
        (product,) = (trained,) = _times(hessian, e)
    else:
        product, trained = _times(hessian, e, fixed)
    values = (
        _value(product, pull, constant, e),
        _value(fixed @ whole - trained, other_pull, other_constant, fixed),
    )
    return values, (training, validation, whole, _slope(product, pull))


def _split_backward(same: bool, saved: Any, cotangents: tuple[Array, Array]):
    training, validation, whole, slope = saved
    zeros = jax.tree.map(jnp.zeros_like, (training, validation, whole))
    return *zeros, cotangents[0][:, None] * slope, jnp.zeros_like(slope)


_split.defvjp(_split_forward, _split_backward)


def _displacement(shared: Shared, outputs: Outputs) -> Array:
    """Features (model, feature) minus the origin."""
    if outputs.nonlinear is None:
        return outputs.linear - shared.origin
    return jnp.concatenate([outputs.linear, outputs.nonlinear], axis=1) - shared.origin


def _chi2(program: Program, forms: Forms, shared: Shared, outputs: Outputs, fixed: Outputs) -> tuple[Array, Array]:
    """chi2 of the training at `outputs` and of the validation at `fixed`, each (model,)."""
    e = _displacement(shared, outputs)
    other = jax.lax.stop_gradient(_displacement(shared, fixed))
    if program.split:
        return _split(not program.use_dropout, *forms, e, other)
    return _quadratic(forms.training, e), _quadratic(forms.validation, other)


def _regularization(program: Program, parameters: Parameters, settings: Settings) -> Array:
    """n3fit regularizes the kernels of dense networks only."""
    if program.shape.per_flavour or not program.use_regularizer:
        return jnp.zeros_like(settings.l1)
    kernels = [layer["kernel"] for layer in parameters["layers"]]
    return sum(
        settings.l1 * jnp.sum(jnp.abs(k), axis=(1, 2)) + settings.l2 * jnp.sum(k * k, axis=(1, 2)) for k in kernels
    )


def _losses(
    program: Program,
    shared: Shared,
    forms: Forms,
    models: Models,
    settings: Settings,
    constants: _Constants,
    epoch,
    trained,
):
    """Training loss summed over models, with what the stopping needs as auxiliary values."""
    shape = program.shape
    mask = dropout_mask(shape, models.keys, settings.dropout, epoch) if program.use_dropout else None
    factor = constants.factor
    if factor is None:
        factor = batched.preprocessing_factor(trained["exponents"], shared.columns)
    dropped, plain = batched.xf(shape, shared.columns, models.nodes, trained["layers"], factor, mask)
    outputs, fixed = shared.maps(dropped, plain if program.use_dropout else None)
    chi2, validation = _chi2(program, forms, shared, outputs[_DATA], fixed[_DATA])
    predicted = shared.maps.predictions(outputs[_POSITIVITY], _POSITIVITY)
    positivity = elu(-constants.positivity * predicted, jnp)
    integrated = constants.integrability * shared.maps.predictions(outputs[_INTEGRABILITY], _INTEGRABILITY)
    loss = chi2 + jnp.sum(positivity, axis=1) + jnp.sum(integrated * integrated, axis=1)
    loss += _regularization(program, trained, settings)
    predicted = shared.maps.predictions(fixed[_POSITIVITY], _POSITIVITY)
    judged = elu(-constants.first_positivity * predicted, jnp) @ shared.positivity_sets.T
    return jnp.sum(loss), (loss, chi2, validation, judged)


def _norm(path: tuple[Any, ...], gradient: Array) -> Array:
    """Norm of one weight array of each model, broadcastable against it."""
    kind = path[-1].key
    if kind in ("alpha", "beta"):  # each exponent is a weight of its own
        return jnp.abs(gradient)
    squares = gradient * gradient
    if kind == "kernel":
        # one axis after the other: a sum over the contiguous axis is not vectorised, so it is to be short
        squares = jax.lax.optimization_barrier(jnp.sum(squares, axis=-2, keepdims=True))
    return jnp.sqrt(jnp.sum(squares, axis=-1, keepdims=True))


def _per_model(values: Array, like: Array) -> Array:
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def _step(
    optimizer: str, settings: Settings, coefficients, epoch, parameters: Parameters, gradients: Parameters, slots
):
    """Parameters and slots after one step of the optimizer."""
    step = epoch.astype(jnp.float32) + 1.0
    flat, tree = jax.tree_util.tree_flatten_with_path(parameters)
    stepped, new_slots = [], []
    for (path, value), gradient, slot in zip(flat, jax.tree.leaves(gradients), slots, strict=True):
        hyper = {key: _per_model(number, value) for key, number in settings.optimizer.items()}
        clipped = clip_by_norm(gradient, _norm(path, gradient), hyper["clipnorm"])
        if optimizer == FAMILY:
            row = [_per_model(number, value) for number in coefficients.T]
            delta, slot = moment_update(clipped, slot, row, hyper["learning_rate"])
        else:
            delta, slot = optimizer_rule(optimizer).update(clipped, slot, step, hyper)
        stepped.append(value + delta)
        new_slots.append(slot)
    return jax.tree_util.tree_unflatten(tree, stepped), new_slots


def _select(choose: Array, new: Parameters, old: Parameters) -> Parameters:
    return jax.tree.map(lambda a, b: jnp.where(_per_model(choose, a), a, b), new, old)


def _constrain(preprocessing: Preprocessing | None, parameters: Parameters, before: Parameters) -> Parameters:
    """Exponents back in their ranges, those that are not trainable as before."""
    if preprocessing is None:
        return parameters
    trainable = jnp.asarray(preprocessing.trainable)
    clamped = preprocessing.clamp(parameters["exponents"], jnp)
    kept = jax.tree.map(lambda new, old: jnp.where(trainable, new, old), clamped, before["exponents"])
    return {**parameters, "exponents": kept}


def _epoch(program: Program, losses, models: Models, settings: Settings, coefficients: Array, state: FitState):
    """One epoch: losses at the current parameters, stopping for the epoch that led to them, next step."""
    (_, aux), gradients = jax.value_and_grad(partial(losses, state.epoch), has_aux=True)(state.parameters)
    loss, training, validation, positivity = aux
    chi2 = validation / jnp.maximum(models.validation_ndata, 1)
    total = validation + jnp.sum(positivity, axis=1)
    alive = state.stopping.running
    stopping, passed = monitor(state.stopping, settings.criteria, state.epoch - 1, total, chi2, positivity)
    running = stopping.running & jnp.isfinite(loss)
    stopping = stopping._replace(
        running=running, stop_epoch=jnp.where(stopping.running & ~running, state.epoch, stopping.stop_epoch)
    )
    stepped, slots = _step(
        program.optimizer, settings, coefficients, state.epoch, state.parameters, gradients, state.slots
    )
    stepped = _constrain(program.preprocessing, stepped, state.parameters)
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


def advance(
    state: FitState,
    coefficients: Array,
    shared: Shared,
    forms: Forms,
    models: Models,
    settings: Settings,
    *,
    program: Program,
) -> FitState:
    """Run one epoch per row of `coefficients` (epoch, model, coefficient), or until every model has stopped.

    They come from `backend.moments.schedule` and are read for its family only.  `state.epoch` is a multiple of
    `PUSH_EACH`, and there are at most that many rows.
    """
    first = state.epoch
    push = first // PUSH_EACH
    constants = _Constants(
        factor=None
        if program.preprocessing
        else batched.preprocessing_factor(models.fixed["exponents"], shared.columns),
        positivity=models.positivity.at(push, shared.positivity_sets),
        first_positivity=models.positivity.at(jnp.zeros_like(push), shared.positivity_sets),
        integrability=models.integrability.at(push, shared.integrability_sets),
    )
    losses = partial(_losses, program, shared, forms, models, settings, constants)

    def unfinished(now: FitState) -> Array:
        return (now.epoch < first + len(coefficients)) & jnp.any(now.stopping.running)

    def step(now: FitState) -> FitState:
        row = jax.lax.dynamic_index_in_dim(coefficients, now.epoch - first, keepdims=False)
        return _epoch(program, losses, models, settings, row, now)

    return jax.lax.while_loop(unfinished, step, state)
