"""The eight optimizers of a runcard, with the update rules and defaults of Keras 3.

optax has optimizers of the same names, but with other places for epsilon (Adam, Adamax, Amsgrad) and another
momentum schedule (Nadam).  With a clipnorm of 1e-6, as PDF fits use it, gradients are of the size of epsilon
and these differences change the fit; so the rules are written out here and tested against Keras.

A parameter array has the shape (model, ...).  Hyperparameters are arrays of shape (model,), so that one compiled
program serves models with different learning rates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp

from hyperparton.catalogue import OPTIMIZERS
from hyperparton.errors import TrainingError, nearest
from hyperparton.runcard import Optimizer

__all__ = ["RULES", "Rule", "clip_by_norm", "hyperparameters", "optimizer_rule"]

Array = Any
Slots = tuple[Array, ...]
Hyper = Mapping[str, Array]

EPSILON = 1e-7
BETA_1, BETA_2 = 0.9, 0.999
#: learning rate of the optimizers to which a runcard cannot give one (Keras's default)
_FIXED_RATE = 1e-3


@dataclass(frozen=True)
class Rule:
    """One optimizer: how its slots start and how gradient and slots give a step.

    `update(gradient, slots, step, hyper)` returns (what is added to the parameter, new slots); `step` counts
    updates from 1; `hyper` holds arrays that broadcast against the gradient.
    """

    start: Callable[[Array], Slots]
    update: Callable[[Array, Slots, Array, Hyper], tuple[Array, Slots]]


def _zeros(count: int) -> Callable[[Array], Slots]:
    return lambda parameter: tuple(jnp.zeros_like(parameter) for _ in range(count))


def _towards(old: Array, new: Array, beta: float) -> Array:
    return old + (new - old) * (1.0 - beta)


def _rmsprop(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    (v,) = slots
    v = 0.9 * v + 0.1 * g * g
    return -hyper["learning_rate"] * g / jnp.sqrt(v + EPSILON), (v,)


def _adam_rate(step: Array, hyper: Hyper) -> Array:
    return hyper["learning_rate"] * jnp.sqrt(1.0 - BETA_2**step) / (1.0 - BETA_1**step)


def _adam(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    m, v = slots
    m, v = _towards(m, g, BETA_1), _towards(v, g * g, BETA_2)
    return -_adam_rate(step, hyper) * m / (jnp.sqrt(v) + EPSILON), (m, v)


def _amsgrad(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    m, v, largest = slots
    m, v = _towards(m, g, BETA_1), _towards(v, g * g, BETA_2)
    largest = jnp.maximum(largest, v)
    return -_adam_rate(step, hyper) * m / (jnp.sqrt(largest) + EPSILON), (m, v, largest)


def _adagrad(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    (total,) = slots
    total = total + g * g
    return -hyper["learning_rate"] * g / jnp.sqrt(total + EPSILON), (total,)


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


def _nadam_momentum(step: Array) -> Array:
    # Dozat, "Incorporating Nesterov momentum into Adam" (2016), with Keras's schedule 0.96^t
    return BETA_1 * (1.0 - 0.5 * 0.96**step)


def _nadam(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    m, v, product = slots
    now, following = _nadam_momentum(step), _nadam_momentum(step + 1.0)
    product = product * now
    m, v = _towards(m, g, BETA_1), _towards(v, g * g, BETA_2)
    m_hat = following * m / (1.0 - product * following) + (1.0 - now) * g / (1.0 - product)
    v_hat = v / (1.0 - BETA_2**step)
    return -hyper["learning_rate"] * m_hat / (jnp.sqrt(v_hat) + EPSILON), (m, v, product)


def _sgd(g: Array, slots: Slots, step: Array, hyper: Hyper) -> tuple[Array, Slots]:
    (velocity,) = slots
    pull = -hyper["learning_rate"] * g
    velocity = hyper["momentum"] * velocity + pull
    return jnp.where(hyper["nesterov"] > 0, hyper["momentum"] * velocity + pull, velocity), (velocity,)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "RMSprop": Rule(_zeros(1), _rmsprop),
        "Adam": Rule(_zeros(2), _adam),
        "Adagrad": Rule(lambda p: (jnp.full_like(p, 0.1),), _adagrad),
        "Adadelta": Rule(_zeros(2), _adadelta),
        "Adamax": Rule(_zeros(2), _adamax),
        # the running product of momenta is one number for all parameters: a scalar slot
        "Nadam": Rule(lambda p: (*_zeros(2)(p), jnp.ones((), p.dtype)), _nadam),
        "Amsgrad": Rule(_zeros(3), _amsgrad),
        "SGD": Rule(_zeros(1), _sgd),
    }
)
assert set(RULES) == set(OPTIMIZERS)


def optimizer_rule(name: str) -> Rule:
    """The rule called `name`; raises TrainingError for an unknown name."""
    try:
        return RULES[name]
    except KeyError:
        raise TrainingError(f"unknown optimizer {name!r}{nearest(name, RULES)}, accepted: {', '.join(RULES)}") from None


def hyperparameters(optimizer: Optimizer) -> dict[str, float]:
    """The numbers of a runcard's `optimizer`, defaults filled in.

    An optimizer that takes no learning rate in a runcard gets Keras's default.
    """
    given = optimizer.model_dump(exclude={"optimizer_name"}, exclude_none=True)
    defaults = {"learning_rate": _FIXED_RATE, "momentum": 0.0, "nesterov": False}
    return {key: float(value) for key, value in {**defaults, **OPTIMIZERS[optimizer.optimizer_name], **given}.items()}


def clip_by_norm(gradient: Array, norm: Array, clipnorm: Array) -> Array:
    """Scale `gradient` down where its `norm` exceeds `clipnorm`; a clipnorm of zero or less switches clipping off.

    As in Keras, each weight array of a model is clipped on its own (not all of them by one common norm).
    """
    factor = jnp.where((clipnorm > 0) & (norm > clipnorm), clipnorm / jnp.maximum(norm, 1e-30), 1.0)
    return gradient * factor
