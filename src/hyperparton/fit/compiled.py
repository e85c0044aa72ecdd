"""The compiled epoch: several models trained at once, with early stopping inside.

One call of `advance` runs up to `PUSH_EACH` epochs of a few models without returning to Python.  What differs between
trials of one shape (optimizer of one family, learning rate, clipnorm, dropout rate, epochs, patience, multipliers,
initial weights, data) is data of the program, not part of it, so that trials share compilations.

Notation (the axes are those of `hyperparton.axes`)

| symbol | in the code | shape | meaning | source |
|---|---|---|---|---|
| x f | dropped, plain | (model, working, x) | PDFs at Q0 with dropout and without it | `pdf.batched.xf` |
| | factor | (model, flav, x) | x^(1-alpha) (1-x)^beta | arXiv:2109.02653, eq. 3.7 |
| phi | outputs, fixed | (model, feature) | what `fit.projection` makes of both | `fit.observables` |
| e | e, other | (model, feature) | phi - origin, of both | `fit.chi2` |
| H | training, validation | (fit, feature, feature) | chi2 = e H e - 2 g e + c | `fit.quadratic` |
| g, c | | (fit, feature), (fit,) | | |
| k | k | (model, out, in) | kernel of a layer | `pdf.batched` |
| | summed | (feature, feature) | H of training and validation together | `BatchData.chi2_arrays` |
| P, I | predicted | (model, dat) | predictions of positivity and of integrability sets | `fit.positivity` |
| lambda | positivity, integrability | (model, dat) | their Lagrange multipliers | arXiv:1907.05075, sec. 3.1 |
| lambda_0 | first_positivity | (model, dat) | those of the first epoch, by which the stopping judges | `fit.stopping` |
| lambda I | integrated | (model, dat) | predictions times multipliers | |
| | judged | (model, set) | sum of elu(-lambda_0 P) over the points of a set | |
| loss | loss | (model,) | chi2 of training + sum elu(-lambda P) + sum (lambda I)^2 + regularization | |
| | total | (model,) | chi2 of validation + sum of judged | |
| m, v | slots | as a weight | moments of its gradient, or what else an optimizer keeps | `nn.optimizers` |

The models of a fit (fold and replica) are those of several trials, one after the other.  The matrices of a fit are then
read from memory once for all of them.  A model does not depend on those that are trained with it: products with one
row, which round differently from products with several, are avoided.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hyperparton.catalogue import PUSH_EACH
from hyperparton.fit.moving import Moving, MovingProjection
from hyperparton.fit.pace import Pace, due, paced
from hyperparton.fit.positivity import Multipliers, elu
from hyperparton.fit.projection import Outputs, Projection
from hyperparton.fit.quadratic import Quadratic, quadratic, split_quadratic
from hyperparton.fit.stopping import Criteria, StoppingState, monitor
from hyperparton.nn.optimizers import RULES, Rule, clip_by_norm, moment_update
from hyperparton.pdf import batched
from hyperparton.pdf.batched import NetworkShape, NodeMasks, PointArrays
from hyperparton.pdf.dropout import dropout_mask
from hyperparton.pdf.model import ModelParameters
from hyperparton.pdf.preprocessing import Preprocessing

__all__ = ["MOMENTS", "Chi2Arrays", "CompileKey", "FitState", "HyperArrays", "ModelArrays", "ProblemArrays", "advance"]

Array = Any
#: what `CompileKey.optimizer` is for all optimizers of the family `MomentRule`
MOMENTS = "moments"
_DATA, _POSITIVITY, _INTEGRABILITY = 0, 1, 2


class CompileKey(NamedTuple):
    """What is compiled in; equal keys, with arrays of equal shapes, share a compilation."""

    shape: NetworkShape
    optimizer: str
    use_dropout: bool
    use_regularizer: bool
    preprocessing: Preprocessing | None
    """where exponents are trained"""
    split: bool = False
    """whether training and validation of all models of a call are parts of the same sum, `Chi2Arrays.summed`"""
    moving: bool = False
    """whether predictions that are not linear take the fast path, `fit.moving`"""


class ProblemArrays(NamedTuple):
    """Arrays that all models of a problem share."""

    points: PointArrays
    projection: Projection | MovingProjection
    origin: Array
    """(feature,)"""
    positivity_sets: Array
    """(set, dat) 1 where a point belongs to a set"""
    integrability_sets: Array
    """(set, dat) the same"""
    accuracy: Array | None = None
    """of the fast path: by how much an expansion may change losses, relatively to the chi2"""


class Chi2Arrays(NamedTuple):
    """The chi2 of fits, whatever trial is trained on them, as `fit.chi2.stack` returns them, each (fit, ...)."""

    training: Quadratic
    validation: Quadratic
    """without H where it is `summed` less that of the training"""
    summed: Array | None = None
    """(feature, feature): H of training and validation together, the same for all fits of a call"""


class HyperArrays(NamedTuple):
    """Hyperparameters that are data of the program, each (model,)."""

    optimizer: dict[str, Array]
    """by the names of its arguments"""
    dropout: Array
    l1: Array
    l2: Array
    criteria: Criteria


class ModelArrays(NamedTuple):
    """Arrays with a leading axis `model` that do not change in a fit."""

    masks: NodeMasks
    validation_ndata: Array
    """(model,) points"""
    positivity: Multipliers
    integrability: Multipliers
    fixed: ModelParameters
    """exponents (model, flav) that are not trained"""
    keys: Array
    """(model,) uint32: seeds of dropout"""
    hyper: HyperArrays


class FitState(NamedTuple):
    """Everything that changes in a fit; all but `epoch` have a leading axis `model`."""

    epoch: Array
    """of the next step, from 0"""
    parameters: ModelParameters
    slots: list[Any]
    """for each weight array what its optimizer keeps, of the array's shape"""
    best: ModelParameters
    """those of the best epoch so far"""
    stopping: StoppingState
    training_loss: Array
    """(model,) chi2, Lagrange terms and regularization at the parameters before the last step"""
    training_chi2: Array
    """(model,) the chi2 alone, not divided by the points"""
    validation_chi2: Array
    """(model,) per point"""
    pushed_loss: Array
    """(model,) chi2 and positivity of the validation after so many steps that the multipliers were pushed"""
    pushed_chi2: Array
    """(model,) the chi2 alone, per point"""
    pace: Pace | None = None
    """of the fast path"""


