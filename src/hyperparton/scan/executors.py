"""Who runs the trials: this process, one process beside it, or several beside it; `cluster` has that of Dask's workers.

Each takes batches of trials, of one trial unless the scan computes several together.
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from hyperparton import host
from hyperparton.errors import ScanError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_asked, given_parameters
from hyperparton.scan.events import Events, Progress
from hyperparton.scan.limits import Deadline, Limits, alarm, build_error
from hyperparton.scan.pruning import Threshold
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import Trainer, adapted
from hyperparton.scan.worker_process import Answer, Recipe, TrainerProcess, TrainerProcesses
from hyperparton.space.tree import fingerprint
from hyperparton.trials.refits import replicas_of
from hyperparton.trials.trial import Trial

__all__ = [
    "STARTS",
    "Batch",
    "Executor",
    "InOtherProcess",
    "InThisProcess",
    "Job",
    "Parallel",
    "Task",
    "local_workers",
]

#: how long, in seconds, to wait for what runs before the next look for a trial that others left
_LOOK = 0.5

#: how often a process may die while the first trainer is built until this machine is said to be at fault
STARTS = 3


@dataclass(frozen=True)
class Job:
    """What an executor has to know of the scan."""

    scanner: HyperScanner
    prune: bool
    limits: Limits
    deadline: Deadline
    events: Events

    def recipe_text(self, recipe: Recipe, threads: int | None = None) -> str:
        """The recipe for a process, with the fingerprint of the space that it has to build."""
        return recipe.text(fingerprint(self.scanner.as_dict()), threads, reports=self.prune)


@dataclass(frozen=True)
class Task:
    """A trial to run, and its thresholds at checkpoints: None in a scan that does not prune.

    The vals of a re-fit say which replicas are fitted (see `trials.refits`).
    """

    trial: Trial
    thresholds: Sequence[Threshold] | None
    parameters: Mapping[str, Any] | None = None
    """what the trainer is given; None for what the trial's vals give in the space of the scan"""

    def plain(self) -> dict[str, Any]:
        """The task for another process, as plain data."""
        plain = None if self.thresholds is None else [threshold.as_list() for threshold in self.thresholds]
        given = {"vals": dict(self.trial.vals), "parameters": self.parameters}
        return {**given, "pruning": plain, "replicas": replicas_of(self.trial.vals)}


@dataclass(frozen=True, eq=False)
class Batch:
    """Trials that run together, or a re-fit by itself."""

    tasks: Sequence[Task]

    @property
    def trials(self) -> list[Trial]:
        """Those of its tasks."""
        return [task.trial for task in self.tasks]

    def plain(self) -> list[dict[str, Any]]:
        """Its tasks for another process, as plain data."""
        return [task.plain() for task in self.tasks]


class Executor(ABC):
    """Runs batches of trials. A scan enters `at_work`, and there calls `start` and `answers` by turns."""

    slots: int = 1
    """how many batches it can run at once"""
    refits: bool = False
    """whether its trainers can fit a trial's parameters again; known at work"""

    @abstractmethod
    def at_work(self, job: Job) -> contextlib.AbstractContextManager[None]:
        """Run the trials of a scan in the body; what still runs at its end is ended.

        A trainer is built before the body is entered. Raises NodeError if that fails by this machine's fault, ScanError
        if by another, and what the job's deadline raises.
        """

    @property
    @abstractmethod
    def running(self) -> int:
        """How many batches were started and are not answered."""

    @abstractmethod
    def start(self, batch: Batch) -> None:
        """Take a batch; there must be a free slot."""

    @abstractmethod
    def answers(self) -> list[tuple[Batch, Answer]]:
        """Batches that are done, and what came of them (see `TrainerProcess.ask`); it may wait a while for one."""


class _OneByOne(Executor):
    """One batch after the other: `answers` runs the batch that was started."""

    def __init__(self) -> None:
        self._started: list[Batch] = []

    @property
    def running(self) -> int:
        return len(self._started)

    def start(self, batch: Batch) -> None:
        self._started.append(batch)

    def answers(self) -> list[tuple[Batch, Answer]]:
        batch = self._started.pop()
        return [(batch, self._run(batch))]

    @abstractmethod
    def _run(self, batch: Batch) -> Answer:
        """What comes of the batch."""


class _OutOfTime(BaseException):
    """The scan's time is over; no Exception, since that would make the trial a failed one."""


class InThisProcess(_OneByOne):
    """One batch after the other, here. A limit on the time of a trial or a scan interrupts Python code alone."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self._trainer = adapted(trainer)

    @contextlib.contextmanager
    def at_work(self, job: Job) -> Iterator[None]:
        self._job, self.refits = job, self._trainer.refits
        self._trainer.begin(job.scanner.hyper_keys, job.prune)
        yield

    def _run(self, batch: Batch) -> Answer:
        tasks = batch.tasks
        limit, left = self._job.limits.trial_timeout, self._job.deadline.left()
        if left == math.inf or (limit is not None and left >= limit * len(tasks)):
            return {"results": self._results(tasks, limit)}
        try:
            with alarm(left, _OutOfTime()):
                return {"results": self._results(tasks, None)}
        except _OutOfTime:
            raise self._job.deadline.error() from None

    def _results(self, tasks: Sequence[Task], limit: float | None) -> list[dict[str, Any]]:
        space = self._job.scanner.as_dict()
        each = [given_parameters(space, task.trial.vals, task.parameters) for task in tasks]
        replicas = [replicas_of(task.trial.vals) for task in tasks]
        checkpoints = [None if task.thresholds is None else Checkpoints(task.thresholds) for task in tasks]
        return evaluate_asked(self._trainer, each, replicas, limit, checkpoints)


class InOtherProcess(_OneByOne):
    """One batch after the other, in one process beside this one, which can be ended."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._recipe = recipe

    @contextlib.contextmanager
    def at_work(self, job: Job) -> Iterator[None]:
        self._job = job
        with contextlib.closing(TrainerProcess(job.recipe_text(self._recipe))) as self._process:
            for _ in range(STARTS):
                if "results" in (answer := self._process.ask([], watch=job.deadline.check)):
                    break
            _check_built(answer)
            self.refits = bool(answer.get("refits"))
            yield

    def _run(self, batch: Batch) -> Answer:
        return self._process.ask(
            batch.plain(),
            seconds=self._job.limits.trial_timeout,
            memory=self._job.limits.worker_memory,
            progress=self._job.events.of_trainer(batch.trials),
            watch=self._job.deadline.check,
        )


