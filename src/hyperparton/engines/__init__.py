"""Engines suggest trials from past trials and a seed; each library is loaded when its engine is asked for."""

from __future__ import annotations

from hyperparton.engines.base import Engine, trial_seed
from hyperparton.errors import EngineError, nearest

__all__ = ["ENGINES", "Engine", "get_engine", "trial_seed"]

ENGINES = ("hyperopt", "random")


def get_engine(name: str) -> Engine:
    """A new engine by its name; raises EngineError for one that is not known."""
    if name == "hyperopt":
        from hyperparton.engines.hyperopt import HyperoptEngine

        return HyperoptEngine()
    if name == "random":
        from hyperparton.engines.random import RandomEngine

        return RandomEngine()
    raise EngineError(f"unknown engine {name!r}{nearest(name, ENGINES)}, accepted: {', '.join(ENGINES)}")