class _Constants(NamedTuple):
    """What does not change within one call."""

    factor: Array | None
    """(model, flav, x) preprocessing, where it is not trained"""
    positivity: Array
    """(model, dat) multipliers"""
    first_positivity: Array
    """(model, dat) those of the first epoch"""
    integrability: Array
    """(model, dat) multipliers"""


def _displacement(origin: Array, outputs: Outputs) -> Array:
    """Features (model, feature) minus the origin."""
    if outputs.nonlinear is None:
        return outputs.linear - origin
    return jnp.concatenate([outputs.linear, outputs.nonlinear], axis=1) - origin


def _chi2(key: CompileKey, chi2: Chi2Arrays, origin: Array, outputs: Outputs, fixed: Outputs) -> tuple[Array, Array]:
    """chi2 of the training at `outputs` and of the validation at `fixed`, each (model,)."""
    e = _displacement(origin, outputs)
    other = jax.lax.stop_gradient(_displacement(origin, fixed))
    if key.split:
        return split_quadratic(not key.use_dropout, *chi2, e, other)
    return quadratic(chi2.training, e), quadratic(chi2.validation, other)


def _regularization(key: CompileKey, parameters: ModelParameters, hyper: HyperArrays) -> Array:
    """(model,): n3fit regularizes the kernels of dense networks only."""
    if key.shape.per_flavour or not key.use_regularizer:
        return jnp.zeros_like(hyper.l1)
    kernels = [layer["kernel"] for layer in parameters["layers"]]
    return sum(hyper.l1 * jnp.sum(jnp.abs(k), axis=(1, 2)) + hyper.l2 * jnp.sum(k * k, axis=(1, 2)) for k in kernels)


def _pdfs(
    key: CompileKey,
    problem: ProblemArrays,
    models: ModelArrays,
    constants: _Constants,
    trained: Any,
    mask: Array | None,
) -> tuple[Array, Array]:
    """x f (model, working, x) with dropout and without it."""
    factor = constants.factor
    if factor is None:
        factor = batched.preprocessing_factor(trained["exponents"], problem.points)
    return batched.xf(key.shape, problem.points, models.masks, trained["layers"], factor, mask)


def _outputs(
    key: CompileKey, projection: Projection | MovingProjection, moving: Moving | None, dropped: Array, plain: Array
) -> tuple[list[Outputs], list[Outputs]]:
    """What the projection makes of PDFs (model, working, x) with dropout and, without gradients, without it."""
    if isinstance(projection, Projection):
        return projection(dropped, plain if key.use_dropout else None)
    if key.use_dropout:
        # the nodes left out change from epoch to epoch, and with them the PDFs: no expansion lasts
        return projection.both(dropped, plain)
    assert moving is not None
    outputs = projection.outputs(dropped, moving)
    return outputs, jax.lax.stop_gradient(outputs)


