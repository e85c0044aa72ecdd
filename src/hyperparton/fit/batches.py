"""Many models trained as chunks of equal size, side by side on the cores; models that have stopped are dropped.

A chunk holds so few models that their data stay in a core's cache for the `PUSH_EACH` epochs of one call.  Of trials
that are trained as one batch, the models of one fit (fold and replica), which have the same data, go into one chunk.
When fewer chunks can hold the models that still run, they are packed anew.  What is packed with what depends on nothing
but the models themselves, so equal fits have equal results.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.fit import compile_cache, parallel
from hyperparton.fit.compiled import advance
from hyperparton.fit.program_arrays import Chi2Arrays, CompileKey, FitState, ModelArrays, ProblemArrays
from hyperparton.fit.stopping import StoppingState

__all__ = ["BatchRunner"]

_EMPTY = -1
#: the fits (fit,) of a chunk and its models (fit, trial), `_EMPTY` for a free place
_Places = tuple[np.ndarray, np.ndarray]


class _Chunk(NamedTuple):
    """Models that one call runs; its arrays have a leading axis `model`."""

    numbers: np.ndarray
    """(model,) which models of the batch they are, `_EMPTY` for a free place"""
    state: FitState
    chi2: Chi2Arrays
    models: ModelArrays


class BatchRunner:
    """Runs all models of a batch and holds their state.

    `state` and `models` have a leading axis `model`, trial after trial, and so have the results; each trial has a model
    for each fit of `chi2`, whose `summed` is (fold, feature, feature).
    """

    def __init__(
        self,
        key: CompileKey,
        problem: ProblemArrays,
        state: FitState,
        chi2: Chi2Arrays,
        folds: np.ndarray,
        models: ModelArrays,
    ):
        """`folds` (fit,) are the numbers of the fits' folds, from 0."""
        self._key, self._problem = key, problem
        self._chi2, self._models = chi2, models
        self._folds = np.zeros_like(folds) if chi2.summed is None else folds
        self._size = parallel.chunk_size(len(folds), int(self._folds.max()) + 1, wide=key.moving)
        count = len(models.keys)
        self._trials = parallel.trials_per_chunk(self._size, count // len(folds))
        #: the last state of each model that is in no chunk any more, of the others an older one
        self._collected: FitState = jax.tree.map(np.array, state)
        self._place(np.arange(count))

    def _place(self, numbers: np.ndarray) -> None:
        self._chunks = [self._chunk(*places) for places in self._places(numbers)]

    def _places(self, numbers: np.ndarray) -> list[_Places]:
        """The models with these numbers (model,) in chunks of equal size, each of one fold."""
        if not len(numbers):
            return []
        own = numbers % len(self._folds)
        fits, most = np.unique(own, return_counts=True)
        # few sizes, since each is a compilation
        trials = 1 if most.max() == 1 else self._trials
        chunks = []
        for fold in np.unique(self._folds[fits]):
            rows = []
            for fit in fits[self._folds[fits] == fold]:
                members = numbers[own == fit]
                rows.extend((fit, _filled(members[k : k + trials], trials)) for k in range(0, len(members), trials))
            for k in range(0, len(rows), self._size):
                held = rows[k : k + self._size]
                held += [(held[0][0], _filled(numbers[:0], trials))] * (self._size - len(held))
                chunks.append((np.array([fit for fit, _ in held]), np.stack([row for _, row in held])))
        return chunks

    def _chunk(self, fits: np.ndarray, places: np.ndarray) -> _Chunk:
        numbers = places.ravel()
        state = _rows(self._collected, numbers)
        # a free place holds a model that never runs
        running = jnp.asarray(np.asarray(state.stopping.running) & (numbers != _EMPTY))
        state = state._replace(stopping=state.stopping._replace(running=running))
        training, validation, summed = self._chi2
        if summed is not None:
            summed = jnp.asarray(summed[self._folds[fits[0]]])
        chi2 = Chi2Arrays(_rows(training, fits), _rows(validation, fits), summed)
        return _Chunk(numbers, state, chi2, _rows(self._models, numbers))

    def advance(self, coefficients: np.ndarray) -> np.ndarray:
        """One call of `compiled.advance` for each chunk; the numbers (model,) of the models that still run.

        coefficients (epoch, trial, coefficient).
        """
        arguments = [
            (
                chunk.state,
                jnp.asarray(coefficients[:, np.maximum(chunk.numbers, 0) // len(self._folds)]),
                self._problem,
                chunk.chi2,
                chunk.models,
            )
            for chunk in self._chunks
        ]
        program = compile_cache.compiled(advance, "key", self._key, "state", *arguments[0])
        states = parallel.run_all([partial(program, *each) for each in arguments])
        self._chunks = [chunk._replace(state=state) for chunk, state in zip(self._chunks, states, strict=True)]
        left = [chunk.numbers[np.asarray(chunk.state.stopping.running)] for chunk in self._chunks]
        running = np.sort(np.concatenate(left))
        self._pack(running)
        return running

    def _pack(self, running: np.ndarray) -> None:
        """Put the models with these numbers (model,) into fewer chunks, if they fit."""
        packed = sum(places.size for _, places in self._places(running))
        if 0 < packed < sum(chunk.numbers.size for chunk in self._chunks):
            self.states()
            self._place(running)

    def stop(self, numbers: np.ndarray) -> np.ndarray:
        """End the models with these numbers (model,); the numbers of those that still run."""
        states = self.states()
        states.stopping.running[numbers] = False
        running = np.flatnonzero(states.stopping.running)
        self._place(running)
        return running

    def states(self) -> FitState:
        """The state of all models (model, ...), as numpy arrays that the next call overwrites."""
        for chunk in self._chunks:
            used = chunk.numbers != _EMPTY

            def write(known: np.ndarray, new: Any, numbers: np.ndarray = chunk.numbers[used], used: Any = used) -> None:
                if known.ndim:
                    known[numbers] = np.asarray(new)[used]
                else:
                    # the epoch: a chunk in which all have stopped does not count on
                    known[...] = np.maximum(known, np.asarray(new))

            jax.tree.map(write, self._collected, chunk.state)
        return self._collected

    def stopping(self) -> StoppingState:
        """What the stopping remembers of all models, each (model,)."""
        last: StoppingState = self._collected.stopping
        for chunk in self._chunks:
            used = chunk.numbers != _EMPTY
            for known, new in zip(last, chunk.state.stopping, strict=True):
                known[chunk.numbers[used]] = np.asarray(new)[used]
        return jax.tree.map(np.copy, last)

    def last(self, *names: str) -> list[np.ndarray]:
        """Fields of the state by their names, each (model,), as they are after the last epoch of each model."""
        for chunk in self._chunks:
            used = chunk.numbers != _EMPTY
            for name in names:
                getattr(self._collected, name)[chunk.numbers[used]] = np.asarray(getattr(chunk.state, name))[used]
        return [getattr(self._collected, name).copy() for name in names]


def _filled(numbers: np.ndarray, places: int) -> np.ndarray:
    """(trial,) the numbers, then `_EMPTY`."""
    return np.concatenate([numbers, np.full(places - len(numbers), _EMPTY)])


def _rows(tree: Any, numbers: np.ndarray) -> Any:
    """The rows `numbers` (model,) of all arrays (model, ...) of a tree on the device; scalars as they are."""
    contiguous = bool(np.all(np.diff(numbers) == 1)) and numbers[0] >= 0
    rows: Any = slice(int(numbers[0]), int(numbers[-1]) + 1) if contiguous else np.maximum(numbers, 0)
    return jax.tree.map(lambda a: jnp.array(a[rows] if np.ndim(a) else a), tree)
