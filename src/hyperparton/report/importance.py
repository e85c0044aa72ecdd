"""Which hyperparameters matter: how far the best trials' values differ from those of all trials.

For each hyperparameter the Pearson divergence between its distribution over the best quarter of the trials and over all
of them, as in PED-ANOVA (arXiv:2304.10255, eq. 14, with all trials as the wider set):

    D = sum over bins b of p_all(b) (p_best(b) / p_all(b) - 1)^2

For numbers, D is the mean over a coarse and a finer binning (two, three and, with many trials, up to eight bins of
equally many trials), so that both a preferred end and a preferred middle show. It is 0 where the best trials look like
all the others. A few trials differ by chance as well, so D is compared with
what it is for quarters drawn at random. Failed trials count as the worst. A hyperparameter that applies to some trials
only is judged among those.

Where D is no larger than by chance, the hyperparameter made no difference, or it was sampled too little to tell. A
clear preference has D = 1/4: the odds of one half of a range, or of one of many categories, are then three times as
high among the best as among all. It is found in about 4 of 5 cases if chance gives no more than half of that. So where
chance gives more, too little was sampled; and where not even two categories, or not both halves of a range, have
`FEWEST` trials: of so many with the same value, none is among the best quarter in 0.75**12 = 3 % of cases by chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hyperparton.report.hyperparameters import Column, columns, shown
from hyperparton.report.losses import Loss
from hyperparton.trials.trial import Trial

__all__ = [
    "FEWEST",
    "HINT",
    "MATTERS",
    "NO_DIFFERENCE",
    "TOO_FEW",
    "Importance",
    "MarginalRange",
    "divergences",
    "importances",
    "marginal_range",
]

_BEST = 0.25
_DRAWS = 2000

#: so many bins are counted at once
_TOGETHER = 1000

#: bins of a binning of numbers
_FEW_BINS, _MANY_BINS = (2, 3), 8

_SEED = 1

#: fewer trials than this say nothing
FEWEST = 12

#: what is said of a hyperparameter
MATTERS, HINT, NO_DIFFERENCE, TOO_FEW = "matters", "hint", "no difference", "sampled too little to tell"

#: probability of chance below which a hyperparameter matters, all of them together, or one alone is a hint
_LEVEL = 0.05

#: half the divergence of a clear preference
_SEEN = 0.125

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
    parts: tuple[tuple[str, int], ...] = ()
    """categories, or halves of the range, in words, and how many trials each has"""
    answer: str = NO_DIFFERENCE
    """`MATTERS`, `HINT`, `NO_DIFFERENCE` or `TOO_FEW`"""

    @property
    def hardly_sampled(self) -> tuple[tuple[str, int], ...]:
        """The parts with too few trials to tell anything of them."""
        return tuple(part for part in self.parts if part[1] < FEWEST)

    def answered(self, together: int) -> Importance:
        """With the answer, among so many hyperparameters."""
        if self.p_value < _LEVEL / together:
            return replace(self, answer=MATTERS)
        if self.p_value < _LEVEL:
            return replace(self, answer=HINT)
        unseen = self.chance > _SEEN or len(self.parts) - len(self.hardly_sampled) < 2
        return replace(self, answer=TOO_FEW if unseen else NO_DIFFERENCE)


def importances(trials: Sequence[Trial], loss: Loss, among: Sequence[Column] | None = None) -> list[Importance]:
    """The hyperparameters, the most important first; those with too few trials to judge are left out.

    `among` are the `columns` of the finished ones of the trials, if they are known.
    """
    finished = [trial for trial in trials if trial.finished]
    losses = loss.of_all(finished, np.inf)
    alike: dict[tuple[int, int], list[Column]] = defaultdict(list)
    for column in columns(finished) if among is None else among:
        alike[int(column.applies.sum()), len(column.categories)].append(column)
    entries = []
    for (count, categories), members in alike.items():
        together = max(_TOGETHER // (categories or sum(_FEW_BINS) + _MANY_BINS), 1)
        for first in range(0, len(members) if count >= FEWEST else 0, together):
            entries += _importances(members[first : first + together], count, losses)
    answered = [entry.answered(len(entries)) for entry in entries]
    return sorted(answered, key=lambda entry: (entry.p_value, -entry.divergence))


def _importances(alike: Sequence[Column], count: int, losses: np.ndarray) -> list[Importance]:
    """Of columns with as many categories, or all of numbers, that apply to `count` trials each.

    One product of matrices gives what all of them are by chance.
    """
    best = max(round(_BEST * count), 3)
    orders = np.array([np.argsort(losses[column.applies], kind="stable")[:best] for column in alike])
    numbers = np.array([(column.scaled if column.numeric else column.numbers)[column.applies] for column in alike])
    binned = np.concatenate([_one_hot(*binning) for binning in _binnings(numbers, alike[0], best)], axis=1)
    everything = binned.sum(axis=2)
    chosen = np.take_along_axis(binned, orders[:, None], axis=2).sum(axis=2, keepdims=True)
    of_draws = [binned.reshape(-1, count) @ part.astype(np.float32) for part in _random_quarters(count, best)]
    drawn = np.concatenate(of_draws, axis=1)
    by_chance = divergences(drawn.reshape(*everything.shape, -1), everything)
    observed = divergences(chosen, everything)[:, 0]
    p_values = (1 + np.sum(by_chance >= observed[:, None] - 1e-12, axis=1)) / (1 + _DRAWS)
    found = zip(observed.tolist(), np.quantile(by_chance, 0.95, axis=1).tolist(), p_values.tolist(), strict=True)
    lie = [marginal_range(c, np.flatnonzero(c.applies)[order]) for c, order in zip(alike, orders, strict=True)]
    return [
        Importance(c.name, count, *each, where, _parts(c)) for c, each, where in zip(alike, found, lie, strict=True)
    ]


def _parts(column: Column) -> tuple[tuple[str, int], ...]:
    """The categories, or the halves of the range along its more even axis, with their trials."""
    numbers = column.numbers[column.applies]
    if not column.numeric:
        counts = np.bincount(numbers.astype(int), minlength=len(column.categories))
        return tuple((f"with {name}", count) for name, count in zip(column.categories, counts.tolist(), strict=True))
    above = int(np.sum(numbers >= column.even_axis.value_at(0.5)))
    return ("in the lower half", len(numbers) - above), ("in the upper half", above)


@lru_cache(maxsize=2)
def _random_quarters(count: int, best: int) -> list[np.ndarray]:
    """(trial, draw) whether the trial is one of the `best` of `count` that the draw has; the draws in a few parts."""
    rng = np.random.default_rng(_SEED)
    members = np.zeros((count, _DRAWS), bool)
    for draw in range(_DRAWS):
        members[rng.permutation(count)[:best], draw] = True
    return np.array_split(members, max(count // 500, 1), axis=1)


def _one_hot(bins: np.ndarray, count: int) -> np.ndarray:
    """(column, bin, trial) 1 in the trial's bin, of `count` bins, else 0; 32 bits hold small whole numbers exactly."""
    return (bins[:, None] == np.arange(count)[:, None]).astype(np.float32)


