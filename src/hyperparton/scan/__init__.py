"""The scan: from a runcard's ranges to trials and their best. It knows of a trainer only its two methods."""

from hyperparton.scan.custom_trainer import load_trainer
from hyperparton.scan.early_stop import Ending
from hyperparton.scan.evaluate import Trainer, evaluate_trial
from hyperparton.scan.hyper_scan import hyper_scan_wrapper
from hyperparton.scan.limits import Limits
from hyperparton.scan.pruning import Rule
from hyperparton.scan.scanner import ActivationStr, HyperScanner
from hyperparton.scan.worker_process import Recipe

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
