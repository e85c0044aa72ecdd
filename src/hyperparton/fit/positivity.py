"""Positivity and integrability: Lagrange multipliers pushed up every 100 epochs (arXiv:1907.05075, sec. 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperparton.runcard import LagrangeOptions

__all__ = ["ELU_ALPHA", "PUSH_EACH", "elu", "multipliers", "start_and_multiplier"]

Array = Any
PUSH_EACH = 100
ELU_ALPHA = 1e-7


def start_and_multiplier(
    initial: float | None, multiplier: float | None, largest: float, epochs: int
) -> tuple[float, float]:
    """First value and factor per push of one multiplier.

    What the runcard leaves out follows from reaching `largest` after all pushes of `epochs`; with neither given
    the first value is 1.
    """
    pushes = int(epochs / PUSH_EACH)
    if multiplier is None:
        initial = 1.0 if initial is None else initial
        return float(initial), float((largest / initial) ** (1.0 / max(pushes, 1)))
    if initial is None:
        initial = largest / multiplier**pushes
    return float(initial), float(multiplier)


def multipliers(options: LagrangeOptions, largest: Sequence[float], epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """First values and factors (set,) for sets with the given largest multipliers."""
    pairs = [start_and_multiplier(options.initial, options.multiplier, m, epochs) for m in largest]
    table = np.array(pairs, np.float32).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def elu(y: Array, xp: Any) -> Array:
    """y where positive, a small negative exponential elsewhere: a constraint without a kink in its gradient."""
    return xp.where(y > 0, y, ELU_ALPHA * xp.expm1(xp.minimum(y, 0.0)))
