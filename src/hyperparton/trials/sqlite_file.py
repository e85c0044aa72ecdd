"""The file of an SQLite store: named letter by letter, looked at without touching it, and how a connection to it is set
up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError

__all__ = ["prepare", "snapshot", "sqlite_logs", "sqlite_path"]

#: SQLite's files beside a database: the rollback journal, the write-ahead log, and the log's index, which it makes anew
_JOURNAL, _LOG, _INDEX = "-journal", "-wal", "-shm"

#: bytes at the head of a write-ahead log, which change when it is begun anew
_LOG_HEAD = 32

#: how often a copy is tried of a file that changes meanwhile, and seconds between two of these
_COPIES, _PAUSE = 50, 0.02

#: seconds to wait for others who write to a file, and between two looks where SQLite does not wait itself
_PATIENCE, _SOON = 10.0, 0.01


def sqlite_path(url: str) -> Path | None:
    """The file that `sqlite:///FILE` names, as a whole path; None for a URL of something else.

    FILE is taken letter by letter: `?`, `#` and `%` are parts of a name. Raises StoreError where no file is named.
    """
    scheme, between, rest = url.partition("://")
    if scheme not in ("sqlite", "sqlite+pysqlite") or not between:
        return None
    name = rest.removeprefix("/")
    in_memory = name == ":memory:" or (name.startswith("file:") and "memory" in name)  # as SQLite writes it
    if not rest.startswith("/") or not name or in_memory:
        raise StoreError(f"{url}: names no file, and trials in memory would be lost; accepted: sqlite:///FILE")
    if "\0" in name or "%00" in name:
        raise StoreError(f"{url!r}: the name of a file can hold no null character (%00); accepted: sqlite:///FILE")
    return Path(os.path.abspath(name))


def sqlite_logs(path: Path) -> list[Path]:
    """The files that SQLite may keep beside a database."""
    return [path.with_name(path.name + end) for end in (_JOURNAL, _LOG, _INDEX)]


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """A copy of an SQLite file and its logs as they were at one moment, in a folder that is removed at the end.

    What is done to the copy leaves the file alone: SQLite itself writes an index beside a file that it only reads, and
    cannot where it may not. Raises StoreError if the file cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="hyperparton-") as folder:
        copy = Path(folder) / "store.sqlite"
        try:
            _copy_at_one_moment(path, copy)
        except FileNotFoundError as fault:
            raise StoreError(f"{path}: there is no such file") from fault
        except (OSError, ValueError) as fault:
            raise StoreError(f"{path}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from fault
        yield copy


def _copy_at_one_moment(path: Path, copy: Path) -> None:
    """Copy until nothing came in between. What is added to a log meanwhile is whole, or SQLite ignores it."""
    for _ in range(_COPIES):
        before = _state(path)
        for end in ("", _JOURNAL, _LOG):
            source, target = path.with_name(path.name + end), copy.with_name(copy.name + end)
            target.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError) if end else contextlib.nullcontext():
                shutil.copyfile(source, target)
        if _state(path) == before:
            return
        time.sleep(_PAUSE)
    raise OSError(None, "it changed while it was copied, time and again")


def _state(path: Path) -> tuple[object, ...]:
    """What changes when a copy that is begun before and ended after cannot be one of a moment."""
    journal, log, _ = sqlite_logs(path)
    head = b""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        head = file.read(_LOG_HEAD)
    return _stamp(path), _stamp(journal), head


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def prepare(connection: Any, _record: Any) -> None:
    """Set up a new connection to a store: others are waited for, and a transaction is on disk when it returns."""
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * _PATIENCE)}").close()
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL").close()


def _write_ahead(connection: Any) -> None:
    """Keep a write-ahead log: SQLite itself does not wait for others, its `busy_timeout` or not, to change to one."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            # it answers what it became: a file system without shared memory keeps the rollback journal, as safe
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_SOON)
        else:
            return
