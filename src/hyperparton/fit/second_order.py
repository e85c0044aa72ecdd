"""The second order of the fast path's expansion, in few combinations of the columns of its tables.

With T (row, col, col) the mixed tables and d (col,) by how much a PDF changes in some epochs, the rows change by
J d + d T d, with J = 2 T f_0.  The last term is small, so it needs d to some per cent only.  With the covariance D of a
sample of changes, and M the mean of J^T J over PDFs, which says what a change matters, let U be the leading
eigenvectors of M^1/2 D M^1/2 and L their eigenvalues.  Then

    d = R B^T d        B = M^1/2 U        R = D B L^-1

is the best that so many combinations can say of d, and d T d = u S u with u = B^T d and S = R^T T R.
"""

from __future__ import annotations

import numpy as np

__all__ = ["combinations", "condensed_tables"]

#: how many combinations
_COMBINATIONS = 64
#: PDFs around which it is measured what a change matters
_AROUND = 16
#: what a column matters at least, of the mean of all
_LEAST = 1e-4
#: rows without a unit count by their relative changes, a per cent as much as a standard deviation
_PER_CENT = 100.0


def combinations(
    tables: np.ndarray, whitened: int, around: np.ndarray, changes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """B and R, each (col, comb), for tables (row, col, col), PDFs `around` (net, col) and `changes` (net, col).

    The first rows, so many as `whitened` says, are in standard deviations; the others are predictions of constraints.
    """
    rows, size, _ = tables.shape
    places = np.linspace(0, len(around) - 1, min(_AROUND, len(around))).astype(int)
    slopes = (tables.reshape(-1, size) @ around[places].T.astype(np.float32)).reshape(rows, size, -1).astype(float)
    values = np.abs(np.einsum("rcn,nc->rn", slopes[whitened:], around[places])).mean(axis=1)
    slopes[whitened:] *= _PER_CENT / np.maximum(values, 1e-30)[:, None, None]
    slopes = np.swapaxes(slopes, 1, 2).reshape(-1, size)
    matters = slopes.T @ slopes
    matters += _LEAST * np.trace(matters) / size * np.eye(size)
    values, vectors = np.linalg.eigh(matters)
    root = (vectors * np.sqrt(values)) @ vectors.T
    # small changes count as much as large ones
    lengths = np.linalg.norm(changes @ root, axis=1, keepdims=True)
    unit = np.divide(changes, lengths, out=np.zeros_like(changes), where=lengths > 0)
    _, values, vectors = np.linalg.svd(unit @ root, full_matrices=False)
    kept = min(_COMBINATIONS, int(np.sum(values > 1e-7 * values[0])))
    into = root @ vectors[:kept].T
    return into, unit.T @ (unit @ into) / values[:kept] ** 2


def condensed_tables(tables: np.ndarray, back: np.ndarray) -> np.ndarray:
    """S as (comb, row*comb), for tables T (row, col, col) and R (col, comb)."""
    size = back.shape[1]
    first = (tables.reshape(-1, len(back)) @ back.astype(np.float32)).reshape(len(tables), len(back), size)
    return np.reshape(np.einsum("cv,rcu->vru", back.astype(np.float32), first, optimize=True), (size, -1))
