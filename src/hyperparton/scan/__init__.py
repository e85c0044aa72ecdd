"""The scan: from a runcard's ranges to trials and their best. It knows of a trainer only its two methods."""

from hyperparton.scan.early_stop import EarlyStopping
from hyperparton.scan.evaluate import evaluate_trial
from hyperparton.scan.limits import Limits
from hyperparton.scan.pruning import Rule
from hyperparton.scan.run import run_scan
from hyperparton.scan.scanner import ActivationStr, HyperScanner
from hyperparton.scan.settings import Execution, ScanSettings
from hyperparton.scan.trainer import BatchTrainer, ProgressTrainer, ReportingTrainer, Trainer, load_trainer
from hyperparton.scan.worker_process import Recipe

__all__ = [
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
    "evaluate_trial",
    "load_trainer",
    "run_scan",
]
