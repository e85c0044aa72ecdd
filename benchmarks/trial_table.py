"""The table of real trials that `make_trial_table.py` wrote, as two objectives for `engines.py`.

`Pool`: a suggested point stands for the nearest row of the same choices that was not used yet; the engine is told the
row's own values. Every loss and learning curve is real, but each point moves to a row.

`Surrogate`: a regression of the table (normal scores of the losses' ranks by extremely randomised trees) at the
suggested point, plus noise as large as its error on rows that it was not fitted to; the noise belongs to the point, so
equal points give equal losses. The learning curve is that of the row of the same choices whose loss is nearest, moved
to end at the loss of the point.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.space.samplers import Choice, QUniform
from hyperparton.space.tree import samplers_by_label

__all__ = ["Pool", "Surrogate", "Table", "TrialCurve", "curve_of"]

#: epochs between two checkpoints
EACH = 100
FOLDS = 4

#: added to the losses of failed trials, which are worse than all others
_FAILED = 1e6


@dataclass(frozen=True)
class TrialCurve:
    """One trial: what it costs and what it shows on the way."""

    vals: Mapping[str, Sequence[Any]]
    status: str
    loss: float
    epochs: tuple[int, ...]
    """of the checkpoints before the end"""
    losses: tuple[float, ...]
    costs: tuple[float, ...]
    """(checkpoint,) epochs that were run until then, mean over folds"""
    cost: float
    """of the whole trial"""


def curve_of(vals: Any, status: str, loss: float, epochs: int, curves: Mapping[str, Any]) -> TrialCurve:
    """A trial of at most `epochs` epochs whose curves were kept, see `make_trial_table.CurveTrainer`."""
    running, shown = np.asarray(curves["running"], float), len(curves["loss"])
    ran = np.concatenate([[1.0], running[:-1] / FOLDS])
    costs = np.cumsum(np.clip(epochs - EACH * np.arange(len(running)), 0, EACH) * ran)
    return TrialCurve(
        vals=vals,
        status=status,
        loss=loss,
        epochs=tuple(EACH * (k + 1) for k in range(shown)),
        losses=tuple(float(value) for value in curves["loss"]),
        costs=tuple(costs[:shown].tolist()),
        cost=float(costs[-1]),
    )


class Table:
    """The rows of the file, for the space that they were drawn from."""

    def __init__(self, file: Path, space: Any) -> None:
        self.samplers = samplers_by_label(space)
        with np.load(file) as held:
            columns = {label: i for i, label in enumerate(held["labels"].tolist())}
            if sorted(columns) != sorted(self.samplers):
                raise SystemExit(f"{file} is a table of another space: labels {sorted(columns)}")
            self.labels = sorted(self.samplers)
            self.values = held["values"][:, [columns[label] for label in self.labels]].astype(float)
            self.ok, self.loss = held["ok"], held["loss"].astype(float)
            self.curves = held["courses"].astype(float)
            self.running, self.epochs = held["running"], held["epochs"]
        self.choices = [i for i, label in enumerate(self.labels) if isinstance(self.samplers[label], Choice)]
        self.branch = [tuple(row) for row in np.nan_to_num(self.values[:, self.choices], nan=-1.0).astype(int)]

    def __len__(self) -> int:
        return len(self.loss)

    @cached_property
    def unit(self) -> np.ndarray:
        """(row, label) values as shares of their ranges, 0.5 where a label does not apply; choices as numbers."""
        return np.array([[self._share(i, value) for i, value in enumerate(row)] for row in self.values])

    def _share(self, i: int, value: float) -> float:
        sampler = self.samplers[self.labels[i]]
        if isinstance(sampler, Choice):
            return -1.0 if math.isnan(value) else value
        if math.isnan(value):
            return 0.5
        if isinstance(sampler, QUniform):
            return (value - sampler.lower) / (sampler.upper - sampler.lower)
        return sampler.share(value)

    def point(self, vals: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """(label,) as `unit`."""
        return np.array([self._share(i, (vals[label] or [math.nan])[0]) for i, label in enumerate(self.labels)])

    def branch_of(self, point: np.ndarray) -> tuple[int, ...]:
        """The choices of a point."""
        return tuple(int(value) for value in point[self.choices])

    def vals(self, row: int) -> dict[str, list[Any]]:
        """The values of a row as engines have them."""
        held: dict[str, list[Any]] = {}
        for label, value in zip(self.labels, self.values[row].tolist(), strict=True):
            sampler = self.samplers[label]
            if math.isnan(value):
                held[label] = []
            elif isinstance(sampler, Choice):
                held[label] = [int(value)]
            elif isinstance(sampler, QUniform):
                held[label] = [sampler.point(sampler.index(value))]
            else:
                held[label] = [min(max(value, sampler.lower), sampler.upper)]
        return held

    def curve(self, row: int) -> TrialCurve:
        """What the trial of a row cost and showed."""
        shown = int(np.sum(~np.isnan(self.curves[row])))
        return curve_of(
            self.vals(row), "ok" if self.ok[row] else "fail", float(self.loss[row]), int(self.epochs[row]),
            {"loss": self.curves[row, :shown], "running": self.running[row]},
        )  # fmt: skip

    @cached_property
    def order(self) -> np.ndarray:
        """(row,) losses for comparison: failed trials behind all others."""
        return np.where(self.ok, self.loss, _FAILED + self.loss)


class Pool:
    """Rows of the table; `start` begins a new scan."""

    name = "pool"

    def __init__(self, table: Table) -> None:
        self.table = table
        self._rows: dict[tuple[int, ...], np.ndarray] = {}
        for row, branch in enumerate(table.branch):
            self._rows[branch] = np.append(self._rows.get(branch, np.array([], int)), row)
        self.start()

    def start(self) -> None:
        """Forget which rows were used."""
        self._used = np.zeros(len(self.table), bool)

    def __call__(self, vals: Mapping[str, Sequence[Any]]) -> TrialCurve:
        """The nearest unused row of the same choices; the nearest used one if all are."""
        point = self.table.point(vals)
        rows = self._rows[self.table.branch_of(point)]
        free = rows[~self._used[rows]]
        rows = free if len(free) else rows
        row = int(rows[np.argmin(np.sum((self.table.unit[rows] - point) ** 2, axis=1))])
        self._used[row] = True
        return self.table.curve(row)


class Surrogate:
    """A regression of the table with noise."""

    name = "surrogate"

    def __init__(self, table: Table) -> None:
        from scipy.special import ndtri
        from scipy.stats import rankdata

        self.table = table
        self._scores = ndtri((rankdata(table.order) - 0.5) / len(table))
        self._sorted = np.sort(table.order)
        self._score_grid = np.sort(self._scores)
        #: beyond the best row losses go on as among the best hundredth
        best = max(len(table) // 100, 3)
        self._slope = float(np.polyfit(self._score_grid[:best], self._sorted[:best], 1)[0])
        self._features = self._inputs(table.unit)
        self._model, self.quality, self._noise = self._fit()

    def start(self) -> None:
        """Nothing to forget."""

    def _inputs(self, unit: np.ndarray) -> np.ndarray:
        """Rates and clipnorms of all optimizers as one column each, beside the choices."""
        labels = self.table.labels
        columns = [unit]
        for ending in ("_learning_rate", "_clipnorm"):
            places = [i for i, label in enumerate(labels) if label.endswith(ending)]
            columns.append(np.max(np.where(unit[:, places] == 0.5, -1.0, unit[:, places]), axis=1, keepdims=True))
        return np.hstack(columns)

    def _fit(self) -> tuple[Any, dict[str, float], np.ndarray]:
        from scipy.stats import spearmanr
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.model_selection import KFold, cross_val_predict

        model = ExtraTreesRegressor(100, min_samples_leaf=2, max_features=0.7, random_state=0)
        folds = KFold(5, shuffle=True, random_state=0)
        left_out = cross_val_predict(model, self._features, self._scores, cv=folds)
        errors = self._scores - left_out
        best = self._scores < np.quantile(self._scores, 0.1)
        told = left_out < np.quantile(left_out, 0.2)
        quality = {
            "R2": 1.0 - float(np.var(errors) / np.var(self._scores)),
            "rank correlation": float(spearmanr(left_out, self._scores)[0]),
            "rank correlation among the best tenth": float(spearmanr(left_out[best], self._scores[best])[0]),
            "error where it predicts the best fifth": float(np.std(errors[told])),
            "error": float(np.std(errors)),
        }
        return model.fit(self._features, self._scores), quality, np.sort(errors[told])

    def smooth(self, vals: Mapping[str, Sequence[Any]]) -> float:
        """The score at a point without noise: what an engine can learn."""
        return float(self._model.predict(self._inputs(self.table.point(vals)[None]))[0])

    def chance(self, smooth: np.ndarray, loss: float) -> np.ndarray:
        """(point,) how probable noise on scores (point,) of `smooth` gives at most this loss."""
        score = float(np.interp(loss, self._sorted, self._score_grid))
        return np.searchsorted(self._noise, score - smooth, side="right") / len(self._noise)

    def __call__(self, vals: Mapping[str, Sequence[Any]]) -> TrialCurve:
        """The loss at a point, with a curve that ends there."""
        table, point = self.table, self.table.point(vals)
        digest = hashlib.sha256(json.dumps(vals, sort_keys=True).encode()).digest()
        u = (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
        noise = float(np.interp(u * (len(self._noise) - 1), np.arange(len(self._noise)), self._noise))
        score = self.smooth(vals) + noise
        loss = float(np.interp(score, self._score_grid, self._sorted))
        if score < self._score_grid[0]:
            loss += self._slope * (score - self._score_grid[0])
        branch = table.branch_of(point)
        rows = np.array([row for row, each in enumerate(table.branch) if each == branch])
        curve = table.curve(int(rows[np.argmin(np.abs(np.log(table.order[rows] / loss)))]))
        factor = loss / (curve.loss if curve.status == "ok" else _FAILED + curve.loss)
        return TrialCurve(
            vals=vals,
            status="ok" if loss < _FAILED else "fail",
            loss=loss,
            epochs=curve.epochs,
            losses=tuple(value * factor for value in curve.losses),
            costs=curve.costs,
            cost=curve.cost,
        )
