"""The loop of a scan: trials, and re-fits beside them, are begun, run and finished until there is none left.

Each step is a part with a module of its own: a queue says what runs next, `thresholds` when to prune it, an executor
runs it, `leases` keeps its result, `limits` knows what may go wrong, and `events` reports all of it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hyperparton.errors import HyperpartonError, NodeError, StoreError
from hyperparton.scan.early_stop import EarlyStop
from hyperparton.scan.events import Events
from hyperparton.scan.executors import Batch, Executor, Task
from hyperparton.scan.history import History
from hyperparton.scan.leases import Leases
from hyperparton.scan.limits import Crashes, Deadline, FailureCount, build_error, disk_fault, failure_result
from hyperparton.scan.pruning import Thresholds
from hyperparton.scan.refit_queue import RefitQueue
from hyperparton.scan.trial_queue import TrialQueue
from hyperparton.trials.trial import Trial

__all__ = ["Loop", "Work"]

_LOG = logging.getLogger(__name__)

#: pauses, in seconds, between two looks for a trial that may be run
_SHORTEST, _LONGEST = 0.02, 1.0


@dataclass
class Work:
    """The trials of a store, or its re-fits: which run, and what becomes of their results."""

    queue: TrialQueue | RefitQueue
    thresholds: Thresholds
    leases: Leases
    history: History
    early_stop: EarlyStop | None
    crashes: Crashes
    failures: FailureCount
    events: Events
    parameters_of: Callable[[Trial], Mapping[str, Any] | None] = lambda trial: None
    """what the trainer is given for a trial; None for what its vals give in the space of the scan"""

    def next_tasks(self) -> list[Task]:
        """What runs together now; none if there is nothing just now."""
        return [Task(trial, self.thresholds.of(trial), self.parameters_of(trial)) for trial in self.queue.next_batch()]

    def settle(self, trials: Sequence[Trial], answer: Mapping[str, Any]) -> None:
        """Take what came of trials that ran together: `{"results": [...]}`, `{"died": how}` or `{"broken": why}`.

        A trial whose process died runs again, and fails when that happened too often; several run again one by one.
        """
        if "broken" in answer:  # it was built before, or another was: this machine has changed
            raise build_error({**answer, "node": True})
        if "results" in answer:
            self.crashes.reset()
            faults = [self._take(trial, result) for trial, result in zip(trials, answer["results"], strict=True)]
            if (fault := next(filter(None, faults), None)) is not None:
                raise NodeError(fault)
            return
        fault = None
        if answer.get("starting"):
            self.crashes.at_start(answer["died"])
        else:
            fault = self.crashes.in_trials([trial.number for trial in trials], answer["died"])
        for trial in trials:
            if fault is not None:
                self._finish(trial, failure_result("ProcessDied", fault))
            else:
                _LOG.warning("trial %d: its process died: %s; it runs again", trial.number, answer["died"])
                self.leases.release(trial.number)

    def keep(self, trials: Sequence[Trial], answer: Mapping[str, Any]) -> None:
        """Keep what came of trials of which no result is kept yet, as far as the store can; nothing is reported."""
        for trial, result in zip(trials, answer.get("results", ()), strict=False):
            if self.leases.holds(trial.number) and disk_fault(result) is None:
                with contextlib.suppress(StoreError):
                    self.leases.finish(trial.number, result)

    def _take(self, trial: Trial, result: dict[str, Any]) -> str | None:
        """Keep a result; what happened if a disk of this machine made the trial fail, which is then left to others."""
        if (fault := disk_fault(result)) is None:
            self._finish(trial, result)
            return None
        self.leases.release(trial.number)
        return f"a disk of the machine that ran trial {trial.number} made it fail, so it is left to run again: {fault}"

    def _finish(self, trial: Trial, result: dict[str, Any]) -> None:
        """Keep a result and report it, unless its lease was lost: then another process runs the trial."""
        seconds = self.leases.finish(trial.number, result)
        if seconds is None:
            return
        finished = replace(trial, result=result)
        if self.early_stop is not None:
            self.early_stop.note_time()
        self.history.add(finished)
        self.events.trial_finished(finished, seconds, self.history)
        self.failures.add(finished)


@dataclass
class Loop:
    """A scan at work on an executor, by its parts."""

    works: list[Work]
    """what is to be done, the first before the others"""
    executor: Executor
    deadline: Deadline
    joining: Callable[[], Work | None] | None = None
    """gives, as soon as there is some, work that goes before all other"""
    _begun: dict[Batch, Work] = field(default_factory=dict)
    _answers: deque[tuple[Batch, dict[str, Any]]] = field(default_factory=deque)
    """answers in hand: each is here until its results are kept"""

    def run(self) -> None:
        """Run trials until there is none left.

        Raises WalltimeError when the time is over, or too short for what is left, TooManyFailuresError when the limit
        on failures is reached, and NodeError where no trainer can be built any more or a disk is full.
        """
        try:
            self._run()
        except BaseException as fault:
            self._keep_what_is_done(fault)
            raise

    def _keep_what_is_done(self, fault: BaseException) -> None:
        """Deliver the results that came while the store was away, or keep them for the next start."""
        for work in self.works:
            work.leases.hurry(fault)
        if self.executor.slots > 1 and self.executor.running:
            with contextlib.suppress(HyperpartonError):
                self._answers.extend(self.executor.answers())
        for batch, answer in self._answers:
            self._begun[batch].keep(batch.trials, answer)

    def _run(self) -> None:
        pause = _SHORTEST
        while True:
            while self.executor.running < self.executor.slots and (batch := self._next_batch()):
                self.executor.start(batch)
                pause = _SHORTEST
            if self.executor.running:
                self.deadline.check()
                self._answers.extend(self.executor.answers())
                while self._answers:
                    batch, answer = self._answers[0]
                    self._begun[batch].settle(batch.trials, answer)
                    self._answers.popleft()
                    self._begun.pop(batch).failures.check()
            elif self._is_over():
                return
            else:  # other processes have to finish their trials first
                self.deadline.check()
                time.sleep(self.deadline.at_most(pause))
                pause = min(2 * pause, _LONGEST)

    def _next_batch(self) -> Batch | None:
        """What runs now, if the time that is left is enough for it; none if there is nothing just now.

        Raises WalltimeError if nothing runs, and the time is too short for what is left.
        """
        self._join()
        late = False
        for work in self.works:
            if not self.deadline.leaves_time_for(work.leases.longest):
                late = late or not work.queue.over
            elif tasks := work.next_tasks():
                batch = Batch(tasks)
                self._begun[batch] = work
                return batch
        if late and not self.executor.running:
            raise self.deadline.error()
        return None

    def _join(self) -> bool:
        """Take work that joins, if there is some."""
        if self.joining is None or (work := self.joining()) is None:
            return False
        self.works, self.joining = [work, *self.works], None
        return True

    def _is_over(self) -> bool:
        """Whether nothing is left: the trials first, for what joins them follows from how many there are."""
        return all(work.queue.over for work in reversed(self.works)) and not self._join()
