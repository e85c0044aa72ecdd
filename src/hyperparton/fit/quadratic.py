"""chi2 as a quadratic form in the compiled epoch: value and gradient from one reading of its matrix.

A form is H (fit, feature, feature), g (fit, feature), c (fit,) of several fits, as `fit.chi2.stack` returns them; with
the features e (model, feature) around the origin, chi2 = e H e - 2 g e + c.  The models of a fit are those of several
trials, one after the other, fit by fit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["Quadratic", "quadratic", "split_quadratic"]

Array = Any
Quadratic = tuple[Array, Array, Array]


def _times(hessian: Array, *rows: Array) -> list[Array]:
    """For each of `rows` (model, feature) its product with H of its fit, all in one pass over `hessian`."""
    shape = (len(hessian), -1, hessian.shape[-1])
    stacked = jnp.concatenate([jnp.reshape(each, shape) for each in rows], axis=1)
    count = stacked.shape[1]
    if count == 1:
        stacked = jnp.pad(stacked, ((0, 0), (0, 1), (0, 0)))
    product = jnp.einsum("fmk,fkr->fmr", stacked, hessian)[:, :count]
    return [jnp.reshape(each, (-1, shape[-1])) for each in jnp.split(product, len(rows), axis=1)]


def _of_models(of_fits: Array, models: int) -> Array:
    """What belongs to fits (fit, ...), for each of the models (model, ...)."""
    return jnp.repeat(of_fits, models // len(of_fits), axis=0)


def _value(product: Array, pull: Array, constant: Array, e: Array) -> Array:
    """e H e - 2 g e + c, (model,)."""
    return jnp.sum((product - 2.0 * _of_models(pull, len(e))) * e, axis=1) + _of_models(constant, len(e))


def _slope(product: Array, pull: Array) -> Array:
    """(model, feature): the gradient by e."""
    return 2.0 * (product - _of_models(pull, len(product)))


@jax.custom_vjp
def quadratic(chi2: Quadratic, e: Array) -> Array:
    """e H e - 2 g e + c, (model,)."""
    return _quadratic_forward(chi2, e)[0]


def _quadratic_forward(chi2: Quadratic, e: Array) -> tuple[Array, tuple[Quadratic, Array]]:
    # value and gradient share the one product, in which the matrix is read from memory
    hessian, pull, constant = chi2
    (product,) = _times(hessian, e)
    return _value(product, pull, constant, e), (chi2, _slope(product, pull))


def _quadratic_backward(saved: tuple[Quadratic, Array], cotangent: Array) -> tuple[Quadratic, Array]:
    chi2, slope = saved
    zeros: Quadratic = jax.tree.map(jnp.zeros_like, chi2)
    return zeros, cotangent[:, None] * slope


quadratic.defvjp(_quadratic_forward, _quadratic_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def split_quadratic(same: bool, training: Quadratic, validation: Quadratic, summed: Array, e: Array, fixed: Array):
    """`quadratic` of `training` at e and of `validation`, whose H is `summed` less that of `training`, at `fixed`.

    `same` says that both are at e.  No gradient flows through the second.  The matrices of the fits, all of which an
    epoch reads from memory, are read once for both; `summed` stays in the cache.
    """
    return _split_forward(same, training, validation, summed, e, fixed)[0]


def _split_forward(same: bool, training: Quadratic, validation: Quadratic, summed: Array, e: Array, fixed: Array):
    hessian, pull, constant = training
    _, other_pull, other_constant = validation
    if same:
        (product,) = (trained,) = _times(hessian, e)
    else:
        product, trained = _times(hessian, e, fixed)
    values = (
        _value(product, pull, constant, e),
        _value(fixed @ summed - trained, other_pull, other_constant, fixed),
    )
    return values, (training, validation, summed, _slope(product, pull))


def _split_backward(same: bool, saved: Any, cotangents: tuple[Array, Array]):
    training, validation, summed, slope = saved
    zeros = jax.tree.map(jnp.zeros_like, (training, validation, summed))
    return *zeros, cotangents[0][:, None] * slope, jnp.zeros_like(slope)


split_quadratic.defvjp(_split_forward, _split_backward)
