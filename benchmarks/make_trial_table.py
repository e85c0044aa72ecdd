"""A table of real trials for `benchmarks/engines.py`: random points of a space, each fitted once, with their learning
curves.

    python benchmarks/make_trial_table.py FOLDER --trials 3000          # runs and continues the scan in FOLDER
    python benchmarks/make_trial_table.py FOLDER --write benchmarks/data/dis_trials.npz

The data, folds and settings are those of `examples/dis.yml`; the space is below, with short fits. Every 100 epochs of
a trial the table holds, for each fold, the loss of the hidden data that the trial would have if it ended there, and
chi2 of training and validation data. Widths are padded to the largest, so that the whole table needs few compiled
programs; padded nodes are zero and change no result.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton import HyperScanner, hyper_scan_wrapper
from hyperparton.data.load import load_fit_data
from hyperparton.hyperloss.trainer import ModelTrainer
from hyperparton.runcard.check import parse_runcard
from hyperparton.trials.trial import DONE
from hyperparton.trials.tries_read import read_tries

ROOT = Path(__file__).parent.parent
CARD = ROOT / "examples" / "dis.yml"

#: the space of the table and of the live scans
SCAN: dict[str, Any] = {
    "stopping": {"min_epochs": 400, "max_epochs": 800, "min_patience": 0.2, "max_patience": 0.6},
    "positivity": {"min_initial": 1, "max_initial": 1000},
    "optimizer": [
        {
            "optimizer_name": name,
            "learning_rate": {"sampling": "log", "min": 1e-3, "max": 2e-2},
            "clipnorm": {"sampling": "log", "min": 1e-6, "max": 1e-3},
        }
        for name in ("Nadam", "Adam", "RMSprop")
    ],
    "architecture": {
        "initializers": ["glorot_normal", "glorot_uniform"],
        "max_drop": 0.15,
        "n_layers": [2, 3],
        "min_units": 10,
        "max_units": 40,
        "activations": ["tanh", "sigmoid"],
    },
}


#: seconds that one call of this script runs at most, if nothing else is asked for
_SHIFT = 300.0


class CurveTrainer:
    """A ModelTrainer whose results hold `curves`: how the trial came along.

    `loss` [checkpoint] is the loss of a trial that ended there, `folds` [checkpoint][fold] the same of each fold, as
    long as a fit runs; `running` [100 epochs] how many fits run on after them.
    """

    def __init__(self, trainer: ModelTrainer) -> None:
        self._trainer = trainer
        self._curves: dict[str, list[Any]] = {}
        trainer.report, trainer.progress = self._report, self._progress

    def _report(self, epoch: int, loss: float, folds: Sequence[float], epochs: int) -> None:
        self._curves["loss"].append(float(loss))
        self._curves["folds"].append([float(each) for each in folds])

    def _progress(self, event: dict[str, Any]) -> None:
        self._curves["running"].append(event["running"])

    def set_hyperopt(self, on: bool, keys: Any) -> None:
        """As ModelTrainer."""
        self._trainer.set_hyperopt(on, keys)

    def hyperparametrizable(self, params: dict[str, Any]) -> dict[str, Any]:
        """The trainer's result with the curves."""
        self._curves = {"loss": [], "folds": [], "running": []}
        return {**self._trainer.hyperparametrizable(params), "curves": self._curves}


def scan_parts() -> tuple[CurveTrainer, HyperScanner]:
    """(trainer, scanner) of the benchmark's scans."""
    card = parse_runcard(CARD.read_text(), CARD)
    scanner = HyperScanner(card.scan_parameters(), SCAN)
    return CurveTrainer(ModelTrainer.from_runcard(card, load_fit_data(card, None, None), (1,))), scanner


def run(folder: Path, trials: int, seconds: float) -> None:
    """Continue the scan in `folder` to that many trials, or for so many seconds, fifty trials at a time."""
    trainer, scanner = scan_parts()
    begun, done, told = time.monotonic(), 0, []

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "trial_finished":
            told.append(event["seconds"])

    tries = folder / "tries.json"
    done = len(read_tries(tries)) if tries.exists() else 0
    while done < trials and time.monotonic() - begun < seconds:
        done = min(done + 50, trials)
        hyper_scan_wrapper(folder, trainer, scanner, done, engine="random", seed=1, progress=progress)
    if told:
        print(f"{done} trials, median {np.median(told):.2f} s, mean {np.mean(told):.2f} s", flush=True)


def write(folder: Path, file: Path) -> None:
    """The finished trials of `folder` as arrays; losses of curves with four digits, values with seven."""
    trials = [trial for trial in read_tries(folder / "tries.json") if trial["state"] == DONE]
    vals, results = [trial["misc"]["vals"] for trial in trials], [trial["result"] for trial in trials]
    labels, rows = sorted(vals[0]), len(trials)
    most = max(len(result["curves"]["running"]) for result in results)
    curves, of_folds = np.full((rows, most), np.nan), np.full((rows, most, 4), np.nan)
    running = np.zeros((rows, most), np.uint8)
    for row, result in enumerate(results):
        held = result["curves"]
        curves[row, : len(held["loss"])], of_folds[row, : len(held["folds"])] = held["loss"], held["folds"]
        running[row, : len(held["running"])] = held["running"]
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        file,
        labels=np.array(labels),
        values=np.array([[v[label][0] if v[label] else np.nan for label in labels] for v in vals], np.float32),
        epochs=np.array([trial["misc"]["space_vals"]["epochs"] for trial in trials], np.int16),
        ok=np.array([result["status"] == "ok" for result in results]),
        loss=np.array([result["loss"] for result in results], np.float64).round(6),
        courses=_short(curves),
        folds=_short(of_folds),
        running=running,
    )
    good = np.mean([result["status"] == "ok" for result in results])
    print(f"{rows} trials, {good:.0%} of them ok, {file.stat().st_size / 1024:.0f} kB")


def _short(values: np.ndarray) -> np.ndarray:
    """float32 with 13 bits, so that it compresses."""
    single = np.ascontiguousarray(np.minimum(values, 1e30), np.float32)
    return (single.view(np.uint32) & np.uint32(0xFFFFF800)).view(np.float32)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=_SHIFT, help="end after this time; call again to continue")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the trials that are there, run none")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.folder, arguments.write)
        return
    run(arguments.folder, arguments.trials, arguments.seconds)


if __name__ == "__main__":
    main()
