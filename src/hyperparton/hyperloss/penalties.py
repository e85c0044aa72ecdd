"""Penalties that a scan can add to the hyper loss of a fold: saturation, patience, integrability.

Each takes a `FoldFit` and returns one number per replica.  To add one, write it here, put its name into
`catalogue.PENALTIES` and into `PENALTY_FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hyperparton.catalogue import PENALTIES
from hyperparton.data.types import EVOLUTION_BASIS

__all__ = ["PENALTY_FUNCTIONS", "FoldFit", "integrability", "patience", "saturation"]

#: validphys lets a PDF pass below this value of |x f| summed over three small x
INTEGRABILITY_THRESHOLD = 0.5
_OVERFLOW = 50.0


@dataclass(frozen=True)
class FoldFit:
    """What the penalties look at after the fit of one fold."""

    xf: Callable[[np.ndarray], np.ndarray]
    """x (x,) -> x f (rep, x, evol) at Q0"""
    best_epoch: np.ndarray
    """(rep,) epoch of the best validation loss, or the last"""
    epochs: int
    patience: int
    """in epochs"""
    validation_chi2: np.ndarray
    """(rep,) per point"""


def saturation(fit: FoldFit, n: int = 100, min_x: float = 1e-6, max_x: float = 1e-4) -> np.ndarray:
    """Large for PDFs whose singlet and gluon are flat in log x at small x: sum over both of 1/(|slope| + spread).

    The slope is d(x f)/d log10 x between `n` points in [min_x, max_x], its spread the standard deviation.
    """
    x = np.logspace(np.log10(min_x), np.log10(max_x), n)
    xf = fit.xf(x)[:, :, [EVOLUTION_BASIS.index("sigma"), EVOLUTION_BASIS.index("g")]]
    slope = np.diff(xf, axis=1) / np.diff(np.log10(x))[None, :, None]
    size = np.abs(slope.mean(axis=1)) + slope.std(axis=1)
    return np.sum(1.0 / (1e-7 + size), axis=1)


def patience(fit: FoldFit, alpha: float = 1e-4) -> np.ndarray:
    """Validation chi2 times exp(alpha |epochs - patience - best epoch|): least when the best epoch is just in time."""
    distance = np.abs(fit.epochs - fit.patience - fit.best_epoch)
    return fit.validation_chi2 * np.exp(alpha * distance)


def integrability(fit: FoldFit) -> np.ndarray:
    """exp(I) - 1, with I the sum over V, T3, V3, T8, V8 of the integrability numbers above 0.5, at most 50.

    The integrability number of a flavour is the sum of |x f| at x = 1e-9, 1e-8, 1e-7.
    """
    flavours = [EVOLUTION_BASIS.index(name) for name in ("v", "t3", "v3", "t8", "v8")]
    numbers = np.abs(fit.xf(np.array([1e-9, 1e-8, 1e-7]))[:, :, flavours]).sum(axis=1)
    overflow = np.where(numbers > INTEGRABILITY_THRESHOLD, numbers, 0.0).sum(axis=1)
    return np.exp(np.minimum(overflow, _OVERFLOW)) - 1.0


PENALTY_FUNCTIONS: Mapping[str, Callable[[FoldFit], np.ndarray]] = MappingProxyType(
    {"saturation": saturation, "patience": patience, "integrability": integrability}
)
assert set(PENALTY_FUNCTIONS) == set(PENALTIES)
