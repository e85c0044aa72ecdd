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

from hyperparton.report.hyperparameters import Column, columns, shown
from hyperparton.report.losses import Loss
from hyperparton.trials.trial import Trial

__all__ = ["Importance", "MarginalRange", "divergence", "importances", "marginal_range"]

_BEST = 0.25
_DRAWS = 2000
_SEED = 1

#: fewer trials than this say nothing
_FEWEST = 12

#: share of the best trials that their range holds
_HELD = 2 / 3


@dataclass(frozen=True)
class MarginalRange:
    """Numbers: the shortest range with two thirds of the best trials, and that of all. Categories: shares."""

    low: float | None = None
    high: float | None = None
    least: float | None = None
    """of all trials"""
    greatest: float | None = None
    shares: tuple[tuple[str, float, float], ...] = ()
    """category, its share of the best trials and of all, the most frequent among the best first"""

    @property
    def text(self) -> str:
        """Where the best lie, in a few words."""
        if not self.shares:
            return f"{shown(self.low, 3)} to {shown(self.high, 3)}"
        return ", ".join(f"{name} {best:.0%}" for name, best, _ in self.shares if best > 0)

    @property
    def text_of_all(self) -> str:
        """Where all trials lie."""
        if not self.shares:
            return f"{shown(self.least, 3)} to {shown(self.greatest, 3)}"
        return ", ".join(f"{name} {share:.0%}" for name, _, share in self.shares)


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
    losses = loss.of_all(finished, np.inf)
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


def marginal_range(column: Column, best: np.ndarray) -> MarginalRange:
    """The range of the trials `best` (indices), among those to which the hyperparameter applies.

    The shortest range is shortest along the axis on which the hyperparameter is drawn: in the logarithm of one that is
    drawn on a logarithmic axis.
    """
    numbers = column.numbers()
    everything = numbers[column.applies]
    if not column.numeric:
        size = len(column.categories)
        shares = np.bincount(everything.astype(int), minlength=size) / len(everything)
        of_best = np.bincount(numbers[best].astype(int), minlength=size) / len(best)
        order = np.argsort(-of_best, kind="stable")
        return MarginalRange(shares=tuple((column.categories[i], float(of_best[i]), float(shares[i])) for i in order))
    chosen = np.sort(numbers[best])
    along = np.log(chosen) if column.logarithmic else chosen
    if column.extreme:
        along = np.sort(column.scaled()[best])
    count = max(int(np.ceil(_HELD * len(chosen))), 1)
    lengths = along[count - 1 :] - along[: len(along) - count + 1]
    start = int(np.argmin(lengths))
    low, high = float(chosen[start]), float(chosen[start + count - 1])
    return MarginalRange(low, high, float(everything.min()), float(everything.max()))