def _terms(
    key: CompileKey,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    constants: _Constants,
    outputs: list[Outputs],
    fixed: list[Outputs],
) -> tuple[Array, Array, Array, Array]:
    """Training loss without regularization and both chi2, each (model,); positivity losses (model, set)."""
    projection = problem.projection
    chi2, validation = _chi2(key, chi2_arrays, problem.origin, outputs[_DATA], fixed[_DATA])
    predicted = projection.predictions(outputs[_POSITIVITY], _POSITIVITY)
    positivity = elu(-constants.positivity * predicted)
    integrated = constants.integrability * projection.predictions(outputs[_INTEGRABILITY], _INTEGRABILITY)
    loss = chi2 + jnp.sum(positivity, axis=1) + jnp.sum(integrated * integrated, axis=1)
    predicted = projection.predictions(fixed[_POSITIVITY], _POSITIVITY)
    judged = elu(-constants.first_positivity * predicted) @ problem.positivity_sets.T
    return loss, chi2, validation, judged


def _losses(
    key: CompileKey,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    models: ModelArrays,
    constants: _Constants,
    moving: Moving | None,
    epoch: Array,
    trained: ModelParameters,
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    """Training loss summed over models; loss and both chi2, each (model,); positivity losses (model, set)."""
    mask = dropout_mask(key.shape, models.keys, models.hyper.dropout, epoch) if key.use_dropout else None
    dropped, plain = _pdfs(key, problem, models, constants, trained, mask)
    outputs, fixed = _outputs(key, problem.projection, moving, dropped, plain)
    loss, chi2, validation, judged = _terms(key, problem, chi2_arrays, constants, outputs, fixed)
    loss += _regularization(key, trained, models.hyper)
    return jnp.sum(loss), (loss, chi2, validation, judged)


def _norm(path: tuple[Any, ...], gradient: Array) -> Array:
    """Norm of one weight array (model, ...) of each model, broadcastable against it."""
    kind = path[-1].key
    if kind in ("alpha", "beta"):  # each exponent is a weight of its own
        return jnp.abs(gradient)
    squares = gradient * gradient
    if kind == "kernel":
        # one axis after the other: a sum over the contiguous axis is not vectorised, so it is to be short
        squares = jax.lax.optimization_barrier(jnp.sum(squares, axis=-2, keepdims=True))
    return jnp.sqrt(jnp.sum(squares, axis=-1, keepdims=True))


def _per_model(values: Array, like: Array) -> Array:
    """Values (model,) with as many axes as `like` (model, ...)."""
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def _step(
    optimizer: str,
    hyper_arrays: HyperArrays,
    coefficients: Array,
    epoch: Array,
    parameters: ModelParameters,
    gradients: ModelParameters,
    slots: list[Any],
) -> tuple[ModelParameters, list[Any]]:
    """Parameters and slots after one step of the optimizer."""
    step = epoch.astype(jnp.float32) + 1.0
    flat, tree = jax.tree_util.tree_flatten_with_path(parameters)
    stepped, new_slots = [], []
    for (path, value), gradient, slot in zip(flat, jax.tree.leaves(gradients), slots, strict=True):
        hyper = {key: _per_model(number, value) for key, number in hyper_arrays.optimizer.items()}
        clipped = clip_by_norm(gradient, _norm(path, gradient), hyper["clipnorm"])
        if optimizer == MOMENTS:
            row = [_per_model(number, value) for number in coefficients.T]
            delta, slot = moment_update(clipped, slot, row, hyper["learning_rate"])
        else:
            rule = RULES[optimizer]
            assert isinstance(rule, Rule)
            delta, slot = rule.update(clipped, slot, step, hyper)
        stepped.append(value + delta)
        new_slots.append(slot)
    return jax.tree_util.tree_unflatten(tree, stepped), new_slots


def _select(choose: Array, new: Any, old: Any) -> Any:
    """`new` for the models that `choose` (model,) says, `old` for the others."""
    return jax.tree.map(lambda a, b: jnp.where(_per_model(choose, a), a, b), new, old)


def _constrain(
    preprocessing: Preprocessing | None, parameters: ModelParameters, before: ModelParameters
) -> ModelParameters:
    """Exponents back in their ranges, those that are not trainable as before."""
    if preprocessing is None:
        return parameters
    trainable = jnp.asarray(preprocessing.trainable)
    clamped = preprocessing.clamp(parameters["exponents"])
    kept = jax.tree.map(lambda new, old: jnp.where(trainable, new, old), clamped, before["exponents"])
    return {**parameters, "exponents": kept}


def _epoch(
    key: CompileKey, losses: Callable[..., Any], models: ModelArrays, coefficients: Array, state: FitState
) -> FitState:
    """One epoch: losses at the current parameters, stopping for the epoch that led to them, next step."""
    (_, aux), gradients = jax.value_and_grad(partial(losses, state.epoch), has_aux=True)(state.parameters)
    loss, training, validation, positivity = aux
    chi2 = validation / jnp.maximum(models.validation_ndata, 1)
    total = validation + jnp.sum(positivity, axis=1)
    alive = state.stopping.running
    stopping, passed = monitor(state.stopping, models.hyper.criteria, state.epoch - 1, total, chi2, positivity)
    running = stopping.running & jnp.isfinite(loss)
    stopping = stopping._replace(
        running=running, stop_epoch=jnp.where(stopping.running & ~running, state.epoch, stopping.stop_epoch)
    )
    stepped, slots = _step(
        key.optimizer, models.hyper, coefficients, state.epoch, state.parameters, gradients, state.slots
    )
    stepped = _constrain(key.preprocessing, stepped, state.parameters)
    pushed = alive & (state.epoch % PUSH_EACH == 0)
    return FitState(
        epoch=state.epoch + 1,
        parameters=_select(running, stepped, state.parameters),
        slots=slots,
        best=_select(passed, state.parameters, state.best),
        stopping=stopping,
        training_loss=jnp.where(alive, loss, state.training_loss),
        training_chi2=jnp.where(alive, training, state.training_chi2),
        validation_chi2=jnp.where(alive, chi2, state.validation_chi2),
        pushed_loss=jnp.where(pushed, total, state.pushed_loss),
        pushed_chi2=jnp.where(pushed, chi2, state.pushed_chi2),
        pace=None if state.pace is None else state.pace.at_best(passed, training, validation),
    )


def constants_of(key: CompileKey, problem: ProblemArrays, models: ModelArrays, epoch: Array) -> _Constants:
    """What does not change within the call that begins at `epoch`."""
    push = epoch // PUSH_EACH
    fixed = None if key.preprocessing else batched.preprocessing_factor(models.fixed["exponents"], problem.points)
    return _Constants(
        factor=fixed,
        positivity=models.positivity.at(push, problem.positivity_sets),
        first_positivity=models.positivity.at(jnp.zeros_like(push), problem.positivity_sets),
        integrability=models.integrability.at(push, problem.integrability_sets),
    )


def advance(
    state: FitState,
    coefficients: Array,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    models: ModelArrays,
    *,
    key: CompileKey,
) -> FitState:
    """Run one epoch per row of `coefficients` (epoch, model, coefficient), or until every model has stopped.

    The coefficients are those of `MomentRule.schedule`, read for its family only.  `state.epoch` is a multiple of
    `PUSH_EACH`, and there are at most that many rows.
    """
    first = state.epoch
    constants = constants_of(key, problem, models, first)
    losses = partial(_losses, key, problem, chi2_arrays, models, constants)

    def unfinished(now: FitState) -> Array:
        return (now.epoch < first + len(coefficients)) & jnp.any(now.stopping.running)

    def step(moving: Moving | None, now: FitState) -> FitState:
        row = jax.lax.dynamic_index_in_dim(coefficients, now.epoch - first, keepdims=False)
        return _epoch(key, partial(losses, moving), models, row, now)

    if not key.moving or key.use_dropout:
        return jax.lax.while_loop(unfinished, partial(step, None), state)

    def until_due(now: tuple[FitState, Moving]) -> tuple[FitState, Moving]:
        """Expand the models that are due, then epochs until others are."""
        begin, moving = now
        begin, moving = _expanded(key, problem, chi2_arrays, models, constants, begin, moving, begin.epoch - first)

        def before(now: FitState) -> Array:
            assert now.pace is not None
            waits = ~jnp.any(now.stopping.running & due(now.pace, now.epoch - first))
            return unfinished(now) & (waits | (now.epoch == begin.epoch))

        return jax.lax.while_loop(before, partial(step, moving), begin), moving

    assert isinstance(problem.projection, MovingProjection)
    begin = problem.projection.nowhere(len(models.keys))
    state, _ = jax.lax.while_loop(lambda now: unfinished(now[0]), until_due, (state, begin))
    return state


def _expanded(
    key: CompileKey,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    models: ModelArrays,
    constants: _Constants,
    state: FitState,
    moving: Moving,
    epoch: Array,
) -> tuple[FitState, Moving]:
    """The state and the expansions after those that are due are made anew in `epoch` of this call."""
    projection = problem.projection
    assert isinstance(projection, MovingProjection)
    assert state.pace is not None
    plain, _ = _pdfs(key, problem, models, constants, state.parameters, None)
    new = projection.expanded(plain)
    now_due = due(state.pace, epoch)
    terms = partial(_terms, key, problem, chi2_arrays, constants)
    (told, _, told_validation, _), (loss, chi2, validation, _) = (
        terms(outputs, outputs) for outputs in (projection.outputs(plain, each) for each in (moving, new))
    )
    # where positivity is violated, its part of the loss may be most of it
    error = jnp.maximum(
        jnp.abs(told - loss) / jnp.maximum(chi2, loss), jnp.abs(told_validation - validation) / validation
    )
    pace = paced(state.pace, now_due, epoch, error, problem.accuracy)
    return state._replace(pace=pace), _select(now_due, new, moving)
