"""The automatic filter: leave out the values of hyperparameters, and their combinations, that do worst.

As in validphys: for each key alone the worst value goes, then for each set of 2, 3, ... keys the two worst
combinations. What is worst is decided in the open: the combination with the greatest median loss of its trials, a
failed trial counting as infinitely bad, so a combination of which more than half failed goes first. Keys with more than
ten numbers are cut into ten bins of equal width. One combination is always kept, and so is the best trial.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hyperparton.report.filters import keys_of, resolve_key, value_of
from hyperparton.report.hyperparameters import shown
from hyperparton.report.losses import Loss, median_of
from hyperparton.space.samplers import Uniform
from hyperparton.trials.parameters import PARAMETER
from hyperparton.trials.result import is_number
from hyperparton.trials.trial import Trial, ranked

__all__ = ["Removed", "autofilter"]

_BINS = 10


@dataclass(frozen=True)
class Removed:
    """A combination that was left out."""

    combination: str
    trials: int
    median: float
    """of their losses; infinite if most of them failed"""


def autofilter(trials: Sequence[Trial], keys: Sequence[str], loss: Loss) -> tuple[list[Trial], list[Removed]]:
    """The trials that remain, and what was left out; raises ReportError for an unknown key."""
    known = keys_of(trials) if keys else []
    # a hyperparameter goes before what a trial has of its own under this name
    meant = [f"{PARAMETER}{key}" if f"{PARAMETER}{key}" in known else key for key in keys]
    names = list(dict.fromkeys(resolve_key(key, known, "automatic filter") for key in meant))
    kept, removed = list(trials), []
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            kept, gone = _without_worst(kept, chosen, loss, kill=1 if size == 1 else 2)
            removed += gone
    return kept, removed


def _without_worst(
    trials: list[Trial], names: Sequence[str], loss: Loss, kill: int
) -> tuple[list[Trial], list[Removed]]:
    finished = [trial for trial in trials if trial.finished]
    bins = [_binning([value_of(trial, name) for trial in finished]) for name in names]
    groups: dict[tuple[str, ...], list[Trial]] = defaultdict(list)
    for trial in finished:
        values = [value_of(trial, name) for name in names]
        if all(value is not None for value in values):
            groups[tuple(cut(value) for cut, value in zip(bins, values, strict=True))].append(trial)
    best = ranked(finished, loss)
    holds_best = {key for key, members in groups.items() if best and any(trial is best[0][0] for trial in members)}
    medians = {key: median_of(loss.of_all(members, math.inf).tolist()) for key, members in groups.items()}
    order = sorted((key for key in groups if key not in holds_best), key=lambda key: (-medians[key], key))
    gone = order[: max(min(kill, len(groups) - 1), 0)]
    out = {id(trial) for key in gone for trial in groups[key]}
    left_out = [
        Removed(", ".join(f"{n}={v}" for n, v in zip(names, key, strict=True)), len(groups[key]), medians[key])
        for key in gone
    ]
    return [trial for trial in trials if id(trial) not in out], left_out


def _binning(values: Sequence[Any]) -> Any:
    """A function from a value to the name of its bin, or of itself."""
    numbers = sorted({float(value) for value in values if is_number(value)})
    if len(numbers) <= _BINS or any(not is_number(value) for value in values if value is not None):
        return shown
    axis = Uniform("numbers", numbers[0], numbers[-1])

    def name(value: float) -> str:
        k = min(int(axis.share(float(value)) * _BINS), _BINS - 1)
        low, high = (shown(axis.value_at(edge / _BINS)) for edge in (k, k + 1))
        return f"[{low}, {high}{']' if k == _BINS - 1 else ')'}"

    return name
