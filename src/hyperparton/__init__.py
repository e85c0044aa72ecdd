"""hyperparton: hyperparameter scans of neural-network fits, first of all of parton distribution functions.

The public names are loaded when they are asked for, so importing the package costs little and loads no jax.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hyperparton.lazy import lazy_names

if TYPE_CHECKING:
    from hyperparton import errors
    from hyperparton.data.load import load_fit_data
    from hyperparton.engines import Engine, get_engine
    from hyperparton.errors import HyperpartonError
    from hyperparton.fit.result import FitResult
    from hyperparton.fit.run import fit_runcard
    from hyperparton.hyperloss.trainer import ModelTrainer
    from hyperparton.interop.hyper_scan import hyper_scan_wrapper
    from hyperparton.nn.initializers import MetaLayer
    from hyperparton.nn.optimizers import MetaModel
    from hyperparton.runcard import Runcard, read_runcard
    from hyperparton.scan import (
        ActivationStr,
        BatchTrainer,
        EarlyStopping,
        Execution,
        HyperScanner,
        Limits,
        ProgressTrainer,
        Recipe,
        ReportingTrainer,
        Rule,
        ScanSettings,
        Trainer,
        run_scan,
    )
    from hyperparton.space import hp_choice, hp_loguniform, hp_quniform, hp_uniform, optimizer_arg_wrapper
    from hyperparton.trials import FileTrials, MongodRunner, MongoFileTrials, Trial, TrialStore, read_trials, read_tries
    from hyperparton.workflow.scan import scan_runcard

    __version__: str

__all__ = [
    "ActivationStr",
    "BatchTrainer",
    "EarlyStopping",
    "Engine",
    "Execution",
    "FileTrials",
    "FitResult",
    "HyperScanner",
    "HyperpartonError",
    "Limits",
    "MetaLayer",
    "MetaModel",
    "ModelTrainer",
    "MongoFileTrials",
    "MongodRunner",
    "ProgressTrainer",
    "Recipe",
    "ReportingTrainer",
    "Rule",
    "Runcard",
    "ScanSettings",
    "Trainer",
    "Trial",
    "TrialStore",
    "__version__",
    "errors",
    "fit_runcard",
    "get_engine",
    "hp_choice",
    "hp_loguniform",
    "hp_quniform",
    "hp_uniform",
    "hyper_scan_wrapper",
    "load_fit_data",
    "optimizer_arg_wrapper",
    "read_runcard",
    "read_trials",
    "read_tries",
    "run_scan",
    "scan_runcard",
]

#: module -> the public names that it holds
_HOMES = {
    "data.load": ("load_fit_data",),
    "engines": (
        "Engine",
        "get_engine",
    ),
    "errors": ("HyperpartonError",),
    "fit.result": ("FitResult",),
    "fit.run": ("fit_runcard",),
    "hyperloss.trainer": ("ModelTrainer",),
    "interop.hyper_scan": ("hyper_scan_wrapper",),
    "nn.initializers": ("MetaLayer",),
    "nn.optimizers": ("MetaModel",),
    "runcard": (
        "Runcard",
        "read_runcard",
    ),
    "scan": (
        "ActivationStr",
        "BatchTrainer",
        "EarlyStopping",
        "Execution",
        "HyperScanner",
        "Limits",
        "ProgressTrainer",
        "Recipe",
        "ReportingTrainer",
        "Rule",
        "ScanSettings",
        "Trainer",
        "run_scan",
    ),
    "space": (
        "hp_choice",
        "hp_loguniform",
        "hp_quniform",
        "hp_uniform",
        "optimizer_arg_wrapper",
    ),
    "trials": (
        "FileTrials",
        "MongodRunner",
        "MongoFileTrials",
        "Trial",
        "TrialStore",
        "read_trials",
        "read_tries",
    ),
    "workflow.scan": ("scan_runcard",),
}
_load = lazy_names(__name__, {name: home for home, names in _HOMES.items() for name in names})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("hyperparton")
    else:
        value = import_module("hyperparton.errors") if name == "errors" else _load(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
