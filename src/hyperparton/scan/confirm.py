"""Confirming a scan: its best trials are fitted again with replicas that it has not used, until the best is known.

A trial's loss is a draw: the lowest of many is the luckiest, not the best methodology. So the engine gp predicts from
all trials of the scan, whatever engine suggested them, which are the best (see `racers`). These race (see `race`), and
what the scan names is the winner (see `trials.verdict`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from hyperparton.errors import ScanError
from hyperparton.scan.events import RefitEvents
from hyperparton.scan.executors import Executor
from hyperparton.scan.history import History
from hyperparton.scan.leases import Leases
from hyperparton.scan.limits import Crashes, Deadline, FailureCount
from hyperparton.scan.loop import Loop, Work
from hyperparton.scan.pruning import Thresholds
from hyperparton.scan.race import Race, blocks_after, candidates_within, fits_of
from hyperparton.scan.racers import Racers
from hyperparton.scan.refit_queue import RefitQueue
from hyperparton.scan.scouts import Scouts
from hyperparton.scan.settings import Execution
from hyperparton.trials.refits import Refit
from hyperparton.trials.trial import Outcome, Trial
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.verdict import Verdict, verdicts

__all__ = ["LACKS_REFIT", "Confirmation", "FinishedTrials", "check_confirm"]

#: the trainer's own methods are named where it lacks one
LACKS_REFIT = "the trainer has no method refit(params, replicas)"


class FinishedTrials(Protocol):
    """The finished trials of a scan, as far as confirming needs them; a `TrialStore` has all of this."""

    def finished_numbers(self) -> Sequence[int]:
        """Their numbers, in order."""
        ...

    def history(self) -> Sequence[Outcome]:
        """What engines read of them, by number; their vals are those of the scan's space."""
        ...

    def best(self) -> Trial | None:
        """The one that succeeded with the lowest loss, of equal ones the first; None if there is none."""
        ...

    def get(self, number: int) -> Trial:
        """One of them."""
        ...


def check_confirm(execution: Execution, executor: Executor) -> None:
    """Raise ScanError if trials shall be fitted again that cannot be."""
    if execution.confirm and not executor.refits:
        raise ScanError(f"the best trials cannot be fitted again: {LACKS_REFIT}")


def _size(trials: FinishedTrials, count: int | None, replicas: range | None) -> tuple[int, list[tuple[int, ...]]]:
    """How many trials of a scan begin the race, and the blocks of replicas; none where there is nothing to race.

    By default so many begin that the race takes no more fits than the scan itself, unless trials are replaced whose
    fits fail. Fits of many replicas at once take less time each, so it takes a smaller share of the time.
    """
    best = trials.best()
    if best is None:
        return 0, []
    used = range(1, (best.replicas or 1) + 1) if replicas is None else replicas
    if count is not None:
        return count, blocks_after(used[-1])
    count, blocks = candidates_within(len(trials.finished_numbers()) * len(used))
    return count, blocks_after(used[-1], blocks)


@dataclass(frozen=True)
class Confirmation:
    """The re-fits of one scan on `space`; `opened` gives their store, a context manager."""

    space: Mapping[str, Any]
    executor: Executor
    execution: Execution
    deadline: Deadline
    events: RefitEvents
    opened: Callable[[], AbstractContextManager[ExportedTrials]]
    replicas: range | None = None
    """the replicas of each trial of the scan; by default from 1 on as many as its best trial says"""
    asked_for: tuple[int, ...] = ()
    """trials that take part from the beginning, whatever is predicted of them"""
    parameters_of: Callable[[Trial], Mapping[str, Any] | None] = lambda trial: None
    """as in `Work`"""

    def scouting(self, trials: FinishedTrials, scouts: Scouts, at_work: ExitStack) -> Work | None:
        """What `scouts` want of these trials, as work beside them that `at_work` ends; None while they want nothing."""
        if not scouts.wanted():
            return None
        store = at_work.enter_context(self.opened())
        return at_work.enter_context(self._at_work(store, trials, scouts))[0]

    def run(self, trials: FinishedTrials, scouts: Sequence[Refit] = ()) -> list[Verdict]:
        """Fit the best trials again, those of an earlier start included; the verdicts, the best first.

        `scouts` are re-fits that were made while the scan searched.
        """
        if self.execution.confirm == 0:
            return []
        if not self.executor.refits:
            self.events.skipped(f"the best trials are not fitted again: {LACKS_REFIT}")
            return []
        count, blocks = _size(trials, self.execution.confirm, self.replicas)
        # the history: without the results, which may be large
        racers = Racers(self.space, trials.history() if blocks else [], scouts, self.asked_for)
        count = min(count, len(racers))
        if count < 2:
            asked = "" if self.execution.confirm else "; asked for K of them (--confirm K, confirm --top K) it is done"
            self.events.skipped(f"too few trials to fit the best ones again{asked}")
            return []
        with self.opened() as store:
            among = f"race of {count} among {len(trials.finished_numbers())}"

            def best_first(number: int, refits: Sequence[Refit]) -> list[int]:
                # kept, so that jobs on other machines, whose predictions differ in the last digits, run the same race
                order = racers.best_first(refits, count)
                able = order[: count + len(refits) + 2]  # those that may have all blocks, and those that take part
                return store.attach_first(f"{among}, round {number}", able)

            race = Race(count, blocks, 2 * fits_of(count, len(blocks)), best_first)
            self.events.race_begins(count, race.fits)
            with self._at_work(store, trials, race) as (work, queue):
                Loop([work], self.executor, self.deadline).run()
            found = verdicts(queue.refits())
        self.events.race_over(found)
        return found

    @contextmanager
    def _at_work(
        self, store: ExportedTrials, trials: FinishedTrials, race: Race | Scouts
    ) -> Iterator[tuple[Work, RefitQueue]]:
        """The re-fits in `store` that `race` wants; those that are left at the end are released."""
        leases = Leases(store, None, self.execution.lease if store.shared else None)
        queue = RefitQueue(race, trials.get, store, leases, self.events)
        with leases:
            work = Work(
                queue, Thresholds(None, {}, 1, store), leases, History(store), None, Crashes(store),
                FailureCount(None), self.events, self.parameters_of,
            )  # fmt: skip
            yield work, queue
