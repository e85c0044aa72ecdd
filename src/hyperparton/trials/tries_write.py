"""Writing `tries.json`: one trial per line, replaced atomically, at a cost that does not grow with what is encoded.

A new trial is put at its place between the bytes of the file that is there: the system copies them, nothing is encoded
or evaluated again and nothing is kept in memory but where each trial ends. Once the file is large, copying it after
every trial would cost more with each; from then on no more than a tenth of the time goes into it, and `flush` writes
what is left.
"""

from __future__ import annotations

import errno
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from hyperparton.files import replacing
from hyperparton.trials.agreement import refuse_losses

__all__ = ["TriesFile"]

_HEAD, _BETWEEN, _TAIL = b"[\n", b",\n", b"\n]\n"

#: up to this many bytes the file is written after every trial
_ALWAYS_BELOW = 1 << 20

#: the share of the time that writing a larger file may take
_SHARE = 0.1


class TriesFile:
    """The file at `path`; `everything` gives all finished trials by number as (number, line) when it is made anew.

    They are those of the store that messages call `store`.
    """

    def __init__(self, path: Path, everything: Callable[[], Iterable[tuple[int, bytes]]], store: str = "") -> None:
        self._path, self._store = path, store
        self._everything = everything
        self._numbers: list[int] = []
        self._ends: list[int] = []
        self._pending: list[tuple[int, bytes]] = []
        self._state: tuple[int, int, int] | None = None
        self._last_write, self._cost = -1e9, 0.0

    def rebuild(self, lines: Iterable[tuple[int, bytes]] | None = None) -> None:
        """Write the whole file from `lines`, or from what `everything` gives; nothing if there is no trial yet.

        Raises StoreError, and leaves the file as it is, if it has a finished trial that `everything` lacks. The caller
        has compared `lines` with it.
        """
        if lines is None:
            lines = list(self._everything())
            refuse_losses(self._path, self._store, lines)
        self._numbers, self._ends, self._pending, self._state = [], [], [], None
        self._insert(list(lines))

    def add(self, number: int, line: bytes) -> None:
        """Take one more finished trial, at once or, while the file is large and was written just now, later."""
        at = bisect_left(self._numbers, number)
        if at < len(self._numbers) and self._numbers[at] == number:
            return  # it finished while the file was made anew, and is in it
        self._pending.append((number, line))
        size = self._ends[-1] if self._ends else 0
        if size < _ALWAYS_BELOW or time.monotonic() - self._last_write > self._cost / _SHARE:
            self.flush()

    def flush(self) -> None:
        """Write what is pending; the file is made anew if something else touched it."""
        if not self._pending:
            return
        begun = time.monotonic()
        if self._numbers and self._state != _state(self._path):
            self.rebuild()
        else:
            self._insert(sorted(self._pending))
            self._pending = []
        self._last_write = time.monotonic()
        self._cost = self._last_write - begun

    def _insert(self, lines: list[tuple[int, bytes]]) -> None:
        """Replace the file by one with the sorted `lines` at their places."""
        if not lines:
            return
        at = bisect_left(self._numbers, lines[0][0])
        kept = self._ends[at - 1] if at else 0
        lines = sorted([*lines, *self._written(at)])
        numbers, ends = self._numbers[:at], self._ends[:at]
        with replacing(self._path, alone=True) as new:
            if kept:
                _copy(self._path, new, kept)
            for number, line in lines:
                new.write((_BETWEEN if numbers else _HEAD) + line)
                numbers.append(number)
                ends.append(new.tell())
            new.write(_TAIL)
        self._numbers, self._ends, self._state = numbers, ends, _state(self._path)

    def _written(self, start: int) -> list[tuple[int, bytes]]:
        """The lines of the file from position `start` on: trials that finished before one with a lower number."""
        if start == len(self._numbers):
            return []
        begin = self._ends[start - 1] if start else 0
        with self._path.open("rb") as file:
            file.seek(begin)
            text = file.read(self._ends[-1] - begin)
        lines, at = [], begin
        for number, end in zip(self._numbers[start:], self._ends[start:], strict=True):
            skip = len(_BETWEEN) if at else len(_HEAD)
            lines.append((number, text[at - begin + skip : end - begin]))
            at = end
        return lines


def _copy(source: Path, target: BinaryIO, size: int) -> None:
    with source.open("rb") as file:
        while size > 0:
            chunk = file.read(min(size, 1 << 20))
            if not chunk:
                raise OSError(errno.EIO, "it became shorter while it was copied", str(source))
            target.write(chunk)
            size -= len(chunk)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when something else writes the file; None if it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
