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
from typing import Any

import jax
import jax.numpy as jnp

from hyperparton.catalogue import PUSH_EACH
from hyperparton.fit.losses import Constants, constants_of, losses, pdfs, terms
from hyperparton.fit.moving import Moving, MovingProjection
from hyperparton.fit.pace import due, paced
from hyperparton.fit.program_arrays import Chi2Arrays, CompileKey, FitState, HyperArrays, ModelArrays, ProblemArrays
from hyperparton.fit.stopping import monitor
from hyperparton.nn.optimizers import RULES, Rule, clip_by_norm, moment_update
from hyperparton.pdf.model import ModelParameters
from hyperparton.pdf.preprocessing import Preprocessing

__all__ = ["MOMENTS", "advance"]

Array = Any
#: what `CompileKey.optimizer` is for all optimizers of the family `MomentRule`
MOMENTS = "moments"


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
    key: CompileKey, of_models: Callable[..., Any], models: ModelArrays, coefficients: Array, state: FitState
) -> FitState:
    """One epoch: losses at the current parameters, stopping for the epoch that led to them, next step."""
    (_, aux), gradients = jax.value_and_grad(partial(of_models, state.epoch), has_aux=True)(state.parameters)
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
    of_models = partial(losses, key, problem, chi2_arrays, models, constants)

    def unfinished(now: FitState) -> Array:
        return (now.epoch < first + len(coefficients)) & jnp.any(now.stopping.running)

    def step(moving: Moving | None, now: FitState) -> FitState:
        row = jax.lax.dynamic_index_in_dim(coefficients, now.epoch - first, keepdims=False)
        return _epoch(key, partial(of_models, moving), models, row, now)

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
    constants: Constants,
    state: FitState,
    moving: Moving,
    epoch: Array,
) -> tuple[FitState, Moving]:
    """The state and the expansions after those that are due are made anew in `epoch` of this call."""
    projection = problem.projection
    assert isinstance(projection, MovingProjection)
    assert state.pace is not None
    plain, _ = pdfs(key, problem, models, constants, state.parameters, None)
    new = projection.expanded(plain)
    now_due = due(state.pace, epoch)
    those = partial(terms, key, problem, chi2_arrays, constants)
    (told, _, told_validation, _), (loss, chi2, validation, _) = (
        those(outputs, outputs) for outputs in (projection.outputs(plain, each) for each in (moving, new))
    )
    # where positivity is violated, its part of the loss may be most of it
    error = jnp.maximum(
        jnp.abs(told - loss) / jnp.maximum(chi2, loss), jnp.abs(told_validation - validation) / validation
    )
    pace = paced(state.pace, now_due, epoch, error, problem.accuracy)
    return state._replace(pace=pace), _select(now_due, new, moving)
