"""A Gaussian process on the tree of the space, with expected improvement: numpy and scipy alone.

The model. A trial is a point with the coordinates of `engines.coordinates`. The covariance is Matérn 5/2, with a length
for every parameter. The values are normal scores of the losses' ranks, since losses that span decades and failures are
no normal numbers; so only the order of the losses counts. Lengths and noise are where their posterior is largest. The
lengths' prior is the lognormal one of Hvarfner, Hellsten, Nardi (arXiv:2402.02229, sec. 4), which grows with the number
of parameters; since they are found by their logarithms, its mode, not its median, is the middle here: with medians the
model is almost linear, and every parameter runs into an end of its range.

The next trial has the largest expected improvement on the best trial so far, among random points, neighbours of the
best trials, and neighbours of the best of those, without the trials themselves. What lies below the model's lengths,
its noise, counts as something to find and not as an error: a fit that is repeated gives the same loss. Candidates are
drawn, not computed, so rounding in the linear algebra does not reach the values that are suggested.

Failures count as hyperopt's: a trial with status fail counts with its loss if it has one. All others, those that raised
too, count as worse than every loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperparton.engines.base import best_and_latest, counted_loss, normal_scores
from hyperparton.engines.coordinates import Tree
from hyperparton.space import freeze, sample
from hyperparton.trials.trial import Outcome

__all__ = ["GaussianProcessEngine"]

Array = np.ndarray

#: the model, whose cost grows with the third power, sees so many of the best trials and of the latest
_BEST, _LATEST = 100, 100

#: random candidates, neighbours of the best trials, rounds of neighbours of the best candidates and their number
_RANDOM, _NEAR, _ROUNDS, _NEXT = 1000, 500, 4, 200

#: standard deviations of steps to a neighbour, in shares of a range, and how likely a label moves
_STEPS, _MOVED = (0.02, 0.1, 0.3), 0.3


class GaussianProcessEngine:
    """The Gaussian process of this module, after 10 random trials."""

    name = "gp"
    start = 10

    def __init__(self) -> None:
        self._tree: Tree | None = None

    def suggest(
        self, space: Any, history: Sequence[Outcome], seed: int, number: int | None = None
    ) -> dict[str, list[Any]]:
        """The point with the largest expected improvement among candidates drawn from `seed`."""
        rng = np.random.default_rng(seed)
        if len(history) < self.start:
            return sample(space, rng)
        model, by_score = self._model(space, history)
        return self._at(space).vals(self._best_candidate(model, by_score, rng))

    def expected_improvement(self, space: Any, history: Sequence[Outcome], seed: int) -> float | None:
        """By how much the trial that `suggest` names is expected to lower the best loss; None at the beginning.

        Scores become losses by interpolation between the trials, and below the best one by the line through it and the
        median of the better half; what the trial may find includes the noise.
        """
        losses = np.sort([counted_loss(outcome) for outcome in history])
        half = int(np.sum(np.isfinite(losses))) // 2
        if len(history) < self.start or half < 2:
            return None
        scores = np.sort(normal_scores(history))
        slope = (losses[half] - losses[0]) / max(scores[half] - scores[0], 1e-9)
        model, by_score = self._model(space, history)
        point = self._best_candidate(model, by_score, np.random.default_rng(seed))
        mean, spread = model.predicted(self._at(space).coordinates(point[None])[0])
        z, weights = np.polynomial.hermite_e.hermegauss(64)
        below = np.maximum(scores[0] - (mean + spread * z), 0.0)
        return float(slope * below @ weights / np.sum(weights))

    def _at(self, space: Any) -> Tree:
        frozen = freeze(space)
        if self._tree is None or self._tree.space != frozen:
            self._tree = Tree(frozen)
        return self._tree

    def _model(self, space: Any, history: Sequence[Outcome]) -> tuple[_Model, Array]:
        """The model of a history, and the points that it sees from the best to the worst."""
        tree = self._at(space)
        seen = best_and_latest(history, _BEST, _LATEST)
        scores = normal_scores(history)[seen]
        points = tree.points([history[i].vals for i in seen])
        return _Model(*tree.coordinates(points), scores), points[np.argsort(scores, kind="stable")]

    def _best_candidate(self, model: _Model, by_score: Array, rng: np.random.Generator) -> Array:
        tree = self._tree
        assert tree is not None
        candidates = np.vstack([rng.random((_RANDOM, len(tree.labels))), _neighbours(by_score[:10], _NEAR, rng)])
        candidates = _new(tree.settled(candidates), by_score)
        gain = model.improvement(tree.coordinates(candidates)[0])
        for _ in range(_ROUNDS):
            order = np.argsort(-gain, kind="stable")[:20]
            near = _new(tree.settled(_neighbours(candidates[order], _NEXT, rng)), by_score)
            gain = np.concatenate([gain[order], model.improvement(tree.coordinates(near)[0])])
            candidates = np.vstack([candidates[order], near])
        return candidates[int(np.argmax(gain))]


def _neighbours(points: Array, count: int, rng: np.random.Generator) -> Array:
    """So many points near those given: some of the labels moved, a choice's to any option."""
    start = points[rng.integers(len(points), size=count)]
    moved = rng.random(start.shape) < _MOVED
    moved[np.arange(count), rng.integers(start.shape[1], size=count)] = True
    step = rng.choice(_STEPS, size=(count, 1)) * rng.standard_normal(start.shape)
    far = rng.random(start.shape) < 0.1
    # reflected at the ends: cut off there, many candidates would be the same corner
    near = np.abs(start + step) % 2.0
    drawn = np.where(far, rng.random(start.shape), np.minimum(near, 2.0 - near))
    return np.minimum(np.where(moved, drawn, start), 1.0 - 1e-9)


