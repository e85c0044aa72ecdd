"""hyperparton: hyperparameter scans of neural-network fits, first of all of parton distribution functions.

The public names are loaded when they are asked for, so importing the package costs little and loads no jax.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperparton.lazy import lazy_names

# the one list of public names: type checkers follow these imports, and at run time they are read from this file
if TYPE_CHECKING:
    from hyperparton import errors as errors
    from hyperparton.data.load import load_fit_data as load_fit_data
    from hyperparton.engines import Engine as Engine
    from hyperparton.engines import get_engine as get_engine
    from hyperparton.errors import HyperpartonError as HyperpartonError
    from hyperparton.fit.result import FitResult as FitResult
    from hyperparton.fit.run import fit_runcard as fit_runcard
    from hyperparton.hyperloss.trainer import ModelTrainer as ModelTrainer
    from hyperparton.interop.hyper_scan import hyper_scan_wrapper as hyper_scan_wrapper
    from hyperparton.nn.initializers import MetaLayer as MetaLayer
    from hyperparton.nn.optimizers import MetaModel as MetaModel
    from hyperparton.runcard import Runcard as Runcard
    from hyperparton.runcard import read_runcard as read_runcard
    from hyperparton.scan import ActivationStr as ActivationStr
    from hyperparton.scan import BatchTrainer as BatchTrainer
    from hyperparton.scan import EarlyStopping as EarlyStopping
    from hyperparton.scan import Execution as Execution
    from hyperparton.scan import HyperScanner as HyperScanner
    from hyperparton.scan import Limits as Limits
    from hyperparton.scan import ProgressTrainer as ProgressTrainer
    from hyperparton.scan import Recipe as Recipe
    from hyperparton.scan import ReportingTrainer as ReportingTrainer
    from hyperparton.scan import Rule as Rule
    from hyperparton.scan import ScanSettings as ScanSettings
    from hyperparton.scan import Trainer as Trainer
    from hyperparton.scan import run_scan as run_scan
    from hyperparton.space import hp_choice as hp_choice
    from hyperparton.space import hp_loguniform as hp_loguniform
    from hyperparton.space import hp_quniform as hp_quniform
    from hyperparton.space import hp_uniform as hp_uniform
    from hyperparton.space import optimizer_arg_wrapper as optimizer_arg_wrapper
    from hyperparton.trials import FileTrials as FileTrials
    from hyperparton.trials import MongodRunner as MongodRunner
    from hyperparton.trials import MongoFileTrials as MongoFileTrials
    from hyperparton.trials import Trial as Trial
    from hyperparton.trials import TrialStore as TrialStore
    from hyperparton.trials import read_trials as read_trials
    from hyperparton.trials import read_tries as read_tries
    from hyperparton.workflow.scan import scan_runcard as scan_runcard

    __version__: str

#: public name -> the module that holds it
_HOMES = {
    name: home
    for home, name in re.findall(r"from hyperparton\.(\S+) import (\w+) as \2\n", Path(__file__).read_text("utf-8"))
}
_load = lazy_names(__name__, _HOMES)
if not TYPE_CHECKING:
    __all__ = ["__version__", "errors", *_HOMES]


@cache
def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hyperparton")
    return import_module("hyperparton.errors") if name == "errors" else _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), "__version__", "errors", *_HOMES})
