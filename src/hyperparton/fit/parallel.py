"""How the models of a batch share the machine: chunks of models, and the threads that run them.

Products of small matrices do not gain from several threads within one product, so on a CPU every chunk of models
runs on one thread and the chunks run side by side.  On an accelerator all models are one chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import jax

from hyperparton import host
from hyperparton.errors import NodeError, summary_of

__all__ = ["chunk_size", "cores", "run_all", "start", "threads", "trials_per_chunk"]

#: most models of a chunk on one core: more of them leave the core's own cache
_LARGEST_CHUNK = 5
#: fewest chunks of a batch with so many models
_LEAST_CHUNKS = 2
#: most models of a chunk with several trials, on a CPU: larger ones gain nothing and leave free places when some stop
_MOST_ROWS = 4


def start() -> None:
    """Start JAX; NodeError if it does not find the devices here that it is told to use."""
    try:
        jax.devices()
    except Exception as fault:  # where a plugin is missing, it is an assertion of JAX that fails
        asked = os.environ.get("JAX_PLATFORMS")
        told = f" (JAX_PLATFORMS is {asked})" if asked else ""
        reason = f"{summary_of(fault)}; is the accelerator here, and JAX's plugin for it?"
        raise NodeError(f"JAX does not start on this machine{told}: {reason}") from fault


def cores() -> int:
    """Cores that this process may use, 1 on an accelerator (which needs no second thread)."""
    return host.cores() if jax.default_backend() == "cpu" else 1


def threads() -> int:
    """Chunks that run side by side: as many as cores, or fewer where NPROC, XLA's own variable, says so.

    The size of chunks does not depend on it, so neither do results: the workers of a scan share the cores by it.
    """
    return min(cores(), host.threads())


def chunk_size(models: int, folds: int = 1, wide: bool = False) -> int:
    """How many models one chunk has: equal shares, none larger than is fast, and chunks for two cores at least.

    The `models` are those of `folds` folds, which do not share chunks.  The size does not depend on the cores of the
    machine: products of another size round their sums differently, and a trial must be the same on all machines that
    join a scan.  `wide` chunks are as large as that allows: those of the fast path, each of which reads all mixed
    tables whenever it expands.
    """
    if jax.default_backend() != "cpu":
        return -(-models // folds)
    least, each = -(-_LEAST_CHUNKS // folds), -(-models // folds)
    rounds = 1 if wide else -(-each // (least * _LARGEST_CHUNK))
    return -(-each // (least * rounds))


def trials_per_chunk(fits: int, trials: int) -> int:
    """How many of `trials` trials to train in one chunk that has `fits` of their folds and replicas.

    On a CPU so few that each result is what it is alone, to the last digit: products with very many rows, or with
    one, are other routines, which round differently.
    """
    if jax.default_backend() != "cpu":
        return trials
    return 1 if fits == 1 else min(max(_MOST_ROWS // fits, 1), trials)


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="chunks")


def run_all(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Results of all calls, as many at a time as `threads`; the first exception of any is raised."""
    if len(calls) == 1 or threads() == 1:
        return [jax.block_until_ready(call()) for call in calls]
    return list(_pool(threads()).map(lambda call: jax.block_until_ready(call()), calls))
