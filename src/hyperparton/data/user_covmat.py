"""A covariance matrix of theory from a file of the user's.

The file is a table as validphys writes them, separated by tabs or commas: three lines and three columns name the group,
the data set and the id of each point, which is its number in the data set before cuts, from 0.  The group is not used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hyperparton.data.covariances import TheoryCovariance
from hyperparton.data.input_faults import InputFaults, find_beside
from hyperparton.data.types import DataSet, dataset_rows
from hyperparton.errors import DataError, shortened
from hyperparton.text import counted

__all__ = ["read_user_covmat", "theory_covariance"]

_Point = tuple[str, int]

_PLACE = ("theorycovmatconfig", "user_covmat_path")
#: lines of the head, and columns that name a point
_NAMES = 3
#: entries of the matrix may differ from those across the diagonal by this much, relative to the variances
_ROUNDING = 1e-6


def theory_covariance(datasets: Sequence[DataSet], faults: InputFaults) -> TheoryCovariance | None:
    """The matrix that the card names, for the points of these data sets; None without one, or with a fault."""
    config = faults.card.theorycovmatconfig
    if config is None or not config.used or config.user_covmat_path is None:
        return None
    given = config.user_covmat_path
    found = faults.attempt(_PLACE, lambda: read_user_covmat(find_beside(faults.card, given), datasets))
    if found is None:
        return None
    matrix, absent = found
    if len(absent) == len(datasets):
        faults.idle.append(faults.card.fault(_PLACE, "changes nothing: the file has no data set of this card"))
    elif absent:
        message = f"is zero for data sets that it does not have: {', '.join(absent)}"
        faults.idle.append(faults.card.fault(_PLACE, message))
    return TheoryCovariance(
        config.mult_factor * matrix, config.use_thcovmat_in_fitting, config.use_thcovmat_in_sampling
    )


def read_user_covmat(path: Path, datasets: Sequence[DataSet]) -> tuple[np.ndarray, list[str]]:
    """(dat, dat) covariance of the points of the data sets, and the names of the sets that the file does not have.

    These have zeros.  Raises `DataError` for a file that is no such table, for a matrix that is not symmetric, and
    where a data set lacks points.
    """
    points, matrix = _table(path)
    known = {point: row for row, point in enumerate(points)}
    if len(known) < len(points):
        twice = next(point for row, point in enumerate(points) if known[point] != row)
        raise DataError(f"{path}: has point {twice[1]} of {twice[0]} twice")
    sets = {name for name, _ in points}
    rows, places = [], []
    for dataset, part in zip(datasets, dataset_rows(datasets).values(), strict=True):
        if dataset.name not in sets:
            continue
        lacking = [int(number) for number in dataset.kept if (dataset.name, int(number)) not in known]
        if lacking:
            raise DataError(
                f"{path}: has no rows for {counted(len(lacking), 'point')} of {dataset.name} that are fitted, such as "
                f"that with id {lacking[0]}; ids number the points before cuts, from 0"
            )
        places += [known[dataset.name, int(number)] for number in dataset.kept]
        rows += range(part.start, part.stop)
    total = np.zeros([sum(dataset.ndata for dataset in datasets)] * 2)
    total[np.ix_(rows, rows)] = matrix[np.ix_(places, places)]
    return total, [dataset.name for dataset in datasets if dataset.name not in sets]


def _table(path: Path) -> tuple[list[_Point], np.ndarray]:
    """The points of a table, in its order, and its matrix."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {getattr(error, 'strerror', error)}") from error
    cells = [[cell.strip() for cell in re.split("[\t,]", line)] for line in lines]
    rows = [row for row in cells[_NAMES:] if len(row) > _NAMES and any(row[_NAMES:])]  # not that with the names alone
    if not rows:
        raise DataError(f"{path} is no table of a covariance matrix: it has no rows below its {_NAMES} lines of names")
    points = [_point(row, path) for row in rows]
    _expect_head(cells[:_NAMES], points, path)
    widths = {len(row) - _NAMES for row in rows}
    if widths != {len(points)}:
        raise DataError(
            f"{path}: the matrix is not square: {counted(len(points), 'row')} of {min(widths)} to {max(widths)} numbers"
        )
    try:
        matrix = np.array([[float(cell) for cell in row[_NAMES:]] for row in rows])
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    if not np.isfinite(matrix).all():
        raise DataError(f"{path}: the matrix has entries that are no finite numbers")
    sigma = np.sqrt(np.abs(np.diag(matrix)))
    if (np.abs(matrix - matrix.T) > _ROUNDING * np.multiply.outer(sigma, sigma)).any():
        raise DataError(f"{path}: the matrix is not symmetric")
    return points, (matrix + matrix.T) / 2


def _point(row: Sequence[str], path: Path) -> _Point:
    if not re.fullmatch("[0-9]{1,9}", row[2], re.ASCII):
        given = shortened(repr(row[2]))
        raise DataError(f"{path}: a row begins with group, dataset and id, the number of a point, given {given}")
    return row[1], int(row[2])


def _expect_head(head: Sequence[Sequence[str]], points: Sequence[_Point], path: Path) -> None:
    """Raises `DataError` unless the columns are the points of the rows, in their order."""
    names, numbers = (list(line)[-len(points) :] for line in head[1:])
    columns = list(zip(names, numbers, strict=False))
    if columns != [(name, str(number)) for name, number in points]:
        raise DataError(f"{path}: the columns are not those of the rows, dataset by dataset and id by id")
