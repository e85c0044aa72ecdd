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
import struct
import sys
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hyperparton.errors import FolderInUseError, StoreError

__all__ = [
    "CACHE_VARIABLE",
    "UNFINISHED",
    "FolderLock",
    "Holder",
    "cache_folder",
    "checksum",
    "lock_holder",
    "part_of",
    "replacing",
    "write_text",
]

CACHE_VARIABLE = "HYPERPARTON_CACHE"

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


def cache_folder(kind: str) -> Path | None:
    """Where things of a kind are kept between runs: in $HYPERPARTON_CACHE, or in the user's cache folder.

    None, for no cache on disk, if that variable is `off` or there is no home.
    """
    chosen = os.environ.get(CACHE_VARIABLE, "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen) / kind
    home, caches = os.path.expanduser("~"), os.environ.get("XDG_CACHE_HOME")
    if not caches and home == "~":
        return None
    return Path(caches or f"{home}/.cache") / "hyperparton" / kind


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


#: how Linux's fcntl takes an open-file-description lock: struct flock with type, whence, start, length and process
_FLOCK = "@hhqqi"

#: bytes of a lock's file that are read
_NOTES = 1 << 16

#: the locks that this process holds: a process forked from it gives them up, or an orphan would keep them
_HELD: weakref.WeakSet[FolderLock] = weakref.WeakSet()


@dataclass(frozen=True)
class Holder:
    """Who holds a FolderLock, or held it last."""

    held: bool | None
    """whether anybody holds it now; None where that cannot be known"""
    notes: Mapping[str, object]
    """what stands in its file: `pid` and `host` of one that did not end by itself, and its notes"""


class FolderLock:
    """The lock that one scan at a time holds on a folder, from construction to `close`.

    It belongs to the open file `path` (an open-file-description lock; `flock` where the system has none): the system
    releases it when the process ends in whatever way, reading the file does not release it, another one in the same
    process is refused too, children do not inherit it, and on Linux it works across the hosts of a network file system.
    The file names the holder by host and process id, and has `notes` (JSON data) beside them. `work` is what the error
    calls the work of the holder. Raises FolderInUseError, a StoreError, if another holds it.
    """

    def __init__(self, path: Path, notes: Mapping[str, object] | None = None, *, work: str = "scan") -> None:
        self._path = path
        self._mine = {"pid": os.getpid(), "host": socket.gethostname()}
        self._made = not os.path.exists(path)  # False too where it may not be looked at
        self._descriptor = _locked(path, work)
        _HELD.add(self)
        try:
            #: what the file held before
            self.found = os.pread(self._descriptor, _NOTES, 0)
            self.note(notes or _notes_in(self.found))
        except OSError as fault:
            self._release()
            raise fault if isinstance(fault, StoreError) else StoreError(f"{path}: {fault.strerror}") from fault

    @property
    def found_notes(self) -> Mapping[str, object]:
        """The notes that the file held before, as far as they are whole."""
        return _notes_in(self.found)

    def note(self, notes: Mapping[str, object]) -> None:
        """Write other notes into the file; raises StoreError. A kill leaves the old ones or the new ones."""
        try:
            self._write(json.dumps({**notes, **self._mine}).encode())
        except OSError as fault:
            raise StoreError(f"{self._path}: cannot be written: {fault.strerror}") from fault

    def is_in_place(self) -> bool:
        """Whether `path` still is the file that is locked: nobody moved it away, removed or replaced it."""
        return self._descriptor >= 0 and _is_same(self._descriptor, self._path)

    def close(self, keep: Mapping[str, object] | None = None) -> None:
        """Release the lock and leave `keep` in its file; doing it twice does nothing."""
        with contextlib.suppress(OSError):  # what stands in it names a process that is gone
            if self._descriptor >= 0:
                self._write(json.dumps(keep).encode() if keep else b"")
        self._release()

    def undo(self) -> None:
        """Release the lock and leave its file as it was before, or none if there was none."""
        with contextlib.suppress(OSError):
            if self._descriptor >= 0 and not self._made:
                self._write(self.found)
            elif self._descriptor >= 0 and self.is_in_place():
                self._path.unlink()
        self._release()

    def _write(self, text: bytes) -> None:
        """Put `text` in the place of what the file holds; a kill leaves one or the other, with blanks after it."""
        size = os.fstat(self._descriptor).st_size
        os.pwrite(self._descriptor, text.ljust(size), 0)
        os.ftruncate(self._descriptor, len(text))

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        _HELD.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


def _give_up_in_child() -> None:
    for lock in list(_HELD):
        lock._release()


os.register_at_fork(after_in_child=_give_up_in_child)


def _locked(path: Path, work: str) -> int:
    """A descriptor of the file `path`, which is made if need be, with the lock on it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as fault:
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
        try:
            _lock(descriptor)
        except OSError as fault:
            os.close(descriptor)
            if fault.errno in (errno.EACCES, errno.EAGAIN):
                raise FolderInUseError(path.parent, work, lock_holder(path).notes) from None
            raise StoreError(f"{path}: this file system cannot lock files ({fault.strerror}); use another") from fault
        if _is_same(descriptor, path):
            return descriptor
        os.close(descriptor)  # somebody replaced the file in between: the lock is on the new one


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _lock(descriptor: int) -> None:
    if sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK"):
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(descriptor: int) -> bool | None:
    """Whether another open file has the lock; None where the file system does not say."""
    try:
        if sys.platform == "linux" and hasattr(fcntl, "F_OFD_GETLK"):
            asked = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
            return struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def lock_holder(path: Path) -> Holder:
    """Who holds the FolderLock of a file, here or on another host of a network file system; it is only read."""
    try:
        if not path.is_file():
            return Holder(False, {})
        with path.open("rb") as file:
            held, text = _is_locked(file.fileno()), file.read(_NOTES)
    except OSError:
        return Holder(None, {})
    return Holder(held, _notes_in(text))


def _notes_in(text: bytes) -> dict[str, object]:
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}
