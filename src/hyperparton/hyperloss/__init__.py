"""The loss of a trial: metrics, penalties, statistics over folds and replicas, the trainer that a scan calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperparton.lazy import lazy_names

if TYPE_CHECKING:
    from hyperparton.hyperloss.trainer import ModelTrainer

__all__ = ["ModelTrainer"]

# jax loads with it, and only then
__getattr__ = lazy_names(__name__, {"ModelTrainer": "trainer"})
