"""FK tables as PineAPPL files: making them from arrays and grids (`data.fktables` reads them)."""

# pyright: reportMissingImports=false
# pineappl is compiled, without stubs

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pineappl.boc import Bin, BinsWithFillLimits, Channel, Kinematics, Order, ScaleFuncForm, Scales
from pineappl.convolutions import Conv, ConvType
from pineappl.evolution import OperatorSliceInfo
from pineappl.fk_table import FkAssumptions, FkTable
from pineappl.grid import Grid
from pineappl.interpolation import Interp, InterpolationMethod, MappingMethod, ReweightingMethod
from pineappl.pids import PidBasis
from pineappl.subgrid import ImportSubgridV1

from hyperparton.files import part_of
from hyperparton.theory.grids import DEGREE, x_grid

__all__ = [
    "Kinematic",
    "coordinates",
    "empty_rows",
    "evolved_grid",
    "fill",
    "linear_table",
    "proton_grid",
    "without_noise",
    "write",
]

Kinematic = Sequence[float]
"""the coordinates of a row: Q² in GeV², then x (or the rapidity), then the inelasticity if there is one"""

_NOISE = 1e-12

_PROTON = Conv(ConvType(polarized=False, time_like=False), 2212)


def linear_table(
    q0: float,
    channels: Sequence[int],
    grid: Sequence[float],
    values: np.ndarray,
    rows: Sequence[Kinematic],
) -> FkTable:
    """A table of one proton: (row, channel, x) `values` that multiply f of the evolution basis at `q0` (GeV)."""
    table = _empty_grid(PidBasis.Evol, [[(channel,)] for channel in channels], Order(0, 0, 0, 0, 0), rows, q0**2)
    for row, channel in np.ndindex(values.shape[:2]):
        content = values[row, channel]
        if content.any():
            table.set_subgrid(0, row, channel, ImportSubgridV1(content[None, :], [[q0**2], list(grid)]).into())
    return FkTable(table)


def proton_grid(channels: Sequence[Sequence[tuple[int, int]]], rows: Sequence[Kinematic], q2: float) -> Grid:
    """An empty grid for two protons, to be filled at Q² and two x; each channel is a sum of pairs of partons."""
    return _empty_grid(PidBasis.Pdg, channels, Order(0, 2, 0, 0, 0), rows, q2)


def fill(grid: Grid, row: int, weights: np.ndarray, q2: float) -> None:
    """Sets the (x, x) weights of f f of a grid's only channel in one row, at `q2` (GeV²) and the nodes of `x_grid`."""
    nodes = [[q2], list(x_grid()), list(x_grid())]
    grid.set_subgrid(0, row, 0, ImportSubgridV1(np.ascontiguousarray(weights[None]), nodes).into())


def evolved_grid(
    grid: Grid, q0: float, channels: Sequence[int], pids: Sequence[int], q2: float, operator: np.ndarray
) -> FkTable:
    """The table of a grid filled at one `q2` (GeV²), with the (pid, x, channel, x) operator from `q0` on both legs."""
    info = OperatorSliceInfo(
        fac0=q0**2,
        pids0=list(channels),
        x0=list(x_grid()),
        fac1=q2,
        pids1=list(pids),
        x1=list(x_grid()),
        pid_basis=PidBasis.Evol,
        convolution_types=ConvType(polarized=False, time_like=False),
    )
    slices = [[(info, np.ascontiguousarray(operator))] for _ in range(2)]
    return grid.evolve(
        slices=slices, order_mask=np.array([True]), xi=(1.0, 1.0, 1.0), ren1=[q2], alphas=[0.118]
    )  # alpha_s to the power 0


def without_noise(table: FkTable, q0: float) -> FkTable:
    """A table of two protons without entries below 1e-12 of the largest of their row: a third of them, all rounding."""
    values = table.table()
    largest = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    values = np.where(np.abs(values) > _NOISE * largest, values, 0.0)
    rows = [[lower for lower, _ in row] for row in table.bin_limits()]
    clean = _empty_grid(PidBasis.Evol, [[pair] for pair in table.channels()], Order(0, 0, 0, 0, 0), rows, q0**2)
    nodes = [[q0**2], list(table.x_grid()), list(table.x_grid())]
    for row, channel in np.ndindex(values.shape[:2]):
        if values[row, channel].any():
            content = np.ascontiguousarray(values[row, channel][None])
            clean.set_subgrid(0, row, channel, ImportSubgridV1(content, nodes).into())
    return FkTable(clean)


def write(table: FkTable, path: Path, metadata: Mapping[str, Any], nf0: int | None = None) -> None:
    """Writes a table; until all of it is on disk the file is not there, or is the old one.

    With `nf0` the channels are added up that are the same when there are that many quarks at Q0 (V24 and V35 equal V,
    T24 and T35 equal Sigma, for 4), and nodes in x are left out below which all rows are zero.
    """
    if nf0 is not None:
        table.optimize(FkAssumptions(f"Nf{nf0}Ind"))
    for key, value in metadata.items():
        table.set_metadata(key, value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    with part_of(path) as part:
        table.write_lz4(part)


def empty_rows(table: FkTable) -> np.ndarray:
    """Indices of the rows that are zero."""
    values = table.table()
    return np.flatnonzero(~values.reshape(len(values), -1).any(axis=1))


def coordinates(path: Path) -> np.ndarray:
    """(row, variable) coordinates of the rows of a table that `data.fktables` can read: lower edges of its bins."""
    return np.array([[lower for lower, _ in row] for row in FkTable.read(path).bin_limits()])


def _empty_grid(
    basis: PidBasis, channels: Sequence[Sequence[Sequence[int]]], order: Order, rows: Sequence[Kinematic], q2: float
) -> Grid:
    """A grid at one Q², with a bin of width 0 and weight 1 for each row.

    A channel is a sum of products of partons, one for each proton.
    """
    protons = len(channels[0][0])
    bins = [Bin([(float(value), float(value)) for value in row], 1.0) for row in rows]
    scale = ScaleFuncForm.Scale(0)
    return Grid(
        pid_basis=basis,
        channels=[Channel([(list(partons), 1.0) for partons in terms]) for terms in channels],
        orders=[order],
        bins=BinsWithFillLimits(bins, [float(edge) for edge in range(len(rows) + 1)]),
        convolutions=[_PROTON] * protons,
        interpolations=_interpolations(protons, q2),
        kinematics=[Kinematics.Scale(0), *(Kinematics.X(leg) for leg in range(protons))],
        scale_funcs=Scales(ren=scale, fac=scale, frg=ScaleFuncForm.NoScale(0)),
    )


def _interpolations(protons: int, scale2: float) -> list[Interp]:
    """One node in Q², and NNPDF's 50 nodes in x."""
    plain = {"reweight_meth": ReweightingMethod.NoReweight, "interpolation_meth": InterpolationMethod.Lagrange}
    q2 = Interp(min=scale2, max=scale2, nodes=1, order=0, map=MappingMethod.ApplGridH0, **plain)
    x = Interp(min=2e-7, max=1.0, nodes=len(x_grid()), order=DEGREE, map=MappingMethod.ApplGridF2, **plain)
    return [q2, *[x] * protons]
