"""The grid of hyperopt's `quniform`, as n3fit's scans have it: `scan --like-n3fit`.

It is a uniform number between two bounds that is rounded to a whole multiple of the step.  Where the range is no
multiple of its step, this misses the lower bound and passes the upper one; the first and the last point have less
probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperparton.errors import SpaceError
from hyperparton.space.samplers import QUniform, hp_quniform

__all__ = ["RoundedUniform", "hp_rounded"]


@dataclass(frozen=True)
class RoundedUniform(QUniform):
    """A whole multiple of `step`: `lower` and `upper` are the first and the last that are drawn."""

    low: float = 0.0
    """the lower bound before rounding"""
    high: float = 0.0
    """the upper bound before rounding"""

    def draw(self, rng: np.random.Generator) -> float:
        """A random value."""
        return self.snap(_rounded(rng.uniform(self.low, self.high), self.step))


def _rounded(value: float, step: float) -> float:
    return float(np.round(value / step) * step)


def hp_rounded(
    key: str,
    lower: float | None,
    upper: float | None,
    step_size: float | None = None,
    steps: int | None = None,
    make_int: bool = False,
) -> RoundedUniform | None:
    """As `hp_quniform`, with n3fit's points. Raises SpaceError, also for numbers too large to be rounded."""
    grid = hp_quniform(key, lower, upper, step_size, steps, make_int)
    if grid is None:
        return None
    step = grid.step
    ends = _rounded(grid.lower, step), _rounded(grid.upper, step)
    if not np.isfinite(ends).all():
        raise SpaceError(
            f"{key}: the range from {grid.lower:g} to {grid.upper:g} cannot be rounded to steps of {step:g}"
        )
    return RoundedUniform(grid.label, *ends, step, grid.make_int, grid.lower, grid.upper)
