"""The Gaussian process of the engine `gp`: a regression with noise, its covariance and the lengths of its parameters.

Notation
--------
R: Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006. H: Hvarfner, Hellsten, Nardi, arXiv:2402.02229.

=======  ===================  ==================================================  ======================================
symbol   in the code          meaning                                             shape, or formula
=======  ===================  ==================================================  ======================================
x        x                    coordinates of points, of trials                    (point, coordinate), (trial, ...)
y        y                    what is fitted, with a mean near 0                  (trial,)
ε²       extra                variance of a trial's noise beside σ_n²             (trial,)
D        dimension            number of parameters, each with one length          a parameter may have many coordinates
         _squares             squared distances along each parameter              (parameter, trial · trial)
ℓ        inverse_squares,     length scale of a parameter, as 1/ℓ²; as 1/ℓ of     (parameter,); (coordinate,)
         scale                each coordinate
r²       squared              squared distance in units of the lengths            (point, trial): Σ |x - x'|² / ℓ²
u        u                                                                        √5 r
σ_f²     variance             signal variance                                     number
k        kernel, covariance   covariance: Matérn 5/2, R (4.17)                    σ_f² (1 + u + u² / 3) exp(-u)
         slope                its derivative by r²                                -5/6 σ_f² (1 + u) exp(-u)
σ_n²     noise                noise variance                                      number
θ        theta                logarithms of ℓ, σ_f², σ_n²                         (parameter + 2,)
μ_θ δ_θ  prior_mean,          normal prior of θ: of log ℓ that of H (sec. 4),     (parameter + 2,): √2 + ½ log D - 3, √3
         prior_deviation      at its mode
         away                 θ in units of its prior                             (θ - μ_θ) / δ_θ
L        factor               Cholesky factor of K = k + diag(σ_n² + ε²)          (trial, trial)
L⁻¹      inverse_factor                                                           (trial, trial)
K⁻¹      precision                                                                (trial, trial)
α        alpha                                                                    K⁻¹ y (trial,)
         negative_log_...     - log p(y | x, θ) p(θ), R (5.8), but for constants  ½ yᵀα + Σ log L_ii + ½ |away|²
         weight               twice its derivative by K, the prior apart, R (5.9) K⁻¹ - α αᵀ (trial, trial)
m, s²    mean, variance       of the latent value at a point: R (2.25), (2.26);   (point,)
                              its noise is not in it
=======  ===================  ==================================================  ======================================

The prior of the lengths grows with the number of parameters. Because the posterior's maximum is sought in log ℓ, the
prior's mode stands in the middle, not its median: with medians the model is almost linear, and every parameter runs
into an end of its range.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Lengths", "Process"]

Array = np.ndarray

#: ends of the lengths, of the signal variance's logarithm and of the noise variance
_LENGTHS, _LOG_VARIANCES, _NOISES = (0.05, 50.0), (-2.0, 2.0), (1e-4, 1.0)

#: added to the diagonal of the covariance, so that it can be factorised
_JITTER = 1e-8

#: steps of the search for the most probable θ, whose cost is that of a suggestion
_STEPS = 25


class Lengths:
    """The search for the most probable θ of trials with coordinates x, the parameter of each coordinate, and y."""

    def __init__(self, x: Array, parameters: Array, y: Array, extra: Array) -> None:
        self.y, self.extra = y, extra
        self.dimension = dimension = int(parameters.max()) + 1
        columns = [x[:, parameters == i] for i in range(dimension)]
        self._squares = np.stack([_squared_distance(each, each).ravel() for each in columns])
        middle = math.sqrt(2) + 0.5 * math.log(dimension) - 3.0
        self.prior_mean = np.array([middle] * dimension + [0.0, math.log(0.1)])
        self.prior_deviation = np.array([math.sqrt(3)] * dimension + [0.5, 1.0])

    def most_probable(self) -> Array:
        """(parameter + 2,) θ at the posterior's maximum."""
        # here: scipy.optimize takes time to import
        from scipy.optimize import minimize

        bounds = [tuple(map(math.log, _LENGTHS))] * self.dimension + [_LOG_VARIANCES, tuple(map(math.log, _NOISES))]
        return minimize(
            self.negative_log_posterior, self.prior_mean, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": _STEPS},
        ).x  # fmt: skip

    def negative_log_posterior(self, theta: Array) -> tuple[float, Array]:
        """Minus the logarithm of the posterior, and its gradient (parameter + 2,)."""
        count, noise = len(self.y), math.exp(theta[-1])
        inverse_squares = np.exp(-2.0 * theta[:-2])
        u = np.sqrt(5.0 * (inverse_squares @ self._squares)).reshape(count, count)
        decay = math.exp(theta[-2]) * np.exp(-u)
        kernel, slope = decay * (1.0 + u + u * u / 3.0), -decay * (1.0 + u) * (5.0 / 6.0)
        factor = np.linalg.cholesky(kernel + np.diag(noise + self.extra + _JITTER))
        inverse_factor = np.linalg.inv(factor)
        precision = inverse_factor.T @ inverse_factor
        alpha = precision @ self.y
        away = (theta - self.prior_mean) / self.prior_deviation
        value = 0.5 * self.y @ alpha + np.sum(np.log(np.diag(factor))) + 0.5 * away @ away
        weight = precision - np.outer(alpha, alpha)
        by_length = -(self._squares @ (weight * slope).ravel()) * inverse_squares
        gradient = np.append(by_length, [0.5 * np.sum(weight * kernel), 0.5 * noise * np.trace(weight)])
        return float(value), gradient + away / self.prior_deviation


