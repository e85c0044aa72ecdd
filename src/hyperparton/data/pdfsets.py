"""PDF sets in LHAPDF's format, read from disk by NeoPDF; nothing is ever downloaded.

A set `NAME` is the folder `NAME` with `NAME.info` in it, in one of: LHAPDF_DATA_PATH, the usual places of an LHAPDF
installation, the folder of sets that ships with hyperparton.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hyperparton.data.lhapdf_grid import Grid, read_grids
from hyperparton.data.lhapdf_info import SetInfo, read_info
from hyperparton.errors import PDFSetError

__all__ = ["SHIPPED_SET", "PDFSet", "data_paths", "find_pdfset"]

SHIPPED_SET = "HYPERPARTON_dis_t0"
_SHIPPED = Path(__file__).parent.parent / "lhapdf"

#: PDG numbers; the quarks are u, d, s, c, b, t
_PHOTON, _GLUON = 22, 21
_QUARKS = (2, 1, 3, 4, 5, 6)
#: the partons that the evolution basis is made of
_PARTONS = frozenset({_PHOTON, _GLUON, *_QUARKS, *(-pid for pid in _QUARKS)})
#: relative: what may lie outside a grid by that much lies at its edge
_ROUNDING = 1e-9
#: entries that NeoPDF cannot do without, and a coupling that nobody asks for
_INFO = """SetDesc: copy
SetIndex: 0
Format: lhagrid1
NumMembers: 1
Flavors: [{}]
XMin: 1e-9
XMax: 1
QMin: 1
QMax: 1e5
AlphaS_Type: ipol
AlphaS_Qs: [1, 10, 100]
AlphaS_Vals: [0.4, 0.2, 0.1]
"""


def data_paths() -> tuple[Path, ...]:
    """The folders that are searched for PDF sets, in this order."""
    named = os.environ.get("LHAPDF_DATA_PATH", "").split(os.pathsep)
    usual = [Path(prefix) / "share" / "LHAPDF" for prefix in (sys.prefix, "/usr/local", "/usr")]
    return tuple(dict.fromkeys([*(Path(os.path.expanduser(each)) for each in named if each), *usual, _SHIPPED]))


def find_pdfset(name: str) -> PDFSet:
    """The set of that name, its `.info` read.

    Raises `PDFSetError` with the places searched and the ways out, or with what is wrong with its `.info`.
    """
    if name in {"", ".", ".."} or Path(name).name != name:
        raise PDFSetError(f"a PDF set is named by its folder's name, given {name[:80]!r}")
    for folder in data_paths():
        if os.path.isfile(folder / name / f"{name}.info"):  # False too where a name cannot be one
            found = PDFSet(name, folder / name)
            assert found.info  # raises for a damaged one
            return found
    places = ", ".join(map(str, data_paths()))
    raise PDFSetError(
        f"PDF set {name!r} is not installed{_left_half_way(name)}; searched: {places}. Either install it (for instance "
        f"with `lhapdf install {name}`) and let LHAPDF_DATA_PATH name the folder that holds it, or take another set "
        f"with --t0pdfset NAME, or take the one that ships with hyperparton: --t0pdfset {SHIPPED_SET}"
    )


def _left_half_way(name: str) -> str:
    """What is there of a set that is not installed: an archive, or a folder without its `.info`."""
    for folder in data_paths():
        for packed in (folder / f"{name}{ending}" for ending in (".tar.gz", ".tgz", ".tar")):
            if os.path.isfile(packed):
                return f" but lies packed in {packed}: unpack it there with tar -xf {packed.name}"
        if os.path.isdir(folder / name):
            return f": its folder {folder / name} has no file {name}.info"
    return ""


@dataclass(frozen=True)
class PDFSet:
    """A set on disk."""

    name: str
    path: Path

    @cached_property
    def info(self) -> SetInfo:
        """What its `.info` says; raises `PDFSetError` for one that is missing or damaged."""
        return read_info(self.path / f"{self.name}.info")

    @property
    def members(self) -> int:
        """How many members it has, the central one (number 0) included."""
        return self.info.members

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
        path = self.path / f"{self.name}_{number:04d}.dat"
        grids, interpolated = _loaded(path, *_size_and_time(path))
        flavours = {pid or _GLUON for pid in grids[0].flavours}
        if flavours != self.info.flavours:
            known, here = (", ".join(map(str, sorted(each))) for each in (self.info.flavours, flavours))
            raise PDFSetError(f"{path} has the flavours {here}, but {self.name}.info lists {known}")
        grid = next((each for each in grids if q <= each.q[-1] * (1 + _ROUNDING)), grids[-1])
        q2 = _inside(q**2, grid.q[0] ** 2, grid.q[-1] ** 2, f"q² of {self.name}")
        nodes = [_inside(float(node), grid.x[0], grid.x[-1], f"x of {self.name}") for node in x]
        pids = [pid for pid in grid.flavours if (pid or _GLUON) in _PARTONS]
        values = np.asarray(interpolated.xfxQ2s(pids, nodes, [q2])).reshape(len(pids), len(nodes))
        if not np.isfinite(values).all():
            raise PDFSetError(f"{path} has knots or numbers between which nothing finite can be interpolated")
        by_pid = {pid or _GLUON: row for pid, row in zip(pids, values, strict=True)}
        return _rotate(by_pid, len(nodes))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1)
def _loaded(path: Path, size: int, time: int) -> tuple[list[Grid], Any]:
    """The grids of a member file, checked, and NeoPDF's interpolation of them.

    NeoPDF ends the process on an entry or a number that it does not know.  So it is given a copy of what was checked,
    with a head and an `.info` of our own: of the set's it would use nothing for x f.
    """
    from neopdf.pdf import PDF  # pyright: ignore[reportMissingImports]: compiled, without stubs

    grids = read_grids(path)
    info = _INFO.format(", ".join(map(str, grids[0].flavours)))
    try:
        with TemporaryDirectory(prefix="hyperparton-pdf-") as name:
            folder = Path(name) / "set"
            folder.mkdir()
            (folder / "set.info").write_text(info, encoding="ascii")
            blocks = ["PdfType: central\nFormat: lhagrid1", *("\n".join(grid.lines) for grid in grids), ""]
            (folder / "set_0000.dat").write_text("\n---\n".join(blocks), encoding="ascii")
            return grids, PDF.mkPDF_lhapdf_file(str(folder / "set_0000.dat"))
    except OSError as error:
        raise PDFSetError(f"a PDF set is read through a copy in the temporary folder: {error}") from error


def _inside(value: float, low: float, high: float, what: str) -> float:
    """`value`, moved to the edge if rounding put it outside."""
    near = float(np.clip(value, low, high))
    if not np.isclose(near, value, rtol=_ROUNDING, atol=0.0):
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
