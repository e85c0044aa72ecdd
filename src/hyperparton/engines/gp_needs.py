"""The chance that a fit fails for want of a hyperparameter, learned from how much of it fits needed.

A fit that stops when nothing has improved for some epochs needs the patience to wait for the improvement that comes.
Most fits never wait. Some, by chance, have a false start: nothing improves for hundreds of epochs. One that had to wait
for 40 % of its epochs, with a patience of 60 %, did not fail, and shows all the same that fits wait here, and for how
long. So a trial says below which value of the hyperparameter it would have failed (`fails_below`), and two things are
learned: how likely a fit needs anything that the range may lack, and how much it needs then. A fit fails if it needs
more than it has. That patience of 60 % is enough where fits wait for 40 %, and not where they wait for 80 %, this tells
from few trials of which hardly one failed.

Notation
--------
All needs are coordinates of the hyperparameter, 0 and 1 at the ends of its range. B: Bishop, Pattern Recognition and
Machine Learning, 2006. T: Tobin, Econometrica 26 (1958) 24.

=======  =================  ====================================================  ======================================
symbol   in the code        meaning                                               shape, or formula
=======  =================  ====================================================  ======================================
u        had                what a fit has                                        (point,)
t        needed             what it needs, if more than the range's lower end     (trial,)
c        failed             how likely each trial failed for want of it           (trial,); then t > u, and unknown
e        in_need            chance that it needs some                             1 where t is known, c elsewhere
z        linear             1, and the other coordinates from -1 to 1             (point, feature)
π        odds               chance that a fit needs some                          logistic regression of e, B sec. 4.3.3
g        mean               of what it needs then, g = z γ                        γ: normal prior
s²       variance           of what it needs then, about g
p        chance             that a fit fails                                      π Φ((g - u) / s)
=======  =================  ====================================================  ======================================

γ and s follow from the t that are known, with weights 1 - c, and those that are only known to lie above u, with weights
c (T), by the EM algorithm (B sec. 9.4).
"""

from __future__ import annotations

import math

import numpy as np

from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_odds import Odds, linear

__all__ = ["Needs"]

Array = np.ndarray

#: standard deviations of the constant, and of what half a range does to the log odds
_DEVIATIONS = (1.0, 0.3)

#: prior of what a fit needs: mean and standard deviation of the constant, the latter of what half a range does to it
_NEED, _NEED_DEVIATION, _NEED_SLOPE = 0.5, 0.5, 0.15

#: the spread of needs at one point that is expected, as if so many had been seen, and the least
_SPREAD, _SEEN, _LEAST = 0.25, 5.0, 0.05

#: steps at most, and when one is the last
_STEPS, _ENOUGH = 40, 1e-6


class Needs:
    """What trials at the coordinates `x` (trial, coordinate) of `cube` needed of the hyperparameter of one `label`.

    `failed` (trial,) is how likely each failed for want of it, and `below` (trial,) the value below which it would
    have failed, NaN where that is unknown: then a fit that did not fail needed nothing.
    """

    def __init__(self, cube: UnitCube, x: Array, failed: Array, label: int, below: Array) -> None:
        self._column, needed = cube.along(label, below)
        self._others = np.arange(x.shape[1]) != self._column
        had, z = x[:, self._column], linear(x[:, self._others])
        some = ~np.isnan(needed)
        needed, in_need = np.where(some, needed, 0.0), np.where(some, 1.0, failed)
        deviations = np.repeat(_DEVIATIONS, [1, z.shape[1] - 1])
        self._odds = Odds(z, in_need, deviations, (float(np.sum(in_need)) + 0.5) / (len(in_need) + 1.0))
        self._learn(z, np.where(some, 1.0 - failed, 0.0), needed, failed, had)

    def _learn(self, z: Array, known: Array, needed: Array, failed: Array, had: Array) -> None:
        """What fits need, from the `needed` with weights `known` and those above `had` with weights `failed`."""
        precision = np.repeat([_NEED_DEVIATION, _NEED_SLOPE], [1, z.shape[1] - 1]) ** -2.0
        prior = np.zeros(z.shape[1])
        prior[0] = _NEED
        self._coefficients, self._variance = prior, _SPREAD**2
        for _ in range(_STEPS):
            before, mean = self._coefficients, z @ self._coefficients
            spread = math.sqrt(self._variance)
            beyond, left = _truncated((had - mean) / spread)
            hidden = mean + spread * beyond
            hessian = (z.T * ((known + failed) / self._variance)) @ z + np.diag(precision)
            gradient = z.T @ ((known * needed + failed * hidden) / self._variance) + precision * prior
            self._coefficients = np.linalg.solve(hessian, gradient)
            mean = z @ self._coefficients
            squares = known * (needed - mean) ** 2 + failed * ((hidden - mean) ** 2 + self._variance * left)
            total = float(np.sum(known + failed)) + _SEEN
            self._variance = max((float(np.sum(squares)) + _SEEN * _SPREAD**2) / total, _LEAST**2)
            if np.max(np.abs(self._coefficients - before)) < _ENOUGH:
                break
        self._covariance = np.linalg.inv(hessian)

    def chance(self, x: Array, away: float = 0.0) -> Array:
        """(point,) the chance that a fit at these coordinates fails for want of the hyperparameter.

        With `away` the log odds to need some, and what is needed, are so many standard deviations off.
        """
        # here: scipy.special takes time to import
        from scipy.special import ndtr

        z = linear(x[:, self._others])
        unsure = np.einsum("pf,fg,pg->p", z, self._covariance, z)
        mean = z @ self._coefficients + away * np.sqrt(unsure)
        spread = np.sqrt(self._variance + (0.0 if away else unsure))
        return self._odds.chance(z, away) * ndtr((mean - x[:, self._column]) / spread)


def _truncated(least: Array) -> tuple[Array, Array]:
    """Mean and variance (trial,) of the standard normal distribution above `least`."""
    from scipy.special import log_ndtr

    mean = np.exp(-0.5 * least * least - 0.5 * math.log(2.0 * math.pi) - log_ndtr(-least))
    return mean, np.maximum(1.0 + mean * (least - mean), 0.0)
