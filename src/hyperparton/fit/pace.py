"""How often the fast path expands anew: by the error that its last expansion made.

A model is due in every epoch of a call that `interval` divides, and in the first.  Intervals are powers of two, so that
models with different ones are due together, and each keeps its own, whatever models are trained with it.  The error of
an expansion grows with the square of the distance at least, so the next interval is the distance times
sqrt(accuracy / error), rounded down.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

__all__ = ["LONGEST", "Pace", "due", "paced", "start"]

Array = Any
#: the longest interval in epochs; a call has 100, so that each measures an error at least once
LONGEST = 64
#: an interval grows by this factor at most
_GROWTH = 4


class Pace(NamedTuple):
    """The expansions of models, each (model,)."""

    interval: Array
    """in epochs"""
    made: Array
    """the epoch of a call in which the present one was made"""
    count: Array
    """how many were made"""
    worst: Array
    """largest error that was measured, relative to the chi2"""
    best_training: Array
    """training chi2 in the best epoch"""
    best_validation: Array
    """validation chi2 in the best epoch"""

    def at_best(self, best: Array, training: Array, validation: Array) -> Pace:
        """With the chi2 (model,) of the models for which an epoch is the best."""
        return self._replace(
            best_training=jnp.where(best, training, self.best_training),
            best_validation=jnp.where(best, validation, self.best_validation),
        )


def start(models: int) -> Pace:
    """Before the first epoch, as arrays of numpy."""
    zeros = np.zeros(models, np.int32)
    nan = np.full(models, np.nan, np.float32)
    return Pace(zeros + 1, zeros, zeros, np.zeros(models, np.float32), nan, nan)


def due(pace: Pace, epoch: Array) -> Array:
    """Which models (model,) are expanded anew in this epoch of a call."""
    return epoch % pace.interval == 0


def paced(pace: Pace, now: Array, epoch: Array, error: Array, accuracy: Array) -> Pace:
    """The pace after the models `now` (model,) were expanded anew, with the errors (model,) of their last ones."""
    distance = epoch - pace.made
    measured = now & (epoch > 0)
    # a loss that is no number ends the fit; until then it is looked at in each epoch
    wanted = jnp.where(jnp.isfinite(error), distance * jnp.sqrt(accuracy / jnp.maximum(error, 1e-12)), 1.0)
    wanted = jnp.clip(wanted, 1.0, jnp.minimum(_GROWTH * pace.interval, LONGEST).astype(wanted.dtype))
    interval = 2 ** jnp.floor(jnp.log2(wanted) + 1e-3).astype(pace.interval.dtype)
    return pace._replace(
        interval=jnp.where(measured, interval, pace.interval),
        made=jnp.where(now, epoch, pace.made),
        count=pace.count + now,
        worst=jnp.where(measured, jnp.maximum(pace.worst, error), pace.worst),
    )
