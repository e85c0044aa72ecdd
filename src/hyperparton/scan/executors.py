"""Who runs the trials: here one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hyperparton.trials import Trial

__all__ = ["run_serially"]


def run_serially(
    next_trial: Callable[[], Trial | None],
    work: Callable[[Trial], dict[str, Any]],
    finish: Callable[[Trial, dict[str, Any]], None],
    give_back: Callable[[Trial], None],
) -> None:
    """Work on trial after trial until `next_trial` has none; a trial that is interrupted is given back."""
    while (trial := next_trial()) is not None:
        try:
            result = work(trial)
        except BaseException:
            give_back(trial)
            raise
        finish(trial, result)
