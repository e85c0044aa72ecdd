"""Initial weights of a layer: `MetaLayer.initializers`, with the variances of Keras 3."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hyperparton.catalogue import INITIALIZERS

__all__ = ["Initializer", "MetaLayer", "initialize"]

#: ``f(rng, fan_in, fan_out, shape) -> array``
Initializer = Callable[[np.random.Generator, int, int, tuple[int, ...]], np.ndarray]

# standard deviation of a unit normal truncated at two sigma; Keras divides by it to keep the variance asked for
_TRUNCATED_STD = 0.87962566103423978


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Unit normal numbers redrawn until all lie within two standard deviations."""
    values = rng.standard_normal(shape)
    outside = np.abs(values) > 2.0
    while outside.any():
        values[outside] = rng.standard_normal(int(outside.sum()))
        outside = np.abs(values) > 2.0
    return values


def _fan(mode: str, fan_in: int, fan_out: int) -> float:
    return fan_in if mode == "in" else 0.5 * (fan_in + fan_out)


def _uniform(scale: float, mode: str) -> Initializer:
    def draw(rng: np.random.Generator, fan_in: int, fan_out: int, shape: tuple[int, ...]) -> np.ndarray:
        limit = math.sqrt(3.0 * scale / _fan(mode, fan_in, fan_out))
        return rng.uniform(-limit, limit, shape)

    return draw


def _normal(scale: float, mode: str) -> Initializer:
    def draw(rng: np.random.Generator, fan_in: int, fan_out: int, shape: tuple[int, ...]) -> np.ndarray:
        sigma = math.sqrt(scale / _fan(mode, fan_in, fan_out)) / _TRUNCATED_STD
        return sigma * _truncated_normal(rng, shape)

    return draw


def _random_uniform(rng: np.random.Generator, fan_in: int, fan_out: int, shape: tuple[int, ...]) -> np.ndarray:
    arguments = INITIALIZERS["random_uniform"]
    return rng.uniform(float(arguments["minval"]), float(arguments["maxval"]), shape)


class MetaLayer:
    """The initializers that a runcard can name (`initializer`, `architecture: initializers`).

    Glorot and Bengio (AISTATS 2010), He et al. (arXiv:1502.01852), LeCun et al. (1998); the normal ones are
    truncated at two standard deviations, as in Keras.
    """

    initializers: dict[str, Initializer] = {  # noqa: RUF012 - n3fit's public name, read by users as a dictionary
        "random_uniform": _random_uniform,
        "glorot_uniform": _uniform(1.0, "average"),
        "glorot_normal": _normal(1.0, "average"),
        "he_uniform": _uniform(2.0, "in"),
        "he_normal": _normal(2.0, "in"),
        "lecun_uniform": _uniform(1.0, "in"),
        "lecun_normal": _normal(1.0, "in"),
    }


assert set(MetaLayer.initializers) == set(INITIALIZERS)


def initialize(name: str, rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """One kernel (in, out) in float32 from the initializer `name`."""
    return MetaLayer.initializers[name](rng, fan_in, fan_out, (fan_in, fan_out)).astype(np.float32)
