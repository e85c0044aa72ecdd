"""The streams of a command: how wide a terminal is, and output that was dropped.

If a disk is full or a stream is closed, a command goes on, and its exit code tells.
"""

from __future__ import annotations

import errno
import shutil
import sys

import click

from hyperparton.errors import OutputError
from hyperparton.streams import fault_of

__all__ = ["check_output", "exit_code", "terminal_width"]


def terminal_width() -> int | None:
    """Letters of a line of the terminal that standard output is; None if it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def check_output() -> None:
    """For a command that writes until its reader goes: raise OutputError if what it wrote was dropped."""
    if (fault := fault_of(sys.stdout)) is not None:
        raise OutputError(f"standard output cannot be written: {fault.strerror}")


def exit_code(code: int) -> int:
    """The exit code of a command that ends with `code`: 1 in the place of 0 if what it wrote was dropped.

    The other stream says so, unless the reader of a pipe has just gone. A standard error that the user closed is as
    /dev/null.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    output, error = fault_of(sys.stdout), fault_of(sys.stderr)
    if error is not None and error.errno == errno.EBADF:
        error = None
    for fault, name in ((output, "output"), (error, "error")):
        if fault is not None and fault.errno != errno.EPIPE:
            click.echo(f"error: standard {name} cannot be written: {fault.strerror}", err=name == "output")
    return code or int(output is not None or error is not None)
