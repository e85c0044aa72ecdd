"""Which hyperparameters matter: how far the best trials' values differ from those of all trials.

For each hyperparameter the Pearson divergence between its distribution over the best quarter of the trials and over all
of them, as in PED-ANOVA (arXiv:2304.10255, eq. 14, with all trials as the wider set):

    D = sum over bins b of p_all(b) (p_best(b) / p_all(b) - 1)^2

For numbers, D is the mean over a coarse and a finer binning (two, three and, with many trials, up to eight bins of
equally many trials), so that both a preferred end and a preferred middle show. It is 0 where the best trials look like
all the others. A few trials differ by chance as well, so D is compared with
what it is for quarters drawn at random. Failed trials count as the worst. A hyperparameter that applies to some trials
only is judged among those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.report.hyperparameters import Column, columns
from hyperparton.report.losses import Loss
from hyperparton.report.ranges import MarginalRange, marginal_range
from hyperparton.trials import Trial

__all__ = ["Importance", "divergence", "importances"]

_BEST = 0.25
_DRAWS = 2000
_SEED = 1

#: fewer trials than this say nothing
_FEWEST = 12


@dataclass(frozen=True)
class Importance:
    """One hyperparameter's divergence."""

    name: str
    trials: int
    """to which it applies"""
    divergence: float
    chance: float
    """95 of 100 quarters drawn at random stay below"""
    p_value: float
    """share of the quarters drawn at random that differ at least as much"""
    best: MarginalRange
    """where the best quarter lies"""


def importances(trials: Sequence[Trial], loss: Loss) -> list[Importance]:
    """The hyperparameters, the most important first; those with too few trials to judge are left out."""
    finished = [trial for trial in trials if trial.finished]
    numbers = [loss(trial) if trial.ok else None for trial in finished]
    losses = np.array([np.inf if value is None else value for value in numbers], dtype=float)
    entries = [_importance(column, losses) for column in columns(finished)]
    return sorted((entry for entry in entries if entry), key=lambda entry: (entry.p_value, -entry.divergence))


def _importance(column: Column, losses: np.ndarray) -> Importance | None:
    applies = column.applies
    count = int(applies.sum())
    if count < _FEWEST:
        return None
    best = max(round(_BEST * count), 3)
    binnings = _binnings((column.scaled() if column.numeric else column.numbers())[applies], column.numeric, best)
    order = np.argsort(losses[applies], kind="stable")
    observed = _mean_divergence(order[:best], binnings)
    rng = np.random.default_rng(_SEED)
    drawn = np.array([_mean_divergence(rng.permutation(count)[:best], binnings) for _ in range(_DRAWS)])
    p_value = float((1 + np.sum(drawn >= observed - 1e-12)) / (1 + _DRAWS))
    lie = marginal_range(column, np.flatnonzero(applies)[order[:best]])
    return Importance(column.name, count, observed, float(np.quantile(drawn, 0.95)), p_value, lie)


def _binnings(numbers: np.ndarray, numeric: bool, best: int) -> list[np.ndarray]:
    """(trial,) the bin of each: its category, or, for each binning, one of a few bins with equally many trials."""
    if not numeric:
        return [numbers.astype(int)]
    counts = sorted({2, 3, min(max(best // 4, 3), 8)})
    edges = [np.quantile(numbers, np.linspace(0, 1, count + 1)[1:-1]) for count in counts]
    return [np.searchsorted(inner, numbers, side="right") for inner in edges]


def _mean_divergence(best: np.ndarray, binnings: Sequence[np.ndarray]) -> float:
    return sum(divergence(bins[best], bins) for bins in binnings) / len(binnings)


def divergence(best: np.ndarray, everything: np.ndarray) -> float:
    """The Pearson divergence of the bins of the best trials (best,) from those of all trials (trial,)."""
    size = int(everything.max()) + 1
    all_shares = np.bincount(everything, minlength=size) / len(everything)
    best_shares = np.bincount(best, minlength=size) / len(best)
    there = all_shares > 0
    return float(np.sum((best_shares[there] - all_shares[there]) ** 2 / all_shares[there]))