def _binnings(numbers: np.ndarray, column: Column, best: int) -> list[tuple[np.ndarray, int]]:
    """The binnings of the numbers (column, trial) of columns like this one: (column, trial) bins, and how many.

    A bin is a category or, for each binning of numbers, one of a few bins with equally many trials.
    """
    if not column.numeric:
        return [(numbers, len(column.categories))]
    counts = sorted({*_FEW_BINS, min(max(best // 4, 3), _MANY_BINS)})
    inner = [np.linspace(0, 1, count + 1)[1:-1] for count in counts]
    edges = np.split(np.quantile(numbers, np.concatenate(inner), axis=1), np.cumsum([len(part) for part in inner])[:-1])
    return [(np.sum(part[:, :, None] <= numbers, axis=0), count) for part, count in zip(edges, counts, strict=True)]


def divergences(best: np.ndarray, everything: np.ndarray) -> np.ndarray:
    """(..., draw) Pearson divergences of the numbers of best trials in each bin (..., bin, draw) from those of all.

    `everything`, (..., bin), are the latter. Of several binnings, whose bins stand one after the other, each with every
    trial in it, it is the mean.
    """
    shares = everything / everything.sum(axis=-1, keepdims=True, dtype=float)
    weights = np.divide(1.0, shares, out=np.zeros(shares.shape), where=shares > 0.0)
    # each binning has the same sum: its share of the whole is 1 over their number
    relative = best / best.sum(axis=-2, keepdims=True, dtype=float)
    relative *= relative
    return np.einsum("...b,...bd->...d", weights, relative) - 1.0


def marginal_range(column: Column, best: np.ndarray) -> MarginalRange:
    """The range of the trials `best` (indices), among those to which the hyperparameter applies.

    The shortest range is shortest along the axis on which the hyperparameter is drawn: in the logarithm of one that is
    drawn on a logarithmic axis.
    """
    numbers = column.numbers
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
        along = np.sort(column.scaled[best])
    count = max(int(np.ceil(_HELD * len(chosen))), 1)
    lengths = along[count - 1 :] - along[: len(along) - count + 1]
    start = int(np.argmin(lengths))
    low, high = float(chosen[start]), float(chosen[start + count - 1])
    return MarginalRange(low, high, float(everything.min()), float(everything.max()))
