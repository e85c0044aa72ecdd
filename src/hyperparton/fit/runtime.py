"""How programs run on the machine at hand: compiled once, kept on disk, chunks of models on all cores.

Products of small matrices do not gain from several threads within one product, so on a CPU every chunk of models
runs on one thread and the chunks run side by side.  On an accelerator all models are one chunk.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import jax

from hyperparton import host

__all__ = [
    "CACHE_VARIABLE",
    "cache_folder",
    "chunk_size",
    "compiled",
    "cores",
    "run_all",
    "threads",
    "trials_together",
    "use_cache",
]

CACHE_VARIABLE = "HYPERPARTON_CACHE"
#: most models of a chunk on one core: more of them leave the core's own cache
_LARGEST_CHUNK = 5
#: fewest chunks of a batch with so many models
_LEAST_CHUNKS = 2
#: most models of a chunk with several trials, on a CPU: larger ones gain nothing and leave free places when some stop
_MOST_TOGETHER = 4


def cores() -> int:
    """Cores that this process may use, 1 on an accelerator (which needs no second thread)."""
    return host.cores() if jax.default_backend() == "cpu" else 1


def threads() -> int:
    """Chunks that run side by side: as many as cores, or fewer where NPROC, XLA's own variable, says so.

    The size of chunks does not depend on it, so neither do results: the workers of a scan share the cores by it.
    """
    return min(cores(), host.threads())


def chunk_size(models: int, folds: int = 1) -> int:
    """How many models to put into one chunk: equal shares, none larger than is fast, and work for two cores at least.

    The `models` are those of `folds` folds, which do not share chunks.  The size does not depend on the cores of the
    machine: sums are rounded otherwise in products of another size, and a trial is to be the same on all machines that
    join a scan.
    """
    if jax.default_backend() != "cpu":
        return -(-models // folds)
    least, each = -(-_LEAST_CHUNKS // folds), -(-models // folds)
    rounds = -(-each // (least * _LARGEST_CHUNK))
    return -(-each // (least * rounds))


def trials_together(forms: int, trials: int) -> int:
    """How many of so many trials to train in one chunk of `forms` folds and replicas.

    On a CPU so few that each comes out as it does alone, to the last digit: products with very many rows, or with
    one, are other routines, which round otherwise.
    """
    if jax.default_backend() != "cpu":
        return trials
    return 1 if forms == 1 else min(max(_MOST_TOGETHER // forms, 1), trials)


def cache_folder() -> Path | None:
    """Where compiled programs are kept between runs: $HYPERPARTON_CACHE, or the user's cache folder.

    None, for no cache on disk, if that variable is `off`.
    """
    given = os.environ.get(CACHE_VARIABLE, "")
    if given.lower() == "off":
        return None
    if given:
        return Path(given) / "programs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperparton" / "programs"


@cache
def use_cache() -> Path | None:
    """Switch on the cache of compiled programs, unless the user has configured JAX's own; its folder."""
    folder = cache_folder()
    if folder is None or jax.config.jax_compilation_cache_dir is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder


@cache
def _jitted(function: Callable[..., Any], static: str, donated: str) -> Any:
    use_cache()
    options: dict[str, Any] = {"xla_cpu_multi_thread_eigen": False} if jax.default_backend() == "cpu" else {}
    return jax.jit(function, static_argnames=(static,), donate_argnames=(donated,), compiler_options=options or None)


_PROGRAMS: OrderedDict[Any, Callable[..., Any]] = OrderedDict()
#: compiled programs that are kept in memory
_KEPT_PROGRAMS = 256


def compiled(function: Callable[..., Any], static: str, value: Hashable, donated: str, *arguments: Any) -> Any:
    """`function` with its argument `static` set to `value`, compiled for arguments like these.

    For one thread of a CPU, or for the accelerator; compiled once, before several threads call it.  `donated` names
    the argument whose arrays the function may overwrite.
    """
    leaves, tree = jax.tree.flatten(arguments)
    key = (function, value, tree, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
    if key not in _PROGRAMS:
        _PROGRAMS[key] = _jitted(function, static, donated).lower(*arguments, **{static: value}).compile()
        if len(_PROGRAMS) > _KEPT_PROGRAMS:
            _PROGRAMS.popitem(last=False)
    _PROGRAMS.move_to_end(key)
    return _PROGRAMS[key]


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="chunks")


def run_all(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Results of all calls, as many at a time as `threads`; the first exception of any is raised."""
    if len(calls) == 1 or threads() == 1:
        return [jax.block_until_ready(call()) for call in calls]
    return list(_pool(threads()).map(lambda call: jax.block_until_ready(call()), calls))
