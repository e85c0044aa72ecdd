"""What an engine is: it suggests the next point of a search space.

The contract
------------
`suggest(space, history, seed, number, pending)` returns the `vals` of trial `number`: each label of the space mapped to
`[value]`, or to `[]` where the label does not apply; the value of a choice is the index of its option.

- It is a pure function: the same arguments give the same vals, in any process, after any number of other calls. An
  engine may remember what it computed, never what it decided.
- `history` holds the finished trials, failed ones too, ordered by number. Each engine's docstring says what it learns
  from a failure. Where several trials run at once, the history ends before `number` - 1, and `pending` holds the vals
  of those between, whether they are finished by now or not. An engine need not use them.
- Values lie in the range that their sampler declares; a label has a value exactly if the choices above it were made.
- An engine never touches the trial store and never evaluates a trial.

So the space, the seed, the lag and the results determine a scan, whoever runs the trials and however often it is
stopped.

`expected_improvement` is optional: an engine that can predict it says so by `predicts_improvement`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, Generic, TypeVar

import numpy as np

from hyperparton.errors import EngineError
from hyperparton.space.frozen import freeze
from hyperparton.space.samplers import Sampler
from hyperparton.space.tree import samplers_by_label
from hyperparton.trials.trial import Outcome

__all__ = [
    "Engine",
    "History",
    "HistoryTracker",
    "Pending",
    "PerSpace",
    "best_and_latest",
    "counted_loss",
    "next_number",
    "samplers_to_scan",
    "scores_of_ranks",
    "trial_seed",
]

T = TypeVar("T")

History = Sequence[Outcome]
"""the finished trials, ordered by number"""

Vals = Mapping[str, Sequence[Any]]
Pending = Sequence[Vals]
"""the vals of the trials between the history and the one that is suggested"""


class Engine(ABC):
    """Suggests trials; the contract is this module's docstring."""

    name: str
    """as `--engine` takes it"""
    start: int
    """trials at the beginning that it draws without a look at others"""
    predicts_improvement: bool = False
    """whether `expected_improvement` gives a number once there are enough trials"""
    learns_from_refits: bool = False
    """whether it is told of re-fits as of further trials at the same points"""
    begins_with_own: bool = False
    """whether the first trial of a scan is the user's own methodology, as near as the space has it"""

    @abstractmethod
    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """The vals of one new trial, by default the one after the last of `history`.

        Raises EngineError if the space cannot be used.
        """

    def expected_improvement(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> float | None:
        """By how much the trial that `suggest` gives is expected to lower the best loss; None if that is unknown."""
        return None


class PerSpace(Generic[T]):
    """What an engine computes from a space, kept as long as the space is the same."""

    def __init__(self, build: Callable[[Any], T]) -> None:
        """`build` gets the frozen space."""
        self._build = build
        self._space: Any = None
        self._built: T | None = None

    def __call__(self, space: Any) -> T:
        """What `build` gives for this space."""
        frozen = freeze(space)
        if self._built is None or self._space != frozen:
            self._space, self._built = frozen, self._build(frozen)
        return self._built


class HistoryTracker:
    """Tells what is new in a history that mostly grows, so that work on its beginning can be kept."""

    def __init__(self) -> None:
        self._seen: list[Outcome] = []

    def update(self, history: History) -> tuple[bool, Sequence[Outcome]]:
        """(whether the earlier work is void, the outcomes to add)."""
        kept = len(self._seen)
        void = kept > len(history) or not all(map(is_, self._seen, history))
        if void:
            self._seen, kept = [], 0
        added = history[kept:]
        self._seen.extend(added)
        return void, added


def next_number(history: History) -> int:
    """The number after those of the history."""
    return max((outcome.number for outcome in history), default=-1) + 1


def samplers_to_scan(space: Any) -> dict[str, Sampler]:
    """The samplers of a space by their labels; raises EngineError if there is none."""
    samplers = samplers_by_label(space)
    if not samplers:
        raise EngineError("the space holds no sampler: there is nothing to scan")
    return samplers


def counted_loss(outcome: Outcome) -> float:
    """The loss of a trial for an engine that takes failures as hyperopt does: infinite if it has none."""
    loss = outcome.loss
    return loss if loss is not None and math.isfinite(loss) and outcome.failure is None else math.inf


def best_and_latest(history: History, best: int, latest: int) -> list[int]:
    """Places in the history of so many of the best trials and of the latest, in order."""
    losses = [counted_loss(outcome) for outcome in history]
    ranked = np.argsort(losses, kind="stable")[:best].tolist()
    return sorted({*ranked, *range(max(0, len(history) - latest), len(history))})


def scores_of_ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """(value,) quantiles of the normal distribution at the values' ranks; equal values have equal ones."""
    # here: scipy.special takes time to import; scipy.stats, which has ranks, takes half a second
    from scipy.special import ndtri

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * (counts - 1))[place]
    return ndtri((ranks - 0.5) / max(len(ranks), 1))


def trial_seed(scan_seed: int, number: int) -> int:
    """The seed of trial `number`: the entry of that number in the stream that the scan's seed starts.

    It is the stream that hyperopt's `fmin(rstate=default_rng(scan_seed))` takes its seeds from, one per trial, so an
    undisturbed scan equals that of fmin, and a continued scan needs no generator's state.
    """
    return int(np.random.default_rng(scan_seed).integers(2**31 - 1, size=number + 1)[number])
