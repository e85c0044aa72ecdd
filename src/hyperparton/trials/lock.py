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
from pathlib import Path

from hyperparton.errors import StoreError

__all__ = ["FolderLock"]

#: record locks do not exclude the process that holds them, so those held here are kept by name
_HELD: set[str] = set()


class FolderLock:
    """Held from construction to `close`; raises StoreError naming host and process id if another scan holds it."""

    def __init__(self, path: Path) -> None:
        self._name = os.path.realpath(path)
        if self._name in _HELD:
            raise StoreError(_refusal(path, {"pid": os.getpid(), "host": socket.gethostname()}))
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
                raise StoreError(_refusal(path, holder)) from None
            raise StoreError(f"{path}: this file system cannot lock files ({fault.strerror}); use another") from fault
        _HELD.add(self._name)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)

    def close(self) -> None:
        """Give the lock up; doing it twice does nothing."""
        if self._name in _HELD and self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
            _HELD.discard(self._name)


def _holder(descriptor: int) -> dict[str, object]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _refusal(path: Path, holder: dict[str, object]) -> str:
    return (
        f"{path.parent}: another scan works in this folder: process {holder.get('pid', 'unknown')} on host "
        f"{holder.get('host', 'unknown')}; wait for it, stop it, or choose another folder"
    )
