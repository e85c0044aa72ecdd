"""Trials on the workers of a Dask cluster.

Each worker starts processes of its own for the trials (see `worker_process`), so that a trial can be ended. What goes
over Dask's connections is text, plain dictionaries and the names of functions; Dask itself packs them with pickle, as
it does with everything.

A worker that cannot build the trainer is left out for the rest of the scan: it gets no more tasks, and others run those
it had. It stays in the cluster, for somebody else may use it.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from pkgutil import resolve_name
from typing import Any

from hyperparton.errors import NodeError, ScanError, summary_of
from hyperparton.scan.executors import STARTS, Batch, Parallel
from hyperparton.scan.limits import build_error, disk_fault
from hyperparton.scan.worker_process import Answer, Recipe, TrainerProcesses

__all__ = ["OnCluster", "close_processes", "remote_cluster", "run_task"]

_LOG = logging.getLogger(__name__)

#: how long, in seconds, to wait for a good worker when all are gone, and pauses in between: Dask starts them again
_RESTART, _LOOK = 60.0, 0.5

#: how long, in seconds, a process on a Dask cluster waits for work of a scan that may be gone
_IDLE = 600.0

#: the least time between two reports of a trainer that go through the scheduler, in seconds
_EVERY = 2.0

#: the processes that a worker of a Dask cluster has, by the scan they are for; those of one that has ended stay closed
_OF_CLUSTER: dict[str, TrainerProcesses] = {}


def run_task(
    scan: str, text: str, number: int, trials: Sequence[Mapping[str, Any]], seconds: float | None, memory: int | None
) -> Answer:
    """Run trials together on the machine of a Dask worker, for the scan of that name.

    What their trainer reports becomes events of the topic `scan` of the cluster, now and then, with the `number` of the
    batch. The answer of `TrainerProcess.ask` has `worker` beside it, this worker's address, and `host`, the name of its
    machine.
    """
    from distributed import get_worker

    worker, last = get_worker(), -math.inf

    def progress(event: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            worker.log_event(scan, {"number": number, "event": event})

    answer, host = _of_cluster(scan, text).run(trials, seconds, memory, progress), socket.gethostname()
    if "broken" in answer:
        answer = {**answer, "broken": f"on {host}: {answer['broken']}"}
    elif answer.get("starting"):
        answer = {**answer, "died": f"{answer['died']} on {host}"}
    return {**answer, "worker": worker.address, "host": host}


def close_processes(scan: str, text: str) -> None:
    """End the processes that this Dask worker has for a scan; a task of it that comes late starts none."""
    _of_cluster(scan, text).close()


def _of_cluster(scan: str, text: str) -> TrainerProcesses:
    return _OF_CLUSTER.setdefault(scan, TrainerProcesses(text, _IDLE))


class OnCluster(Parallel):
    """The trials run on the Dask cluster of `client`."""

    def __init__(self, client: Any, recipe: Recipe, slots: int) -> None:
        super().__init__(client.get_executor(pure=False, retries=0), recipe, slots, threads=1)
        self._client, self._workers = client, _Workers(client)
        #: tasks that may not go to every worker, and where they may
        self._bound: dict[futures.Future[Answer], list[str]] = {}

    @contextlib.contextmanager
    def _processes(self, text: str) -> Iterator[tuple[Any, ...]]:
        scan = secrets.token_hex(8)
        self._workers.leave_out_what_lacks_us()
        self._client.subscribe_topic(scan, self._hear)
        try:
            yield run_task, scan, text
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                self._client.unsubscribe_topic(scan)
            with contextlib.suppress(Exception):  # workers that are gone have ended theirs
                self._client.run(close_processes, scan, text)

    def _hear(self, logged: tuple[Any, Mapping[str, Any]]) -> None:
        """Take what `run_task` logs; called in a thread of Dask's."""
        _, told = logged
        self._heard.put((told["number"], dict(told["event"])))

    def _submit(self, batch: Batch, number: int = 0, **where: Any) -> futures.Future[Answer]:
        good = self._workers.to_be_used()
        if good is None:
            return super()._submit(batch, number, **where)
        future = super()._submit(batch, number, **where, workers=good)
        self._bound[future] = good
        return future

    def _wait(self, running: Iterable[futures.Future[Answer]]) -> set[futures.Future[Answer]]:
        done = super()._wait(running)
        bound = [future for future in running if future in self._bound]
        if done or not bound:
            return done
        present = self._workers.present()  # if all are gone where a task may run, Dask lets it wait for ever
        return {future for future in bound if present.isdisjoint(self._bound[future])}

    def _answer(self, future: futures.Future[Answer]) -> Answer | None:
        self._bound.pop(future, None)
        if not future.done():
            future.cancel()
            return None
        answer = super()._answer(future)
        return None if answer is not None and self._workers.pass_on(answer) else answer

    def _failed(self, fault: Exception) -> Answer:
        from distributed.scheduler import KilledWorker

        if isinstance(fault, futures.CancelledError):
            raise ScanError("the Dask cluster gave up a trial: is its scheduler gone?") from None
        if isinstance(fault, KilledWorker):
            return {"died": f"with its Dask worker {fault.last_worker.address if fault.last_worker else ''}"}
        return super()._failed(fault)


