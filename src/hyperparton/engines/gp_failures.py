"""The chance that a fit fails, as the engine `gp` learns it: a logistic regression of what each hyperparameter does.

Failures by chance are rare, and a few of them can tell no more than what each hyperparameter by itself does to the
chance. The log odds are linear in the coordinates, which also says how much smaller the chance is where hardly any
trial fails, and have low bumps along each number, for chances that rise all at once.

The regression is that of `gp_odds`; what it learns from is how likely each trial failed by chance.

Some trainers know more than whether a fit failed: the value of a hyperparameter below which it would have failed, such
as the patience (`fails_below`, see `trials.result`). From these `gp_needs` learns the chance in another way.
"""

from __future__ import annotations

import math

import numpy as np

from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_needs import Needs
from hyperparton.engines.gp_odds import Odds, linear

__all__ = ["Chance"]

Array = np.ndarray

#: standard deviations of the constant, and of what half a range does to the log odds
_DEVIATIONS = (1.0, 0.5)

#: bumps along each number: how many, how wide in shares of the range, and the standard deviation of their heights
_BUMPS, _WIDTH, _HEIGHT = 6, 0.2, 0.5


class Chance:
    """The chance to fail of trials at `points` (trial, label) of `cube`, of which `failed` (trial,) says how they went.

    `fails_below` has, for the place of each label of which that is known, (trial,) the value below which the trial
    would have failed, NaN where that is unknown.
    """

    def __init__(self, cube: UnitCube, points: Array, failed: Array, fails_below: dict[int, Array]) -> None:
        parameters, x = cube.parameters, cube.coordinates(points)
        #: which coordinates are numbers; a choice has one for each option
        self._numbers = np.bincount(parameters)[parameters] == 1
        self.of_all = (float(np.sum(failed)) + 0.5) / (len(failed) + 1.0)
        """the chance of all trials, never 0 or 1"""
        told = {label: below for label, below in fails_below.items() if not np.isnan(below).all()}
        # a failure may have come from each of these labels
        self._needs = [Needs(cube, x, failed / len(told), label, below) for label, below in told.items()]
        self._odds = None
        if not told:
            z = self._features(x)
            deviations = np.repeat([*_DEVIATIONS, _HEIGHT], [1, x.shape[1], z.shape[1] - 1 - x.shape[1]])
            self._odds = Odds(z, failed, deviations, self.of_all)

    def at(self, x: Array, away: float = 0.0) -> Array:
        """(point,) the chance that a fit at these coordinates fails.

        With `away` its log odds are so many standard deviations of the posterior (Laplace's approximation) from the
        most probable ones.
        """
        if self._odds is not None:
            return self._odds.chance(self._features(x), away)
        return 1.0 - math.prod((1.0 - needs.chance(x, away) for needs in self._needs), start=np.ones(len(x)))

    def _features(self, x: Array) -> Array:
        bumps = np.exp(-0.5 * ((x[:, self._numbers, None] - np.linspace(0.0, 1.0, _BUMPS)) / _WIDTH) ** 2)
        return np.column_stack([linear(x), bumps.reshape(len(x), -1)])
