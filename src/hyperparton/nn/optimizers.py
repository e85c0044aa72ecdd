"""The eight optimizers of a runcard, with the update rules and defaults of Keras 3.

RMSprop, Adam, Adagrad, Nadam and SGD are one family (`MomentRule`).  With g the gradient and m and v moments of it,

    m <- a1 m + b1 g,   v <- a2 v + b2 g^2,   step = -learning_rate (c1 m + c2 g) / (sqrt(c3 v + d1) + d2)

with coefficients that depend on the epoch alone.  They are computed beforehand, in double precision, so that trials
with different optimizers of the family share one compiled program.  Adadelta, Adamax and Amsgrad have an update of
their own (`Rule`).

optax has optimizers of the same names, but with other places for epsilon (Adam, Adamax, Amsgrad) and another
momentum schedule (Nadam).  With a clipnorm of 1e-6, as PDF fits use it, gradients are of the size of epsilon
and these differences change the fit; so the rules are written out here and tested against Keras.

To add an optimizer, enter it in `catalogue.OPTIMIZERS` (its arguments and defaults) and in `RULES` below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.catalogue import OPTIMIZERS
from hyperparton.runcard.parameters import Optimizer

__all__ = [
    "COEFFICIENTS",
    "RULES",
    "MetaModel",
    "MomentRule",
    "Rule",
    "clip_by_norm",
    "hyperparameters",
    "moment_update",
]

Array = jax.Array | np.ndarray
Slots = tuple[Array, ...]
Hyper = Mapping[str, Array]

EPSILON = 1e-7
BETA_1, BETA_2 = 0.9, 0.999
#: what an optimizer has for arguments that it does not take: Keras's learning rate, and zero for the others
_ABSENT = {**{key: 0.0 for arguments in OPTIMIZERS.values() for key in arguments}, "learning_rate": 1e-3}
#: names of the coefficients of the family, in the order in which `MomentRule.schedule` returns them
COEFFICIENTS = ("a1", "b1", "a2", "b2", "c1", "c2", "c3", "d1", "d2")
_OFF = {"a1": 0.0, "b1": 0.0, "a2": 0.0, "b2": 0.0, "c1": 0.0, "c2": 1.0, "c3": 1.0, "d1": 0.0, "d2": 0.0}
_ADAM = {**_OFF, "a1": BETA_1, "b1": 1.0 - BETA_1, "a2": BETA_2, "b2": 1.0 - BETA_2, "d2": EPSILON}


@dataclass(frozen=True)
class MomentRule:
    """An optimizer of the family: its coefficients by the number of the step, counted from 1.

    `coefficients(steps, numbers)` maps steps (epoch,) and the optimizer's hyperparameters to coefficients by name,
    each a number or (epoch,).
    """

    coefficients: Callable[[np.ndarray, Mapping[str, float]], dict[str, Any]]
    first_v: float = 0.0

    def schedule(self, numbers: Mapping[str, float], first: int, count: int) -> np.ndarray:
        """Coefficients (epoch, coefficient) in single precision for the epochs `first` to first + count - 1."""
        values = self.coefficients(np.arange(first + 1, first + count + 1, dtype=float), numbers)
        table = np.stack([np.broadcast_to(values[key], count) for key in COEFFICIENTS], axis=1)
        return table.astype(np.float32)

    def start(self, parameter: np.ndarray) -> Slots:
        """The moments m and v before the first step, of the parameter's shape."""
        return np.zeros_like(parameter), np.full_like(parameter, self.first_v)


@dataclass(frozen=True)
class Rule:
    """An optimizer with an update of its own and `slots` arrays to remember, which start at zero.

    `update(gradient, slots, step, hyper)` returns (what is added to the parameter, new slots); `step` counts
    updates from 1; `hyper` holds arrays that broadcast against the gradient.
    """

    slots: int
    update: Callable[[Array, Slots, Array, Hyper], tuple[Array, Slots]]

    def start(self, parameter: np.ndarray) -> Slots:
        """The slots before the first step, of the parameter's shape."""
        return tuple(np.zeros_like(parameter) for _ in range(self.slots))


def _rmsprop(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_OFF, "a2": 0.9, "b2": 0.1, "d1": EPSILON}


def _adagrad(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_OFF, "a2": 1.0, "b2": 1.0, "d1": EPSILON}


