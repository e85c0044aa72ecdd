"""Many models trained as chunks of equal size, side by side on the cores; models that have stopped are dropped.

A chunk holds so few models that their data stay in a core's cache for the `PUSH_EACH` epochs of one call.  Of trials
that are trained together, the models of one fold and replica, which have the same data, go into one chunk.  When fewer
chunks can hold the models that still run, they are packed anew.  What is packed with what depends on nothing but the
models themselves, so equal fits give equal results.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.fit import runtime
from hyperparton.fit.compiled import FitState, Forms, Models, Program, Settings, Shared, advance

__all__ = ["Chunks"]

_EMPTY = -1


class _Part(NamedTuple):
    """What a chunk holds."""

    forms: np.ndarray
    """(form,) the folds and replicas"""
    numbers: np.ndarray
    """(form, trial) the models, `_EMPTY` for a free place"""


class _Chunk(NamedTuple):
    numbers: np.ndarray
    """(model,)"""
    state: FitState
    forms: Forms
    models: Models
    settings: Settings


class Chunks:
    """The state of all models in a fit.

    `state`, `models` and `settings` have a leading axis `model`, trial after trial, and so have the results; each
    trial has a model for each of `forms`, whose `whole` is (fold, feature, feature).
    """

    def __init__(
        self,
        program: Program,
        shared: Shared,
        state: FitState,
        forms: Forms,
        folds: np.ndarray,
        models: Models,
        settings: Settings,
    ):
        """`folds` (form,) says whose `whole` is that of a form."""
        self._program, self._shared = program, shared
        self._forms, self._models, self._settings = forms, models, settings
        self._folds = np.zeros_like(folds) if forms.whole is None else folds
        self._size = runtime.chunk_size(len(folds), int(self._folds.max()) + 1)
        count = len(settings.dropout)
        self._together = runtime.trials_together(self._size, count // len(folds))
        #: the last state of each model that is in no chunk any more, of the others an older one
        self._known: FitState = jax.tree.map(np.array, state)
        self._place(self._parts(np.arange(count)))

    def _place(self, parts: list[_Part]) -> None:
        self._chunks = [self._chunk(part) for part in parts]

    def _parts(self, numbers: np.ndarray) -> list[_Part]:
        """The models with these numbers in chunks of equal size, each of one fold."""
        own = numbers % len(self._folds)
        forms, most = np.unique(own, return_counts=True)
        # few sizes, since each is a compilation
        together = 1 if most.max() == 1 else self._together
        parts = []
        for fold in np.unique(self._folds[forms]):
            rows = []
            for form in forms[self._folds[forms] == fold]:
                members = numbers[own == form]
                rows.extend(
                    (form, _filled(members[k : k + together], together)) for k in range(0, len(members), together)
                )
            for k in range(0, len(rows), self._size):
                held = rows[k : k + self._size]
                held += [(held[0][0], _filled(numbers[:0], together))] * (self._size - len(held))
                parts.append(_Part(np.array([form for form, _ in held]), np.stack([row for _, row in held])))
        return parts

    def _chunk(self, part: _Part) -> _Chunk:
        numbers = part.numbers.ravel()
        state = _rows(self._known, numbers)
        # a free place holds a model that never runs
        running = jnp.asarray(np.asarray(state.stopping.running) & (numbers != _EMPTY))
        state = state._replace(stopping=state.stopping._replace(running=running))
        training, validation, whole = self._forms
        if whole is not None:
            whole = jnp.asarray(whole[self._folds[part.forms[0]]])
        forms = Forms(_rows(training, part.forms), _rows(validation, part.forms), whole)
        return _Chunk(numbers, state, forms, _rows(self._models, numbers), _rows(self._settings, numbers))

    def advance(self, coefficients: np.ndarray) -> np.ndarray:
        """One call of `program.advance` for each chunk; the numbers of the models that still run.

        coefficients (epoch, trial, coefficient).
        """
        arguments = [
            (
                chunk.state,
                jnp.asarray(coefficients[:, np.maximum(chunk.numbers, 0) // len(self._folds)]),
                self._shared,
                chunk.forms,
                chunk.models,
                chunk.settings,
            )
            for chunk in self._chunks
        ]
        program = runtime.compiled(advance, "program", self._program, "state", *arguments[0])
        states = runtime.run_all([partial(program, *each) for each in arguments])
        self._chunks = [chunk._replace(state=state) for chunk, state in zip(self._chunks, states, strict=True)]
        left = [chunk.numbers[np.asarray(chunk.state.stopping.running)] for chunk in self._chunks]
        running = np.sort(np.concatenate(left))
        self._pack(running)
        return running

    def _pack(self, running: np.ndarray) -> None:
        """Put the models with these numbers into fewer chunks, if they fit."""
        parts = self._parts(running) if len(running) else []
        if parts and _places(part.numbers for part in parts) < _places(chunk.numbers for chunk in self._chunks):
            self.states()
            self._place(parts)

    def stop(self, numbers: np.ndarray) -> np.ndarray:
        """End the models with these numbers; the numbers of those that still run."""
        known = self.states()
        known.stopping.running[numbers] = False
        running = np.flatnonzero(known.stopping.running)
        self._place(self._parts(running) if len(running) else [])
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

            jax.tree.map(write, self._known, chunk.state)
        return self._known

    def course(self) -> tuple[np.ndarray, np.ndarray]:
        """Training chi2 and validation chi2 per point (model,) in the last epoch of each model."""
        known = self._known
        for chunk in self._chunks:
            used = chunk.numbers != _EMPTY
            known.training_chi2[chunk.numbers[used]] = np.asarray(chunk.state.training_chi2)[used]
            known.validation_chi2[chunk.numbers[used]] = np.asarray(chunk.state.validation_chi2)[used]
        return known.training_chi2.copy(), known.validation_chi2.copy()


def _filled(numbers: np.ndarray, places: int) -> np.ndarray:
    return np.concatenate([numbers, np.full(places - len(numbers), _EMPTY)])


def _places(each: Any) -> int:
    return sum(numbers.size for numbers in each)


def _rows(tree: Any, numbers: np.ndarray) -> Any:
    """The rows of all arrays of a tree on the device; scalars as they are."""
    contiguous = bool(np.all(np.diff(numbers) == 1)) and numbers[0] >= 0
    rows: Any = slice(int(numbers[0]), int(numbers[-1]) + 1) if contiguous else np.maximum(numbers, 0)
    return jax.tree.map(lambda a: jnp.array(a[rows] if np.ndim(a) else a), tree)
