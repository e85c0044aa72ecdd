"""What the data layer hands to a fit: plain frozen containers, numpy arrays in double precision, no jax.

Named dimensions: `dat` data points, `chan` channels of one FK table, `x` nodes of its grid, `evol` the 14
evolution-basis flavours (photon, Sigma, g, V, V3, V8, V15, V24, V35, T3, T8, T15, T24, T35).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["EVOLUTION_BASIS", "DataSet", "FKTable", "FitData", "Observable", "TheorySource"]

EVOLUTION_BASIS = (
    "photon", "sigma", "g", "v", "v3", "v8", "v15", "v24", "v35", "t3", "t8", "t15", "t24", "t35",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FKTable:
    """One FK table after cuts, C-factors and division by x, so that it multiplies x f(x, Q0)."""

    name: str
    q0: float
    """initial scale in GeV"""
    xgrid: np.ndarray
    """(x,), increasing"""
    hadronic: bool
    channels: np.ndarray
    """linear: (chan,) indices into `EVOLUTION_BASIS`; bilinear: (chan, 2)"""
    values: np.ndarray
    """linear: (dat, chan, x); bilinear: (dat, chan, x, x)"""


@dataclass(frozen=True, eq=False)
class Observable:
    """What is predicted: one or more FK tables joined by an NNPDF operation (NULL, ADD, RATIO, ASY, SMN, COM, SMT)."""

    name: str
    operation: str
    tables: tuple[FKTable, ...]
    ndata: int
    maxlambda: float = 0.0
    """largest Lagrange multiplier, of positivity and integrability sets only"""

    @property
    def hadronic(self) -> bool:
        return any(table.hadronic for table in self.tables)


@dataclass(frozen=True, eq=False)
class DataSet:
    """A measured data set after cuts."""

    name: str
    variant: str | None
    frac: float
    """fraction of its points in the training set"""
    observable: Observable
    central: np.ndarray
    """(dat,) measured values"""
    kept: np.ndarray
    """(dat,) indices of the points that passed the cuts, in the set's own numbering"""

    @property
    def ndata(self) -> int:
        return len(self.central)


@dataclass(frozen=True)
class TheorySource:
    """Where the FK tables came from; the scan reports it."""

    theoryid: int
    path: Path
    origin: str
    """'--theory', 'HYPERPARTON_THEORY' or 'shipped with hyperparton'"""


@dataclass(frozen=True, eq=False)
class FitData:
    """Everything measured and computed that a fit of one runcard needs."""

    datasets: tuple[DataSet, ...]
    positivity: tuple[Observable, ...]
    integrability: tuple[Observable, ...]
    central: np.ndarray
    """(dat,) measured values of all sets, in the order of `datasets`"""
    covmat: np.ndarray
    """(dat, dat) covariance of the fit: t0 where the card names a t0 set, experimental otherwise"""
    experimental_covmat: np.ndarray
    """(dat, dat) experimental covariance"""
    group: str
    """name of the group that all sets form ('ALL'); n3fit derives the seeds of its masks from it"""
    theory: TheorySource
    t0pdfset: str | None

    @property
    def ndata(self) -> int:
        return len(self.central)

    def slices(self) -> dict[str, slice]:
        """data-set name -> its rows in `central` and in the covariance matrices."""
        ends = np.cumsum([dataset.ndata for dataset in self.datasets])
        return {d.name: slice(int(end) - d.ndata, int(end)) for d, end in zip(self.datasets, ends, strict=True)}
