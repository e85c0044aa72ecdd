"""Trials: their record, the stores that keep them, and `tries.json`. Stores are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperparton.trials.record import Outcome, Trial, to_tries
from hyperparton.trials.store import TrialStore, owner_name
from hyperparton.trials.tries import read_tries

if TYPE_CHECKING:
    from hyperparton.trials.file import FileTrials
    from hyperparton.trials.sql import SqlStore

__all__ = ["FileTrials", "Outcome", "SqlStore", "Trial", "TrialStore", "owner_name", "read_tries", "to_tries"]


def __getattr__(name: str) -> Any:
    if name == "FileTrials":
        from hyperparton.trials.file import FileTrials

        return FileTrials
    if name == "SqlStore":
        from hyperparton.trials.sql import SqlStore

        return SqlStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
