"""A table of real methodologies with many replicas each, as a function with noise for `noisy_functions.py`.

    python benchmarks/replica_table.py make benchmarks/data/dis_replicas.jsonl --points 100
    python benchmarks/replica_table.py show benchmarks/data/dis_replicas.jsonl

Each line of the table is a point of the space of `examples/dis.yml` and the losses of 16 replicas with it. `make` adds
random points; the last 38 of the table that is here were drawn among those that a surrogate of the others found good.

`Replicas` is what a scan would see: the mean loss of fits that do not fail, by a Gaussian process of the logarithm, and
the chance to fail, by a logistic regression with all products of two coordinates. A fit has failed above a loss of 1.5.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import run_command
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from hyperparton.engines import get_engine, trial_seed
from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_model import Lengths, Process

TABLE = Path(__file__).parent / "data" / "dis_replicas.jsonl"

#: a fit with a larger loss has failed
FAILED = 1.5

#: replicas of a point
REPLICAS = 16

#: the regression of the chance to fail: how little its coefficients are held back
_FREE = 2.0

Values = Mapping[str, Sequence[Any]]


class Replicas:
    """The regressions of a table, for the space that its points are from."""

    def __init__(self, file: Path, space: Any) -> None:
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        self._cube = UnitCube(space)
        losses = np.array([row["losses"] for row in rows])
        failed = losses > FAILED
        x = self._coordinates([row["vals"] for row in rows])
        good, fitted = np.sum(~failed, axis=1), np.sum(~failed, axis=1) >= 3
        means = np.sum(np.where(failed, 0.0, losses), axis=1)[fitted] / good[fitted]
        stable = np.where(failed, np.nan, losses)[failed.mean(axis=1) < 0.1]
        self.spread = float(np.nanstd(stable - np.nanmean(stable, axis=1, keepdims=True)))
        """standard deviation of the replicas of a point that do not fail"""
        logs = np.log(means)
        self._center, self._scale = logs.mean(), logs.std()
        y, parameters = (logs - self._center) / self._scale, self._cube.parameters
        extra = (self.spread / np.sqrt(good[fitted]) / means / self._scale) ** 2
        theta = Lengths(x[fitted], parameters, y, extra).most_probable()
        self._process = Process(x[fitted], parameters, y, extra, theta)
        self._products = PolynomialFeatures(2, include_bias=False)
        features = self._products.fit_transform(x - 0.5)
        self._chance = LogisticRegression(C=_FREE, max_iter=2000).fit(
            np.vstack([features, features]),
            np.repeat([1, 0], len(x)),
            sample_weight=np.append(failed.sum(axis=1), good),
        )

    def _coordinates(self, vals: Sequence[Values]) -> np.ndarray:
        return self._cube.coordinates(self._cube.points(vals))

    def mean(self, vals: Values) -> float:
        """The mean loss of fits that do not fail."""
        return float(np.exp(self._center + self._scale * self._process.mean(self._coordinates([vals]))[0]))

    def chance(self, vals: Values) -> float:
        """The chance that a fit fails."""
        return float(self._chance.predict_proba(self._products.transform(self._coordinates([vals]) - 0.5))[0, 1])


def make(file: Path, points: int) -> None:
    """Add random points to a table."""
    from named import parts

    trainer, scanner = parts("dis")
    trainer.set_hyperopt(True, scanner.hyper_keys)
    begun = len(file.read_text().splitlines()) if file.exists() else 0
    for number in range(begun, begun + points):
        vals = get_engine("random").suggest(scanner.as_dict(), [], trial_seed(77, number), number)
        losses = trainer.refit(scanner.space_eval(vals), range(1, REPLICAS + 1))["replica_losses"]
        row = {"vals": {k: v for k, v in vals.items() if v}, "losses": [round(loss, 5) for loss in losses]}
        with file.open("a") as table:
            table.write(json.dumps(row) + "\n")


def show(file: Path) -> None:
    """How many replicas of the points fail, and the means of the best."""
    losses = np.array([json.loads(line)["losses"] for line in file.read_text().splitlines()])
    failed = np.sum(losses > FAILED, axis=1)
    print(f"{len(losses)} points, {np.mean(failed == 0):.0%} without a failed replica, {np.mean(losses > FAILED):.0%}")
    print("best means without a failed replica:", np.sort(losses[failed == 0].mean(axis=1))[:8].round(4))


def main() -> None:
    """The script."""

    def of_table(command: argparse.ArgumentParser) -> None:
        command.add_argument("file", type=Path)

    def of_points(command: argparse.ArgumentParser) -> None:
        of_table(command)
        command.add_argument("--points", type=int, default=100)

    run_command(__doc__, {make: of_points, show: of_table})


if __name__ == "__main__":
    main()
