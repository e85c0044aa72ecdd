"""FK tables read from PineAPPL files (`theory.tables` makes them; nothing else imports pineappl).

A prediction is ``sum table[dat, chan, x] xf[chan, x]`` for one proton and
``sum table[dat, chan, x, y] xf[chan 1, x] xf[chan 2, y]`` for two (arXiv:2008.12789, 2302.12124), at Q0.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pineappl.fk_table import FkTable  # pyright: ignore[reportMissingImports]: compiled, without stubs

from hyperparton.data.commondata import FKOperands
from hyperparton.data.operations import find_operation
from hyperparton.data.theory_folder import TheoryFolder
from hyperparton.data.trial_reading import expect_readable
from hyperparton.data.types import EVOLUTION_BASIS, FKTable, Observable
from hyperparton.errors import DataError, TheoryError
from hyperparton.text import counted

__all__ = ["load_observable", "read_cfactor", "read_fktable"]

#: PDG-like numbers of the evolution basis in PineAPPL files, in the order of `EVOLUTION_BASIS`
_PIDS = (22, 100, 21, 200, 203, 208, 215, 224, 235, 103, 108, 115, 124, 135)
_PROTON = 2212


def load_observable(
    name: str,
    operands: FKOperands,
    theory: TheoryFolder,
    cfactors: Sequence[str] = (),
    kept: np.ndarray | None = None,
    maxlambda: float = 0.0,
) -> Observable:
    """The FK tables of a data set after C-factors and cuts.

    `cfactors` are kinds such as `MAS`, `kept` (dat,) the indices of the points that passed the cuts (None: all did).
    Raises `TheoryError` for files that cannot be read, `DataError` for tables that do not fit the data.
    """
    operation = find_operation(name, operands.operation, len(operands.operands))
    if theory.manifest is None:
        expect_readable(map(theory.table, operands.names))
    tables = tuple(_operand(name, place, operands, theory, cfactors, kept) for place in range(operation.operands))
    ndata = max(len(table.values) for table in tables) if kept is None else len(kept)
    return Observable(name, operands.operation, tables, ndata, maxlambda)


def _operand(
    name: str, place: int, operands: FKOperands, theory: TheoryFolder, cfactors: Sequence[str], kept: np.ndarray | None
) -> FKTable:
    """One operand: its files one after another, shifted, normalized and cut."""
    members = operands.operands[place]
    parts, rows, at = [], [], 0
    for member in members:
        fault = theory.fault_of(member)
        if fault is not None:
            raise TheoryError(fault)
        part = read_fktable(theory.table(member))
        factor = np.full(len(part.values), operands.conversion_factor * operands.normalization.get(member, 1.0))
        for kind in cfactors:
            factor = factor * _cfactor(theory.cfactor(kind, member), len(factor))
        at += operands.shifts.get(member, 0)
        rows.append(np.arange(at, at + len(factor)))
        at += len(factor)
        parts.append(replace(part, values=part.values * _by_row(factor, part.values)))
    table = _joined("+".join(members), parts)
    if operands.operation == "RATIO" and len(members) == 1:
        repeats = np.allclose(table.values[1:], 0.0)  # old divisors: the one point, then zeros
        if (repeats or at == 1) and place == len(operands.operands) - 1:
            return replace(table, values=table.values[:1])
    if kept is None:
        return table
    cut = replace(table, values=table.values[_positions(name, np.concatenate(rows), kept)])
    if operands.operation in {"NULL", "RATIO"}:
        _expect_predictions(name, cut, kept)
    return cut


def _expect_predictions(name: str, table: FKTable, kept: np.ndarray) -> None:
    """Refuses points whose row is zero: a table may have been built for stricter cuts than the runcard's."""
    empty = ~table.values.reshape(len(table.values), -1).any(axis=1)
    if empty.any():
        points = [int(point) for point in kept[empty]]
        raise DataError(
            f"{name}: the FK table {table.name} is zero for {len(points)} of the points that passed the cuts, such as "
            f"{points[:5]}; cut them (q2min, w2min), or build a table for them (hyperparton theory build --q2min)"
        )


