"""A quasi-random start for any engine: the first trials fill the space more evenly than independent draws do.

Trial n is point n of a scrambled Sobol or Halton sequence (Owen, J. Complexity 14 (1998) 466) with one coordinate for
every label of the space; coordinates of labels that do not apply are left out, so within a branch the points are those
of a sequence too. The scrambling comes from the scan's seed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from hyperparton.engines.base import Engine, History, Pending, next_number, samplers_to_scan
from hyperparton.space.tree import choose

__all__ = ["SEQUENCES", "QuasiRandomStart"]

SEQUENCES = ("sobol", "halton")


class QuasiRandomStart(Engine):
    """`engine`, with the trials below number `start` from a sequence."""

    def __init__(self, engine: Engine, sequence: str, start: int, scan_seed: int) -> None:
        self.name = f"{engine.name}+{sequence}"
        self.start = start
        self.predicts_improvement = engine.predicts_improvement
        self.learns_from_refits = engine.learns_from_refits
        self._engine, self._sequence, self._scan_seed = engine, sequence, scan_seed

    def suggest(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> dict[str, list[Any]]:
        """Point `number` of the sequence, or what the engine suggests."""
        number = next_number(history) if number is None else number
        if number >= self.start:
            return self._engine.suggest(space, history, seed, number, pending)
        labels = sorted(samplers_to_scan(space))
        size = max(4, math.ceil(math.log2(number + 1)))
        row = _points(self._sequence, len(labels), size, self._scan_seed)[number]
        point = dict(zip(labels, row.tolist(), strict=True))
        return choose(space, lambda sampler: sampler.value_at(point[sampler.label]))

    def expected_improvement(
        self, space: Any, history: History, seed: int, number: int | None = None, pending: Pending = ()
    ) -> float | None:
        """That of the engine; None for a trial of the sequence."""
        number = next_number(history) if number is None else number
        return None if number < self.start else self._engine.expected_improvement(space, history, seed, number, pending)


@lru_cache(maxsize=8)
def _points(sequence: str, dimension: int, size: int, seed: int) -> np.ndarray:
    """(2**size, dimension) in [0, 1); a longer table begins with the shorter ones."""
    # here: scipy.stats takes half a second to import
    from scipy.stats import qmc

    maker = {"sobol": qmc.Sobol, "halton": qmc.Halton}[sequence]
    return maker(dimension, scramble=True, rng=np.random.default_rng(seed)).random(2**size)
