"""Who runs the trials: this process, one process beside it, or the workers of a Dask cluster.

Each takes batches of trials, of one trial unless the scan computes several together.

On a Dask cluster each worker starts processes of its own for the trials (see `worker_process`), so that a trial can be
ended. What goes over Dask's connections is text, plain dictionaries and the name of one function; Dask itself packs
them with pickle, as it does with everything. The cluster of `--workers` lives inside this process and listens on no
port.
"""

from __future__ import annotations

import contextlib
import logging
import math
import queue
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton import host
from hyperparton.errors import ScanError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_trials
from hyperparton.scan.events import Events
from hyperparton.scan.limits import Deadline, Limits, alarm
from hyperparton.scan.pruning import Threshold
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import Trainer, adapted
from hyperparton.scan.worker_process import Answer, Recipe, TrainerProcess, close_processes, run_task
from hyperparton.space import evaluate, fingerprint
from hyperparton.trials import Trial

__all__ = ["Executor", "InProcess", "InThisProcess", "Job", "OnCluster", "Task", "local_cluster", "remote_cluster"]

#: how long, in seconds, to wait for what runs before the next look for a trial that others left
_LOOK = 0.5


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
    """A trial to run, and its thresholds at checkpoints: None in a scan that does not prune."""

    trial: Trial
    thresholds: Sequence[Threshold] | None

    def plain(self) -> dict[str, Any]:
        """The task for another process, as plain data."""
        plain = None if self.thresholds is None else [threshold.as_list() for threshold in self.thresholds]
        return {"vals": dict(self.trial.vals), "pruning": plain}


class Executor(ABC):
    """Runs batches of trials. A scan enters `at_work`, and there calls `start` and `answers` by turns."""

    slots: int = 1
    """how many batches it can run at once"""

    @abstractmethod
    def at_work(self, job: Job) -> contextlib.AbstractContextManager[None]:
        """Run the trials of a scan in the body; what still runs at its end is ended."""

    @property
    @abstractmethod
    def running(self) -> int:
        """How many batches were started and are not answered."""

    @abstractmethod
    def start(self, tasks: Sequence[Task]) -> None:
        """Take a batch of trials, to be run together; there must be a free slot."""

    @abstractmethod
    def answers(self) -> list[tuple[list[Trial], Answer]]:
        """Batches that are done, and what came of them (see `TrainerProcess.ask`); it may wait a while for one."""


