"""The compile cache: programs compiled once in a process, and kept on disk for the next one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any

import jax

from hyperparton.files import cache_folder

__all__ = ["compiled", "use_disk_cache"]

#: compiled programs that are kept in memory
_KEPT_PROGRAMS = 256
_PROGRAMS: OrderedDict[Any, Callable[..., Any]] = OrderedDict()


@cache
def use_disk_cache() -> Path | None:
    """Keep compiled programs on disk, unless the user has configured JAX's own cache; returns the folder."""
    folder = cache_folder("programs")
    if folder is None or jax.config.jax_compilation_cache_dir is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder


@cache
def _jitted(function: Callable[..., Any], static: str, donated: str) -> Any:
    use_disk_cache()
    options: dict[str, Any] = {"xla_cpu_multi_thread_eigen": False} if jax.default_backend() == "cpu" else {}
    return jax.jit(function, static_argnames=(static,), donate_argnames=(donated,), compiler_options=options or None)


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
