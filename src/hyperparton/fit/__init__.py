"""The fit.  The path of one trial through it:

1. `methodology` makes the trial's parameters a `Methodology`; `setup` holds what all trials share (`FitSetup`):
   `observables` predict the data, `folds` and `chi2` say what is fitted and what is hidden.
2. `train` gets a `FitJob` (the PDF model and the methodology) and trains a batch: one model for each trial, fold and
   replica, all at once (`train_batch`).
3. `batches` puts the models into chunks and drops those that have stopped; `parallel` runs the chunks on the cores;
   `compile_cache` keeps the compiled programs.
4. `compiled` is one call of a program, up to 100 epochs: x f, `projection` to features and predictions, chi2,
   `positivity`, a step of the optimizer, `stopping`.
5. `result` holds what comes out (`TrainedModels`); `run` makes a fit of all data of it (`FitResult`), `mixed` one whose
   replicas have different methodologies, `hyperparton.hyperloss` the loss of a trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperparton.fit.result import FitResult
    from hyperparton.fit.run import fit_runcard

__all__ = ["FitResult", "fit_runcard"]


def __getattr__(name: str) -> Any:
    # jax loads with these, and only then
    if name == "FitResult":
        from hyperparton.fit.result import FitResult

        return FitResult
    if name == "fit_runcard":
        from hyperparton.fit.run import fit_runcard

        return fit_runcard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
