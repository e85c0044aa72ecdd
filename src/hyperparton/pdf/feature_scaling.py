"""Feature scaling of the network's input (`feature_scaling_points`, arXiv:2111.02954).

The cumulative distribution of all x nodes of the FK tables, thinned to a number of points and interpolated
monotonically in log x, maps x to [-1, 1].  The network then sees the scaled x alone, and its value at x = 1 is
subtracted so that the PDFs vanish there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from hyperparton.data.types import FitData
from hyperparton.errors import TrainingError
from hyperparton.pdf.sum_rules import X_MIN

__all__ = ["feature_scaling", "scaling_grids"]


def scaling_grids(data: FitData) -> list[np.ndarray]:
    """The grids that feature scaling sees: those of the data once if they agree, and of each further set."""
    grids = [table.xgrid for dataset in data.datasets for table in dataset.observable.tables]
    if all(np.array_equal(grid, grids[0]) for grid in grids):
        grids = grids[:1]
    return [*grids, *(o.tables[0].xgrid for o in (*data.positivity, *data.integrability))]


def _cumulative(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct nodes (x,) and the place (x,) of each in the ordered list of all, between 0 and 1."""
    add_smallest = nodes.min() > X_MIN
    start = 1.0 / nodes.size if add_smallest else 0.0
    places = np.linspace(start, 1.0, num=nodes.size, endpoint=bool(np.any(nodes == 1.0)))
    unique, counts = np.unique(nodes, return_counts=True)
    mapped = places[np.cumsum(counts) - counts[0]]
    if add_smallest:
        return np.insert(unique, 0, X_MIN), np.insert(mapped, 0, 0.0)
    return unique, mapped


def feature_scaling(xgrids: Sequence[np.ndarray], points: int) -> Callable[[np.ndarray], np.ndarray]:
    """The map x -> scaled x in [-1, 1] for the x nodes of all observables, with `points` interpolation points.

    Raises TrainingError when there are fewer distinct x nodes than points.
    """
    unique, mapped = _cumulative(np.sort(np.concatenate([np.ravel(grid) for grid in xgrids])))
    if not 3 <= points <= unique.size:
        raise TrainingError(
            f"feature_scaling_points must lie between 3 and the number of distinct x nodes, {unique.size}, "
            f"given: {points}"
        )
    stride = unique.size / (points - 1)
    # index 1 is always kept: index 0 may be the added x = 1e-9, far from the others
    kept = sorted({0, 1, *(round(i * stride - 1) for i in range(1, points))})
    interpolator = PchipInterpolator(np.log(unique[kept]), mapped[kept])
    return lambda x: 2.0 * interpolator(np.log(x)) - 1.0
