"""A logistic regression with normal priors, by which the engine `gp` learns chances from few trials.

=======  =================  ====================================================  ======================================
symbol   in the code        meaning                                               shape, or formula
=======  =================  ====================================================  ======================================
z        linear, ...        features of a point                                   (point, feature)
c        true               how likely each trial was so                          (trial,)
β        coefficients       with normal priors of mode 0                          (feature,)
η        offset + z β       log odds                                              offset: those where β is 0
p        chance             1 / (1 + exp(-η))
         gradient, hessian  of Σ (c log p + (1 - c) log(1 - p)) - ½ |β/σ|²        its maximum is found by Newton's steps
=======  =================  ====================================================  ======================================

The steps: Bishop, Pattern Recognition and Machine Learning, 2006, sec. 4.3.3.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Odds", "linear"]

Array = np.ndarray

#: steps at most, how far one goes, and when it is the last
_STEPS, _FAR, _ENOUGH = 40, 2.0, 1e-6


def linear(x: Array) -> Array:
    """(point, feature) 1, and the coordinates from -1 to 1."""
    return np.column_stack([np.ones(len(x)), 2.0 * x - 1.0])


class Odds:
    """A logistic regression of how likely trials were so, `true` (trial,), on features z (trial, feature)."""

    def __init__(self, z: Array, true: Array, deviations: Array, of_all: float) -> None:
        """`deviations` (feature,) are those of the coefficients' priors, `of_all` the chance where all are 0."""
        self._offset = math.log(of_all / (1.0 - of_all))
        precision, self._coefficients = deviations**-2.0, np.zeros(z.shape[1])
        for _ in range(_STEPS):
            chance = self._of(z @ self._coefficients)
            gradient = z.T @ (true - chance) - precision * self._coefficients
            hessian = (z.T * (chance * (1.0 - chance))) @ z + np.diag(precision)
            step = np.linalg.solve(hessian, gradient)
            longest = float(np.max(np.abs(step)))
            self._coefficients += step * min(1.0, _FAR / max(longest, _FAR))
            if longest < _ENOUGH:
                break
        self._covariance = np.linalg.inv(hessian)

    def _of(self, odds: Array) -> Array:
        return 1.0 / (1.0 + np.exp(-np.clip(self._offset + odds, -500.0, 500.0)))

    def chance(self, z: Array, away: float = 0.0) -> Array:
        """(point,) the chance at these features, with log odds `away` standard deviations of the posterior from it."""
        odds = z @ self._coefficients
        if away:
            odds = odds + away * np.sqrt(np.einsum("pf,fg,pg->p", z, self._covariance, z))
        return self._of(odds)
