"""Who runs the trials of a scan, as it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hyperparton.scan.cluster import remote_cluster
from hyperparton.scan.executors import Executor, InOtherProcess, InThisProcess, local_workers
from hyperparton.scan.settings import Execution
from hyperparton.scan.trainer import Trainer
from hyperparton.scan.worker_process import Recipe

__all__ = ["executor_of"]


@contextlib.contextmanager
def executor_of(trainer: Trainer | Recipe, execution: Execution) -> Iterator[Executor]:
    """Who runs the trials as `execution` asks: in this process those of a trainer, elsewhere those of a recipe."""
    if not isinstance(trainer, Recipe):
        yield InThisProcess(trainer)
    elif execution.scheduler is not None:
        with remote_cluster(trainer, execution.scheduler, execution.workers) as executor:
            yield executor
    elif execution.workers is not None:
        with local_workers(trainer, execution.workers) as executor:
            yield executor
    else:
        yield InOtherProcess(trainer)
