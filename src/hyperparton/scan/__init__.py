"""The scan: from a runcard's ranges to trials and their best. It knows of a trainer only its two methods."""

from hyperparton.scan.ending import Ending
from hyperparton.scan.evaluate import Trainer, evaluate_trial
from hyperparton.scan.limits import Limits
from hyperparton.scan.own_trainer import load_trainer
from hyperparton.scan.process import Recipe
from hyperparton.scan.pruning import Rule
from hyperparton.scan.scanner import ActivationStr, HyperScanner
from hyperparton.scan.wrapper import hyper_scan_wrapper

__all__ = [
    "ActivationStr",
    "Ending",
    "HyperScanner",
    "Limits",
    "Recipe",
    "Rule",
    "Trainer",
    "evaluate_trial",
    "hyper_scan_wrapper",
    "load_trainer",
]
