"""The engine that ignores the history: every trial is an independent draw of the space."""

from __future__ import annotations

from typing import Any

import numpy as np

from hyperparton.engines.base import Engine, History, Pending, samplers_to_scan
from hyperparton.space.tree import sample

__all__ = ["RandomEngine"]


class RandomEngine(Engine):
    """Draws every trial by the space's own samplers."""

    name = "random"
    start = 2**16
    """with a quasi-random start, every trial is of it"""

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """A draw from numpy's default generator started with `seed`."""
        samplers_to_scan(space)
        return sample(space, np.random.default_rng(seed))
