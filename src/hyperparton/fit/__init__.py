"""The fit: methodology, observables, chi2, folds, stopping, the compiled epoch, batches of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperparton.fit.setup import FitResult, fit_runcard

__all__ = ["FitResult", "fit_runcard"]


def __getattr__(name: str) -> Any:
    # jax loads with these, and only then
    if name in __all__:
        from hyperparton.fit import setup

        return getattr(setup, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
