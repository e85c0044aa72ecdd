"""Training: losses, stopping, k-folds, hyper losses and the trainer that a scan calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperparton.train.fit import FitResult, fit_runcard
    from hyperparton.train.trainer import ModelTrainer

__all__ = ["FitResult", "ModelTrainer", "fit_runcard"]

_HOMES = {"FitResult": "fit", "fit_runcard": "fit", "ModelTrainer": "trainer"}


def __getattr__(name: str) -> Any:
    # jax loads with these, and only then
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"hyperparton.train.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