def _new(points: Array, known: Array) -> Array:
    """Those of the points that are none of the known ones, or all where none is left."""
    # a fit that is repeated gives what it gave, so a trial that is repeated is lost
    seen = {row.tobytes() for row in np.round(known, 9) + 0.0}
    fresh = np.array([row.tobytes() not in seen for row in np.round(points, 9) + 0.0])
    return points[fresh] if fresh.any() else points


class _Model:
    """The Gaussian process given the trials' coordinates (trial, coordinate), their labels, and scores (trial,)."""

    def __init__(self, x: Array, owners: Array, y: Array) -> None:
        from scipy.optimize import minimize

        self._x, self._owners = x, owners
        self._offset = float(np.mean(y))
        self._y = y - self._offset
        count = int(owners.max()) + 1
        self._squares = np.stack([_squared(x[:, owners == i], x[:, owners == i]) for i in range(count)])
        #: logarithms of the lengths, of the variance, of the noise's variance: means and deviations of their priors
        self._mean = np.array([math.sqrt(2) + 0.5 * math.log(count) - 3.0] * count + [0.0, math.log(0.1)])
        self._deviation = np.array([math.sqrt(3)] * count + [0.5, 1.0])
        found = minimize(
            self._loss, self._mean, jac=True, method="L-BFGS-B", options={"maxiter": 40},
            bounds=[(math.log(0.05), math.log(50.0))] * count + [(-2.0, 2.0), (math.log(1e-4), math.log(1.0))],
        )  # fmt: skip
        self.theta = found.x
        """logarithms of the lengths, of the variance, of the noise's variance"""
        self._settle(found.x)

    def _covariance(self, theta: Array) -> tuple[Array, Array, Array]:
        """(covariance without noise, its derivative by the squared distance, inverse squared lengths)."""
        inverse = np.exp(-2.0 * theta[:-2])
        return *_matern(np.tensordot(inverse, self._squares, axes=1), math.exp(theta[-2])), inverse

    def _loss(self, theta: Array) -> tuple[float, Array]:
        """Minus the logarithm of the posterior, and its gradient."""
        kernel, slope, inverse = self._covariance(theta)
        noise = math.exp(theta[-1])
        factor = np.linalg.cholesky(kernel + (noise + 1e-8) * np.eye(len(kernel)))
        half = np.linalg.inv(factor)
        precision = half.T @ half
        alpha = precision @ self._y
        away = (theta - self._mean) / self._deviation
        value = 0.5 * self._y @ alpha + np.sum(np.log(np.diag(factor))) + 0.5 * away @ away
        weight = precision - np.outer(alpha, alpha)
        by_length = -np.tensordot(self._squares, weight * slope, axes=2) * inverse
        gradient = np.append(by_length, [0.5 * np.sum(weight * kernel), 0.5 * noise * np.trace(weight)])
        return float(value), gradient + away / self._deviation

    def _settle(self, theta: Array) -> None:
        kernel, _, inverse = self._covariance(theta)
        self._variance = math.exp(theta[-2])
        self._scale = np.sqrt(inverse)[self._owners]
        factor = np.linalg.cholesky(kernel + (math.exp(theta[-1]) + 1e-8) * np.eye(len(kernel)))
        self._half = np.linalg.inv(factor)
        self._alpha = self._half.T @ (self._half @ self._y)

    def _predicted(self, x: Array) -> tuple[Array, Array]:
        """Mean (point,) and standard deviation of new trials, noise included."""
        kernel, _ = _matern(_squared(x * self._scale, self._x * self._scale), self._variance)
        known = np.sum((kernel @ self._half.T) ** 2, axis=1)
        return kernel @ self._alpha, np.sqrt(np.maximum(self._variance - known, 0.0) + math.exp(self.theta[-1]))

    def predicted(self, x: Array) -> tuple[float, float]:
        """Mean and standard deviation of the score of a new trial at the one point of `x`."""
        mean, spread = self._predicted(x)
        return float(mean[0]) + self._offset, float(spread[0])

    def improvement(self, x: Array) -> Array:
        """(point,) logarithm of the expected improvement."""
        mean, spread = self._predicted(x)
        return np.log(spread) + _log_improvement((float(np.min(self._y)) - mean) / spread)


def _log_improvement(z: Array) -> Array:
    """log(phi(z) + z Phi(z))."""
    # here: scipy.special takes time to import
    from scipy.special import log_ndtr, ndtr

    near = np.maximum(z, -5.0)
    plain = np.log(np.exp(-0.5 * near * near) / math.sqrt(2.0 * math.pi) + near * ndtr(near))
    # far below it is Phi(z) / -z times 1 + O(1 / z**2)
    far = np.minimum(z, -5.0)
    return np.where(z > -5.0, plain, log_ndtr(far) - np.log(-far - 2.0 / far))


def _squared(a: Array, b: Array) -> Array:
    """(a, b) squared distances."""
    found = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(found, 0.0)


def _matern(squared: Array, variance: float) -> tuple[Array, Array]:
    """Matérn 5/2 and its derivative by the squared distance."""
    r = np.sqrt(5.0 * squared)
    decay = variance * np.exp(-r)
    return decay * (1.0 + r + r * r / 3.0), -decay * (1.0 + r) * (5.0 / 6.0)
