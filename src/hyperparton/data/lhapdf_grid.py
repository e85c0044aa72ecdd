"""The grids of a member of a PDF set in LHAPDF's format (lhagrid1; arXiv:1412.7420, section 3.4), checked line by line.

A file is a head, then grids, each of which ends with a line `---`: the knots in x, the knots in q, the flavours, and a
line with a number for each flavour for every pair of x and q.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from hyperparton.errors import PDFSetError
from hyperparton.text import counted

__all__ = ["Grid", "read_grids"]

#: what numbers are written with: Python alone knows others, such as 1_0
_DIGITS = b"0123456789+-.eE \t"
#: of a grid, in x and in q, that bicubic interpolation needs
_FEWEST_KNOTS = 4
#: its PDG number; LHAPDF takes 0 for it too
_GLUON = 21


@dataclass(frozen=True, eq=False)
class Grid:
    """One grid of a member."""

    x: np.ndarray
    """(x,) its knots in x"""
    q: np.ndarray
    """(node,) its knots in q, in GeV"""
    flavours: tuple[int, ...]
    """PDG numbers, as the file has them"""
    lines: Sequence[str]
    """the grid as it stands in the file, without the line `---` at its end"""


def read_grids(path: Path) -> list[Grid]:
    """The grids of a member file, one after another in q.

    Raises `PDFSetError` with file and line for one that is not there, cut off or damaged in any way that can be told:
    everything that the library that interpolates would end the process on.
    """
    lines = _lines(path)
    ends = [place for place, line in enumerate(lines) if line.strip() == "---"]
    if not ends or "lhagrid1" not in "".join(lines[: ends[0]]):
        raise PDFSetError(f"{path} is no grid in LHAPDF's format: its head says `Format: lhagrid1` and ends with `---`")
    if len(ends) < 2 or "".join(lines[ends[-1] + 1 :]).strip():
        raise PDFSetError(f"{path}:{len(lines)}: cut off: each grid ends with a line `---`, the last one too")
    grids = [_Block(path, lines, start + 1, end).grid() for start, end in pairwise(ends)]
    for number, (before, grid) in enumerate(pairwise(grids), 2):
        if grid.flavours != before.flavours:
            raise PDFSetError(f"{path}: grid {number} has other flavours than the first")
        if grid.q[0] < before.q[-1] * (1 - 1e-6):
            raise PDFSetError(f"{path}: grid {number} begins at q = {grid.q[0]:g}, below the end of the one before it")
    return grids


def _lines(path: Path) -> list[str]:
    if not os.path.isfile(path):
        packed = path.with_name(f"{path.name}.gz")
        hint = f"; unpack {packed.name} first" if os.path.isfile(packed) else ""
        raise PDFSetError(f"PDF set {path.parent.name} has no member file {path.name} in {path.parent}{hint}")
    try:
        # a stray byte becomes a character that no number has
        return path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError as error:
        raise PDFSetError(f"{path} cannot be read: {error.strerror}") from error


class _Block:
    """The lines of one grid of a file."""

    def __init__(self, path: Path, lines: list[str], start: int, end: int) -> None:
        self._path, self._start = path, start
        self._lines = lines[start:end]

    def grid(self) -> Grid:
        if len(self._lines) < 4:
            raise self._fault(0, "a grid has knots in x, knots in q, flavours and numbers")
        x, q = self._knots(0, "x"), self._knots(1, "q")
        if x[-1] > 1 + 1e-9:
            raise self._fault(0, f"the knots in x go from above 0 to 1, given {x[-1]:g}")
        flavours = self._flavours()
        self._check_rows(len(x) * len(q), len(flavours))
        return Grid(x, q, flavours, self._lines)

    def _fault(self, at: int, message: str) -> PDFSetError:
        return PDFSetError(f"{self._path}:{self._start + at + 1}: {message}")

    def _knots(self, at: int, name: str) -> np.ndarray:
        knots = self._numbers(at, self._lines[at].split())
        if len(knots) < _FEWEST_KNOTS:
            raise self._fault(at, f"{len(knots)} knots in {name}: bicubic interpolation needs {_FEWEST_KNOTS}")
        with np.errstate(all="ignore"):
            logs = np.log(knots * knots)  # what is interpolated in: squares must not overflow, nor steps vanish
            rises = knots[0] > 0 and np.isfinite(logs).all() and (np.diff(logs) > 0).all()
        if not rises:
            raise self._fault(at, f"the knots in {name} must be above 0 and rise")
        return knots

    def _flavours(self) -> tuple[int, ...]:
        words = self._lines[2].split()
        flavours = tuple(int(word) for word in words if re.fullmatch(r"[+-]?[0-9]{1,9}", word))
        if not words or len({pid or _GLUON for pid in flavours}) != len(words):
            raise self._fault(2, f"the flavours are different PDG numbers, given {_shown(self._lines[2])}")
        return flavours

    def _check_rows(self, expected: int, columns: int) -> None:
        rows = [line.split() for line in self._lines[3:]]
        if len(rows) != expected:
            raise self._fault(
                len(self._lines), f"the grid has {counted(len(rows), 'row')}, its knots ask for {expected}"
            )
        short = next((at for at, row in enumerate(rows) if len(row) != columns), None)
        if short is not None:
            raise self._fault(3 + short, f"{counted(len(rows[short]), 'number')} for {counted(columns, 'flavour')}")
        if not _are_numbers(list(chain.from_iterable(rows))):
            bad = next(at for at, row in enumerate(rows) if not _are_numbers(row))
            self._numbers(3 + bad, rows[bad])

    def _numbers(self, at: int, words: list[str]) -> np.ndarray:
        if not _are_numbers(words):
            word = next(word for word in words if not _are_numbers([word]))
            raise self._fault(at, f"not a number such as 1.25e-3, given {_shown(word)}")
        return np.array(words, dtype=float)


def _are_numbers(words: list[str]) -> bool:
    """Whether all are finite numbers in plain form."""
    try:
        plain = not " ".join(words).encode().translate(None, _DIGITS)
        return plain and bool(np.isfinite(np.array(words, dtype=float)).all())
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
