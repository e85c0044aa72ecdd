"""Positivity and integrability: Lagrange multipliers pushed up every 100 epochs (arXiv:1907.05075, sec. 3.1).

`fit.losses` adds the terms to the training loss: elu(-multiplier * prediction) of each point of a positivity set,
(multiplier * prediction)^2 of each point of an integrability set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.types import Observable
from hyperparton.fit.multipliers import start_and_multiplier
from hyperparton.fit.observables import Convolution, build_convolution
from hyperparton.runcard.parameters import LagrangeOptions

__all__ = ["ELU_ALPHA", "ConstraintSets", "Multipliers", "elu"]

Array = jax.Array | np.ndarray
ELU_ALPHA = 1e-7


class Multipliers(NamedTuple):
    """Lagrange multipliers of sets."""

    initial: Array
    """(model, set) their first values"""
    factor: Array
    """(model, set) what each push multiplies them by"""

    def at(self, push: Array, sets: Array) -> Array:
        """Multipliers (model, dat) after `push` pushes; `sets` (set, dat) says which points belong to a set."""
        return (self.initial * self.factor**push) @ sets


@dataclass(frozen=True, eq=False)
class ConstraintSets:
    """Positivity or integrability sets on the grid (x,) and in the working basis of the fit."""

    observables: tuple[Observable, ...]
    convolution: Convolution

    @classmethod
    def build(cls, observables: Sequence[Observable], grid: np.ndarray, working: Sequence[str]) -> ConstraintSets:
        return cls(tuple(observables), build_convolution(observables, grid, working))

    def membership(self) -> np.ndarray:
        """(set, dat) 1 where a point belongs to a set."""
        counts = np.array([o.ndata for o in self.observables], int)
        sets = np.repeat(np.arange(len(counts)), counts)
        return (np.arange(len(counts))[:, None] == sets).astype(np.float32)

    def multipliers(self, options: LagrangeOptions, epochs: int, models: int) -> Multipliers:
        """The Lagrange multipliers of `models` models, the same for each, from a trial's `positivity` options."""
        pairs = [
            start_and_multiplier(options.initial, options.multiplier, o.maxlambda, epochs) for o in self.observables
        ]
        table = np.array(pairs, np.float32).reshape(-1, 2)
        return Multipliers(*(np.tile(column, (models, 1)) for column in table.T))


def elu(y: Array) -> Array:
    """y where positive, a small negative exponential elsewhere: a constraint without a kink in its gradient."""
    return jnp.where(y > 0, y, ELU_ALPHA * jnp.expm1(jnp.minimum(y, 0.0)))
