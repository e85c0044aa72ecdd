"""The loss of a trial: metrics, penalties, statistics over folds and replicas, the trainer that a scan calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperparton.hyperloss.trainer import ModelTrainer

__all__ = ["ModelTrainer"]


def __getattr__(name: str) -> Any:
    # jax loads with it, and only then
    if name in __all__:
        from hyperparton.hyperloss import trainer

        return getattr(trainer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
