"""A scan at work: what comes next, what becomes of it, and who is told. Executors drive it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hyperparton.engines import trial_seed
from hyperparton.errors import ScanError, StoreError, TooManyFailuresError, WalltimeError
from hyperparton.scan.early_stop import Course, Ending
from hyperparton.scan.learning_curve import LearningCurve
from hyperparton.scan.limits import Limits, limit_failure
from hyperparton.scan.pruning import Pruner, Rule, Threshold
from hyperparton.scan.scanner import HyperScanner
from hyperparton.trials import Outcome, Trial, owner_name
from hyperparton.trials.tries_export import ExportedTrials

__all__ = ["Plan", "Progress", "Work"]

_LOG = logging.getLogger(__name__)

#: receives an event: `event`, `tid` and what is listed at `hyper_scan_wrapper`
Progress = Callable[[dict[str, Any]], None]

#: how often a trial may end the process that runs it before it counts as failed
_DEATHS = 3

#: how many processes in a row may die before they have a trainer
_FALSE_STARTS = 10

#: pauses, in seconds, between two looks for a trial that may be run
_SHORTEST, _LONGEST = 0.02, 1.0

#: what a process worked is kept under this and its name
_WORKED = "worked "

#: trials read at a time when the curves of a scan that is continued are read
_PAGE = 200

#: the next trial is taken to need this much more than the longest so far
_RESERVE = 1.1


@dataclass(frozen=True)
class Plan:
    """What a scan is and how long it may take."""

    scanner: HyperScanner
    engine: Any
    seed: int
    total: int
    lag: int
    lease: float | None
    """seconds; None for a store that only this process holds"""
    limits: Limits
    progress: Progress | None = None
    pruning: Rule | None = None
    prior: tuple[Outcome, ...] = ()
    """trials of earlier scans, before all others in what the engine is given"""
    ending: Ending = field(default_factory=Ending)
    batch: int = 1
    """trials that one process computes together"""


class Work:
    """The trials of `plan` in `store`. A context manager: on exit what is running is handed back.

    While it is entered a thread moves the ends of its leases.
    """

    def __init__(self, store: ExportedTrials, plan: Plan) -> None:
        self._store, self._plan = store, plan
        self._owner = owner_name()
        self._past: list[Outcome] = []
        self._pruner: Pruner | None = None
        self._course = Course()
        self._begun = time.monotonic()
        best = store.best()
        self._best: tuple[float | None, int | None] = (best.loss, best.number) if best else (None, None)
        self._running: dict[int, float] = {}
        self._deaths: dict[int, int] = {}
        #: trials that ended a process together with others: each runs alone, so that it counts for itself
        self._alone: set[int] = set()
        self._kept_back: Trial | None = None
        self._ending: set[int] = set()
        self._failures, self._false_starts = 0, 0
        self._longest, self._pause = 0.0, _SHORTEST
        walltime = plan.limits.walltime
        self._end = None if walltime is None else time.monotonic() + walltime
        self._heart = threading.Thread(target=self._beat, daemon=True) if plan.lease else None
        self._stopped = threading.Event()
        self._may_be_left = True
        self.over = False
        #: why the scan ended before its number of trials, if it did
        self.ended: str | None = None

    @property
    def plan(self) -> Plan:
        """What is worked on."""
        return self._plan

    def __enter__(self) -> Work:
        if self._heart is not None:
            self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._stopped.set()
        if self._heart is not None:
            self._heart.join()
        for number in list(self._running):
            # a store that cannot be written any more keeps the lease until it ends
            with contextlib.suppress(StoreError):
                self._store.release(number, self._owner)

    def _beat(self) -> None:
        assert self._plan.lease is not None
        while not self._stopped.wait(self._plan.lease / 4):
            for number in list(self._running):
                try:
                    kept = self._store.heartbeat(number, self._owner, seconds=self._plan.lease)
                    if not kept and number in self._running and number not in self._ending:
                        _LOG.warning("trial %d: its lease is lost, another process runs it", number)
                except StoreError as fault:  # the next beat may get through before the lease ends
                    _LOG.warning("trial %d: its lease could not be renewed: %s", number, fault)

    def next_batch(self) -> list[Trial]:
        """Trials to run together now, at most `plan.batch`; none if there is none just now."""
        batch: list[Trial] = []
        while len(batch) < self._plan.batch:
            trial, self._kept_back = self._kept_back or self.next_trial(), None
            if trial is None:
                break
            if trial.number in self._alone and batch:
                self._kept_back = trial
                break
            batch.append(trial)
            if trial.number in self._alone:
                break
        return batch

    def next_trial(self) -> Trial | None:
        """A trial to run now: one that was left unfinished, else a new one; None if there is none just now.

        `over` says whether there will be none any more. Raises WalltimeError if nothing runs and the time that is left
        is too short for a trial.
        """
        if not self._time_for_one():
            return None
        trial = self._left_over() or self._new()
        if trial is not None:
            self._pause = _SHORTEST
            self._running[trial.number] = time.monotonic()
            self._tell({"event": "trial_started", "tid": trial.number, "params": trial.space_vals})
        return trial

    def _left_over(self) -> Trial | None:
        if not self._may_be_left:
            return None
        left = self._store.lease(self._owner, stop=self._plan.total, seconds=self._plan.lease)
        # in a store that only this process holds, nothing is left again unless it is handed back here
        self._may_be_left = left is not None or self._store.shared
        if left is not None:
            _LOG.info("trial %d was left unfinished and runs again", left.number)
        return left

    def _new(self) -> Trial | None:
        space = self._plan.scanner
        while (number := self._store.next_number()) < self._plan.total:
            known = max(number - self._plan.lag + 1, 0)
            if not self._finished_below(known):
                return None
            seed = trial_seed(self._plan.seed, number)
            self.ended = self._reason_to_end(number, known, seed)
            if self.ended is not None:
                self.over = self._finished_below(number)
                return None
            past = self._past if len(self._past) == known else self._past[:known]
            past = [*self._plan.prior, *past] if self._plan.prior else past
            vals = self._plan.engine.suggest(space.as_dict(), past, seed, number)
            trial = self._store.book(
                number, vals, self._owner, space_vals=space.space_vals(vals), seconds=self._plan.lease
            )
            if trial is not None:
                return trial
        self.over = self._finished_below(self._plan.total)
        return None

    def _reason_to_end(self, number: int, known: int, seed: int) -> str | None:
        """Why trial `number`, whose seed is `seed`, is not begun any more after the first `known` ones."""
        ending, course = self._plan.ending, self._course
        for outcome in self._past[course.count : known]:
            course.add(outcome)
        told = ending.reason(course)
        if told is None and ending.max_time is not None and (worked := self._worked()) >= ending.max_time:
            told = f"the scan worked for {worked:.0f} s, at most {ending.max_time:g} s were asked for"
        if told is None and ending.min_improvement is not None and course.best is not None:
            past = [*self._plan.prior, *self._past[:known]]
            gain = self._plan.engine.expected_improvement(self._plan.scanner.as_dict(), past, seed, number)
            if gain is not None and gain < ending.min_improvement:
                told = f"the next trial is expected to improve the loss by {gain:.2g}, less than was asked for"
        return told

    def _worked(self) -> float:
        """Seconds that all processes of the scan worked, as far as they have said so."""
        kept = self._store.metadata()
        others = (value for key, value in kept.items() if key.startswith(_WORKED) and key != _WORKED + self._owner)
        return sum(others) + time.monotonic() - self._begun

    def _finished_below(self, stop: int) -> bool:
        """Whether all trials below `stop` are finished; their outcomes are then in `_past`."""
        known = len(self._past)
        if known < stop and (end := min(self._store.first_unfinished(), stop)) > known:
            for outcome in self._store.history(known, end):
                self._past.append(outcome)
                self._compare(outcome.status, outcome.loss, outcome.number)
        return len(self._past) >= stop

    def pruning_limits(self, trial: Trial) -> list[Threshold] | None:
        """What finished trials allow this one; None if the scan does not prune.

        They are those that the trial was suggested from, whenever it runs.
        """
        rule = self._plan.pruning
        if rule is None:
            return None
        known = max(trial.number - self._plan.lag + 1, 0)
        pruner = self._pruner
        if pruner is None or pruner.count > known:  # one that was left unfinished looks back
            pruner = Pruner(rule, self._plan.scanner.as_dict())
        for start in range(pruner.count, known, _PAGE):
            for one in self._store.trials(start, min(start + _PAGE, known)):
                pruner.add(LearningCurve.from_result(one.result or {}, one.vals))
        if self._pruner is None or pruner.count >= self._pruner.count:
            self._pruner = pruner
        return pruner.thresholds(trial.vals)

    def _compare(self, status: str, loss: float | None, number: int) -> None:
        if status == "ok" and (self._best[0] is None or (loss, number) < self._best):
            self._best = (loss, number)

    def _time_for_one(self) -> bool:
        if self._end is None:
            return True
        left = self._end - time.monotonic()
        if left > _RESERVE * self._longest:
            return True
        if not self._running:
            raise self.time_is_over()
        return False

    def time_left(self) -> float | None:
        """Seconds until the scan has to hand back; None if there is no such time."""
        return None if self._end is None else self._end - time.monotonic()

    def check_time(self) -> None:
        """Raise WalltimeError if the scan has to hand back now."""
        if self._end is not None and time.monotonic() > self._end:
            raise self.time_is_over()

    def time_is_over(self) -> WalltimeError:
        """The error that ends a scan whose time is over."""
        return WalltimeError(
            f"the walltime of {self._plan.limits.walltime:g} s is over, trials are left; the same command continues"
        )

    def wait(self) -> None:
        """Pause before the next look for a trial, longer each time that there is none."""
        self.check_time()
        left = self.time_left()
        time.sleep(self._pause if left is None else max(0.0, min(self._pause, left)))
        self._pause = min(2 * self._pause, _LONGEST)

    def settle(self, trials: Sequence[Trial], answer: Mapping[str, Any]) -> None:
        """Take what came of trials that ran together: `{"results": [...]}`, `{"died": how}` or `{"broken": why}`.

        A trial whose process died runs again, and fails when that happened too often; several run again one by one.
        Raises ScanError where no trainer can be built, TooManyFailuresError when the limit on failures is reached.
        """
        if "broken" in answer:
            raise ScanError(str(answer["broken"]))
        if "results" in answer:
            self._false_starts = 0
            self._finish_all(trials, answer["results"])
            return
        if answer.get("starting"):
            self._false_starts += 1
            if self._false_starts == _FALSE_STARTS:
                raise ScanError(
                    f"{_FALSE_STARTS} processes one after the other died before they had a trainer: {answer['died']}"
                )
        elif len(trials) > 1:
            self._alone.update(trial.number for trial in trials)
        else:
            self._deaths[trials[0].number] = self._deaths.get(trials[0].number, 0) + 1
        for trial in trials:
            self._run_again(trial, answer["died"])

    def _finish_all(self, trials: Sequence[Trial], results: Sequence[dict[str, Any]]) -> None:
        """Keep all results, and only then tell that there were too many failures among them."""
        too_many = None
        for trial, result in zip(trials, results, strict=True):
            try:
                self.finish(trial, result)
            except TooManyFailuresError as fault:
                too_many = too_many or fault
        if too_many is not None:
            raise too_many

    def _run_again(self, trial: Trial, died: str) -> None:
        """Hand a trial back whose process died, or let it fail if that happened too often."""
        if (deaths := self._deaths.get(trial.number, 0)) < _DEATHS:
            _LOG.warning("trial %d: its process died: %s; it runs again", trial.number, died)
            self._store.release(trial.number, self._owner)
            self._running.pop(trial.number, None)
            self._may_be_left = True
            return
        told = f"the process that ran it died {deaths} times; the last time {died}"
        self.finish(trial, limit_failure("ProcessDied", told))

    def finish(self, trial: Trial, result: dict[str, Any]) -> None:
        """Keep a result and tell of it; one whose lease was lost is dropped, another process runs that trial."""
        number, loss, good = trial.number, result["loss"], result["status"] == "ok"
        keep = self._store.complete if good else self._store.fail
        self._ending.add(number)
        kept = keep(number, self._owner, result)
        seconds = time.monotonic() - self._running.pop(number, time.monotonic())
        self._ending.discard(number)
        self._longest = max(self._longest, seconds)
        if not kept:
            _LOG.warning("trial %d: its lease was lost, this result of it is dropped", number)
            return
        if self._plan.ending.max_time is not None:
            self._store.attach(_WORKED + self._owner, round(time.monotonic() - self._begun, 3))
        if number == len(self._past):
            self._past.append(Trial(number, trial.vals, result=result).outcome)
        self._compare(result["status"], loss, number)
        pruned = bool(result.get("pruned"))
        self._failures = 0 if good or pruned else self._failures + 1
        reason = Trial(number, trial.vals, result=result).reason
        if self._plan.progress is not None:
            self._tell({
                "event": "trial_finished", "tid": number, "done": self._done(), "status": result["status"],
                "loss": loss, "reason": reason, "seconds": seconds, "best": self._best[0], "best_tid": self._best[1],
                **({"pruned": True} if pruned else {}),
            })  # fmt: skip
        if self._failures == self._plan.limits.max_consecutive_failures:
            raise TooManyFailuresError(f"{self._failures} trials failed one after the other, the last with {reason}")

    def _done(self) -> int:
        """How many trials are finished, by whomever."""
        known = self._store.finished()
        if known is not None:
            return known
        self._finished_below(self._plan.total)
        return len(self._past) + len(self._store.finished_numbers(len(self._past)))

    def tell_of(self, trials: Sequence[Trial]) -> Callable[[dict[str, Any]], None] | None:
        """What a trainer's own events are given to, if anyone listens; of several trials the first stands for all."""
        if self._plan.progress is None:
            return None
        return lambda event: self._tell({**event, "event": "trial_progress", "tid": trials[0].number})

    def _tell(self, event: dict[str, Any]) -> None:
        if self._plan.progress is not None:
            self._plan.progress({**event, "total": self._plan.total})
