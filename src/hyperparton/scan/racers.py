"""Which trials of a scan race: those that the engine gp predicts to be the best, from the scan and from its re-fits.

It takes each re-fit of a replica as one more trial with the same hyperparameters. So a failed fit tells of all trials
that are alike. The trial with the lowest loss takes part from the beginning: everybody asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperparton.engines.gp import GaussianProcessEngine
from hyperparton.trials.refits import Refit
from hyperparton.trials.trial import Outcome
from hyperparton.trials.verdict import failing_limit, losses_of

__all__ = ["Racers"]


class Racers:
    """The trials of a scan on `space` that succeeded; `finished` are all that are finished."""

    def __init__(self, space: Mapping[str, Any], finished: Sequence[Outcome]) -> None:
        self._space, self._finished = space, finished
        self._losses = {each.number: each.loss for each in finished if each.status == "ok" and each.loss is not None}

    def __len__(self) -> int:
        return len(self._losses)

    def best_first(self, refits: Sequence[Refit], count: int) -> list[int]:
        """The trials, the best first by what is known; before any re-fit the lowest loss is among the first `count`."""
        losses = losses_of(refits)
        order = GaussianProcessEngine().ranked(self._space, self._finished, losses, failing_limit(losses))
        order = [number for number in order if number in self._losses]
        lowest = min(order, key=lambda number: self._losses[number])
        if refits or lowest in order[:count]:
            return order
        order.remove(lowest)
        return [*order[: count - 1], lowest, *order[count - 1 :]]
