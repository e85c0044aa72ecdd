"""What an engine is: it names the next point of a search space.

The contract
------------
`suggest(space, history, seed, number)` returns the `vals` of trial `number`: each label of the space mapped to
`[value]`, or to `[]` where the label does not apply; the value of a choice is the index of its option.

- It is a pure function: the same space, history, seed and number give the same vals, in any process, after any number
  of other calls. An engine may remember what it computed, never what it decided.
- `history` holds the finished trials, failed ones too, ordered by number; what an engine learns from a failure is its
  own affair and said in its docstring. With trials that run at once it ends before `number` - 1.
- Values lie in the range that their sampler declares; a label has a value exactly if the choices above it were made.
- It never touches the trial store and never evaluates a trial.

So a scan is settled by its space, its seed and the trials' results, whoever runs them and however often it is stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import is_
from typing import Any, Protocol

import numpy as np

from hyperparton.errors import EngineError
from hyperparton.space import Sampler, samplers_by_label
from hyperparton.trials.trial import Outcome

__all__ = [
    "Engine",
    "Follower",
    "best_and_latest",
    "counted_loss",
    "normal_scores",
    "samplers_to_scan",
    "scores_of_ranks",
    "trial_seed",
]


class Engine(Protocol):
    """Suggests trials; the contract is this module's docstring."""

    name: str
    start: int
    """trials at the beginning that it draws without looking at others"""

    def suggest(
        self, space: Any, history: Sequence[Outcome], seed: int, number: int | None = None
    ) -> dict[str, list[Any]]:
        """The vals of one new trial, by default the one after the last of `history`.

        Raises EngineError if the space cannot be used.
        """
        ...


class Follower:
    """Tells what is new in a history that mostly grows, so that what was made of its beginning can be kept."""

    def __init__(self) -> None:
        self._seen: list[Outcome] = []

    def news(self, history: Sequence[Outcome]) -> tuple[bool, Sequence[Outcome]]:
        """(whether to forget what was made so far, the outcomes to add)."""
        kept = len(self._seen)
        again = kept > len(history) or not all(map(is_, self._seen, history))
        if again:
            self._seen, kept = [], 0
        added = history[kept:]
        self._seen.extend(added)
        return again, added


def samplers_to_scan(space: Any) -> dict[str, Sampler]:
    """The samplers of a space by their labels; raises EngineError if there is none."""
    found = samplers_by_label(space)
    if not found:
        raise EngineError("the space holds no sampler: there is nothing to scan")
    return found


def counted_loss(outcome: Outcome) -> float:
    """The loss of a trial for an engine that takes failures as hyperopt does: infinite if it has none."""
    loss = outcome.loss
    return loss if loss is not None and math.isfinite(loss) and outcome.failure is None else math.inf


def best_and_latest(history: Sequence[Outcome], best: int, latest: int) -> list[int]:
    """Places in the history of so many of the best trials and of the latest, in order."""
    losses = [counted_loss(outcome) for outcome in history]
    ranked = np.argsort(losses, kind="stable")[:best].tolist()
    return sorted({*ranked, *range(max(0, len(history) - latest), len(history))})


def normal_scores(history: Sequence[Outcome]) -> np.ndarray:
    """(trial,) `scores_of_ranks` of the losses as they count."""
    return scores_of_ranks([counted_loss(outcome) for outcome in history])


def scores_of_ranks(values: Sequence[float]) -> np.ndarray:
    """(value,) quantiles of the normal distribution at the values' ranks; equal values have equal ones."""
    # here: scipy.stats takes half a second to import
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = rankdata(values)
    return ndtri((ranks - 0.5) / max(len(ranks), 1))


def trial_seed(scan_seed: int, number: int) -> int:
    """The seed of trial `number`: the entry of that number in the stream that the scan's seed starts.

    It is the stream that hyperopt's `fmin(rstate=default_rng(scan_seed))` takes its seeds from, one per trial, so an
    undisturbed scan equals that of fmin, and a continued scan needs no generator's state.
    """
    return int(np.random.default_rng(scan_seed).integers(2**31 - 1, size=number + 1)[number])
