"""What further trials are expected to gain: by a model of all trials, not by the luckiest draw.

The Gaussian process of the engine `gp` (`engines.gp_trials`) is fitted to all trials, whichever engine suggested them;
it infers the noise of their losses. The methodology that it would name has the least predicted value. How much better
would the one be that it names after N more trials? Functions are drawn from the joint posterior at the points of trials
and at others. In each, trials are made one after the other where the expected improvement is largest, as `gp` does,
with noise; the process learns from them and names its best again; the gain is what the function says. So a scan whose
engine draws one point again and again, or that had no luck lately, does not look converged where the model knows
little, and luck does not look like a gain. What a failure costs decides where trials are made and what is named; the
gain is that of the fits that do not fail.

The points are those of trials, trials with values changed, and neighbours of the most promising of these. The space of
a scan is not known here, nor needed: the hyperparameters are columns, and a value applies where it does in the trial
from which a point comes.

How far the expected gains are from those that come, on functions that are known: `benchmarks/predicted_gain.py`.

=======  ==========  =============================================================  ================
symbol   in code     meaning                                                        shape
=======  ==========  =============================================================  ================
m, C     mean, cov   of the posterior at all points                                 (point,), (point, point)
f        function    a draw of the posterior                                        (point,)
σ²       noise       variance of a measurement: that of a trial, or less where one
                     stands for several trials
=======  ==========  =============================================================  ================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.engines.base import scores_of_ranks
from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_trials import SeenTrials
from hyperparton.report.hyperparameters import Column
from hyperparton.report.hyperparameters import shares as shares_of
from hyperparton.report.losses import Loss, mean_of, unit_of
from hyperparton.space.samplers import Choice, Sampler
from hyperparton.trials.trial import Outcome, Trial

__all__ = ["Gain", "expected_gain"]

Array = np.ndarray

#: hyperparameters at most, those that matter most, and categories of one at most
_MOST_COLUMNS, _MOST_CATEGORIES = 24, 50

#: trials repeat one another if each number lies in the same share of its range
_SAME = 0.02

#: further points: trials with values changed at random, and neighbours of so many of the most promising points
_RANDOM, _NEAR, _OF_PROMISING = 200, 200, 15

#: steps to a neighbour, in shares of a range, and how likely a value is changed
_STEPS, _CHANGED = (0.02, 0.1, 0.3), 0.4

#: functions drawn, and measurements in each at most
_DRAWS, _MEASURED = 60, 25

_SEED = 1

#: added to the diagonal of the covariance, in units of the signal's variance
_JITTER = 1e-6


@dataclass(frozen=True)
class Gain:
    """What `trials` more trials are expected to gain."""

    trials: int
    mean: float
    """by how much the mean loss of the named methodology falls"""
    spread: float
    """standard deviation of what the gain may be"""
    best: float
    """the mean loss that is predicted for the named methodology now"""
    scale: float
    """from the best predicted loss to the median of all losses"""


def expected_gain(
    finished: Sequence[Trial], columns: Sequence[Column], loss: Loss, more: int | None = None
) -> Gain | None:
    """What so many more trials are expected to gain, by default a quarter of those that there are.

    `columns` are the hyperparameters of the `finished` trials, those that matter most first. None where nothing
    differs, or fewer than two trials have a loss.
    """
    used = [c for c in columns if c.numeric or len(c.categories) <= _MOST_CATEGORIES][:_MOST_COLUMNS]
    losses = loss.of_all(finished)
    known = losses[np.isfinite(losses)]
    if not used or len(known) < 2:
        return None
    unit = unit_of(known)
    # ranks: one lucky draw, however far below all others, moves them least
    seen = SeenTrials(UnitCube({column.name: _sampler(column) for column in used}), scores_of_ranks)
    seen.update(_history(used, losses * unit))
    count = max(len(finished) // 4, 1) if more is None else more
    best, gains = _Model(seen, used).gains(count, np.random.default_rng(_SEED))
    scale = float(np.median(known * unit)) - best
    return Gain(count, float(gains.mean()) / unit, float(gains.std()) / unit, best / unit, scale / unit)


def _sampler(column: Column) -> Sampler:
    if not column.numeric:
        return Choice(column.name, column.categories)
    return column.even_axis


def _history(columns: Sequence[Column], losses: Array) -> list[Outcome]:
    """The trials, those that repeat one another as one with their mean loss; it failed if most of them did.

    Scores are ranks: a point that was drawn very often would fill them with its noise.
    """
    shares = [shares_of(c.even_axis, c.numbers) / _SAME if c.numeric else c.numbers for c in columns]
    cells = np.round(np.nan_to_num(np.stack(shares, axis=1), nan=-1.0))
    _, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    alike: list[list[float]] = [[] for _ in first]
    for place, loss in zip(which.ravel().tolist(), losses.tolist(), strict=True):
        alike[place].append(loss)
    history = []
    for place in np.argsort(first).tolist():
        vals = {c.name: _held(c, int(first[place])) for c in columns}
        known = [loss for loss in alike[place] if math.isfinite(loss)]
        ok = 2 * len(known) > len(alike[place])
        history.append(Outcome(len(history), vals, "ok" if ok else "fail", mean_of(known) if ok else None))
    return history


def _held(column: Column, place: int) -> list[float | int]:
    number = float(column.numbers[place])
    return [] if math.isnan(number) else [number if column.numeric else int(number)]


class _Model:
    """The processes of the engine `gp`, and the points at which they are asked."""

    def __init__(self, seen: SeenTrials, columns: Sequence[Column]) -> None:
        self._cube, self._models = seen.cube, seen.models()
        self.process = self._models.scores
        self.points = self._models.by_value
        """(trial, label) of the trials that the process sees, the best first"""
        by_name = {column.name: column for column in columns}
        ordered = [by_name[label] for label in seen.cube.labels]
        self._numbers = np.array([column.numeric for column in ordered])
        # in the unit cube a label that does not apply stands at 0.5
        self._applies = np.array([column.applies.all() for column in ordered]) | (self.points != 0.5)

    def gains(self, count: int, rng: np.random.Generator) -> tuple[float, Array]:
        """The predicted loss of the named trial, and (draw,) what `count` more trials gain."""
        x = self._cube.coordinates(self._all_points(rng))
        mean, cov = self._posterior(x)
        cost = self._cost(x)
        factor = np.linalg.cholesky(cov)
        noise = self.process.noise * min(_MEASURED / count, 1.0)
        gains = [
            self._gain(mean, cov, cost, mean + factor @ rng.standard_normal(len(x)), 0, noise, count, rng)
            for _ in range(_DRAWS)
        ]
        return float(self._models.loss(mean[:1])[0]), np.array(gains)

    def _gain(
        self, mean: Array, cov: Array, cost: Array, function: Array, named: int, noise: float, count: int,
        rng: np.random.Generator,
    ) -> float:  # fmt: skip
        """By how much the function is lower at what is named after trials in it."""
        mean, variance = mean.copy(), np.diag(cov).copy()
        rows = np.zeros((min(count, _MEASURED), len(mean)))  # what the measurements take from the covariance
        to_name = np.zeros(len(mean), bool)
        to_name[: len(self.points)] = True
        for i in range(len(rows)):
            value = mean + cost
            place = int(np.argmax(_improvement(value, variance, noise, float(value[to_name].min()))))
            measured = function[place] + math.sqrt(noise) * rng.standard_normal()
            deviation = math.sqrt(variance[place] + noise)
            rows[i] = (cov[place] - rows[:i, place] @ rows[:i]) / deviation
            mean += rows[i] * ((measured - mean[place]) / deviation)
            variance = np.maximum(variance - rows[i] ** 2, 1e-12)
            to_name[place] = True
        chosen = np.flatnonzero(to_name)
        before, after = self._models.loss(function[[named, chosen[np.argmin((mean + cost)[chosen])]]])
        return float(before - after)

    def _posterior(self, x: Array) -> tuple[Array, Array]:
        mean, cov = self.process.joint(x)
        return mean, cov + _JITTER * self.process.variance * np.eye(len(x))

    def _cost(self, x: Array) -> Array:
        return self._models.value(x, np.zeros(len(x)))

    def _all_points(self, rng: np.random.Generator) -> Array:
        """(point, label) those of trials, and further ones."""
        applies = self._applies
        drawn, of_drawn = self._changed(self.points, applies, _RANDOM, rng, near=False)
        points, applies = np.vstack([self.points, drawn]), np.vstack([applies, of_drawn])
        x = self._cube.coordinates(points)
        mean, variance = self.process.predicted(x)
        promising = np.argsort(mean - np.sqrt(variance) + self._cost(x), kind="stable")[:_OF_PROMISING]
        near, _ = self._changed(points[promising], applies[promising], _NEAR, rng, near=True)
        return np.vstack([points, near])

    def _changed(
        self, points: Array, applies: Array, count: int, rng: np.random.Generator, near: bool
    ) -> tuple[Array, Array]:
        """(count, label) points with some values changed, and which labels apply to them."""
        starts = rng.integers(len(points), size=count)
        base = points[starts]
        if near:
            moved = np.abs(base + rng.choice(_STEPS, size=(count, 1)) * rng.standard_normal(base.shape)) % 2.0
            moved = np.minimum(moved, 2.0 - moved)
        else:
            moved = rng.random(base.shape)
        # an option decides which others apply, so it comes from a trial to which the same ones do
        donors = [
            int(rng.choice(alike)) if len(alike := np.flatnonzero((self._applies == applies[start]).all(axis=1))) else 0
            for start in starts.tolist()
        ]
        moved = np.where(self._numbers, np.minimum(moved, 1.0 - 1e-9), self.points[donors])
        changed = (rng.random(base.shape) < _CHANGED) & applies[starts]
        return np.where(changed, moved, base), applies[starts]


def _improvement(value: Array, variance: Array, noise: float, incumbent: float) -> Array:
    """(point,) the expected improvement, as in `engines.gp`."""
    # here: scipy.special takes time to import
    from scipy.special import ndtr

    spread = variance / np.sqrt(variance + noise)
    z = (incumbent - value) / spread
    return spread * (np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) + z * ndtr(z))
