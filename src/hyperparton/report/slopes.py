"""By how much the loss differs between two points of a search space, predicted from the trials of a scan.

The model is the Gaussian process of the engine `gp`, on its coordinates and with its lengths, whatever engine the scan
had. It is fitted to the losses themselves, where the engine takes their ranks: late in a scan, when most trials lie
near the best, ranks make large differences small. A loss that lies farther above the median of the first ones, which
engines draw at random, than the best lies below it counts as one at this distance. Trials without a loss are left out.
Of many trials those nearest to the points are taken: nearness does not depend on how lucky a trial was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperparton.engines.base import History, counted_loss
from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_model import Lengths, Process
from hyperparton.space.tree import Vals

__all__ = ["Losses"]

#: fewer trials tell nothing; the process sees at most so many
_FEWEST, _MOST = 10, 200

#: logarithm of the longest length of a parameter between whose values losses are compared, in units of its range. A
#: longer one says that the parameter does not matter; that is often the most probable where it was hardly varied, and
#: then the error would be far too small
_LONGEST = math.log(2.0)


class Losses:
    """The losses of a history as a function of the point; `history` in the order of time."""

    def __init__(self, space: Any, history: History, near: Sequence[Vals]) -> None:
        """`near` are points around which it should be known."""
        self._cube = UnitCube(space)
        self._data: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self.unit = math.nan
        """the standard deviation of the losses"""
        known = [outcome for outcome in history if math.isfinite(counted_loss(outcome))]
        losses = np.array([counted_loss(outcome) for outcome in known])
        if len(known) < _FEWEST:
            return
        x = self._coordinates([outcome.vals for outcome in known])
        around = self._coordinates(near)
        squared = np.min(np.sum((x[:, None] - around[None]) ** 2, axis=2), axis=1)
        losses = np.minimum(losses, _end(losses))
        seen = np.sort(np.argsort(squared, kind="stable")[:_MOST])
        x, losses = x[seen], losses[seen]
        self.unit = float(np.std(losses))
        if not 0.0 < self.unit < math.inf:
            return
        scores = (losses - np.mean(losses)) / self.unit
        self._data = x, self._cube.parameters, scores, np.zeros(len(losses))
        self._theta = Lengths(*self._data).most_probable()

    def fall(self, start: Vals, end: Vals) -> tuple[float, float] | None:
        """By how much the loss at `end` is predicted to lie below that at `start`, and its standard error.

        The noise of a trial is not in it. None if there are too few trials, or if all have the same loss.
        """
        if self._data is None:
            return None
        x = self._coordinates([start, end])
        theta = self._theta.copy()
        between = np.unique(self._cube.parameters[x[0] != x[1]])
        theta[between] = np.minimum(theta[between], _LONGEST)
        mean, covariance = Process(*self._data, theta).joint(x)
        variance = covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1]
        return self.unit * float(mean[0] - mean[1]), self.unit * math.sqrt(max(float(variance), 0.0))

    def _coordinates(self, vals: Sequence[Vals]) -> np.ndarray:
        return self._cube.coordinates(self._cube.points(vals))


def _end(losses: np.ndarray) -> float:
    """The loss at which those above it are cut off."""
    return 2.0 * float(np.median(losses[:_FEWEST])) - float(np.min(losses))
