"""The standard streams of this process; without libraries, as every command begins here.

Streams that cannot be written, because a disk is full or they are closed, end nothing: what is written is dropped, and
`fault_of` tells.
"""

from __future__ import annotations

import errno
import io
import os
import sys

__all__ = ["fault_of", "guard_streams", "open_standard_streams"]

#: names of files and of hyperparameters may be no text
_ESCAPES = "backslashreplace"


def open_standard_streams() -> list[int]:
    """Open those of the descriptors 0, 1 and 2 that are closed on nothing, so that no file is opened as one of them.

    The list says which they were.
    """
    closed = []
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
            os.set_inheritable(descriptor, True)
            closed.append(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - as long as the process
    return closed


class _Guarded(io.FileIO):
    """A descriptor that takes all that is written to it, and remembers what first kept it from that."""

    def __init__(self, descriptor: int, closed_before: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.fault: OSError | None = None
        self._closed_before = closed_before

    def write(self, data) -> int:
        try:
            if self._closed_before:
                raise OSError(errno.EBADF, "it is closed")
            return super().write(data)
        except OSError as fault:
            self.fault = self.fault or fault
            return len(data)


def guard_streams(*, by_lines: bool = False) -> None:
    """Guard the process's own standard output and error; of those that a caller put in their places, the letters alone.

    Letters that the encoding does not have are written as escapes. With `by_lines` standard output, too, is written
    line by line.
    """
    closed = open_standard_streams()
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream, own = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is not own:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=_ESCAPES)
            continue
        raw = _Guarded(descriptor, descriptor in closed)
        at_once = by_lines or name == "stderr" or raw.isatty()
        encoding = "utf-8" if stream is None else stream.encoding
        buffer = io.BufferedWriter(raw)
        setattr(sys, name, io.TextIOWrapper(buffer, encoding=encoding, errors=_ESCAPES, line_buffering=at_once))


def fault_of(stream: object) -> OSError | None:
    """What kept a guarded stream from being written, if anything."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, _Guarded) else None
