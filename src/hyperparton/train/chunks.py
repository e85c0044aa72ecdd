"""Many models trained as chunks of equal size, side by side on the cores; models that have stopped are dropped.

A chunk holds so few models that their data stay in a core's cache for the `PUSH_EACH` epochs of one call.  When fewer
chunks can hold the models that still run, they are packed anew.  What is packed with what depends on nothing but the
models themselves, so equal fits give equal results.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.train import machine
from hyperparton.train.program import FitState, Models, Program, Settings, Shared, advance

__all__ = ["Chunks"]

_EMPTY = -1


class Chunks:
    """The state of all models in a fit.

    `state`, `models` and `settings` have a leading axis `model`, and so have the results.
    """

    def __init__(
        self,
        program: Program,
        shared: Shared,
        state: FitState,
        models: Models,
        settings: Settings,
        wholes: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        """`wholes`: the fold of each model (model,) and `Models.whole` of each fold, where the program wants it."""
        self._program, self._shared = program, shared
        self._models, self._settings = models, settings
        self._count = len(settings.dropout)
        self._folds, self._wholes = (np.zeros(self._count, int), None) if wholes is None else wholes
        self._size = machine.chunk_size(self._count, int(self._folds.max()) + 1)
        #: the last state of each model that is in no chunk any more, of the others an older one
        self._known: FitState = jax.tree.map(np.array, state)
        self._place(np.arange(self._count))

    def _place(self, numbers: np.ndarray) -> None:
        """Put the models with these numbers into chunks."""
        self._chunks = [(part, self._chunk_state(part), *self._chunk_data(part)) for part in self._parts(numbers)]

    def _parts(self, numbers: np.ndarray) -> list[np.ndarray]:
        """The models with these numbers in chunks of equal size, each of one fold."""
        parts = []
        for fold in np.unique(self._folds[numbers]):
            members = numbers[self._folds[numbers] == fold]
            padded = np.full(-(-len(members) // self._size) * self._size, _EMPTY)
            padded[: len(members)] = members
            parts.extend(padded.reshape(-1, self._size))
        return parts

    def _chunk_state(self, numbers: np.ndarray) -> FitState:
        state = _rows(self._known, numbers)
        # a free place holds a model that never runs
        running = jnp.asarray(np.asarray(state.stopping.running) & (numbers != _EMPTY))
        return state._replace(stopping=state.stopping._replace(running=running))

    def _chunk_data(self, numbers: np.ndarray) -> tuple[Models, Settings]:
        models = _rows(self._models, numbers)
        if self._wholes is not None:
            models = models._replace(whole=jnp.asarray(self._wholes[self._folds[numbers[0]]]))
        return models, _rows(self._settings, numbers)

    def advance(self, coefficients: np.ndarray) -> int:
        """One call of `program.advance` for each chunk; the number of models that still run."""
        rows = jnp.asarray(coefficients)
        arguments = [(state, rows, self._shared, models, settings) for _, state, models, settings in self._chunks]
        program = machine.compiled(advance, "program", self._program, "state", *arguments[0])
        states = machine.run_all([partial(program, *each) for each in arguments])
        self._chunks = [(chunk[0], state, *chunk[2:]) for chunk, state in zip(self._chunks, states, strict=True)]
        left = [chunk[0][np.asarray(state.stopping.running)] for chunk, state in zip(self._chunks, states, strict=True)]
        running = np.sort(np.concatenate(left))
        if len(running) and len(self._parts(running)) < len(self._chunks):
            self.states()
            self._place(running)
        return len(running)

    def states(self) -> FitState:
        """The state of all models (model, ...), as numpy arrays that the next call overwrites."""
        for numbers, state, *_ in self._chunks:
            used = numbers != _EMPTY

            def write(known: np.ndarray, new: Any, numbers: np.ndarray = numbers, used: np.ndarray = used) -> None:
                if known.ndim:
                    known[numbers[used]] = np.asarray(new)[used]
                else:
                    # the epoch: a chunk in which all have stopped does not count on
                    known[...] = np.maximum(known, np.asarray(new))

            jax.tree.map(write, self._known, state)
        return self._known

    def course(self) -> tuple[np.ndarray, np.ndarray]:
        """Training chi2 and validation chi2 per point (model,) in the last epoch of each model."""
        known = self._known
        for numbers, state, *_ in self._chunks:
            used = numbers != _EMPTY
            known.training_chi2[numbers[used]] = np.asarray(state.training_chi2)[used]
            known.validation_chi2[numbers[used]] = np.asarray(state.validation_chi2)[used]
        return known.training_chi2.copy(), known.validation_chi2.copy()


def _rows(tree: Any, numbers: np.ndarray) -> Any:
    """The rows of all arrays of a tree on the device; scalars as they are."""
    contiguous = bool(np.all(np.diff(numbers) == 1)) and numbers[0] >= 0
    rows: Any = slice(int(numbers[0]), int(numbers[-1]) + 1) if contiguous else np.maximum(numbers, 0)
    return jax.tree.map(lambda a: jnp.array(a[rows] if np.ndim(a) else a), tree)
