"""The data of a fit: frozen containers of numpy arrays in double precision; `hyperparton.axes` names their axes.

The axis `evol` has the flavours of `EVOLUTION_BASIS`: photon, Sigma, g, V, V3, V8, V15, V24, V35, T3, T8, T15, T24 and
T35.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

__all__ = [
    "EVOLUTION_BASIS",
    "DataSet",
    "FKTable",
    "FitData",
    "Observable",
    "TheorySource",
    "Uncertainties",
    "dataset_rows",
]

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
    """linear: (dat, chan, x); bilinear: (dat, chan, x, x); `dat` is 1 for a table that normalizes all points alike"""


@dataclass(frozen=True, eq=False)
class Observable:
    """What is predicted: one or more FK tables, whose predictions one of NNPDF's `operations.OPERATIONS` joins."""

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
class Uncertainties:
    """The uncertainties of a data set; those that NNPDF marks `SKIP` are left out.

    A type is `UNCORR` or `THEORYUNCORR` (independent from point to point), `CORR` or `THEORYCORR` (fully correlated
    within the set) or any other name (fully correlated with the uncertainties of that name in other sets too).
    """

    stat: np.ndarray
    """(dat,) statistical, absolute"""
    additive: np.ndarray
    """(dat, unc) absolute"""
    additive_types: tuple[str, ...]
    multiplicative: np.ndarray
    """(dat, unc) fractions of the value that they multiply, in per cent"""
    multiplicative_types: tuple[str, ...]

    def take(self, points: np.ndarray) -> Uncertainties:
        """The uncertainties of some points, by their indices (dat,)."""
        multiplicative = self.multiplicative[points]
        return replace(self, stat=self.stat[points], additive=self.additive[points], multiplicative=multiplicative)


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
    uncertainties: Uncertainties
    process: str
    """process type as nnpdf-data names it, such as DIS_NC"""
    group: str
    """name of the group that the set is in; there are no correlations between groups"""
    seedname: str
    """name under which the set enters the seed of the data replicas (an older name of it where there is one)"""
    weight: float = 1.0
    """how many times it counts in χ²"""
    given: str | None = None
    """the name that the card has, where that is an older one"""

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
    """(dat, dat) covariance of the fit (see `covariances`): t0 where the card names a t0 set, experimental otherwise;
    nothing off the diagonal between different groups"""
    sampling_covmat: np.ndarray
    """(dat, dat) covariance that data replicas are drawn with, the same array as `covmat` where they are the same"""
    experimental_covmat: np.ndarray
    """(dat, dat) experimental covariance, correlated across all sets"""
    group: str
    """what groups the sets: 'ALL' (one group of that name), 'experiment', ...; n3fit derives the seeds of its masks
    from the names of the groups"""
    theory: TheorySource
    t0pdfset: str | None
    t0_predictions: np.ndarray | None = None
    """(dat,) predictions of the t0 set's central member, if there is a t0 set"""
    t0_theory: TheorySource | None = None
    """of the t0 predictions, if it is another one"""
    separate_multiplicative: bool = False
    """whether multiplicative uncertainties are factors of the data replicas, and not in `sampling_covmat`"""
    resample_negative: bool = False
    """whether data replicas with negative cross sections are drawn again"""

    @property
    def ndata(self) -> int:
        return len(self.central)

    def slices(self) -> dict[str, slice]:
        """data-set name -> its rows in `central` and in the covariance matrices."""
        return dataset_rows(self.datasets)

    def named_slices(self) -> dict[str, slice]:
        """The same, also by the names that the card has where these are older ones."""
        rows = self.slices()
        return rows | {each.given: rows[each.name] for each in self.datasets if each.given is not None}


def dataset_rows(datasets: Sequence[DataSet]) -> dict[str, slice]:
    """data-set name -> its rows in arrays of all sets, one set after another."""
    ends = np.cumsum([dataset.ndata for dataset in datasets])
    return {d.name: slice(int(end) - d.ndata, int(end)) for d, end in zip(datasets, ends, strict=True)}
