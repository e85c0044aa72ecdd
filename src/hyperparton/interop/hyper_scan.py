"""`hyper_scan_wrapper`: n3fit's function of that name over `run_scan`, for n3fit's objects and for ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperparton.interop.n3fit_isolation import as_recipe, as_trainer
from hyperparton.interop.n3fit_space import as_scanner
from hyperparton.scan.events import Progress
from hyperparton.scan.run import run_scan
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.settings import settings_of
from hyperparton.scan.trainer import Trainer
from hyperparton.scan.worker_process import Recipe

__all__ = ["hyper_scan_wrapper"]


def hyper_scan_wrapper(
    replica_path_set: str | Path,
    model_trainer: Trainer | Recipe,
    hyperscanner: HyperScanner | Any,
    max_evals: int = 1,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run the scan up to `max_evals` trials in total and return the best trial's full parameters.

    It can stand in the place of n3fit's function: `model_trainer` and `hyperscanner` may be n3fit's, and the engine is
    that of n3fit's scan unless another is asked for. `options` are fields of `ScanSettings` and `Execution` by their
    names, `engine="gp", workers=4`; without `prune`, trials are not pruned. The rest is as in `run_scan`: the folder,
    here `replica_path_set`, the events for `progress` and what is raised. Raises ScanError for an unknown option.
    """
    settings, execution = settings_of({"engine": "hyperopt", "prune": False, **options})
    scanner = as_scanner(hyperscanner)
    trainer = as_recipe(model_trainer) if isinstance(model_trainer, Recipe) else as_trainer(model_trainer)
    return run_scan(
        replica_path_set, trainer, scanner, max_evals, settings=settings, execution=execution, progress=progress
    )
