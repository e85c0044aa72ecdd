"""Which trials of a scan race: those that may be the best, as the engine gp sees the scan and its re-fits.

A trial of which little is known goes before one that is known to be as good. The engine takes each re-fit of a replica
as one more trial with the same hyperparameters. So a failed fit tells of all trials that are alike. What a replica adds
to the loss of every methodology, by its split and its network, is taken out first: by the median, over the trials that
were fitted with it, of their losses less those that they had in the scan. Otherwise all that were fitted again would
look better or worse than the others.

The trial with the lowest loss takes part from the beginning: everybody asks for it. So does the user's own methodology,
if the scan began with it: whoever shall change it wants to know what is gained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.engines.gp import GaussianProcessEngine
from hyperparton.trials.refits import Refit
from hyperparton.trials.trial import Outcome
from hyperparton.trials.verdict import failing_limit, losses_of

__all__ = ["Racers"]


class Racers:
    """The trials of a scan on `space` that succeeded; `finished` are all that are finished.

    `scouts` are re-fits that were made while the scan searched; the trials `asked_for` take part from the beginning.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        finished: Sequence[Outcome],
        scouts: Sequence[Refit] = (),
        asked_for: Sequence[int] = (),
    ) -> None:
        self._space, self._finished, self._scouts, self._asked_for = space, finished, scouts, asked_for
        self._losses = {each.number: each.loss for each in finished if each.status == "ok" and each.loss is not None}

    def __len__(self) -> int:
        return len(self._losses)

    def best_first(self, refits: Sequence[Refit], count: int) -> list[int]:
        """The trials, the best first by what is known; before any of `refits` those asked for are among `count`."""
        losses = losses_of({(refit.trial, refit.replicas): refit for refit in (*self._scouts, *refits)}.values())
        limit = failing_limit(losses)
        again = self._as_trials([*self._scouts, *refits], losses, limit)
        outcomes = [outcome for (_, _), outcome in sorted(again.items())]
        order = GaussianProcessEngine().promising(self._space, self._finished, outcomes)
        order = [number for number in order if number in self._losses]
        if not order:
            return []
        if refits:
            return order
        lowest = min(order, key=lambda number: self._losses[number])
        begin = list(dict.fromkeys([lowest, *(each for each in self._asked_for if each in order)]))[:count]
        others = [number for number in order if number not in begin]
        first = {*begin, *others[: count - len(begin)]}
        return [*(number for number in order if number in first), *(number for number in order if number not in first)]

    def as_trials(self) -> dict[tuple[int, tuple[int, ...]], list[Outcome]]:
        """The scouts as trials: (trial, replicas) -> one for each replica."""
        losses = losses_of(self._scouts)
        again = self._as_trials(self._scouts, losses, failing_limit(losses))
        return {
            (refit.trial, refit.replicas): [again[refit.trial, replica] for replica in refit.replicas]
            for refit in self._scouts
        }

    def _as_trials(
        self, refits: Iterable[Refit], losses: Mapping[int, Mapping[int, float]], limit: float
    ) -> dict[tuple[int, int], Outcome]:
        """Each replica of re-fits with these losses as a trial: (trial, replica) -> outcome."""
        alike = self._without_luck(losses, limit)
        vals = {outcome.number: outcome.vals for outcome in self._finished}
        told = {
            (refit.trial, replica): below
            for refit in refits
            for replica, below in zip(refit.replicas, refit.fails_below, strict=False)  # none where it is not known
        }
        return {
            (trial, replica): _as_trial(trial, vals[trial], loss, limit, told.get((trial, replica)))
            for trial, held in alike.items()
            for replica, loss in held.items()
        }

    def _without_luck(self, losses: Mapping[int, Mapping[int, float]], limit: float) -> dict[int, dict[int, float]]:
        """The losses (trial -> replica -> loss) without what their replicas have in common.

        Those above `limit` are as given, and no other is above it afterwards.
        """
        more: dict[int, list[float]] = {}
        for trial, held in losses.items():
            for replica, loss in held.items():
                if loss <= limit:
                    more.setdefault(replica, []).append(loss - self._losses[trial])
        luck = {replica: float(np.median(each)) for replica, each in more.items()}
        return {
            trial: {r: loss if loss > limit else min(loss - luck[r], limit) for r, loss in held.items()}
            for trial, held in losses.items()
        }


def _as_trial(
    number: int, vals: Mapping[str, Sequence[Any]], loss: float, limit: float, below: Mapping[str, float] | None
) -> Outcome:
    status = "ok" if loss <= limit else "fail"
    return Outcome(number, vals, status, loss if math.isfinite(loss) else None, None, below)
