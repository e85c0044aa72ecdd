"""A quasi-random start for any engine: the first trials fill the space more evenly than independent draws do.

Trial n is point n of a scrambled Sobol or Halton sequence (Owen, J. Complexity 14 (1998) 466) with one coordinate for
every label of the space; coordinates of labels that do not apply are left out, so within a branch the points are those
of a sequence too. The scrambling comes from the scan's seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hyperparton.engines.base import Engine
from hyperparton.space import Choice, LogUniform, QUniform, Sampler, choose, samplers_by_label
from hyperparton.trials.trial import Outcome

__all__ = ["SEQUENCES", "QuasiRandomStart", "value_at"]

SEQUENCES = ("sobol", "halton")


class QuasiRandomStart:
    """`engine`, with the trials below number `start` from a sequence."""

    def __init__(self, engine: Engine, sequence: str, start: int, scan_seed: int) -> None:
        self.name = f"{engine.name}+{sequence}"
        self.start = start
        self._engine, self._sequence, self._scan_seed = engine, sequence, scan_seed

    def suggest(
        self, space: Any, history: Sequence[Outcome], seed: int, number: int | None = None
    ) -> dict[str, list[Any]]:
        """Point `number` of the sequence, or what the engine suggests."""
        if number is None:
            number = max((outcome.number for outcome in history), default=-1) + 1
        if number >= self.start:
            return self._engine.suggest(space, history, seed, number)
        labels = sorted(samplers_by_label(space))
        size = max(4, math.ceil(math.log2(number + 1)))
        point = dict(zip(labels, _points(self._sequence, len(labels), size, self._scan_seed)[number], strict=True))
        return choose(space, lambda sampler: value_at(sampler, point[sampler.label]))


@lru_cache(maxsize=8)
def _points(sequence: str, dimension: int, size: int, seed: int) -> np.ndarray:
    """(2**size, dimension) in [0, 1); a longer table begins with the shorter ones."""
    # here: scipy.stats takes half a second to import
    from scipy.stats import qmc

    maker = {"sobol": qmc.Sobol, "halton": qmc.Halton}[sequence]
    return maker(dimension, scramble=True, rng=np.random.default_rng(seed)).random(2**size)


def value_at(sampler: Sampler, u: float) -> float | int:
    """The sampler's value at the share `u`, from 0 to below 1, of its range."""
    if isinstance(sampler, Choice):
        return int(u * len(sampler.options))
    if isinstance(sampler, QUniform):
        return sampler.point(int(u * (sampler.count + 1)))
    if isinstance(sampler, LogUniform):
        low, high = math.log(sampler.lower), math.log(sampler.upper)
        return min(max(math.exp(low + u * (high - low)), sampler.lower), sampler.upper)
    return min(sampler.lower + u * (sampler.upper - sampler.lower), sampler.upper)
