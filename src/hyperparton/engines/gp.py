"""A Gaussian process on the tree of the space, with expected improvement: numpy and scipy alone.

A trial is a point with the coordinates of `engines.coordinates`, its value the normal score of its loss's rank: losses
that span decades and failures are no normal numbers, so only the order of the losses counts. The next trial has the
largest expected improvement over the incumbent, among random points, neighbours of the best trials, and neighbours of
the best of those, without the trials themselves. Candidates are drawn, not computed, so rounding in the linear algebra
does not reach the values that are suggested.

Notation
--------
R: Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006. H: Hvarfner, Hellsten, Nardi, arXiv:2402.02229.
J: Jones, Schonlau, Welch, J. Global Optim. 13 (1998) 455.

=======  ===================  ==================================================  ======================================
symbol   in the code          meaning                                             shape, or formula
=======  ===================  ==================================================  ======================================
x        x, _x                coordinates of new points, of trials                (point, coordinate), (trial, ...)
y        y, _y                normal scores, less their mean `_offset`            (trial,)
D        dimension            number of parameters, each with one length          a parameter may have many coordinates
         _squares             squared distances along each parameter              (parameter, trial, trial)
ℓ        inverse_squares,     length scale of a parameter, as 1/ℓ²; as 1/ℓ of     (parameter,); (coordinate,)
         _scale               each coordinate
r²       squared              squared distance in units of the lengths            (point, trial): Σ |x - x'|² / ℓ²
u        u                                                                        √5 r
σ_f²     variance, _variance  signal variance                                     number
k        kernel               covariance: Matérn 5/2, R (4.17)                    σ_f² (1 + u + u² / 3) exp(-u)
         slope                its derivative by r²                                -5/6 σ_f² (1 + u) exp(-u)
σ_n²     noise                noise variance                                      number
θ        theta                logarithms of ℓ, σ_f², σ_n²                         (parameter + 2,)
μ_θ δ_θ  prior_mean,          normal prior of θ: of log ℓ that of H (sec. 4),     (parameter + 2,): √2 + ½ log D - 3, √3
         prior_deviation      at its mode
         away                 θ in units of its prior                             (θ - μ_θ) / δ_θ
L        factor               Cholesky factor of K = k + σ_n² 1                   (trial, trial)
L⁻¹      inverse_factor                                                           (trial, trial)
K⁻¹      precision                                                                (trial, trial)
α        alpha, _alpha                                                            K⁻¹ y (trial,)
         _negative_log_...    - log p(y | x, θ) p(θ), R (5.8), but for constants  ½ yᵀα + Σ log L_ii + ½ |away|²
         weight               twice its derivative by K, the prior apart, R (5.9) K⁻¹ - α αᵀ (trial, trial)
m, s     mean, spread         of the score of a new trial: R (2.25), (2.26),      (point,)
                              noise included; m less the mean of the scores
         explained            part of σ_f² that the trials determine              kᵀ K⁻¹ k (point,)
y*       incumbent            score of the best trial                             number
z        z                                                                        (y* - m) / s (point,)
EI                            expected improvement, J (15)                        s (φ(z) + z Φ(z)) (point,)
φ, Φ     ndtr is Φ            density and distribution of the standard normal     φ(z) = exp(-½ z²) / √(2 π)
=======  ===================  ==================================================  ======================================

The prior of the lengths grows with the number of parameters. Because the posterior's maximum is sought in log ℓ, the
prior's mode stands in the middle, not its median: with medians the model is almost linear, and every parameter runs
into an end of its range.

Structure below the lengths, which is noise to the model, counts as something to find and not as an error: a fit that is
repeated gives the same loss. So EI has the noise in its spread.

Failures count as hyperopt's: a trial with status fail counts with its loss if it has one. All others, those that raised
too, count as worse than every loss.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hyperparton.engines.base import Engine, History, PerSpace, best_and_latest, counted_loss, normal_scores
from hyperparton.engines.coordinates import UnitCube
from hyperparton.space.tree import sample

__all__ = ["GaussianProcessEngine"]

Array = np.ndarray

#: the model, whose cost grows with the third power, sees so many of the best trials and of the latest
_BEST, _LATEST = 100, 100

#: random candidates, neighbours of the best trials, rounds of neighbours of the best candidates and their number
_RANDOM, _NEAR, _ROUNDS, _NEXT = 1000, 500, 4, 200

#: so many of the best trials, and of the best candidates, have neighbours among the candidates
_BEST_TRIALS, _BEST_CANDIDATES = 10, 20

#: standard deviations of steps to a neighbour, in shares of a range, and how likely a label moves
_STEPS, _MOVED = (0.02, 0.1, 0.3), 0.3

#: how likely a label of a neighbour is drawn anew
_REDRAWN = 0.1

#: ends of the lengths, of the signal variance's logarithm and of the noise variance
_LENGTHS, _LOG_VARIANCES, _NOISES = (0.05, 50.0), (-2.0, 2.0), (1e-4, 1.0)

#: added to the diagonal of the covariance, so that it can be factorised
_JITTER = 1e-8


class GaussianProcessEngine(Engine):
    """The Gaussian process of this module, after 10 random trials."""

    name = "gp"
    start = 10
    predicts_improvement = True

    def __init__(self) -> None:
        self._cube = PerSpace(UnitCube)

    def suggest(self, space: Any, history: History, seed: int, number: int | None = None) -> dict[str, list[Any]]:
        """The point with the largest expected improvement among candidates drawn from `seed`."""
        cube, rng = self._cube(space), np.random.default_rng(seed)
        if len(history) < self.start:
            return sample(space, rng)
        model, by_score = _fitted(cube, history)
        return cube.vals(_best_candidate(cube, model, by_score, rng))

    def expected_improvement(self, space: Any, history: History, seed: int, number: int | None = None) -> float | None:
        """By how much the trial that `suggest` gives is expected to lower the best loss; None at the beginning.

        Scores become losses by interpolation between the trials, and below the incumbent by the line through it and the
        median of the better half; the improvement includes the noise.
        """
        losses = np.sort([counted_loss(outcome) for outcome in history])
        half = int(np.sum(np.isfinite(losses))) // 2
        if len(history) < self.start or half < 2:
            return None
        scores = np.sort(normal_scores(history))
        loss_per_score = (losses[half] - losses[0]) / max(scores[half] - scores[0], 1e-9)
        cube = self._cube(space)
        model, by_score = _fitted(cube, history)
        point = _best_candidate(cube, model, by_score, np.random.default_rng(seed))
        mean, spread = model.score(cube.coordinates(point[None]))
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        below = np.maximum(scores[0] - (mean + spread * nodes), 0.0)
        return float(loss_per_score * below @ weights / np.sum(weights))


def _fitted(cube: UnitCube, history: History) -> tuple[_Model, Array]:
    """The model of a history, and the points (point, label) that it sees, from the best to the worst."""
    seen = best_and_latest(history, _BEST, _LATEST)
    scores = normal_scores(history)[seen]
    points = cube.points([history[i].vals for i in seen])
    return _Model(cube.coordinates(points), cube.parameters, scores), points[np.argsort(scores, kind="stable")]


def _best_candidate(cube: UnitCube, model: _Model, by_score: Array, rng: np.random.Generator) -> Array:
    """(label,) the candidate with the largest expected improvement."""
    drawn = rng.random((_RANDOM, len(cube.labels)))
    near = _neighbours(by_score[:_BEST_TRIALS], _NEAR, rng)
    candidates, coordinates = _new(*cube.settled(np.vstack([drawn, near])), by_score)
    improvement = model.log_expected_improvement(coordinates)
    for _ in range(_ROUNDS):
        order = np.argsort(-improvement, kind="stable")[:_BEST_CANDIDATES]
        near, coordinates = _new(*cube.settled(_neighbours(candidates[order], _NEXT, rng)), by_score)
        improvement = np.concatenate([improvement[order], model.log_expected_improvement(coordinates)])
        candidates = np.vstack([candidates[order], near])
    return candidates[int(np.argmax(improvement))]


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


def _new(points: Array, coordinates: Array, known: Array) -> tuple[Array, Array]:
    """Points and their coordinates without the known points, or all where none is left."""
    # a fit that is repeated gives what it gave, so a trial that is repeated is lost
    seen = {row.tobytes() for row in np.round(known, 9) + 0.0}
    new = np.array([row.tobytes() not in seen for row in np.round(points, 9) + 0.0])
    return (points[new], coordinates[new]) if new.any() else (points, coordinates)


class _Model:
    """The Gaussian process of trials with coordinates x, the parameter of each coordinate, and scores y (trial,)."""

    def __init__(self, x: Array, parameters: Array, y: Array) -> None:
        from scipy.optimize import minimize

        self._x, self._parameters = x, parameters
        self._offset = float(np.mean(y))
        self._y = y - self._offset
        dimension = int(parameters.max()) + 1
        columns = [x[:, parameters == i] for i in range(dimension)]
        #: (parameter, trial, trial) squared distances along each parameter
        self._squares = np.stack([_squared_distance(each, each) for each in columns])
        self._prior_mean = np.array([math.sqrt(2) + 0.5 * math.log(dimension) - 3.0] * dimension + [0.0, math.log(0.1)])
        self._prior_deviation = np.array([math.sqrt(3)] * dimension + [0.5, 1.0])
        bounds = [tuple(map(math.log, _LENGTHS))] * dimension + [_LOG_VARIANCES, tuple(map(math.log, _NOISES))]
        found = minimize(
            self._negative_log_posterior, self._prior_mean, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 40},
        )  # fmt: skip
        self.theta = found.x
        """(parameter + 2,) logarithms of the lengths, of the signal variance, of the noise variance"""
        kernel, _, inverse_squares = self._kernel(self.theta)
        self._variance = math.exp(self.theta[-2])
        #: (coordinate,) 1/length
        self._scale = np.sqrt(inverse_squares)[self._parameters]
        factor = np.linalg.cholesky(kernel + (math.exp(self.theta[-1]) + _JITTER) * np.eye(len(kernel)))
        self._inverse_factor = np.linalg.inv(factor)
        self._alpha = self._inverse_factor.T @ (self._inverse_factor @ self._y)

    def _kernel(self, theta: Array) -> tuple[Array, Array, Array]:
        """(covariance without noise, its derivative by the squared distance, 1/length² of each parameter)."""
        inverse_squares = np.exp(-2.0 * theta[:-2])
        squared = np.tensordot(inverse_squares, self._squares, axes=1)
        return *_matern(squared, math.exp(theta[-2])), inverse_squares

    def _negative_log_posterior(self, theta: Array) -> tuple[float, Array]:
        """Minus the logarithm of the posterior, and its gradient (parameter + 2,)."""
        kernel, slope, inverse_squares = self._kernel(theta)
        noise = math.exp(theta[-1])
        factor = np.linalg.cholesky(kernel + (noise + _JITTER) * np.eye(len(kernel)))
        inverse_factor = np.linalg.inv(factor)
        precision = inverse_factor.T @ inverse_factor
        alpha = precision @ self._y
        away = (theta - self._prior_mean) / self._prior_deviation
        value = 0.5 * self._y @ alpha + np.sum(np.log(np.diag(factor))) + 0.5 * away @ away
        weight = precision - np.outer(alpha, alpha)
        by_length = -np.tensordot(self._squares, weight * slope, axes=2) * inverse_squares
        gradient = np.append(by_length, [0.5 * np.sum(weight * kernel), 0.5 * noise * np.trace(weight)])
        return float(value), gradient + away / self._prior_deviation

    def _predicted(self, x: Array) -> tuple[Array, Array]:
        """Mean (point,), less the offset, and standard deviation of the scores of new trials, noise included."""
        kernel, _ = _matern(_squared_distance(x * self._scale, self._x * self._scale), self._variance)
        explained = np.sum((kernel @ self._inverse_factor.T) ** 2, axis=1)
        return kernel @ self._alpha, np.sqrt(np.maximum(self._variance - explained, 0.0) + math.exp(self.theta[-1]))

    def score(self, x: Array) -> tuple[float, float]:
        """Mean and standard deviation of the score of a new trial at the one point of `x`."""
        mean, spread = self._predicted(x)
        return float(mean[0]) + self._offset, float(spread[0])

    def log_expected_improvement(self, x: Array) -> Array:
        """(point,) logarithm of the expected improvement over the incumbent."""
        mean, spread = self._predicted(x)
        incumbent = float(np.min(self._y))
        return np.log(spread) + _log_improvement((incumbent - mean) / spread)


def _log_improvement(z: Array) -> Array:
    """log(phi(z) + z Phi(z))."""
    # here: scipy.special takes time to import
    from scipy.special import log_ndtr, ndtr

    near = np.maximum(z, -5.0)
    plain = np.log(np.exp(-0.5 * near * near) / math.sqrt(2.0 * math.pi) + near * ndtr(near))
    # far below it is Phi(z) / -z times 1 + O(1 / z**2)
    far = np.minimum(z, -5.0)
    return np.where(z > -5.0, plain, log_ndtr(far) - np.log(-far - 2.0 / far))


def _squared_distance(a: Array, b: Array) -> Array:
    """Squared distances of the rows of `a`, along the first axis, from those of `b`."""
    squared = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(squared, 0.0)


def _matern(squared: Array, variance: float) -> tuple[Array, Array]:
    """Matérn 5/2 and its derivative by the squared distance."""
    u = np.sqrt(5.0 * squared)
    decay = variance * np.exp(-u)
    return decay * (1.0 + u + u * u / 3.0), -decay * (1.0 + u) * (5.0 / 6.0)
