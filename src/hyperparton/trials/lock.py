"""The lock that one scan at a time holds on a folder.

A POSIX record lock: the system gives it up when the process ends in whatever way, children do not inherit it, and it
works across the hosts of a network file system. The file names the holder, for the message to those who come second.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from hyperparton.errors import StoreError

__all__ = ["FolderInUseError", "FolderLock"]

#: record locks do not exclude the process that holds them, so those held here are kept by name, with what they say
_HELD: dict[str, dict[str, object]] = {}


class FolderInUseError(StoreError):
    """Another scan holds the folder; `holder` is what it wrote into the lock: `pid`, `host` and its notes."""

    def __init__(self, path: Path, holder: Mapping[str, object]) -> None:
        self.holder = dict(holder)
        super().__init__(
            f"{path.parent}: another scan works in this folder: process {holder.get('pid', 'unknown')} on host "
            f"{holder.get('host', 'unknown')}; wait for it, stop it, or choose another folder"
        )


class FolderLock:
    """Held from construction to `close`; raises FolderInUseError, a StoreError, if another scan holds it.

    `notes` (JSON data) are written into the file beside host and process id.
    """

    def __init__(self, path: Path, notes: Mapping[str, object] | None = None) -> None:
        self._name = os.path.realpath(path)
        mine = {**(notes or {}), "pid": os.getpid(), "host": socket.gethostname()}
        if self._name in _HELD:
            raise FolderInUseError(path, _HELD[self._name])
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as fault:
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            holder = _holder(self._descriptor)
            os.close(self._descriptor)
            if fault.errno in (errno.EACCES, errno.EAGAIN):
                raise FolderInUseError(path, holder) from None
            raise StoreError(f"{path}: this file system cannot lock files ({fault.strerror}); use another") from fault
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(mine).encode(), 0)
        except OSError as fault:
            os.close(self._descriptor)
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
        _HELD[self._name] = mine

    def close(self) -> None:
        """Give the lock up; doing it twice does nothing."""
        if self._name in _HELD and self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
            _HELD.pop(self._name, None)


def _holder(descriptor: int) -> dict[str, object]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