def _positions(name: str, rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(dat,) where the kept points are among the rows of the table."""
    place = {int(row): at for at, row in enumerate(rows)}
    absent = [int(point) for point in kept if int(point) not in place]
    if absent:
        raise DataError(f"{name}: the FK tables have no rows for the points {absent[:5]} that passed the cuts")
    return np.array([place[int(point)] for point in kept], dtype=int)


def _by_row(factors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Factors (dat,), one for each row of `values` (dat, ...), in a shape that multiplies them."""
    return factors.reshape((-1,) + (1,) * (values.ndim - 1))


def read_fktable(path: Path) -> FKTable:
    """One PineAPPL file as it is, but turned from f to x f and freed of bin widths.

    Raises `TheoryError` if it cannot be read or is not for one or two unpolarized protons.
    """
    read = _read(path)
    protons = len(read.convolutions)
    if not 1 <= protons <= 2 or any(
        pid != _PROTON or kind.polarized or kind.time_like for pid, kind in read.convolutions
    ):
        raise TheoryError(f"{path} is not for one or two unpolarized protons, which is all that is known here")
    if not np.isfinite(read.values).all():
        raise TheoryError(f"{path} has entries that are no finite numbers")
    shape = (len(read.normalizations), len(read.channels), *[len(read.xgrid)] * protons)
    x, steps = read.xgrid, np.diff(read.xgrid)
    if read.values.shape != shape or not ((x > 0) & (x <= 1 + 1e-9)).all() or not (steps > 0).all():
        raise TheoryError(f"{path} cannot be read as an FK table: its bins, channels and x nodes do not fit together")
    if not (read.normalizations.all() and np.isfinite(read.normalizations).all() and 0 < read.scale2 < np.inf):
        raise TheoryError(f"{path} cannot be read as an FK table: its scale or a width of a bin is no number above 0")
    values = read.values / _by_row(read.normalizations, read.values)
    weights = np.multiply.outer(x, x) if protons == 2 else x
    channels = np.array([[_flavour(path, pid) for pid in channel] for channel in read.channels], dtype=int)
    channels = channels.reshape(-1, protons) if protons == 2 else channels.ravel()
    return FKTable(path.name, float(np.sqrt(read.scale2)), x, protons == 2, channels, values / weights)


class _Contents(NamedTuple):
    """What is read from a PineAPPL file."""

    values: np.ndarray
    """(dat, chan, x) or (dat, chan, x, x)"""
    xgrid: np.ndarray
    """(x,)"""
    normalizations: np.ndarray
    """(dat,) widths of the bins"""
    channels: list[tuple[int, ...]]
    convolutions: list[tuple[int, Any]]
    """(hadron, kind of its distribution)"""
    scale2: float
    """GeV²"""


def _read(path: Path) -> _Contents:
    """A file by PineAPPL; raises `TheoryError` for one that it cannot read."""
    try:
        with _panics_unsaid():
            table = FkTable.read(path)
            return _Contents(
                table.table(),
                np.asarray(table.x_grid(), dtype=float),
                np.asarray(table.bin_normalizations(), dtype=float),
                list(table.channels()),
                [(each.pid, each.convolution_types) for each in table.convolutions],
                float(table.fac0()),
            )
    except BaseException as error:  # pineappl's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        # of a panic: "called `Result::unwrap()` on an `Err` value: Other(reason", then a backtrace
        reason = re.split(r"\s*\bstack backtrace", str(error), flags=re.IGNORECASE)[0].rpartition("Other(")[2].strip()
        raise TheoryError(f"{path} cannot be read as an FK table: {reason or type(error).__name__}") from error


@contextlib.contextmanager
def _panics_unsaid() -> Iterator[None]:
    """Drops what the body writes to standard error, where PineAPPL tells of a panic that it then raises."""
    try:
        said = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(said, 2)
        os.close(said)
        os.close(nothing)


def _flavour(path: Path, pid: int) -> int:
    if pid not in _PIDS:
        raise TheoryError(f"{path} is not in the evolution basis: it has a flavour numbered {pid}")
    return _PIDS.index(pid)


def _joined(name: str, parts: Sequence[FKTable]) -> FKTable:
    """Files one below another, on the union of their channels (sorted) and x nodes, zero where a file has none."""
    first = parts[0]
    if any(part.hadronic != first.hadronic or not np.isclose(part.q0, first.q0) for part in parts):
        raise TheoryError(f"the tables of {name} differ in their number of protons or in their scale")
    channels, places = np.unique(np.concatenate([part.channels for part in parts]), axis=0, return_inverse=True)
    places_of = np.split(places.ravel(), np.cumsum([len(part.channels) for part in parts])[:-1])
    xgrid = first.xgrid if len(parts) == 1 else np.unique(np.concatenate([part.xgrid for part in parts]))
    blocks = []
    for part, where in zip(parts, places_of, strict=True):
        nodes = [np.searchsorted(xgrid, part.xgrid)] * (2 if part.hadronic else 1)
        block = np.zeros((len(part.values), len(channels), *[len(xgrid)] * len(nodes)))
        np.add.at(block, np.ix_(np.arange(len(block)), where, *nodes), part.values)  # a channel may come twice
        blocks.append(block)
    return FKTable(name, first.q0, xgrid, first.hadronic, channels, np.concatenate(blocks))


def _cfactor(path: Path, ndata: int) -> np.ndarray:
    values = read_cfactor(path)
    if len(values) != ndata:
        raise DataError(
            f"{path.name} has {counted(len(values), 'factor')} for an FK table of {counted(ndata, 'point')}"
        )
    return values


def read_cfactor(path: Path) -> np.ndarray:
    """(dat,) factors of a file ``CF_<kind>_<table>.dat``: text between two lines of stars, then value and error.

    Raises `TheoryError` if it cannot be read, `DataError` if it is of another form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TheoryError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a C-factor file: {error}") from error
    stars = [place for place, line in enumerate(lines) if line.startswith("*")]
    if len(stars) < 2 or stars[0] != 0:
        raise DataError(f"{path} is not a C-factor file: its head stands between two lines of stars")
    try:
        factors = np.array([float(line.split()[0]) for line in lines[stars[1] + 1 :] if line.strip()])
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is not a C-factor file: {error}") from error
    if not np.isfinite(factors).all():
        raise DataError(f"{path} has factors that are no finite numbers")
    return factors


assert len(_PIDS) == len(EVOLUTION_BASIS)