class _OneByOne(Executor):
    """One batch after the other: `answers` runs the batch that was started."""

    def __init__(self) -> None:
        self._tasks: Sequence[Task] = ()

    @property
    def running(self) -> int:
        return 1 if self._tasks else 0

    def start(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    def answers(self) -> list[tuple[list[Trial], Answer]]:
        tasks, self._tasks = self._tasks, ()
        trials = [task.trial for task in tasks]
        return [(trials, self._run(tasks, trials))]

    @abstractmethod
    def _run(self, tasks: Sequence[Task], trials: Sequence[Trial]) -> Answer:
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
        self._job = job
        self._trainer.begin(job.scanner.hyper_keys, job.prune)
        yield

    def _run(self, tasks: Sequence[Task], trials: Sequence[Trial]) -> Answer:
        each = [evaluate(self._job.scanner.as_dict(), trial.vals) for trial in trials]
        checkpoints = [None if task.thresholds is None else Checkpoints(task.thresholds) for task in tasks]
        limit, left = self._job.limits.trial_timeout, self._job.deadline.left()
        if left == math.inf or (limit is not None and left >= limit * len(each)):
            return {"results": evaluate_trials(self._trainer, each, limit, checkpoints)}
        try:
            with alarm(left, _OutOfTime()):
                return {"results": evaluate_trials(self._trainer, each, checkpoints=checkpoints)}
        except _OutOfTime:
            raise self._job.deadline.error() from None


class InProcess(_OneByOne):
    """One batch after the other, in one process beside this one, which can be ended."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._recipe = recipe

    @contextlib.contextmanager
    def at_work(self, job: Job) -> Iterator[None]:
        self._job = job
        with contextlib.closing(TrainerProcess(job.recipe_text(self._recipe))) as self._process:
            yield

    def _run(self, tasks: Sequence[Task], trials: Sequence[Trial]) -> Answer:
        return self._process.ask(
            [task.plain() for task in tasks],
            seconds=self._job.limits.trial_timeout,
            memory=self._job.limits.worker_memory,
            progress=self._job.events.of_trainer(trials),
            watch=self._job.deadline.check,
        )


class OnCluster(Executor):
    """`slots` batches of trials at once on the Dask cluster of `client`, each in a process with `threads` threads."""

    def __init__(self, client: Any, recipe: Recipe, slots: int, threads: int, remote: bool) -> None:
        self.slots = slots
        self._client, self._recipe, self._threads, self._remote = client, recipe, threads, remote
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[str, tuple[Any, list[Trial]]] = {}

    @property
    def running(self) -> int:
        return len(self._flying)

    @contextlib.contextmanager
    def at_work(self, job: Job) -> Iterator[None]:
        self._text = job.recipe_text(self._recipe, self._threads)
        self._limits = (job.limits.trial_timeout, job.limits.worker_memory)
        try:
            yield
        finally:  # trials at work are ended too: nobody waits for their results any more
            close_processes(self._text)
            if self._remote:
                with contextlib.suppress(Exception):  # workers that are gone have ended theirs
                    self._client.run(close_processes, self._text)

    def start(self, tasks: Sequence[Task]) -> None:
        plain = [task.plain() for task in tasks]
        future = self._client.submit(run_task, self._text, plain, *self._limits, pure=False, retries=0)
        self._flying[future.key] = (future, [task.trial for task in tasks])
        future.add_done_callback(self._done.put)

    def answers(self) -> list[tuple[list[Trial], Answer]]:
        try:
            key = self._done.get(timeout=_LOOK).key
        except queue.Empty:
            return []
        future, trials = self._flying.pop(key)
        return [(trials, _answer(future))]


def _answer(future: Any) -> Answer:
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise ScanError(f"the Dask cluster gave up a trial (it is {future.status}): is its scheduler gone?")
    fault = future.exception()
    if isinstance(fault, KilledWorker):
        return {"died": f"with its Dask worker {fault.last_worker.address if fault.last_worker else ''}"}
    raise ScanError(f"the Dask workers cannot run trials: {type(fault).__name__}: {fault}") from fault


@contextlib.contextmanager
def local_cluster(recipe: Recipe, workers: int) -> Iterator[OnCluster]:
    """`workers` processes on this machine, which share its cores; NPROC says how many these are, if it is set."""
    from dask.config import set as set_config
    from distributed import Client, LocalCluster

    threads = max(1, host.threads() // workers)
    # Dask always opens ports for pages about its state: they get no pages, loopback alone, and are closed at once
    pages = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    settings: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    settings |= {"processes": False, "memory_limit": 0, "silence_logs": logging.ERROR}
    with contextlib.ExitStack() as stack:
        stack.enter_context(set_config(pages))
        cluster: Any = stack.enter_context(LocalCluster(n_workers=1, threads_per_worker=workers, **settings))
        client = stack.enter_context(Client(cluster))
        for node in (cluster.scheduler, *cluster.workers.values()):
            cluster.loop.add_callback(node.http_server.stop)
        yield OnCluster(client, recipe, workers, threads, remote=False)


@contextlib.contextmanager
def remote_cluster(recipe: Recipe, address: str, workers: int | None = None) -> Iterator[OnCluster]:
    """The Dask cluster whose scheduler listens at `address`; `workers` trials at once, by default one per thread."""
    from distributed import Client

    try:
        client: Any = Client(address, timeout=30)
    except (OSError, ValueError) as fault:
        raise ScanError(f"no Dask scheduler at {address}: {fault}") from fault
    with client:
        slots = workers or sum(client.nthreads().values())
        if slots < 1:
            raise ScanError(f"the Dask cluster at {address} has no workers yet; start them, or say --workers W")
        yield OnCluster(client, recipe, slots, 1, remote=True)
