"""A Gaussian process on the tree of the space, with expected improvement: numpy and scipy alone.

A trial is a point with the coordinates of `engines.coordinates`. Its loss is noisy, and some fits fail: `gp_trials`
says how losses become scores, what a failure is and what it costs, `gp_model` what the process is. The next trial has
the largest expected improvement of the best value. Candidates are random points, neighbours of the best trials, and
neighbours of the best of those. They are drawn, not computed, so rounding in the linear algebra does not reach the
values that are suggested.

A point that repeats a trial is left out: what a fit close to another can tell, one a little farther off tells too.
Where the scores have no noise, or where no other point is as good, it may be nearer.

Trials that run at once. Those between the history and the trial that is suggested are pending: their points are known,
their losses are not. They count as if each had given what it is predicted (the Kriging believer of Ginsbourger, Le
Riche, Carraro, in: Computational Intelligence in Expensive Optimization Problems, 2010, p. 131).

Notation
--------
F: Frazier, Powell, Dayanik, INFORMS J. Comput. 21 (2009) 599. J: Jones, Schonlau, Welch, J. Global Optim. 13 (1998)
455. Other symbols are those of `gp_model`.

=======  ===================  ==================================================  ======================================
symbol   in the code          meaning                                             shape, or formula
=======  ===================  ==================================================  ======================================
m, s²    mean, variance       of the latent score at a point                      (point,)
σ_n²     noise                variance of a trial's noise                         number
s̃        spread               by how much a trial there will move the predicted   s² / √(s² + σ_n²) (point,), F (12)
                              mean at its point
v*       incumbent            the least value among the trials                    number
z        z                                                                        (v* - v) / s̃ (point,)
EI                            expected improvement, as J (15)                     s̃ (φ(z) + z Φ(z)) (point,)
φ, Φ     ndtr is Φ            density and distribution of the standard normal     φ(z) = exp(-½ z²) / √(2 π)
p        risk                 chance that a fit fails                             (point,)
v        value                what counts                                         m + COST p (point,)
=======  ===================  ==================================================  ======================================

With s̃ noise is no improvement: a point whose mean is known well gains nothing by one more draw. Where nothing is
expected to improve, as on a function without noise that is known well, the lowest means are tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperparton.engines.base import Engine, History, Pending, PerSpace
from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_model import Process
from hyperparton.engines.gp_trials import COST, Models, SeenTrials
from hyperparton.space.tree import sample
from hyperparton.trials.trial import Outcome

__all__ = ["GaussianProcessEngine"]

Array = np.ndarray

#: random candidates, neighbours of the best trials, rounds of neighbours of the best candidates and their number
_RANDOM, _NEAR, _ROUNDS, _NEXT = 800, 500, 4, 150

#: so many of the best trials, and of the best candidates, have neighbours among the candidates
_BEST_TRIALS, _BEST_CANDIDATES = 10, 20

#: standard deviations of steps to a neighbour, in shares of a range, and how likely a label moves
_STEPS, _MOVED = (0.02, 0.1, 0.3), 0.3

#: how likely a label of a neighbour is drawn anew
_REDRAWN = 0.1

#: a candidate repeats a trial if every number lies within this share of its range and every choice is the same; with
#: less noise variance than `_LITTLE` it has to be nearer, for there even a small step tells something
_SAME, _LITTLE = 0.02, 0.01

#: a point nearer to a trial is better than one whose gain's logarithm is lower by more than this
_WORTH = 10.0

#: improvements below this, in units of a score, tell nothing any more
_LEAST = 1e-4

#: what is this many standard deviations away is unlikely
_UNLIKELY = 2.0

#: the predicted chance of a trial to fail counts as so many of its re-fits
_AS_FITS = 5.0

#: power of the correlation of two trials' scores by which the re-fits of one tell how likely the other fails
_NEARLY = 6

#: another trial is fitted again in the place of one whose re-fits went well only if its value is lower by this
_BETTER = 0.5

#: the gain's logarithm falls by so much towards the end of each range, over this share of it: enough to tell points
#: apart among which nothing else does
_COST_OF_END, _NEAR_END = 0.1, 0.05


class GaussianProcessEngine(Engine):
    """The Gaussian process of this module, after 10 random trials."""

    name = "gp"
    start = 10
    predicts_improvement = True
    learns_from_refits = True
    begins_with_own = True

    def __init__(self) -> None:
        self._trials = PerSpace(lambda space: SeenTrials(UnitCube(space)))

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """The point of the largest expected improvement among candidates drawn from `seed`."""
        trials = self._trials(space)
        if len(history) < self.start:
            return sample(space, np.random.default_rng(seed))
        trials.update(history)
        return trials.cube.vals(_Search(trials, seed, pending).best()[0])

    def expected_improvement(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> float | None:
        """By how much the trial that `suggest` gives is expected to lower the loss that the best trial is predicted.

        What the noise of the trial, or of the best, adds to their losses does not count. None at the beginning.
        """
        trials = self._trials(space)
        if len(history) < self.start:
            return None
        trials.update(history)
        if np.sum(~trials.failed) < 2:
            return None
        search = _Search(trials, seed, pending)
        _, x = search.best()
        mean, variance = search.process.predicted(x[None])
        spread = _spread(variance, search.process.noise)
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        models = search.models
        best = models.loss(np.array(models.incumbent_mean))
        gains = np.maximum(best - models.loss(mean + spread * nodes), 0.0)
        return float((1.0 - models.risk(x[None])[0]) * gains @ weights / np.sum(weights))

    def ranked(self, space: Any, history: History) -> list[int]:
        """The trials by their value: predicted mean and chance to fail. Those that failed come last."""
        trials = self._trials(space)
        trials.update(history)
        if len(history) < 2:
            return [outcome.number for outcome in history]
        models = trials.models()
        value = models.value(trials.x, models.scores.mean(trials.x))
        return [history[int(place)].number for place in np.lexsort([value, trials.failed])]

    def promising(
        self,
        space: Any,
        history: History,
        again: Sequence[Outcome] = (),
    ) -> list[int]:
        """The trials that may be the best first, by the least value that each is likely to have.

        `again` are those that were fitted again, each replica as one more trial of this number and these vals. How
        likely a trial fails is what `gp_failures` says, at least; what the re-fits of this trial and of those like it
        say besides counts the more, the more these are (`_AS_FITS`).
        """
        trials = self._trials(space)
        trials.update([*history, *again])
        numbers, count = [outcome.number for outcome in history], len(history)
        if count < 2:
            return numbers
        models, x = trials.models(), trials.x[:count]
        process = models.scores
        # (trial, re-fit) how much each re-fit tells of each trial
        alike = (process.covariance(x, trials.x[count:]) / process.variance) ** _NEARLY
        failed = np.array([outcome.status == "fail" for outcome in again], float)
        chance = (_AS_FITS * models.risk(x, -_UNLIKELY) + alike @ failed) / (_AS_FITS + np.sum(alike, axis=1))
        mean, variance = process.predicted(x)
        fitted = {outcome.number for outcome in again}
        well = fitted - {outcome.number for outcome, fail in zip(again, failed, strict=True) if fail}
        value = mean - _UNLIKELY * np.sqrt(variance) + COST * chance - _BETTER * np.isin(numbers, list(well))
        return [numbers[int(place)] for place in np.argsort(value, kind="stable")]


class _Search:
    """The search for the next point: the process and the incumbent, which know of pending trials."""

    def __init__(self, trials: SeenTrials, seed: int, pending: Pending) -> None:
        self.models: Models = trials.models(searching=True)
        self.process: Process = self.models.scores
        self.incumbent = self.models.incumbent
        self._trials = trials
        self._near = _SAME * min(1.0, self.process.noise / _LITTLE)
        self._pending = trials.cube.points(pending) if pending else trials.points[:0]
        if pending:
            x = trials.cube.coordinates(self._pending)
            mean = self.process.mean(x)
            self.incumbent = min(self.incumbent, float(np.min(self.models.value(x, mean))))
            self.process = self.process.told(x, mean)
        self._rng = np.random.default_rng(seed)
        self._known: dict[tuple[float, bytes], bool] = {}

    def best(self) -> tuple[Array, Array]:
        """(label,) the best candidate, and its coordinates (coordinate,)."""
        cube = self._trials.cube
        drawn = self._rng.random((_RANDOM, len(cube.labels)))
        near = _neighbours(self.models.by_value[:_BEST_TRIALS], _NEAR, self._rng)
        candidates, x = cube.settled(np.vstack([drawn, near]))
        gain = self._gain(x) - self._at_ends(candidates)
        for _ in range(_ROUNDS):
            best = candidates[self._new(candidates, gain, _BEST_CANDIDATES)]
            near, near_x = cube.settled(_neighbours(best, _NEXT, self._rng))
            gain = np.concatenate([gain, self._gain(near_x) - self._at_ends(near)])
            candidates, x = np.vstack([candidates, near]), np.vstack([x, near_x])
        chosen = self._new(candidates, gain, 1)[0]
        return candidates[chosen], x[chosen]

    def _at_ends(self, points: Array) -> Array:
        """(point,) what is taken from the gain near the ends of ranges, where the process knows least."""
        numbers = points[:, self._trials.numbers]
        near = np.maximum(1.0 - np.minimum(numbers, 1.0 - numbers) / _NEAR_END, 0.0)
        return _COST_OF_END * np.sum(near, axis=1)

    def _gain(self, x: Array) -> Array:
        """(point,) logarithm of the expected improvement."""
        mean, variance = self.process.predicted(x)
        return _log_gain(self.models.value(x, mean), variance, self.process.noise, self.incumbent)

    def _new(self, candidates: Array, gain: Array, count: int) -> Array:
        """So many of the largest gains that repeat no trial.

        Where the gain of all of these is lower by far, as in a small space, they lie nearer to trials; where no other
        is left, they are trials.
        """
        order = np.argsort(-gain, kind="stable")
        worth = order[gain[order] >= gain[order[0]] - _WORTH].tolist()
        for near, places in ((self._near, worth), (self._near / 4, worth), (self._near / 16, worth), (1e-9, order)):
            new = (place for place in places if not self._repeats(candidates[place], near))
            if found := list(itertools.islice(new, count)):
                return np.array(found)
        return order[:count]

    def _repeats(self, point: Array, near: float) -> bool:
        """Whether a point (label,) lies so near a trial, a pending one too."""
        asked = (near, point.tobytes())  # in a small space many candidates are the same point
        if asked not in self._known:
            pending = bool(np.any(self._trials.alike(self._pending, point, near)))
            self._known[asked] = pending or self._trials.repeats(point, near)
        return self._known[asked]


def _spread(variance: Array, noise: float) -> Array:
    return variance / np.sqrt(variance + noise)


def _log_gain(value: Array, variance: Array, noise: float, incumbent: float) -> Array:
    """(point,) logarithm of the expected improvement, or of less than `_LEAST`, the more the lower the value."""
    spread, lower = _spread(variance, noise), incumbent - value
    return np.logaddexp(np.log(spread) + _log_improvement(lower / spread), math.log(_LEAST) + 10.0 * lower)


def _neighbours(points: Array, count: int, rng: np.random.Generator) -> Array:
    """(count, label) points near `points`: some of the labels moved, a choice's to any option."""
    start = points[rng.integers(len(points), size=count)]
    moved = rng.random(start.shape) < _MOVED
    moved[np.arange(count), rng.integers(start.shape[1], size=count)] = True
    step = rng.choice(_STEPS, size=(count, 1)) * rng.standard_normal(start.shape)
    redrawn = rng.random(start.shape) < _REDRAWN
    # reflected at the ends: cut off there, many candidates would be the same corner
    near = np.abs(start + step) % 2.0
    drawn = np.where(redrawn, rng.random(start.shape), np.minimum(near, 2.0 - near))
    return np.minimum(np.where(moved, drawn, start), 1.0 - 1e-9)


def _log_improvement(z: Array) -> Array:
    """log(phi(z) + z Phi(z))."""
    # here: scipy.special takes time to import
    from scipy.special import log_ndtr, ndtr

    near = np.maximum(z, -5.0)
    plain = np.log(np.exp(-0.5 * near * near) / math.sqrt(2.0 * math.pi) + near * ndtr(near))
    # far below it is Phi(z) / -z times 1 + O(1 / z**2)
    far = np.minimum(z, -5.0)
    return np.where(z > -5.0, plain, log_ndtr(far) - np.log(-far - 2.0 / far))
