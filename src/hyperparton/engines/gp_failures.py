"""The chance that a fit fails, as the engine `gp` learns it: a logistic regression of what each hyperparameter does.

Failures by chance are rare, and a few of them can tell no more than what each hyperparameter by itself does to the
chance. The log odds are linear in the coordinates, which also says how much smaller the chance is where hardly any
trial fails, and have low bumps along each number, for chances that rise all at once.

Some trainers know more than whether a fit failed. One that stops when nothing has improved for some epochs knows how
long it waited for the improvements that came: with less patience than that the same fit would have failed. Its trials
say so by `fails_below` (see `trials.result`). Each then counts as further trials, of the weight `_WEIGHT`, that differ
in this hyperparameter alone, for it is known which of them fail. A trial that failed would have failed below its own
value too.

=======  =================  ====================================================  ======================================
symbol   in the code        meaning                                               shape, or formula
=======  =================  ====================================================  ======================================
z        _features          1, coordinates from -1 to 1, and bumps                (point, feature)
c        failed             how likely each trial failed by chance                (trial,)
w        weights            1, or that of a further trial                         (trial,)
β        coefficients       with normal priors of mode 0                          (feature,)
η        offset + z β       log odds                                              offset: those of all trials
p        chance             1 / (1 + exp(-η))
         gradient, hessian  of Σ w (c log p + (1 - c) log(1 - p)) - ½ |β/σ|²      its maximum is found by Newton's steps
=======  =================  ====================================================  ======================================

The steps: Bishop, Pattern Recognition and Machine Learning, 2006, sec. 4.3.3.
"""

from __future__ import annotations

import math

import numpy as np

from hyperparton.engines.coordinates import UnitCube

__all__ = ["Chance"]

Array = np.ndarray

#: standard deviations of the constant, and of what half a range does to the log odds
_DEVIATIONS = (1.0, 0.5)

#: bumps along each number: how many, how wide in shares of the range, and the standard deviation of their heights
_BUMPS, _WIDTH, _HEIGHT = 6, 0.2, 0.5

#: values of a hyperparameter at which a further trial is looked at, and what it counts
_PLACES, _WEIGHT = 6, 0.3

#: steps at most, how far one goes, and when it is the last
_STEPS, _FAR, _ENOUGH = 40, 2.0, 1e-6


class Chance:
    """The chance to fail of trials at `points` (trial, label) of `cube`, of which `failed` (trial,) says how they went.

    `fails_below` has, for the place of each label of which that is known, (trial,) the value below which the trial
    would have failed, NaN where that is unknown.
    """

    def __init__(self, cube: UnitCube, points: Array, failed: Array, fails_below: dict[int, Array]) -> None:
        parameters = cube.parameters
        #: which coordinates are numbers; a choice has one for each option
        self._numbers = np.bincount(parameters)[parameters] == 1
        self.of_all = (float(np.sum(failed)) + 0.5) / (len(failed) + 1.0)
        """the chance of all trials, never 0 or 1"""
        self._offset = math.log(self.of_all / (1.0 - self.of_all))
        further = [_further(cube, points, failed, label, below) for label, below in fails_below.items()]
        rows = np.vstack([points, *(each for each, _ in further)])
        labels = np.concatenate([failed, *(each for _, each in further)])
        weights = np.where(np.arange(len(rows)) < len(points), 1.0, _WEIGHT)
        self._coefficients = self._fitted(_features(cube.coordinates(rows), self._numbers), labels, weights)

    def _fitted(self, z: Array, failed: Array, weights: Array) -> Array:
        linear = len(self._numbers)
        rest = z.shape[1] - 1 - linear
        precision = np.repeat([_DEVIATIONS[0], _DEVIATIONS[1], _HEIGHT], [1, linear, rest]) ** -2.0
        coefficients = np.zeros(z.shape[1])
        for _ in range(_STEPS):
            chance = self._chance(z @ coefficients)
            gradient = z.T @ (weights * (failed - chance)) - precision * coefficients
            hessian = (z.T * (weights * chance * (1.0 - chance))) @ z + np.diag(precision)
            step = np.linalg.solve(hessian, gradient)
            longest = float(np.max(np.abs(step)))
            coefficients += step * min(1.0, _FAR / max(longest, _FAR))
            if longest < _ENOUGH:
                break
        self._covariance = np.linalg.inv(hessian)
        return coefficients

    def _chance(self, odds: Array) -> Array:
        return 1.0 / (1.0 + np.exp(-np.clip(self._offset + odds, -500.0, 500.0)))

    def at(self, x: Array, away: float = 0.0) -> Array:
        """(point,) the chance that a fit at these coordinates fails.

        With `away` its log odds are so many standard deviations of the posterior (Laplace's approximation) from the
        most probable ones.
        """
        z = _features(x, self._numbers)
        odds = z @ self._coefficients
        if away:
            odds = odds + away * np.sqrt(np.einsum("pf,fg,pg->p", z, self._covariance, z))
        return self._chance(odds)


def _features(x: Array, numbers: Array) -> Array:
    bumps = np.exp(-0.5 * ((x[:, numbers, None] - np.linspace(0.0, 1.0, _BUMPS)) / _WIDTH) ** 2)
    return np.column_stack([np.ones(len(x)), 2.0 * x - 1.0, bumps.reshape(len(x), -1)])


def _further(cube: UnitCube, points: Array, failed: Array, label: int, below: Array) -> tuple[Array, Array]:
    """Trials with other values of a label, (trial, label), of which is known whether they fail, (trial,)."""
    own, known = points[:, label], ~np.isnan(below)
    rows, labels = [points[:0]], [failed[:0]]
    for place in (np.arange(_PLACES) + 0.5) / _PLACES:
        here = np.abs(own - place) <= 0.5 / _PLACES
        # one that failed says nothing of larger values: it may have failed for another reason
        told = np.where(failed > 0, place < own, known) & ~here
        moved = points[told].copy()
        moved[:, label] = place
        rows.append(moved)
        labels.append(np.where(failed > 0, failed, cube.samplers[cube.labels[label]].value_at(place) < below)[told])
    return np.vstack(rows), np.concatenate(labels)
