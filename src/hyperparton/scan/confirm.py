"""Confirming a scan: its best trials are fitted again with replicas that it has not used, until the best is known.

A trial's loss is a draw: the lowest of many is the luckiest, not the best methodology. So the best trials race (see
`race`), and what the scan names is the winner (see `trials.verdict`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

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

__all__ = ["Confirmation", "check_confirm", "race_of"]

#: the trainer's own methods are named where it lacks one
_LACKS = "the trainer has no method refit(params, replicas)"


def check_confirm(execution: Execution, executor: Executor) -> None:
    """Raise ScanError if trials shall be fitted again that cannot be."""
    if execution.confirm and not executor.refits:
        raise ScanError(f"the best trials cannot be fitted again: {_LACKS}")


def race_of(store: TrialStore, count: int | None) -> Race | None:
    """The race of the best `count` trials of a scan; None where there is none to run.

    By default so many take part that the race takes no more fits than the scan itself. Fits of many replicas at once
    take less time each, so it takes a smaller share of the time.
    """
    finished = store.history()  # without their results, which may be large
    losses = [(each.loss, each.number) for each in finished if each.status == "ok" and each.loss is not None]
    order = [number for _, number in sorted(losses)]
    if not order:
        return None
    replicas = max((len(fold) for fold in store.get(order[0]).replica_losses.get("hyper", ())), default=1)
    if count is None:
        count, rounds = candidates_within(len(finished) * replicas)
        blocks = blocks_after(replicas, rounds)
    else:
        blocks = blocks_after(replicas)
    numbers = order[:count]
    return Race(numbers, blocks) if len(numbers) > 1 and blocks else None


@dataclass(frozen=True)
class Confirmation:
    """The re-fits of one scan; `opened` gives their store, a context manager, once it is known that there are some."""

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
        race = race_of(trials, self.execution.confirm)
        if race is None:
            self.events.skipped("too few trials to fit the best ones again (see --confirm)")
            return []
        with self.opened() as store:
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