def _adam(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    return {**_ADAM, "c1": np.sqrt(1.0 - BETA_2**steps) / (1.0 - BETA_1**steps), "c2": 0.0}


def _nadam(steps: np.ndarray, numbers: Mapping[str, float]) -> dict[str, Any]:
    # Dozat, "Incorporating Nesterov momentum into Adam" (2016), with Keras's schedule 0.96^t
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
    momentum = numbers["momentum"]
    step = {"c1": momentum, "c2": 1.0} if numbers["nesterov"] > 0 else {"c1": 1.0, "c2": 0.0}
    return {**_OFF, "a1": momentum, "b1": 1.0, "c3": 0.0, "d1": 1.0, **step}


def moment_update(
    gradient: Array, moments: Slots, coefficients: Iterable[Array], learning_rate: Array
) -> tuple[Array, Slots]:
    """What is added to the parameter, and the new moments, with one row (coefficient,) of `MomentRule.schedule`.

    Gradient and moments have the parameter's shape.
    """
    a1, b1, a2, b2, c1, c2, c3, d1, d2 = coefficients
    m, v = moments
    m = a1 * m + b1 * gradient
    v = a2 * v + b2 * gradient * gradient
    return -learning_rate * (c1 * m + c2 * gradient) / (jnp.sqrt(c3 * v + d1) + d2), (m, v)


def _towards(old: Array, new: Array, beta: float) -> Array:
    return old + (new - old) * (1.0 - beta)


def _amsgrad(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    m, v, largest = slots
    m, v = _towards(m, g, BETA_1), _towards(v, g * g, BETA_2)
    largest = jnp.maximum(largest, v)
    rate = hyper["learning_rate"] * jnp.sqrt(1.0 - BETA_2**step) / (1.0 - BETA_1**step)
    return -rate * m / (jnp.sqrt(largest) + EPSILON), (m, v, largest)


def _adadelta(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    gradients, steps = slots
    gradients = 0.95 * gradients + 0.05 * g * g
    delta = -jnp.sqrt(steps + EPSILON) / jnp.sqrt(gradients + EPSILON) * g
    steps = 0.95 * steps + 0.05 * delta * delta
    return hyper["learning_rate"] * delta, (gradients, steps)


def _adamax(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    m, u = slots
    m, u = _towards(m, g, BETA_1), jnp.maximum(BETA_2 * u, jnp.abs(g))
    return -hyper["learning_rate"] * m / ((1.0 - BETA_1**step) * (u + EPSILON)), (m, u)


RULES: Mapping[str, MomentRule | Rule] = MappingProxyType(
    {
        "RMSprop": MomentRule(_rmsprop),
        "Adam": MomentRule(_adam),
        "Adagrad": MomentRule(_adagrad, first_v=0.1),
        "Adadelta": Rule(2, _adadelta),
        "Adamax": Rule(2, _adamax),
        "Nadam": MomentRule(_nadam),
        "Amsgrad": Rule(3, _amsgrad),
        "SGD": MomentRule(_sgd),
    }
)
assert set(RULES) == set(OPTIMIZERS)


class MetaModel:
    """Optimizers that a runcard can name: name -> (rule, {argument: default}); the class has n3fit's name."""

    accepted_optimizers: Mapping[str, tuple[MomentRule | Rule, Mapping[str, float | bool]]] = {
        name: (RULES[name], OPTIMIZERS[name]) for name in OPTIMIZERS
    }


def hyperparameters(optimizer: Optimizer) -> dict[str, float]:
    """The numbers of a runcard's `optimizer` by the same names for all optimizers, defaults filled in."""
    given = optimizer.model_dump(exclude={"optimizer_name"}, exclude_none=True)
    return {key: float(value) for key, value in {**_ABSENT, **OPTIMIZERS[optimizer.optimizer_name], **given}.items()}


def clip_by_norm(gradient: Array, norm: Array, clipnorm: Array) -> Array:
    """Scale `gradient` down where its `norm` exceeds `clipnorm`; a clipnorm of zero or less switches clipping off.

    As in Keras, each weight array of a model is clipped on its own (not all of them by one common norm).
    """
    factor = jnp.where((clipnorm > 0) & (norm > clipnorm), clipnorm / jnp.maximum(norm, 1e-30), 1.0)
    return gradient * factor