class Process:
    """The process of trials as those of `Lengths`, at one θ."""

    def __init__(self, x: Array, parameters: Array, y: Array, extra: Array, theta: Array) -> None:
        self.x, self.parameters, self.y, self.extra, self.theta = x, parameters, y, extra, theta
        #: (coordinate,) 1/length
        self.scale = np.exp(-theta[:-2])[parameters]
        self.variance, self.noise = math.exp(theta[-2]), math.exp(theta[-1])
        factor = np.linalg.cholesky(self.covariance(x, x) + np.diag(self.noise + extra + _JITTER))
        self.inverse_factor = np.linalg.inv(factor)
        self.alpha = self.inverse_factor.T @ (self.inverse_factor @ y)

    def covariance(self, a: Array, b: Array) -> Array:
        """Of the latent values at the rows of `a`, along the first axis, with those at the rows of `b`."""
        u = np.sqrt(5.0 * _squared_distance(a * self.scale, b * self.scale))
        # in place: most of the time of a suggestion is spent here
        polynomial = u * u
        polynomial /= 3.0
        polynomial += u
        polynomial += 1.0
        np.exp(np.negative(u, out=u), out=u)
        polynomial *= u
        polynomial *= self.variance
        return polynomial

    def mean(self, x: Array) -> Array:
        """(point,) of the latent values."""
        return self.covariance(x, self.x) @ self.alpha

    def predicted(self, x: Array) -> tuple[Array, Array]:
        """Mean and variance (point,) of the latent values."""
        kernel = self.covariance(x, self.x)
        explained = kernel @ self.inverse_factor.T
        mean = kernel @ self.alpha
        return mean, np.maximum(self.variance - np.einsum("ij,ij->i", explained, explained), 1e-12)

    def joint(self, x: Array) -> tuple[Array, Array]:
        """Mean (point,) and covariance (point, point) of the latent values."""
        kernel = self.covariance(x, self.x)
        explained = kernel @ self.inverse_factor.T
        return kernel @ self.alpha, self.covariance(x, x) - explained @ explained.T

    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance (trial,) that the other trials predict of each y, R (5.12)."""
        variance = 1.0 / np.sum(self.inverse_factor**2, axis=0)
        return self.y - self.alpha * variance, variance

    def told(self, x: Array, y: Array) -> Process:
        """The process with further trials, at the same θ."""
        extra = np.append(self.extra, np.zeros(len(y)))
        return Process(np.vstack([self.x, x]), self.parameters, np.append(self.y, y), extra, self.theta)


def _squared_distance(a: Array, b: Array) -> Array:
    """Squared distances of the rows of `a`, along the first axis, from those of `b`."""
    squared = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(squared, 0.0)
