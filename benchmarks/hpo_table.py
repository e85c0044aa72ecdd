"""A tabulated problem of hyperparameters, and a scan of it; numpy alone, for both environments of `public_tables.py`.

A configuration is one value of each parameter, and has a loss for each of a few seeds of its training. In a scan, trial
n shows the loss of one of these seeds, which n and the seed of the scan choose: every engine meets the same noise.

The regret of a configuration is the mean of its losses less the least mean of the table, in units of what the median of
the means lies above the least: 0 is the best, and half of the table is worse than 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SHOWN", "Scan", "Table", "file_of", "tables_in"]

#: after so many trials the named configuration is looked at
SHOWN = (20, 50, 100)

Place = tuple[int, ...]
"""of a configuration: which value each parameter has"""


class Table:
    """One problem."""

    def __init__(self, parameters: dict[str, list[Any]], losses: np.ndarray) -> None:
        """`losses` has an axis for each parameter, with an entry for each value, and one for the seeds."""
        self.parameters, self.losses = parameters, losses
        means = losses.mean(axis=-1)
        self._regrets = (means - means.min()) / (np.median(means) - means.min())

    @staticmethod
    def read(file: Path) -> Table:
        """The table that `write` left."""
        with np.load(file, allow_pickle=False) as held:
            return Table(json.loads(str(held["parameters"])), held["losses"])

    def write(self, file: Path) -> None:
        """The table as a file of numpy's, without pickle."""
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, parameters=np.array(json.dumps(self.parameters)), losses=self.losses)

    def loss(self, place: Place, seed: int, number: int) -> float:
        """What trial `number` of the scan with this seed shows."""
        which = np.random.default_rng([seed, number]).integers(self.losses.shape[-1])
        return float(self.losses[(*place, which)])

    def regret(self, place: Place) -> float:
        """That of a configuration."""
        return float(self._regrets[place])


class Scan:
    """One scan: what its trials showed, and the regrets of the configurations that were named.

    Two are looked at: `lowest`, that of the trial with the lowest loss, and `named`, the one that the engine names
    where it has a way of its own.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._seed = table, seed
        self._places: list[Place] = []
        self._losses: list[float] = []
        self._regrets: dict[str, dict[str, float]] = {"lowest": {}, "named": {}}

    @property
    def count(self) -> int:
        """Trials so far."""
        return len(self._losses)

    def observe(self, place: Sequence[int]) -> float:
        """One more trial: its loss."""
        own = tuple(int(index) for index in place)
        loss = self._table.loss(own, self._seed, self.count)
        self._places.append(own)
        self._losses.append(loss)
        if self.count in SHOWN:
            best = self._places[int(np.argmin(self._losses))]
            self._regrets["lowest"][str(self.count)] = self._table.regret(best)
        return loss

    def name(self, place: Sequence[int]) -> None:
        """What the engine names after these trials."""
        self._regrets["named"][str(self.count)] = self._table.regret(tuple(int(index) for index in place))

    def write(self, file: Path, problem: str, engine: str, seconds: float) -> None:
        """The scan as JSON; `seconds` are those of the engine for all trials."""
        told = {"problem": problem, "engine": engine, "seed": self._seed, "trials": self.count, "seconds": seconds}
        told |= {"regrets": self._regrets, "places": self._places, "losses": self._losses}
        file.write_text(json.dumps(told))


def tables_in(results: Path) -> dict[str, Path]:
    """The files of the tables by the problems' names."""
    return {file.stem: file for file in sorted((results / "tables").glob("*.npz"))}


def file_of(results: Path, problem: str, engine: str, seed: int, trials: int) -> Path:
    """Where a scan is kept."""
    return results / f"{problem}_{engine.replace(':', '-')}_{trials}_{seed}.json"
