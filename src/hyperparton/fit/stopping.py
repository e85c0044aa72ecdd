"""Early stopping by look-back (arXiv:2109.02653, sec. 3.3).

A fit keeps the parameters with the lowest validation loss, among the epochs in which every positivity set passes;
the first of them needs a validation chi2 per point below `threshold_chi2`.  It stops when `patience` epochs have
passed without a better one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Criteria", "StoppingState", "longest_stalls", "monitor", "start"]

Array = jax.Array | np.ndarray
#: no validation loss at or above this is ever the best
_INITIAL = 1e9

#: a fit that has this times the validation loss that it ends with is not done
_NOT_DONE = 1.3


class Criteria(NamedTuple):
    """Settings of the stopping, each (model,)."""

    epochs: Array
    """most of them"""
    patience: Array
    """in epochs"""
    delta: Array
    """an improvement must be larger than this"""
    threshold_chi2: Array
    threshold_positivity: Array
    """largest positivity loss that passes, per set"""


class StoppingState(NamedTuple):
    """What the stopping remembers, each (model,)."""

    best_loss: Array
    """validation loss of the best epoch"""
    best_epoch: Array
    """-1 as long as no epoch has passed"""
    since_best: Array
    """epochs since then"""
    running: Array
    stop_epoch: Array


def start(criteria: Criteria) -> StoppingState:
    """The state before the first epoch, as arrays of numpy."""
    epochs = criteria.epochs
    zeros = np.zeros_like(epochs)
    return StoppingState(
        best_loss=np.full(epochs.shape, _INITIAL, np.float32),
        best_epoch=zeros - 1,
        since_best=zeros,
        running=epochs > 0,
        stop_epoch=epochs - 1,
    )


def monitor(
    state: StoppingState, criteria: Criteria, epoch: Array, loss: Array, chi2: Array, positivity: Array
) -> tuple[StoppingState, Array]:
    """The state after `epoch`, and for which models (model,) that epoch is the best so far.

    `loss` (model,) is the validation loss (chi2 and positivity, not divided by the number of points), `chi2`
    (model,) the validation chi2 per point, `positivity` (model, set) the positivity losses.
    """
    counting = state.best_epoch >= 0
    passes = counting | (chi2 < criteria.threshold_chi2)
    passes &= loss < state.best_loss
    passes &= loss < state.best_loss - criteria.delta
    passes &= jnp.all(positivity < criteria.threshold_positivity[:, None], axis=1)
    passes &= state.running & (epoch >= 0)
    since = jnp.where(passes, 0, state.since_best + (counting & (epoch >= 0)))
    exhausted = state.running & counting & (since > criteria.patience)
    return (
        StoppingState(
            best_loss=jnp.where(passes, loss, state.best_loss),
            best_epoch=jnp.where(passes, epoch, state.best_epoch),
            since_best=since,
            running=state.running & ~exhausted & (epoch + 1 < criteria.epochs),
            stop_epoch=jnp.where(exhausted, epoch, state.stop_epoch),
        ),
        passes,
    )


def longest_stalls(states: Sequence[StoppingState], between: int) -> np.ndarray:
    """(model,) for how many epochs each model waited at most for a better one that came.

    `states`, each (model,), are those of every `between` epochs. A stall that is seen goes on: on average for half of
    that, or of what it has lasted if that is less. Only what happened before the model was nearly done counts, while
    its best validation loss was more than `_NOT_DONE` times the last: with less patience the model would have stopped
    there, and the fit would have failed. It is 0 for a model that never waited so.
    """
    last = states[-1]
    longest = np.zeros(len(last.best_epoch))
    for state in states[:-1]:
        came = (state.best_epoch >= 0) & (np.asarray(state.best_epoch) < last.best_epoch)
        came &= np.asarray(state.best_loss) > _NOT_DONE * np.asarray(last.best_loss)
        since = np.asarray(state.since_best, float)
        longest = np.maximum(longest, np.where(came, since + 0.5 * np.minimum(since, between), 0.0))
    return longest
