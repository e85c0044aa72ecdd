"""Files: written whole or not at all, locked by one process at a time, and their checksums."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from hyperparton.errors import FolderInUseError, StoreError

__all__ = ["UNFINISHED", "FolderLock", "checksum", "lock_holder", "part_of", "replacing", "write_text"]

#: how the name of a file ends that is not all written
UNFINISHED = ".part"


@contextlib.contextmanager
def part_of(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """A name beside `path` to write a file under; it takes the place of `path` at the end, once it is on disk.

    If the body fails, `path` stays as it was and what was written is removed. The name is another one each time; with
    `alone`, for a file that only one process writes, it is always the same, so that kills leave one part at most.
    Folders that are missing are made. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    word = "" if alone else f".{secrets.token_hex(4)}"
    part = path.with_name(f".{path.name}{word}{UNFINISHED}")
    _remove(part)
    try:
        yield part
        if part.is_file():
            _sync(part)
        os.replace(part, path)
    except BaseException:  # after a full disk, most of all, a part is in the way of whoever makes room
        _remove(part)
        raise
    _sync(path.parent)


@contextlib.contextmanager
def replacing(path: Path, *, alone: bool = False) -> Iterator[BinaryIO]:
    """A stream to write `path` with: the file appears, or replaces the old one, when all of it is on disk."""
    with part_of(path, alone=alone) as part, part.open("xb") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; raises StoreError if that cannot be done."""
    try:
        with replacing(path) as stream:
            stream.write(text.encode())
    except OSError as fault:
        raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(part) if part.is_dir() else part.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checksum(*parts: Path | str) -> str:
    """SHA-256, in hexadecimal digits, of what is in files and of texts, one after the other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return total.hexdigest()


#: record locks do not exclude the process that holds them, so those held here are kept by name, with what they say
_HELD: dict[str, dict[str, object]] = {}


class FolderLock:
    """The lock that one scan at a time holds on a folder, from construction to `close`.

    A POSIX record lock on the file `path`: the system releases it when the process ends in whatever way, children do
    not inherit it, and it works across the hosts of a network file system. The file names the holder by host and
    process id, and has `notes` (JSON data) beside them. `work` is what the error calls the work of the holder. Raises
    FolderInUseError, a StoreError, if another holds it.
    """

    def __init__(self, path: Path, notes: Mapping[str, object] | None = None, *, work: str = "scan") -> None:
        self._name = os.path.realpath(path)
        mine = {**(notes or {}), "pid": os.getpid(), "host": socket.gethostname()}
        if self._name in _HELD:
            raise FolderInUseError(path.parent, work, _HELD[self._name])
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as fault:
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            os.close(self._descriptor)
            if fault.errno in (errno.EACCES, errno.EAGAIN):
                raise FolderInUseError(path.parent, work, lock_holder(path)) from None
            raise StoreError(f"{path}: this file system cannot lock files ({fault.strerror}); use another") from fault
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(mine).encode(), 0)
        except OSError as fault:
            os.close(self._descriptor)
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
        _HELD[self._name] = mine

    def close(self) -> None:
        """Release the lock; doing it twice does nothing."""
        if self._name in _HELD and self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
            _HELD.pop(self._name, None)


def lock_holder(path: Path) -> dict[str, object]:
    """What the holder of a FolderLock wrote into its file, `pid`, `host` and its notes; empty if nobody holds it."""
    if (name := os.path.realpath(path)) in _HELD:  # to open and close the file would release the lock
        return dict(_HELD[name])
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}