@contextlib.contextmanager
def _asking_the_scheduler() -> Iterator[None]:
    try:
        yield
    except OSError as fault:  # Dask's own errors of connections, and that it took too long
        raise ScanError(f"the Dask scheduler does not answer: {summary_of(fault)}") from fault


class _Workers:
    """The workers of a cluster, and which of them are left out since no trainer can be built there.

    What is wrong with them is said once another has built one: until then the card may be at fault.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        #: address -> why it is left out
        self._left_out: dict[str, str] = {}
        self._untold: list[str] = []
        self._one_works = False
        #: address -> how many processes in a row died there before they had a trainer
        self._deaths: Counter[str] = Counter()

    def present(self) -> set[str]:
        """The addresses of all that are there now."""
        with _asking_the_scheduler():
            return set(self._client.nthreads())

    def to_be_used(self) -> list[str] | None:
        """The addresses of those that tasks may go to; None for any: none is left out, or there is no other."""
        return (sorted(self._good()) or None) if self._left_out else None

    def leave_out_what_lacks_us(self) -> None:
        """Leave those out that cannot import this package; NodeError if none can."""
        with _asking_the_scheduler():
            found = self._client.run(resolve_name, f"{__name__}:__name__", on_error="return")
        faults = {worker: answer for worker, answer in found.items() if isinstance(answer, BaseException)}
        for worker, fault in faults.items():
            if not self._leave_out(worker, summary_of(fault)):
                raise NodeError(f"no Dask worker can import hyperparton; {worker}: {summary_of(fault)}")

    def pass_on(self, answer: Answer) -> bool:
        """Whether the tasks of this answer have to run again since where they ran there was no trainer.

        Not if there is no worker left for them.
        """
        worker = answer.get("worker")
        if worker is None or answer.get("faults"):  # those of the card
            return False
        if "broken" in answer:
            return self._leave_out(worker, answer["broken"])
        if not answer.get("starting"):
            self._note_that_one_works(worker)
            full = next(filter(None, map(disk_fault, answer.get("results", ()))), None)
            return full is not None and self._leave_out(worker, f"on {answer['host']}: {full}")
        self._deaths[worker] += 1
        if self._deaths[worker] < STARTS:
            return True
        return self._leave_out(worker, str(build_error(answer)))

    def _good(self, *not_these: str) -> set[str]:
        """The addresses of those that may be used; where one worked already, a while is waited until one is there."""
        end = time.monotonic() + (_RESTART if self._one_works else 0.0)
        while not (good := self.present() - {*not_these, *self._left_out}) and time.monotonic() < end:
            time.sleep(_LOOK)
        return good

    def _leave_out(self, worker: str, why: str) -> bool:
        """Leave a worker out; not if it is the last one."""
        if not self._good(worker):
            return False
        if worker not in self._left_out:
            self._left_out[worker] = why
            self._untold.append(worker)
        if self._one_works:
            self._tell()
        return True

    def _note_that_one_works(self, worker: str) -> None:
        self._deaths.pop(worker, None)
        if not self._one_works:
            self._one_works = True
            self._tell()

    def _tell(self) -> None:
        for worker in self._untold:
            _LOG.warning(
                "the Dask worker %s is left out for the rest of this scan, others run its trials: %s",
                worker, self._left_out[worker],
            )  # fmt: skip
        self._untold.clear()


@contextlib.contextmanager
def remote_cluster(recipe: Recipe, address: str, workers: int | None = None) -> Iterator[OnCluster]:
    """The Dask cluster whose scheduler listens at `address`; `workers` trials at once, by default one per thread."""
    from distributed import Client

    client: Any = None
    reason = ""
    try:
        client = Client(address, timeout=30)
    except (OSError, ValueError) as fault:
        reason = f"no Dask scheduler at {address}: {fault}"
    if client is None:
        gc.collect()  # half a client is left: were it collected while another is made, both would wait for ever
        raise ScanError(reason)
    with client:
        slots = workers or sum(client.nthreads().values())
        if slots < 1:
            raise ScanError(f"the Dask cluster at {address} has no workers yet; start them, or say --workers W")
        yield OnCluster(client, recipe, slots)
