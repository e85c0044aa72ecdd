"""A table of real trials for `benchmarks/engines.py`: random points of a space, each fitted once, with its courses.

    python benchmarks/make_trial_table.py FOLDER --trials 3000          # runs and continues the scan in FOLDER
    python benchmarks/make_trial_table.py FOLDER --write benchmarks/data/dis_trials.npz

The data, folds and settings are those of `examples/dis.yml`; the space is below, with short fits. Every 100 epochs of
a trial the table holds, for each fold, the loss of the hidden data that the trial would have if it ended there, and
chi2 of training and validation data. Widths are padded to the largest, so that the whole table needs few programs;
padded nodes are zero and change no result.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from hyperparton.cli.recipe import pdf_trainer
from hyperparton.data import load_fit_data
from hyperparton.pdf import columns
from hyperparton.runcard import parse_runcard
from hyperparton.scan import HyperScanner, hyper_scan_wrapper
from hyperparton.train import models as training
from hyperparton.train.kfold import Fold
from hyperparton.train.methodology import Methodology, unroll
from hyperparton.train.rewards import convergence_penalty
from hyperparton.train.trainer import ModelTrainer
from hyperparton.trials import read_tries
from hyperparton.trials.record import DONE

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

#: every width is padded to this
_WIDTH = 40

#: seconds that one call of this script runs at most, if nothing else is asked for
_SHIFT = 300.0


COURSES = ("loss", "fold_losses", "fitted", "hidden", "training", "validation", "running")


class _Snapshots(training.Chunks):
    """Chunks that keep the state of all models after each call, for the trainer below."""

    kept: ClassVar[list[Any]] = []

    def advance(self, coefficients: np.ndarray) -> int:
        """The same, with a copy of the state left in `kept`."""
        running = super().advance(coefficients)
        self.kept.append(jax.tree.map(np.array, self.states()))
        return running


class CourseTrainer:
    """A ModelTrainer whose results hold `courses`: what the trial would have given at each checkpoint.

    For one replica. `loss` [checkpoint] is the loss of a trial that ended there; [checkpoint][fold] are `fold_losses`,
    chi2 of the `fitted` and `hidden` data at the best epoch so far, those of `training` and `validation` data in the
    last epoch, and whether the fit is `running`.
    """

    def __init__(self, trainer: ModelTrainer) -> None:
        self._trainer = trainer
        self._keys: tuple[str, ...] = ()

    def set_hyperopt(self, on: bool, keys: Any) -> None:
        """As ModelTrainer."""
        self._trainer.set_hyperopt(on, keys)
        self._keys = tuple(keys)

    def hyperparametrizable(self, params: dict[str, Any]) -> dict[str, Any]:
        """The trainer's result with the courses."""
        methodology = Methodology.from_parameters(unroll(params, self._keys))
        folds: list[Fold] = self._trainer.setup.folds()
        courses: dict[str, list[Any]] = {name: [] for name in COURSES}
        loss_of = self._trainer.hyper_loss
        collect = training._collect

        def collect_all(model, data, convolution, fixed, state, history):
            for k, snapshot in enumerate(_Snapshots.kept):
                trained = collect(model, data, convolution, fixed, snapshot, history)
                of_folds = [self._trainer._fold_result(trained, methodology, fold, i) for i, fold in enumerate(folds)]
                courses["loss"].append(loss_of.trial_loss(of_folds, self._trainer.threshold).loss)
                courses["fold_losses"].append([f.weight * loss_of.fold_loss(f) for f in of_folds])
                courses["fitted"].append([f.fitted.chi2exp for f in of_folds])
                courses["hidden"].append([f.hidden.chi2 for f in of_folds])
                courses["training"].append(history[k, :, 0].tolist())
                courses["validation"].append(history[k, :, 1].tolist())
                courses["running"].append(snapshot.stopping.running.tolist())
            return collect(model, data, convolution, fixed, state, history)

        _Snapshots.kept.clear()
        training.Chunks, training._collect = _Snapshots, collect_all
        try:
            result = self._trainer.hyperparametrizable(params)
        finally:
            training.Chunks, training._collect = _Snapshots.__bases__[0], collect
        return {**result, "courses": courses}


def scan_parts() -> tuple[Any, HyperScanner]:
    """(trainer, scanner) of the benchmark's scans; the trainer is hyperparton's own."""
    columns.WIDTH_STEP = _WIDTH
    card = parse_runcard(CARD.read_text(), CARD)
    scanner = HyperScanner(card.scan_parameters(), SCAN)
    return pdf_trainer(card, load_fit_data(card, None, None), 1), scanner


def run(folder: Path, trials: int, seconds: float) -> None:
    """Continue the scan in `folder` to that many trials, or for so many seconds, ten trials at a time."""
    trainer, scanner = scan_parts()
    begun, done, told = time.monotonic(), 0, []

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "trial_finished":
            told.append(event["seconds"])

    tries = folder / "tries.json"
    done = len(read_tries(tries)) if tries.exists() else 0
    while done < trials and time.monotonic() - begun < seconds:
        done = min(done + 50, trials)
        hyper_scan_wrapper(folder, CourseTrainer(trainer), scanner, done, engine="random", seed=1, progress=progress)
    if told:
        print(f"{done} trials, median {np.median(told):.2f} s, mean {np.mean(told):.2f} s", flush=True)


def write(folder: Path, file: Path) -> None:
    """The finished trials of `folder` as arrays; losses with four digits, values with seven."""
    trials = [trial for trial in read_tries(folder / "tries.json") if trial["state"] == DONE]
    labels = sorted(trials[0]["misc"]["vals"])
    rows, most, folds = len(trials), max(len(trial["result"]["courses"]["fitted"]) for trial in trials), 4
    courses = np.full((rows, most), np.nan)
    of_folds, running = np.full((rows, most, folds), np.nan), np.zeros((rows, most, folds), bool)
    for row, trial in enumerate(trials):
        held = trial["result"]["courses"]
        for k, (losses, fitted) in enumerate(zip(held["fold_losses"], held["fitted"], strict=True)):
            # without the threshold, which a fold may still come below
            courses[row, k] = np.mean(losses) + convergence_penalty(float(np.mean(fitted)))
            of_folds[row, k], running[row, k] = losses, held["running"][k]
    vals = [trial["misc"]["vals"] for trial in trials]
    values = [[each[label][0] if each[label] else np.nan for label in labels] for each in vals]
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        file,
        labels=np.array(labels),
        values=np.array(values, np.float32),
        epochs=np.array([trial["misc"]["space_vals"]["epochs"] for trial in trials], np.int16),
        ok=np.array([trial["result"]["status"] == "ok" for trial in trials]),
        loss=np.array([trial["result"]["loss"] for trial in trials], np.float64).round(6),
        courses=_short(courses),
        folds=_short(of_folds),
        running=running,
    )
    good = np.mean([trial["result"]["status"] == "ok" for trial in trials])
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
