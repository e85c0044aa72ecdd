"""Predictions from PDFs: the convolution with FK tables and NNPDF's operations between them.

All tables are put on one x grid, the union of theirs.  Observables that are sums of linear tables become one
matrix; the others (ratios of DIS structure functions, hadronic observables) are kept as they are.  Predictions of
all data are then linear in the features

    phi = (x f on the grid, flattened; predictions of the observables that are not linear)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.data.operations import find_operation, operate
from hyperparton.data.types import FKTable, Observable
from hyperparton.errors import TrainingError
from hyperparton.fit.chi2 import cholesky, whitened
from hyperparton.fit.hadronic import Bilinear, bilinear_prediction, prepare_bilinear
from hyperparton.pdf.bases import WORKING_BASIS, working_to_evolution

__all__ = [
    "Convolution",
    "Nonlinear",
    "PreparedTable",
    "build_convolution",
    "linear_matrix",
    "prepare_table",
    "union_grid",
]

#: numbers of features are rounded up to a multiple of this
_FEATURE_STEP = 8
#: and those of a program's features, the others with them, to a multiple of this
_ALIGNED = 16


def union_grid(observables: Sequence[Observable]) -> np.ndarray:
    """(x,) nodes of all tables, increasing; nodes that agree to 1e-9 relative count as one."""
    x = np.sort(np.concatenate([table.xgrid for o in observables for table in o.tables]))
    new = np.concatenate([[True], np.diff(x) > 1e-9 * x[1:]])
    return x[new]


def _positions(table: FKTable, grid: np.ndarray) -> np.ndarray:
    """Where the nodes of a table stand on `grid` (x,)."""
    nodes = np.clip(np.searchsorted(grid, table.xgrid * (1 - 1e-8)), 0, len(grid) - 1)
    if not np.allclose(grid[nodes], table.xgrid, rtol=1e-8, atol=0.0):
        raise TrainingError(f"{table.name}: its x nodes are not on the grid of the fit")
    return nodes


def linear_matrix(table: FKTable, grid: np.ndarray, working: Sequence[str] = WORKING_BASIS) -> np.ndarray:
    """A linear table as (dat, x, working) on `grid` (x,)."""
    flavours = working_to_evolution(working)[table.channels]
    matrix = np.zeros((table.values.shape[0], len(grid), len(working)))
    matrix[:, _positions(table, grid)] = np.einsum("dcx,cw->dxw", table.values, flavours)
    return matrix


#: a table of an observable that is not linear: a matrix (dat, x*working), or a hadronic table
PreparedTable = np.ndarray | Bilinear


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """An observable that is not linear in the PDFs: its operation and tables."""

    name: str
    operation: str
    tables: tuple[PreparedTable, ...]
    ndata: int

    def predict(self, xf: np.ndarray) -> np.ndarray:
        """(model, dat) for `xf` (model, x, working) on the grid."""
        return operate(self.operation, [_contract(table, xf) for table in self.tables])


def _contract(table: PreparedTable, xf: np.ndarray) -> np.ndarray:
    """(model, dat) of one table for `xf` (model, x, working)."""
    if not isinstance(table, Bilinear):
        flat = np.reshape(xf, (xf.shape[0], -1))
        return flat @ np.asarray(table, xf.dtype).T
    return bilinear_prediction(table, np.swapaxes(xf, 1, 2), np)


def prepare_table(table: FKTable, grid: np.ndarray, working: Sequence[str] = WORKING_BASIS) -> PreparedTable:
    """A table on `grid` (x,) in the form that predictions of one that is not linear need."""
    if not table.hadronic:
        return linear_matrix(table, grid, working).reshape(table.values.shape[0], -1)
    return prepare_bilinear(table.channels, table.values, _positions(table, grid), working)


@dataclass(frozen=True, eq=False)
class Convolution:
    """All observables of a fit: predictions are `matrix` times what `features` returns."""

    grid: np.ndarray
    """(x,)"""
    matrix: np.ndarray
    """(dat, feature)"""
    nonlinear: tuple[Nonlinear, ...]
    basis: np.ndarray | None = None
    """(x*working, feature) the combinations of PDF values that the linear features are; None for the values"""

    @property
    def nonlinear_size(self) -> int:
        return sum(o.ndata for o in self.nonlinear)

    def features(self, xf: np.ndarray) -> np.ndarray:
        """phi (model, feature) for `xf` (model, x, working) on the grid."""
        flat = np.reshape(xf, (xf.shape[0], -1))
        linear = flat if self.basis is None else flat @ self.basis
        return np.concatenate([linear, *(o.predict(xf) for o in self.nonlinear)], axis=1)

    def predict(self, xf: np.ndarray) -> np.ndarray:
        """Predictions (model, dat) in double precision."""
        return self.features(np.asarray(xf, np.float64)) @ self.matrix.T

    def compressed(self, covmat: np.ndarray, cut: float = 1e-5) -> Convolution:
        """The same predictions from fewer features, scaled so that the chi2 of all data has Hessians near one.

        Many combinations of PDF values hardly move any prediction.  Kept are the right singular vectors of the
        linear part, whitened with `covmat` (dat, dat), whose singular values are above `cut`: a change of such a PDF
        value by one moves the residuals by less than `cut` standard deviations in all.  Features are these
        combinations times their singular values, about 240 of 400 for the DIS data, and the predictions of the
        observables that are not linear as before.
        """
        size = self.matrix.shape[1] - self.nonlinear_size
        linear = self.matrix[:, :size]
        # singular vectors of the triangular factor are those of the matrix, at a fraction of the cost
        factor = np.linalg.qr(whitened(cholesky(covmat, "the data"), linear), mode="r")
        _, values, vectors = np.linalg.svd(factor)
        kept = int(np.sum(values > cut))
        kept = min(-(-kept // _FEATURE_STEP) * _FEATURE_STEP, len(values))
        basis, values = vectors[:kept].T, values[:kept]
        # a singular value of zero stays a feature without effect
        scale = np.where(values > 0, values, 1.0)
        matrix = np.column_stack([linear @ (basis / scale), self.matrix[:, size:]])
        return Convolution(self.grid, matrix, self.nonlinear, basis * scale)

    def leading(self, cut: float, others: int | None = None) -> int:
        """How many of the linear features of a compressed convolution to keep so that none above `cut` is lost.

        With the others, of which there are `others` (by default those that are not linear), they are a multiple of 16
        where there are so many, for products with aligned rows.
        """
        assert self.basis is not None
        others = self.nonlinear_size if others is None else others
        kept = int(np.sum(np.linalg.norm(self.basis, axis=0) > cut))
        aligned = -(-(kept + others) // _ALIGNED) * _ALIGNED
        return min(aligned - others, self.basis.shape[1])


def _is_linear(observable: Observable) -> bool:
    operation = find_operation(observable.name, observable.operation, len(observable.tables))
    return operation.linear and not observable.hadronic


def build_convolution(
    observables: Sequence[Observable], grid: np.ndarray | None = None, working: Sequence[str] = WORKING_BASIS
) -> Convolution:
    """The convolution of `observables`, rows in their order, on `grid` (x,), by default the union of their grids.

    It acts on PDFs in the basis `working`.

    Raises DataError for unknown operations, TrainingError for tables that are off the grid.
    """
    grid = union_grid(observables) if grid is None else grid
    size = len(grid) * len(working)
    nonlinear = tuple(
        Nonlinear(o.name, o.operation, tuple(prepare_table(t, grid, working) for t in o.tables), o.ndata)
        for o in observables
        if not _is_linear(o)
    )
    matrix = np.zeros((sum(o.ndata for o in observables), size + sum(o.ndata for o in nonlinear)))
    row, column = 0, size
    for o in observables:
        if _is_linear(o):
            for table in o.tables:
                matrix[row : row + o.ndata, :size] += linear_matrix(table, grid, working).reshape(-1, size)
        else:
            matrix[np.arange(row, row + o.ndata), np.arange(column, column + o.ndata)] = 1.0
            column += o.ndata
        row += o.ndata
    return Convolution(grid, matrix, nonlinear)
