"""The losses of the compiled epoch: chi2, positivity, integrability, regularization of several models at once.

`fit.compiled` has the notation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hyperparton.catalogue import PUSH_EACH
from hyperparton.fit.moving import Moving, MovingProjection
from hyperparton.fit.positivity import elu
from hyperparton.fit.program_arrays import Chi2Arrays, CompileKey, HyperArrays, ModelArrays, ProblemArrays
from hyperparton.fit.projection import Outputs, Projection
from hyperparton.fit.quadratic import quadratic, split_quadratic
from hyperparton.pdf import batched
from hyperparton.pdf.dropout import dropout_mask
from hyperparton.pdf.model import ModelParameters

__all__ = ["Constants", "constants_of", "displacement", "losses", "pdfs", "terms"]

Array = Any
_DATA, _POSITIVITY, _INTEGRABILITY = 0, 1, 2


class Constants(NamedTuple):
    """What does not change within one call."""

    factor: Array | None
    """(model, flav, x) preprocessing, where it is not trained"""
    positivity: Array
    """(model, dat) multipliers"""
    first_positivity: Array
    """(model, dat) those of the first epoch"""
    integrability: Array
    """(model, dat) multipliers"""


def displacement(origin: Array, outputs: Outputs) -> Array:
    """Features (model, feature) minus the origin."""
    if outputs.nonlinear is None:
        return outputs.linear - origin
    return jnp.concatenate([outputs.linear, outputs.nonlinear], axis=1) - origin


def _chi2(key: CompileKey, chi2: Chi2Arrays, origin: Array, outputs: Outputs, fixed: Outputs) -> tuple[Array, Array]:
    """chi2 of the training at `outputs` and of the validation at `fixed`, each (model,)."""
    e = displacement(origin, outputs)
    other = jax.lax.stop_gradient(displacement(origin, fixed))
    if key.split:
        return split_quadratic(not key.use_dropout, *chi2, e, other)
    return quadratic(chi2.training, e), quadratic(chi2.validation, other)


def _regularization(key: CompileKey, parameters: ModelParameters, hyper: HyperArrays) -> Array:
    """(model,): n3fit regularizes the kernels of dense networks only."""
    if key.shape.per_flavour or not key.use_regularizer:
        return jnp.zeros_like(hyper.l1)
    kernels = [layer["kernel"] for layer in parameters["layers"]]
    return sum(hyper.l1 * jnp.sum(jnp.abs(k), axis=(1, 2)) + hyper.l2 * jnp.sum(k * k, axis=(1, 2)) for k in kernels)


def pdfs(
    key: CompileKey,
    problem: ProblemArrays,
    models: ModelArrays,
    constants: Constants,
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


def terms(
    key: CompileKey,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    constants: Constants,
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


def losses(
    key: CompileKey,
    problem: ProblemArrays,
    chi2_arrays: Chi2Arrays,
    models: ModelArrays,
    constants: Constants,
    moving: Moving | None,
    epoch: Array,
    trained: ModelParameters,
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    """Training loss summed over models; loss and both chi2, each (model,); positivity losses (model, set)."""
    mask = dropout_mask(key.shape, models.keys, models.hyper.dropout, epoch) if key.use_dropout else None
    dropped, plain = pdfs(key, problem, models, constants, trained, mask)
    outputs, fixed = _outputs(key, problem.projection, moving, dropped, plain)
    loss, chi2, validation, judged = terms(key, problem, chi2_arrays, constants, outputs, fixed)
    loss += _regularization(key, trained, models.hyper)
    return jnp.sum(loss), (loss, chi2, validation, judged)


def constants_of(key: CompileKey, problem: ProblemArrays, models: ModelArrays, epoch: Array) -> Constants:
    """What does not change within the call that begins at `epoch`."""
    push = epoch // PUSH_EACH
    fixed = None if key.preprocessing else batched.preprocessing_factor(models.fixed["exponents"], problem.points)
    return Constants(
        factor=fixed,
        positivity=models.positivity.at(push, problem.positivity_sets),
        first_positivity=models.positivity.at(jnp.zeros_like(push), problem.positivity_sets),
        integrability=models.integrability.at(push, problem.integrability_sets),
    )