class Parallel(Executor):
    """`slots` batches of trials at once, each in a process of its own with `threads` threads.

    The threads of `pool`, of this process or of Dask's workers, wait for these processes.
    """

    def __init__(self, pool: futures.Executor, recipe: Recipe, slots: int, threads: int) -> None:
        self.slots = slots
        self._pool, self._recipe, self._threads = pool, recipe, threads
        self._started: dict[futures.Future[Answer], tuple[Batch, int]] = {}
        self._numbers = count(1)
        #: what trainers report, with the number of their batch, from whichever thread
        self._heard: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
        #: number of a batch that runs -> where its trainer's reports go
        self._listeners: dict[int, Progress | None] = {}

    @property
    def running(self) -> int:
        return len(self._started)

    @contextlib.contextmanager
    def at_work(self, job: Job) -> Iterator[None]:
        self._limits, self._events = (job.limits.trial_timeout, job.limits.worker_memory), job.events
        with self._processes(job.recipe_text(self._recipe, self._threads)) as self._call:
            self._build(job.deadline)
            yield

    def _build(self, deadline: Deadline) -> None:
        """Build a trainer for each slot, all at once."""
        tries = dict.fromkeys((self._submit(Batch(())) for _ in range(self.slots)), 1)
        while tries:
            deadline.check()
            for future in self._wait(tries):
                answer, count = self._answer(future), tries.pop(future)
                if answer is None:
                    tries[self._submit(Batch(()))] = count
                elif "died" in answer and count < STARTS:
                    tries[self._submit(Batch(()))] = count + 1
                else:
                    _check_built(answer)
                    self.refits = bool(answer.get("refits"))

    def _submit(self, batch: Batch, number: int = 0, **where: Any) -> futures.Future[Answer]:
        return self._pool.submit(*self._call, number, batch.plain(), *self._limits, **where)

    @contextlib.contextmanager
    def _processes(self, text: str) -> Iterator[tuple[Any, ...]]:
        """The processes of a recipe: a function that runs trials in them, and its first arguments.

        Trials at work at the end are ended too: nobody waits for their results any more.
        """
        with contextlib.closing(TrainerProcesses(text)) as processes:

            def run(number: int, trials: Any, seconds: float | None, memory: int | None) -> Answer:
                return processes.run(trials, seconds, memory, lambda event: self._heard.put((number, event)))

            yield (run,)

    def start(self, batch: Batch) -> None:
        number = next(self._numbers)
        self._listeners[number] = self._events.of_trainer(batch.trials)
        self._started[self._submit(batch, number)] = batch, number

    def answers(self) -> list[tuple[Batch, Answer]]:
        answered, fault = [], None
        done = self._wait(self._started)
        self._pass_on_reports()
        for future in done:
            batch, number = self._started[future]
            try:
                answer = self._answer(future)
            except ScanError as raised:  # it is so too when it is asked again: first the others' answers are taken
                fault = raised
                continue
            del self._started[future], self._listeners[number]
            if answer is None:
                self.start(batch)
            else:
                answered.append((batch, answer))
        if fault is not None and not answered:
            raise fault
        return answered

    def _pass_on_reports(self) -> None:
        """Tell whoever listens what trainers have reported since; here, for a listener knows nothing of threads."""
        with contextlib.suppress(Empty):
            while True:
                number, event = self._heard.get_nowait()
                listener = self._listeners.get(number)  # None for a batch that has ended
                if listener is not None:
                    listener(event)

    def _wait(self, running: Iterable[futures.Future[Answer]]) -> set[futures.Future[Answer]]:
        """Those that can be asked for their answer; it may wait a while for one."""
        return futures.wait(running, _LOOK, futures.FIRST_COMPLETED).done

    def _answer(self, future: futures.Future[Answer]) -> Answer | None:
        """What came of it; None if its tasks have to be started again."""
        try:
            return future.result()
        except Exception as fault:
            return self._failed(fault)

    def _failed(self, fault: Exception) -> Answer:
        """What came of trials that a thread of the pool could not run, if it is not the end of the scan."""
        raise ScanError(f"the workers cannot run trials: {type(fault).__name__}: {fault}") from fault


def _check_built(answer: Answer) -> None:
    if "results" not in answer:
        raise build_error(answer)


@contextlib.contextmanager
def local_workers(recipe: Recipe, workers: int) -> Iterator[Parallel]:
    """`workers` processes on this machine, which share its cores; NPROC says how many these are, if it is set."""
    with futures.ThreadPoolExecutor(workers) as pool:
        yield Parallel(pool, recipe, workers, max(1, host.threads() // workers))
