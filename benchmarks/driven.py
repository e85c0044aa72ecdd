"""Scans without fits: an engine is driven as a scan does it, and a function of the point stands in for the fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hyperparton.engines import Engine, trial_seed
from hyperparton.engines.base import counted_loss
from hyperparton.engines.gp import GaussianProcessEngine
from hyperparton.trials.trial import Outcome

__all__ = ["driven", "lowest", "predicted_best"]


def driven(
    engine: Engine, space: Any, seed: int, trials: int, loss: Callable[[Any], float], lag: int = 1
) -> Iterator[tuple[list[Outcome], float]]:
    """After each trial the history, one list that grows, and the engine's seconds of processor time for the trial.

    `loss` gets the vals. With a lag the engine sees the last `lag` - 1 trials as pending.
    """
    history: list[Outcome] = []
    for number in range(trials):
        past = history[: max(number - lag + 1, 0)]
        pending = [outcome.vals for outcome in history[len(past) :]]
        begun = time.process_time()
        vals = engine.suggest(space, past, trial_seed(seed, number), number, pending)
        seconds = time.process_time() - begun
        history.append(Outcome(number, vals, "ok", loss(vals)))
        yield history, seconds


def predicted_best(space: Any, history: Sequence[Outcome]) -> Outcome:
    """The trial with the best predicted value: what a scan of any engine fits again first."""
    return history[GaussianProcessEngine().ranked(space, history)[0]]


def lowest(history: Sequence[Outcome]) -> Outcome:
    """The trial with the lowest loss."""
    return min(history, key=counted_loss)
