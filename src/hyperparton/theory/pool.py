"""Runs the jobs of a build, several at a time, each in a process of its own, and reports progress.

The processes live no longer than the build, in whatever way it ends: each watches a pipe whose other end is held by the
build alone and closed by the system at the latest.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from hyperparton.errors import TheoryError
from hyperparton.theory.cache import SECONDS, PieceCache
from hyperparton.theory.jobs import Job

__all__ = ["BuildProgress", "run_jobs"]


@dataclass(frozen=True)
class BuildProgress:
    """Where a build is."""

    done: int
    total: int
    label: str
    """the piece that was finished last"""
    elapsed: float
    """seconds since the start"""
    left: float | None
    """estimate of the seconds to go; None before the first piece is done"""

    def __str__(self) -> str:
        left = "" if self.left is None else f", about {_clock(self.left)} left"
        return f"[{self.done}/{self.total}] {self.label} ({_clock(self.elapsed)}{left})"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def run_jobs(
    jobs: Sequence[Job], cache: PieceCache, workers: int, report: Callable[[BuildProgress], None]
) -> dict[str, float]:
    """Computes the pieces that are not on disk, longest first; label -> seconds that each took, earlier ones included.

    Raises `TheoryError` if a job fails, when the jobs that run beside it have ended; finished pieces stay on disk.
    An interrupt ends all jobs at once.
    """
    todo = sorted((job for job in jobs if not cache.is_complete(job.path(cache))), key=lambda job: -job.cost)
    started, done = time.monotonic(), len(jobs) - len(todo)
    if done:
        report(BuildProgress(done, len(jobs), f"{done} pieces were there already", 0.0, None))
    total = left = sum(job.cost for job in todo)
    with _processes(max(1, min(workers, len(todo)))) as pool:
        job_of = {pool.submit(_compute, job, cache.folder): job for job in todo}
        for future in as_completed(job_of):
            job = job_of[future]
            _expect_result(future, job)
            done, left = done + 1, left - job.cost
            elapsed = time.monotonic() - started
            report(BuildProgress(done, len(jobs), job.label, elapsed, elapsed * left / max(total - left, 1e-9)))
    return {job.label: float(job.computed(cache)[SECONDS]) for job in jobs}


@contextlib.contextmanager
def _processes(number: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes of one thread each, which start with their first job; an interrupt ends them at once."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(number, context, initializer=_live_as_long_as, initargs=(watched,))
    try:
        yield pool
    except (KeyboardInterrupt, SystemExit):
        held.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        held.close()
        watched.close()


def _live_as_long_as(watched: Connection) -> None:
    """In a new process: ends it when the other end of the pipe is closed, and leaves interrupts to the build."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            watched.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _expect_result(future: Future[None], job: Job) -> None:
    try:
        future.result()
    except TheoryError:
        raise
    except BrokenProcessPool as error:
        raise TheoryError(f"the process that computed {job.label} ended: out of memory, or killed") from error
    except Exception as error:
        raise TheoryError(f"{job.label} could not be computed: {type(error).__name__}: {error}") from error


def _compute(job: Job, folder: Path) -> None:
    """One job in a process of its own: writes the piece, with the seconds it took."""
    import warnings

    started = time.monotonic()
    cache = PieceCache(folder)
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # numba's and scipy's remarks inside eko and yadism
        arrays = job.compute()
    cache.save(job.path(cache), {**arrays, SECONDS: np.array(time.monotonic() - started)})
