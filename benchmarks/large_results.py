"""Trials with large results: seconds for each in the scan's own process and in a worker, by turns.

    python benchmarks/large_results.py --numbers 2100000 --trials 6 --pairs 4

The trainer returns a list of so many numbers at once, so the time is that of keeping the result: 2.1 million numbers
are 40 MB of JSON.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from hyperparton import Execution, HyperScanner, ScanSettings, run_scan
from hyperparton.scan.worker_process import Recipe
from hyperparton.space.samplers import hp_uniform


@cache
def numbers(count: int) -> list[float]:
    """The same in each process."""
    draw = random.Random(1)
    return [draw.random() for _ in range(count)]


class Trainer:
    """Returns many numbers and computes nothing."""

    def __init__(self, count: int) -> None:
        self._count = count

    def set_hyperopt(self, on: bool, keys: Any) -> None:
        """Needs nothing."""

    def hyperparametrizable(self, params: dict[str, Any]) -> dict[str, Any]:
        """A result with the numbers."""
        return {"status": "ok", "loss": float(params["a"]), "numbers": numbers(self._count)}


def build(count: int) -> tuple[Trainer, HyperScanner]:
    """The trainer and a space of one number."""
    return Trainer(count), HyperScanner.of_space({"a": hp_uniform("a", 0, 1)}, ["a"])


def seconds(count: int, trials: int, worker: bool) -> float:
    """The mean time of a trial after the first."""
    trainer, scanner = build(count)
    numbers(count)
    ends: list[float] = []

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "trial_finished":
            ends.append(time.monotonic())

    recipe = Recipe("large_results:build", {"count": count}, (str(Path(__file__).parent),))
    with tempfile.TemporaryDirectory() as folder:
        run_scan(
            folder, recipe if worker else trainer, scanner, trials,
            settings=ScanSettings(engine="random", seed=1), execution=Execution(confirm=0), progress=progress,
        )  # fmt: skip
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=2_100_000)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=4)
    arguments = parser.parse_args()
    for _ in range(arguments.pairs):
        own, worker = (seconds(arguments.numbers, arguments.trials, worker) for worker in (False, True))
        print(f"own process {own:.2f} s, worker {worker:.2f} s, ratio {worker / own:.2f}", flush=True)


if __name__ == "__main__":
    main()
