"""Partial dependences: what the loss becomes along one hyperparameter, averaged over the others.

A forest is fitted to all finished trials; the partial dependence on a hyperparameter at a value is the mean of its
predictions over the trials (to which the hyperparameter applies) with that value put in the place of theirs (Friedman
2001, sec. 8.2). Losses beyond the range of good trials (`good_range`), and failures, count as its end: how bad a bad
trial is does not matter to the choice of a good one, and would drown everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.report.forest import grow_forest
from hyperparton.report.hyperparameters import Column, columns
from hyperparton.report.losses import Loss, good_range
from hyperparton.space.samplers import Uniform
from hyperparton.trials.trial import Trial

__all__ = ["Dependence", "Dependences", "dependences"]

_POINTS = 15
_BACKGROUND = 200
_FEWEST = 20


@dataclass(frozen=True, eq=False)
class Dependence:
    """The partial dependence on one hyperparameter; arrays are (point,)."""

    column: Column
    at: tuple[float | str, ...]
    """numbers along the axis, or the categories"""
    loss: np.ndarray
    low: np.ndarray
    """two thirds of the trees lie between `low` and `high`"""
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Dependences:
    """All of them, and what share of the variance of unseen trials the model explains."""

    entries: tuple[Dependence, ...]
    explained: float
    ceiling: float
    """the loss as which worse ones count"""


def dependences(trials: Sequence[Trial], loss: Loss, among: Sequence[Column] | None = None) -> Dependences | None:
    """Partial dependences on all hyperparameters, or on those `among` them; None with too few trials for a model.

    `among` are of the `columns` of the finished ones of the trials.
    """
    finished = [trial for trial in trials if trial.finished]
    losses = loss.of_all(finished)
    shown = columns(finished) if among is None else among
    if np.isfinite(losses).sum() < _FEWEST or not shown:
        return None
    ceiling = good_range(losses)[1]
    # the forest sees shares of the range: sums of squares of losses may overflow
    axis = Uniform("loss", float(np.nanmin(losses)), ceiling)
    target = np.array([axis.share(min(value, ceiling)) for value in np.nan_to_num(losses, nan=ceiling).tolist()])
    encoded = [_encode(column, column.scaled, column.numbers) for column in shown]
    features = np.hstack(encoded)
    forest = grow_forest(features, target)
    starts = np.cumsum([0, *(part.shape[1] for part in encoded)])
    entries = []
    for column, start, stop in zip(shown, starts[:-1], starts[1:], strict=True):
        background = features[column.applies][:: max(int(column.applies.sum()) // _BACKGROUND, 1)]
        at, codes = _points(column)
        grid = np.repeat(background[None], len(at), axis=0)
        grid[:, :, start:stop] = codes[:, None, :]
        trees = forest.predict(grid.reshape(-1, features.shape[1]))
        curves = trees.reshape(len(trees), len(at), -1).mean(axis=2)
        shares = (curves.mean(axis=0), *np.quantile(curves, [1 / 6, 5 / 6], axis=0))
        entries.append(Dependence(column, at, *(np.array([axis.value_at(s) for s in each]) for each in shares)))
    return Dependences(tuple(entries), forest.explained, ceiling)


def _encode(column: Column, scaled: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """(trial, feature): one number from 0 to 1, or one 0 or 1 per category; -1 and 0 where it does not apply."""
    if column.numeric:
        return np.where(np.isnan(scaled), -1.0, scaled)[:, None]
    return (numbers[:, None] == np.arange(len(column.categories))[None]).astype(float)


def _points(column: Column) -> tuple[tuple[float | str, ...], np.ndarray]:
    """Where the dependence is evaluated, and the features of each: (point,), (point, feature)."""
    if not column.numeric:
        return column.categories, np.eye(len(column.categories))
    axis, scaled = column.axis, np.linspace(0.0, 1.0, _POINTS)
    return tuple(axis.value_at(share) for share in scaled.tolist()), scaled[:, None]
