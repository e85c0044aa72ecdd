"""Tables as files of PineAPPL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from made_up.kernels import PIDS
from pineappl.boc import Bin, BinsWithFillLimits, Channel, Kinematics, Order, ScaleFuncForm, Scales
from pineappl.convolutions import Conv, ConvType
from pineappl.fk_table import FkAssumptions, FkTable
from pineappl.grid import Grid
from pineappl.interpolation import Interp, InterpolationMethod, MappingMethod, ReweightingMethod
from pineappl.pids import PidBasis
from pineappl.subgrid import ImportSubgridV1

SUFFIX = ".pineappl.lz4"
Q0 = 1.65
PROTON = Conv(ConvType(polarized=False, time_like=False), 2212)


def pine_grid(protons: int, channels: Sequence[Sequence[int]], widths: np.ndarray) -> Grid:
    """An empty grid at Q0 with a bin for each row."""
    scale = ScaleFuncForm.Scale(0)
    q2 = Interp(min=Q0**2, max=Q0**2, nodes=1, order=0, reweight_meth=ReweightingMethod.NoReweight,
                map=MappingMethod.ApplGridH0, interpolation_meth=InterpolationMethod.Lagrange)  # fmt: skip
    x = Interp(min=2e-7, max=1.0, nodes=50, order=4, reweight_meth=ReweightingMethod.NoReweight,
               map=MappingMethod.ApplGridF2, interpolation_meth=InterpolationMethod.Lagrange)  # fmt: skip
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    bins = [Bin([(float(low), float(high))], float(high - low)) for low, high in pairwise(edges)]
    return Grid(
        pid_basis=PidBasis.Evol,
        channels=[Channel([(list(channel), 1.0)]) for channel in channels],
        orders=[Order(0, 0, 0, 0, 0)],
        bins=BinsWithFillLimits(bins, [float(row) for row in range(len(widths) + 1)]),
        convolutions=[PROTON] * protons,
        interpolations=[q2, *[x] * protons],
        kinematics=[Kinematics.Scale(0), *(Kinematics.X(k) for k in range(protons))],
        scale_funcs=Scales(ren=scale, fac=scale, frg=ScaleFuncForm.NoScale(0)),
    )


@dataclass
class Table:
    """A table to be written: `values` of x f (row, chan, x) or (row, chan, x, x) on `grid`."""

    name: str
    grid: np.ndarray
    channels: list[tuple[int, ...]]
    values: np.ndarray
    kind: str
    widths: np.ndarray

    @property
    def protons(self) -> int:
        return self.values.ndim - 2

    def predict(self, xf: Any) -> np.ndarray:
        """(row,) for x f as a function that gives (basis, x)."""
        pdf = xf(self.grid)
        if self.protons == 1:
            return np.einsum("rcx,cx->r", self.values, pdf[[a for (a,) in self.channels]])
        one, two = (pdf[[pair[k] for pair in self.channels]] for k in (0, 1))
        return np.einsum("rcxy,cx,cy->r", self.values, one, two, optimize=True)

    def scale(self, factor: np.ndarray) -> None:
        self.values *= np.broadcast_to(factor, len(self.values)).reshape(-1, *[1] * (self.values.ndim - 1))

    def write(self, path: Path, optimize: bool) -> tuple[int, ...]:
        """Writes it; the shape that it has on disk."""
        grid = pine_grid(self.protons, [[PIDS[a] for a in channel] for channel in self.channels], self.widths)
        weight = self.grid if self.protons == 1 else np.multiply.outer(self.grid, self.grid)
        nodes = [[Q0**2], *[list(self.grid)] * self.protons]
        for row, channel in np.ndindex(self.values.shape[:2]):
            content = self.values[row, channel] * weight * self.widths[row]
            if content.any():
                grid.set_subgrid(0, row, channel, ImportSubgridV1(np.ascontiguousarray(content[None]), nodes).into())
        table = FkTable(grid)
        if optimize:
            table.optimize(FkAssumptions("Nf4Ind"))
        table.set_metadata("made_up", f"{self.kind}: random numbers, not physics")
        table.write_lz4(path)
        return table.table().shape
