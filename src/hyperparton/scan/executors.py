"""Who runs the trials: this process, one process beside it, or the workers of a Dask cluster.

All take as many trials at a time as the scan computes together, one if it does not.

On a Dask cluster each worker starts processes of its own for the trials (see `process`), so a trial can be ended. What
goes over Dask's connections is text, plain dictionaries and the name of one function; Dask itself packs them with
pickle, as it does with everything. The cluster of `--workers` lives inside this process and listens on no port.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from hyperparton import host
from hyperparton.errors import ScanError
from hyperparton.scan.checkpoints import Reports
from hyperparton.scan.evaluate import Trainer, evaluate_trials, require_reports
from hyperparton.scan.limits import alarm
from hyperparton.scan.loop import Work
from hyperparton.scan.worker_process import Recipe, TrainerProcess, close_processes, run_task
from hyperparton.space import evaluate, fingerprint
from hyperparton.trials import Trial

__all__ = ["Executor", "InProcess", "InThisProcess", "OnCluster", "local_cluster", "remote_cluster"]

#: how long, in seconds, to wait for what runs before the next look for a trial that others left
_LOOK = 0.5


class Executor(Protocol):
    """Runs the trials of a scan; `slots` is how many batches of them at once."""

    slots: int

    def run(self, work: Work) -> None:
        """Run trials until the scan is over."""
        ...


class _OutOfTime(BaseException):
    """The scan's time is over; no Exception, since that would make the trial a failed one."""


class InThisProcess:
    """One batch after the other, here. A limit on the time of a trial or a scan interrupts Python code alone."""

    slots = 1

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def run(self, work: Work) -> None:
        """Run trials until the scan is over."""
        self._trainer.set_hyperopt(True, keys=work.plan.scanner.hyper_keys)
        if work.plan.pruning is not None:
            require_reports(self._trainer)
        limit = work.plan.limits.trial_timeout
        for batch in _batches(work):
            each = [evaluate(work.plan.scanner.as_dict(), trial.vals) for trial in batch]
            found = [work.pruning_limits(trial) for trial in batch]
            reports = [None if limits is None else Reports(limits) for limits in found]
            left = work.time_left()
            try:
                if left is not None and (limit is None or left < limit * len(batch)):
                    with alarm(left, _OutOfTime()):
                        results = evaluate_trials(self._trainer, each, reports=reports)
                else:
                    results = evaluate_trials(self._trainer, each, limit, reports)
            except _OutOfTime:
                raise work.time_is_over() from None
            work.settle(batch, {"results": results})


class InProcess:
    """One batch after the other, in one process beside this one, which can be ended."""

    slots = 1

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def run(self, work: Work) -> None:
        """Run trials until the scan is over."""
        process = TrainerProcess(_recipe_text(self._recipe, work))
        limits = work.plan.limits
        try:
            for batch in _batches(work):
                answer = process.ask(
                    _tasks(work, batch),
                    seconds=limits.trial_timeout,
                    memory=limits.worker_memory,
                    progress=work.tell_of(batch),
                    watch=work.check_time,
                )
                work.settle(batch, answer)
        finally:
            process.close()


def _recipe_text(recipe: Recipe, work: Work, threads: int | None = None) -> str:
    space = fingerprint(work.plan.scanner.as_dict())
    return recipe.text(space, threads, reports=work.plan.pruning is not None)


def _tasks(work: Work, batch: Sequence[Trial]) -> list[dict[str, Any]]:
    """What a process is told of each trial, as plain data."""
    limits = [work.pruning_limits(trial) for trial in batch]
    plain = [None if found is None else [limit.as_list() for limit in found] for found in limits]
    return [{"vals": dict(trial.vals), "pruning": held} for trial, held in zip(batch, plain, strict=True)]


def _batches(work: Work) -> Iterator[list[Trial]]:
    """Batch after batch, with pauses where others have to finish theirs first."""
    while True:
        batch = work.next_batch()
        if batch:
            yield batch
        elif work.over:
            return
        else:
            work.wait()


class OnCluster:
    """`slots` batches of trials at once on the Dask cluster of `client`, each in a process with `threads` threads."""

    def __init__(self, client: Any, recipe: Recipe, slots: int, threads: int, remote: bool) -> None:
        self.slots = slots
        self._client, self._recipe, self._threads, self._remote = client, recipe, threads, remote

    def run(self, work: Work) -> None:
        """Run trials until the scan is over."""
        recipe = _recipe_text(self._recipe, work, self._threads)
        limits = (work.plan.limits.trial_timeout, work.plan.limits.worker_memory)
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        flying: dict[str, tuple[Any, list[Trial]]] = {}
        try:
            while True:
                while len(flying) < self.slots and (batch := work.next_batch()):
                    future = self._client.submit(run_task, recipe, _tasks(work, batch), *limits, pure=False, retries=0)
                    flying[future.key] = (future, batch)
                    future.add_done_callback(ready.put)
                if not flying:
                    if work.over:
                        return
                    work.wait()
                    continue
                work.check_time()
                with contextlib.suppress(queue.Empty):
                    key = ready.get(timeout=_LOOK).key
                    future, batch = flying.pop(key)
                    work.settle(batch, _answer(future))
        finally:
            # those at work too: nobody waits for their results any more
            close_processes(recipe)
            if self._remote:
                with contextlib.suppress(Exception):  # workers that are gone have ended theirs
                    self._client.run(close_processes, recipe)


def _answer(future: Any) -> dict[str, Any]:
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
