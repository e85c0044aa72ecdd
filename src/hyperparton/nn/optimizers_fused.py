"""Optimizers of one family as one update with coefficients, so that they share a program.

RMSprop, Adam, Adagrad, Nadam and SGD are, with g the gradient and m and v running moments of it,

    m <- a1 m + b1 g,   v <- a2 v + b2 g^2,   step = -learning_rate (c1 m + c2 g) / (sqrt(c3 v + d1) + d2)

with coefficients that depend on the epoch alone.  They are worked out here in double precision, beforehand;
`backend.optimizers` has the same rules one by one (tests compare them, and those with Keras).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from hyperparton.nn.optimizers import BETA_1, BETA_2, EPSILON

__all__ = ["COEFFICIENTS", "MOMENTS", "first_moments", "moment_update", "schedule"]

Array = Any
#: names of the coefficients, in the order in which `schedule` gives them
COEFFICIENTS = ("a1", "b1", "a2", "b2", "c1", "c2", "c3", "d1", "d2")
_OFF = {"a1": 0.0, "b1": 0.0, "a2": 0.0, "b2": 0.0, "c1": 0.0, "c2": 1.0, "c3": 1.0, "d1": 0.0, "d2": 0.0}
_ADAM = {**_OFF, "a1": BETA_1, "b1": 1.0 - BETA_1, "a2": BETA_2, "b2": 1.0 - BETA_2, "d2": EPSILON}


def _rmsprop(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_OFF, "a2": 0.9, "b2": 0.1, "d1": EPSILON}


def _adagrad(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_OFF, "a2": 1.0, "b2": 1.0, "d1": EPSILON}


def _adam(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_ADAM, "c1": np.sqrt(1.0 - BETA_2**steps) / (1.0 - BETA_1**steps), "c2": 0.0}


def _nadam(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    momentum = BETA_1 * (1.0 - 0.5 * 0.96 ** np.arange(1, steps[-1] + 2))
    product = np.cumprod(momentum)
    first = steps.astype(int) - 1
    now, following = momentum[first], momentum[first + 1]
    return {
        **_ADAM,
        "c1": following / (1.0 - product[first + 1]),
        "c2": (1.0 - now) / (1.0 - product[first]),
        "c3": 1.0 / (1.0 - BETA_2**steps),
    }


def _sgd(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    momentum = numbers.get("momentum", 0.0)
    nesterov = numbers.get("nesterov", 0.0) > 0
    step = {"c1": momentum, "c2": 1.0} if nesterov else {"c1": 1.0, "c2": 0.0}
    return {**_OFF, "a1": momentum, "b1": 1.0, "c3": 0.0, "d1": 1.0, **step}


_SCHEDULES: Mapping[str, Callable[[np.ndarray, Mapping[str, float]], dict[str, Any]]] = {
    "RMSprop": _rmsprop,
    "Adam": _adam,
    "Adagrad": _adagrad,
    "Nadam": _nadam,
    "SGD": _sgd,
}
#: optimizers of the family
MOMENTS = frozenset(_SCHEDULES)


def schedule(name: str, numbers: Mapping[str, float], first: int, count: int) -> np.ndarray:
    """Coefficients (epoch, coefficient) in single precision for the epochs `first` to first + count - 1."""
    values = _SCHEDULES[name](np.arange(first + 1, first + count + 1, dtype=float), numbers)
    table = np.stack([np.broadcast_to(values[key], count) for key in COEFFICIENTS], axis=1)
    return table.astype(np.float32)


def first_moments(name: str, parameter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """m and v before the first step."""
    start = 0.1 if name == "Adagrad" else 0.0
    return np.zeros_like(parameter), np.full_like(parameter, start)


def moment_update(
    gradient: Array, moments: tuple[Array, Array], coefficients: Iterable[Array], learning_rate: Array
) -> tuple[Array, tuple[Array, Array]]:
    """What is added to the parameter, and the new moments, with one row of `schedule`."""
    a1, b1, a2, b2, c1, c2, c3, d1, d2 = coefficients
    m, v = moments
    m = a1 * m + b1 * gradient
    v = a2 * v + b2 * gradient * gradient
    return -learning_rate * (c1 * m + c2 * gradient) / (jnp.sqrt(c3 * v + d1) + d2), (m, v)
