"""Standard output and error that cannot be written, because a disk is full or they are closed, end no command.

What cannot be written is dropped, and the exit code tells: a scan of days does not end because its log has no place.
"""

from __future__ import annotations

import errno
import io
import sys

import click

from hyperparton.errors import OutputError
from hyperparton.streams import open_standard_streams

__all__ = ["check_output", "exit_code", "guard_streams"]


#: names of files and of hyperparameters may be no text
_ESCAPES = "backslashreplace"


class _Guarded(io.FileIO):
    """A descriptor that takes all that is written to it; the first `fault` ends the writing."""

    def __init__(self, descriptor: int, closed_before: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.fault: OSError | None = None
        self._closed_before = closed_before

    def write(self, data) -> int:
        if self.fault is None and self._closed_before:
            self.fault = OSError(errno.EBADF, "it is closed")
        try:
            return len(data) if self.fault is not None else super().write(data)
        except OSError as fault:
            self.fault = fault
            return len(data)


def guard_streams() -> None:
    """Guard the process's own streams; those that a caller put in their places are left as they are written.

    A descriptor that is closed gets /dev/null: the next file that is opened would have its number, and what is written
    to the stream would be in that file. Letters that the encoding does not have are written as escapes.
    """
    closed = open_standard_streams()
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream, own = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is not own:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=_ESCAPES)
            continue
        raw = _Guarded(descriptor, descriptor in closed)
        at_once = name == "stderr" or raw.isatty()
        encoding = "utf-8" if stream is None else stream.encoding
        text = io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=_ESCAPES, line_buffering=at_once)
        setattr(sys, name, text)


def _fault(stream: object) -> OSError | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, _Guarded) else None


def check_output() -> None:
    """For a command that writes until its reader goes: raise OutputError if what it wrote was dropped."""
    if (fault := _fault(sys.stdout)) is not None:
        raise OutputError(f"standard output cannot be written: {fault.strerror}")


def exit_code(code: int) -> int:
    """The exit code of a command that ends with `code`: 1 in the place of 0 if what it wrote was dropped.

    The other stream says so, unless the reader of a pipe has just gone. A standard error that the user closed is as
    /dev/null.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    output, error = _fault(sys.stdout), _fault(sys.stderr)
    if error is not None and error.errno == errno.EBADF:
        error = None
    for fault, name in ((output, "output"), (error, "error")):
        if fault is not None and fault.errno != errno.EPIPE:
            click.echo(f"error: standard {name} cannot be written: {fault.strerror}", err=name == "output")
    return code or int(output is not None or error is not None)
