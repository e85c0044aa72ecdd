"""Confirming a scan: its best trials are fitted again with replicas that it has not used, until the best is known.

A trial's loss is a draw: the lowest of many is the luckiest, not the best methodology. So the engine gp predicts from
all trials of the scan, whatever engine suggested them, which are the best. These race (see `race`), and what the scan
names is the winner (see `trials.verdict`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from hyperparton.engines.gp import GaussianProcessEngine
from hyperparton.errors import ScanError
from hyperparton.scan.events import RefitEvents
from hyperparton.scan.executors import Executor
from hyperparton.scan.history import History
from hyperparton.scan.leases import Leases
from hyperparton.scan.limits import Crashes, Deadline, FailureCount
from hyperparton.scan.loop import Loop
from hyperparton.scan.pruning import Thresholds
from hyperparton.scan.race import Race, blocks_after, candidates_within
from hyperparton.scan.refit_queue import RefitQueue
from hyperparton.scan.settings import Execution
from hyperparton.trials.store import TrialStore
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.verdict import Verdict, verdicts

__all__ = ["Confirmation", "check_confirm"]

#: the trainer's own methods are named where it lacks one
_LACKS = "the trainer has no method refit(params, replicas)"


def check_confirm(execution: Execution, executor: Executor) -> None:
    """Raise ScanError if trials shall be fitted again that cannot be."""
    if execution.confirm and not executor.refits:
        raise ScanError(f"the best trials cannot be fitted again: {_LACKS}")


def _size(trials: TrialStore, count: int | None) -> tuple[int, list[tuple[int, ...]]]:
    """How many trials of a scan race, and the replicas of each round; none where there is nothing to race.

    By default so many take part that the race takes no more fits than the scan itself. Fits of many replicas at once
    take less time each, so it takes a smaller share of the time.
    """
    best = trials.best()
    if best is None:
        return 0, []
    replicas = max((len(fold) for fold in best.replica_losses.get("hyper", ())), default=1)
    if count is not None:
        return count, blocks_after(replicas)
    count, rounds = candidates_within(len(trials.finished_numbers()) * replicas)
    return count, blocks_after(replicas, rounds)


def _racing(trials: TrialStore, space: Mapping[str, Any], count: int) -> list[int]:
    """The trials that are predicted to be the best, the best first, and the one with the lowest loss among them."""
    finished = trials.history()  # without their results, which may be large
    losses = {each.number: each.loss for each in finished if each.status == "ok" and each.loss is not None}
    predicted = [number for number in GaussianProcessEngine().ranked(space, finished) if number in losses]
    lowest = min(predicted, key=lambda number: losses[number])
    return predicted[:count] if lowest in predicted[:count] else [*predicted[: count - 1], lowest]


@dataclass(frozen=True)
class Confirmation:
    """The re-fits of one scan on `space`; `opened` gives their store, a context manager."""

    space: Mapping[str, Any]
    executor: Executor
    execution: Execution
    deadline: Deadline
    events: RefitEvents
    opened: Callable[[], AbstractContextManager[ExportedTrials]]

    def run(self, trials: TrialStore) -> list[Verdict]:
        """Fit the best trials again, those of an earlier start included; the verdicts, the best first."""
        if self.execution.confirm == 0:
            return []
        if not self.executor.refits:
            self.events.skipped(f"the best trials are not fitted again: {_LACKS}")
            return []
        count, blocks = _size(trials, self.execution.confirm)
        numbers = _racing(trials, self.space, count) if blocks else []
        if len(numbers) < 2:
            self.events.skipped("too few trials to fit the best ones again (see --confirm)")
            return []
        with self.opened() as store:
            # kept, so that jobs on other machines, whose predictions differ in the last digits, run the same race
            among = f"race of {count} among {len(trials.finished_numbers())}"
            race = Race(store.attach_first(among, numbers), blocks)
            leases = Leases(store, None, self.execution.lease if store.shared else None)
            racing = {number: trials.get(number) for number in race.trials}
            queue = RefitQueue(race, racing, store, leases, self.deadline, self.events)
            loop = Loop(
                queue, self.executor, Thresholds(None, {}, 1, store), leases, History(store), None, Crashes(store),
                self.deadline, FailureCount(None), self.events,
            )  # fmt: skip
            self.events.race_begins(race.trials, sum(map(len, race.blocks)))
            with leases:
                loop.run()
            found = verdicts(queue.refits())
        self.events.race_over(found)
        return found
