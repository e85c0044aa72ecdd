"""PDF sets in LHAPDF's format, read from disk by NeoPDF; nothing is ever downloaded.

A set `NAME` is the folder `NAME` with `NAME.info` in it, in one of: LHAPDF_DATA_PATH, the usual places of an LHAPDF
installation, the folder of sets that ships with hyperparton.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hyperparton.errors import PDFSetError

__all__ = ["SHIPPED_SET", "PDFSet", "data_paths", "find_pdfset"]

SHIPPED_SET = "HYPERPARTON_dis_t0"
_SHIPPED = Path(__file__).parent.parent / "lhapdf"

#: PDG numbers; the quarks are u, d, s, c, b, t
_PHOTON, _GLUON = 22, 21
_QUARKS = (2, 1, 3, 4, 5, 6)
#: of a grid, in x and in q, that bicubic interpolation needs
_FEWEST_NODES = 4


def data_paths() -> tuple[Path, ...]:
    """The folders that are searched for PDF sets, in this order."""
    named = os.environ.get("LHAPDF_DATA_PATH", "").split(os.pathsep)
    usual = [Path(prefix) / "share" / "LHAPDF" for prefix in (sys.prefix, "/usr/local", "/usr")]
    return tuple(dict.fromkeys([*(Path(each).expanduser() for each in named if each), *usual, _SHIPPED]))


def find_pdfset(name: str) -> PDFSet:
    """The set of that name.  Raises `PDFSetError` with the places searched and the three ways out."""
    if name in {"", ".", ".."} or Path(name).name != name:
        raise PDFSetError(f"a PDF set is named by its folder's name, given {name!r}")
    for folder in data_paths():
        path = folder / name
        if (path / f"{name}.info").is_file():
            return PDFSet(name, path)
    places = ", ".join(map(str, data_paths()))
    raise PDFSetError(
        f"PDF set {name!r} is not installed; searched: {places}. Either install it (for instance with `lhapdf install "
        f"{name}`) and let LHAPDF_DATA_PATH name the folder that holds it, or take another set with --t0pdfset NAME, "
        f"or take the one that ships with hyperparton: --t0pdfset {SHIPPED_SET}"
    )


@dataclass(frozen=True)
class PDFSet:
    """A set on disk."""

    name: str
    path: Path

    @property
    def members(self) -> int:
        """How many members it has, the central one (number 0) included."""
        return len(list(self.path.glob(f"{self.name}_[0-9][0-9][0-9][0-9].dat")))

    def evolution_basis(self, x: np.ndarray, q: float, members: Sequence[int] | None = None) -> np.ndarray:
        """(member, evol, x) x f(x, q) of the members named, or of all, at `x` (x,) and `q` in GeV.

        Flavours that the set does not have are zero.  Raises `PDFSetError` for a member that is not there, a damaged
        file, or `q` or `x` outside the set's grid.
        """
        numbers = range(self.members) if members is None else members
        if not len(numbers):
            raise PDFSetError(f"PDF set {self.name} has no members in {self.path}")
        return np.array([self._member(number, np.asarray(x, dtype=float), q) for number in numbers])

    def _member(self, number: int, x: np.ndarray, q: float) -> np.ndarray:
        from neopdf.pdf import PDF  # pyright: ignore[reportMissingImports]: compiled, without stubs

        path = self.path / f"{self.name}_{number:04d}.dat"
        _check_grid(path)
        pdf = PDF.mkPDF_lhapdf_file(str(path))
        q2 = _inside(q**2, pdf.q2_min(), pdf.q2_max(), f"q² of {self.name}")
        nodes = [_inside(float(node), pdf.x_min(), pdf.x_max(), f"x of {self.name}") for node in x]
        pids = [int(pid) for pid in pdf.pids()]
        values = np.asarray(pdf.xfxQ2s(pids, nodes, [q2])).reshape(len(pids), len(nodes))
        by_pid = dict(zip(pids, values, strict=True))
        if 0 in by_pid:  # LHAPDF's other number of the gluon
            by_pid.setdefault(_GLUON, by_pid[0])
        return _rotate(by_pid, len(nodes))


def _inside(value: float, low: float, high: float, what: str) -> float:
    """`value`, moved to the edge if rounding put it outside."""
    near = float(np.clip(value, low, high))
    if not np.isclose(near, value, rtol=1e-9, atol=0.0):
        raise PDFSetError(f"{what} goes from {low:g} to {high:g}, asked for {value:g}")
    return near


def _rotate(by_pid: dict[int, np.ndarray], size: int) -> np.ndarray:
    """(evol, x) from the values (x,) by PDG number: V_n and T_n compare the first quarks with the n-th."""
    zero = np.zeros(size)
    plus = [by_pid.get(pid, zero) + by_pid.get(-pid, zero) for pid in _QUARKS]
    minus = [by_pid.get(pid, zero) - by_pid.get(-pid, zero) for pid in _QUARKS]
    rows = [by_pid.get(_PHOTON, zero), sum(plus, zero), by_pid.get(_GLUON, zero), sum(minus, zero)]
    return np.array([*rows, *_nonsinglets(minus), *_nonsinglets(plus)])


def _nonsinglets(quarks: list[np.ndarray]) -> list[np.ndarray]:
    """The sum of the first n quarks minus n times the next, each (x,), for n = 1 to 5."""
    return [np.sum(quarks[:n], axis=0) - n * quarks[n] for n in range(1, len(quarks))]


def _check_grid(path: Path) -> None:
    """That a grid file is complete: NeoPDF ends the process on one that is not."""
    if not path.is_file():
        raise PDFSetError(f"PDF set {path.parent.name} has no member file {path.name}")
    blocks = path.read_text(encoding="utf-8", errors="replace").split("\n---")
    head, *grids, rest = blocks if len(blocks) > 2 else [*blocks, "", ""]
    complete = "lhagrid1" in head and not rest.strip() and all(_is_grid(grid) for grid in grids) and bool(grids)
    if not complete:
        raise PDFSetError(f"{path} is not a whole grid in LHAPDF's format (lhagrid1)")
    for grid in grids:
        sizes = [len(line.split()) for line in grid.strip().split("\n")[:2]]
        if min(sizes) < _FEWEST_NODES:
            nodes = f"{sizes[0]} x and {sizes[1]} q"
            raise PDFSetError(f"{path} has a grid of {nodes}: bicubic interpolation needs {_FEWEST_NODES} of each")


def _is_grid(block: str) -> bool:
    """Three lines (rising x, rising q, flavours), then a line for each pair of x and q: a finite number per flavour."""
    lines = block.strip().split("\n")
    if len(lines) < 4:
        return False
    try:
        x, q = (np.array(line.split(), dtype=float) for line in lines[:2])
        flavours = np.array(lines[2].split(), dtype=int)
        values = np.array(" ".join(lines[3:]).split(), dtype=float)
    except ValueError:
        return False
    rising = all(np.isfinite(nodes).all() and (np.diff(nodes) > 0).all() for nodes in (x, q))
    fits = len(lines) - 3 == len(x) * len(q) and len(values) == len(x) * len(q) * len(flavours)
    return rising and fits and len(set(flavours)) == len(flavours) and bool(np.isfinite(values).all())
