"""FK tables that no checksum vouches for are first read by a process of their own.

PineAPPL asks for the memory that a table says it needs, and ends the process where a flipped bit makes that terabytes.
What was read well is remembered by size and time, in this process and in the user's cache, so that it is done once.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from hyperparton.errors import TheoryError
from hyperparton.files import cache_folder, checksum, write_text

__all__ = ["expect_readable"]

#: a line for each file that was gone through, whether PineAPPL could read it or not
_READ = """
import sys
from pineappl.fk_table import FkTable
for line in sys.stdin:
    try:
        FkTable.read(line.rstrip("\\n")).table()
    except BaseException:
        pass
    print(flush=True)
"""

#: file -> size and time of change with which it was gone through
_KNOWN: dict[str, str] = {}


def expect_readable(files: Iterable[Path]) -> None:
    """That no file ends the process that reads it; raises `TheoryError` with the first one that does.

    Whether a table can be read and what is in it is left to the reading.
    """
    states = {str(path.absolute()): state for path in files if (state := _state(path)) is not None}
    unknown = {name: state for name, state in states.items() if _KNOWN.get(name) != state}
    for folder in {Path(name).parent for name in unknown}:
        _KNOWN.update(_remembered(folder))
    unknown = {name: state for name, state in unknown.items() if _KNOWN.get(name) != state}
    if not unknown:
        return
    command = [sys.executable, "-P", "-c", _READ]
    text = "".join(f"{name}\n" for name in unknown).encode(errors="surrogateescape")
    try:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise TheoryError(f"no process can be started to read FK tables: {error.strerror}") from error
    names = list(unknown)
    count = done.stdout.count(b"\n")
    if done.returncode and count < len(names):
        raise TheoryError(f"{names[count]} cannot be read as an FK table: PineAPPL ends the process on it")
    _KNOWN.update(unknown)
    for folder in {Path(name).parent for name in names}:
        _remember(folder, {name: state for name, state in unknown.items() if Path(name).parent == folder})


def _state(path: Path) -> str | None:
    """Size and time of a file; None for one that is not there or has no name on a line, which the reading tells."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return None if "\n" in str(path) else f"{status.st_size} {status.st_mtime_ns}"


def _cache(folder: Path) -> Path | None:
    caches = cache_folder("tables")
    return None if caches is None else caches / f"{checksum(str(folder))[:32]}.json"


def _remembered(folder: Path) -> dict[str, str]:
    path = _cache(folder)
    try:
        known = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(folder: Path, states: dict[str, str]) -> None:
    path = _cache(folder)
    if path is not None:
        with contextlib.suppress(OSError):  # a home that cannot be written to
            write_text(path, json.dumps({**_remembered(folder), **states}))
