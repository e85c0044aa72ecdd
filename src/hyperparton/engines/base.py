"""What an engine is: it names the next point of a search space.

The contract
------------
`suggest(space, history, seed)` returns the `vals` of one new trial: each label of the space mapped to `[value]`, or to
`[]` where the label does not apply; the value of a choice is the index of its option.

- It is a pure function: the same space, history and seed give the same vals, in any process, after any number of other
  calls. An engine may remember what it computed, never what it decided.
- `history` holds the finished trials, failed ones too, ordered by number; what an engine learns from a failure is its
  own affair and said in its docstring.
- Values lie in the range that their sampler declares; a label has a value exactly if the choices above it were made.
- It never touches the trial store and never evaluates a trial.

So a scan is settled by its space, its seed and the trials' results, whoever runs them and however often it is stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hyperparton.trials.record import Outcome

__all__ = ["Engine", "trial_seed"]


class Engine(Protocol):
    """Suggests trials; the contract is this module's docstring."""

    name: str

    def suggest(self, space: Any, history: Sequence[Outcome], seed: int) -> dict[str, list[Any]]:
        """The vals of one new trial; raises EngineError if the space cannot be used."""
        ...


def trial_seed(scan_seed: int, number: int) -> int:
    """The seed of trial `number`: the entry of that number in the stream that the scan's seed starts.

    It is the stream that hyperopt's `fmin(rstate=default_rng(scan_seed))` takes its seeds from, one per trial, so an
    undisturbed scan equals that of fmin, and a continued scan needs no generator's state.
    """
    return int(np.random.default_rng(scan_seed).integers(2**31 - 1, size=number + 1)[number])
