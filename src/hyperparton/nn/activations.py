"""Activation functions, written once for numpy and jax.numpy arrays.

Definitions are those of Keras 3; `square`, `square_singlet` and `modified_tanh` are n3fit's own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hyperparton.catalogue import ACTIVATIONS

__all__ = ["ACTIVATION_FUNCTIONS"]

Array = Any
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _sigmoid(xp: Any, x: Array) -> Array:
    # tanh form: no overflow for large negative x, one transcendental
    return 0.5 * (1.0 + xp.tanh(0.5 * x))


def _elu(xp: Any, x: Array) -> Array:
    return xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0.0)))


def _square_singlet(xp: Any, x: Array) -> Array:
    """Squares the first two outputs, singlet and gluon."""
    return xp.concatenate([x[..., :2] ** 2, x[..., 2:]], axis=-1)


def _gelu(xp: Any, x: Array) -> Array:
    if xp.__name__ == "numpy":
        from scipy.special import erf
    else:
        from jax.scipy.special import erf
    return 0.5 * x * (1.0 + erf(x / 2**0.5))


#: name -> ``f(xp, x)``, with `xp` either numpy or jax.numpy
ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Any, Array], Array]] = MappingProxyType(
    {
        "tanh": lambda xp, x: xp.tanh(x),
        "sigmoid": _sigmoid,
        "linear": lambda xp, x: x,
        "relu": lambda xp, x: xp.maximum(x, 0.0),
        "leaky_relu": lambda xp, x: xp.where(x > 0, x, 0.2 * x),
        "elu": _elu,
        "selu": lambda xp, x: _SELU_SCALE * xp.where(x > 0, x, _SELU_ALPHA * xp.expm1(xp.minimum(x, 0.0))),
        "softplus": lambda xp, x: xp.logaddexp(x, 0.0 * x),
        "softsign": lambda xp, x: x / (1.0 + abs(x)),
        "silu": lambda xp, x: x * _sigmoid(xp, x),
        "swish": lambda xp, x: x * _sigmoid(xp, x),
        "gelu": _gelu,
        "square": lambda xp, x: x * x,
        "square_singlet": _square_singlet,
        "modified_tanh": lambda xp, x: abs(x) * xp.tanh(x),
    }
)
assert set(ACTIVATION_FUNCTIONS) == set(ACTIVATIONS)
