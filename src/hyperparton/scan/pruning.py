"""Which trials are stopped before their end: a rule on learning curves, numbers in and numbers out.

At each checkpoint a trainer reports the loss that the trial would have if it ended there. The finished trials tell what
a trial with such hyperparameters and such a loss after so many epochs comes to: among those that were not stopped and
still ran at that epoch, with y the normal scores of the ranks of their losses in the end, x those of their losses at
that epoch, and h the coordinates of their hyperparameters (`engines.coordinates`, and their squares),

    y = a + b x + w h + noise,    b ~ N(1, 3²),  w ~ N(0, spread²)

is a linear regression (Bishop, Pattern Recognition and Machine Learning, 2006, sec. 3.3 and 3.5), whose noise is found
together with it. A trial is stopped whose chance to come out among the best `share` of all trials, by Student's
distribution, is below `chance`. So the trials that are stopped and would have been among the best are at most that part
of the stopped ones, as far as the regression holds, and fewer where most of them are far from it.

For one trial that is a limit on its loss at each epoch, made before it begins. Nothing is stopped before `warmup`
trials are finished whole, and nothing at an epoch that fewer of them reached. Stopped trials count among all, never as
what they might have become. Of more than 1,000 trials fewer than the best tenth count as the best: at most 100.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hyperparton.engines.base import scores_of_ranks
from hyperparton.engines.coordinates import Tree
from hyperparton.space import freeze

__all__ = ["Curve", "Limit", "Rule", "Standing", "decide", "limits", "rounded"]

#: limits are made at so many epochs at most; the others have that of the epoch before
_CHECKPOINTS = 64

#: how far beyond the best score at an epoch a limit may lie, and the steps in which it is found
_BEYOND, _HALVINGS = 3.0, 40

#: rounds in which noise and effects are found, and the least variance of the noise
_ROUNDS, _LEAST_NOISE = 5, 0.05**2

#: digits of the losses of a curve, in decisions as in the record
_DIGITS = 6


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule."""

    share: float = 0.1
    """share of the finished trials that counts as the best"""
    chance: float = 0.04
    """a trial whose chance to become one of the best is smaller is stopped"""
    warmup: int = 12
    """no trial is stopped before so many are finished that were not stopped"""
    spread: float = 0.3
    """standard deviation of the prior of a hyperparameter's effect, in those of all trials"""
    most: int = 200
    """half of so many of the best trials, and half of the latest, are compared with"""

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what a scan keeps of it."""
        return asdict(self)


@dataclass(frozen=True)
class Curve:
    """A trial's losses by epoch."""

    epochs: tuple[int, ...]
    """of the checkpoints, increasing"""
    losses: tuple[float, ...]
    """(checkpoint,) infinite where there was no finite one"""
    final: float | None = None
    """the loss in the end: infinite for a failed trial, None for one that is not over or was stopped"""
    vals: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """the trial's point of the space"""

    @classmethod
    def from_result(cls, result: Mapping[str, Any], vals: Mapping[str, Sequence[Any]]) -> Curve:
        """Of a finished trial; without checkpoints if its result holds no `curve`."""
        final = None if result.get("pruned") else math.inf
        if result.get("status") == "ok":
            final = _finite(result.get("loss"))
        curve = result.get("curve") or {"epochs": (), "loss": ()}
        losses = tuple(_finite(value) for value in curve["loss"])
        return cls(tuple(curve["epochs"]), losses, final, vals)

    def at(self, epoch: float) -> float:
        """The loss after `epoch` epochs, between checkpoints on the line through them; infinite before the first.

        The final loss stands at the place of the checkpoint that would have come next.
        """
        epochs, losses = self.epochs, self.losses
        if self.final is not None and epochs:
            epochs = (*epochs, 2 * epochs[-1] - (epochs[-2] if len(epochs) > 1 else 0))
            losses = (*losses, self.final)
        place = bisect_right(epochs, epoch)
        if not place or place == len(epochs):
            return losses[-1] if place else math.inf
        before, after = losses[place - 1], losses[place]
        way = (epoch - epochs[place - 1]) / (epochs[place] - epochs[place - 1])
        if way == 0.0 or math.inf in (before, after):
            return max(before, after) if way else before
        scale, back = _scales(before, after)
        return back((1.0 - way) * scale(before) + way * scale(after))


@dataclass(frozen=True)
class Limit:
    """What a trial may have after `epoch` epochs."""

    epoch: int
    loss: float
    end: float
    """what it has to come down to: the loss of the best one that is not among the best"""

    def as_list(self) -> list[Any]:
        """Strict JSON data, for a process that runs the trial; infinity is None."""
        return [self.epoch, rounded(self.loss, 17), rounded(self.end, 17)]

    @classmethod
    def from_list(cls, held: Sequence[Any]) -> Limit:
        """Of what `as_list` gave."""
        epoch, loss, end = held
        return cls(int(epoch), _finite(loss), _finite(end))


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.inf


def rounded(value: Any, digits: int = _DIGITS) -> float | None:
    """A loss as curves hold it; None where it is not finite."""
    number = float(value)
    return _short(number, digits) if math.isfinite(number) else None


def _short(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")


class Standing:
    """What the rule remembers of the finished trials, given by `add` in the order of their numbers; of bounded size."""

    def __init__(self, rule: Rule, space: Any) -> None:
        """`space` is that of the trials."""
        self.rule = rule
        self.count = 0
        """finished trials"""
        self.whole = 0
        """of them those that were not stopped"""
        self._tree = Tree(freeze(space))
        self._best: list[tuple[float, int, Curve]] = []
        self._latest: deque[tuple[float, int, Curve]] = deque(maxlen=rule.most // 2)

    def add(self, curve: Curve) -> None:
        """One more finished trial; one without a curve has no `epochs`."""
        if curve.final is not None:
            self.whole += 1
            entry = (curve.final, self.count, curve)
            self._latest.append(entry)
            insort(self._best, entry, key=lambda each: each[:2])
            del self._best[self.rule.most // 2 :]
        self.count += 1

    def limits(self, vals: Mapping[str, Sequence[Any]]) -> list[Limit]:
        """The limits, by epoch, that these trials set to a new one with `vals`; none as long as there are too few."""
        rule = self.rule
        if self.whole < max(rule.warmup, 1):
            return []
        place = min(max(math.ceil(rule.share * self.count), 1), len(self._best) - 1)
        end = self._best[place][0]
        held = {number: (curve, final) for final, number, curve in (*self._best, *self._latest)}
        past = [held[number] for number in sorted(held) if held[number][0].epochs]
        if not math.isfinite(end) or not past:
            return []
        h = _effects(self._tree, [*(curve.vals for curve, _ in past), vals])
        epochs = sorted({epoch for curve, _ in past for epoch in curve.epochs})
        found = (_limit(past, h, epoch, end, rule) for epoch in epochs[:: -(-len(epochs) // _CHECKPOINTS)])
        return [limit for limit in found if limit is not None]


def limits(past: Iterable[Curve], rule: Rule, space: Any, vals: Mapping[str, Sequence[Any]]) -> list[Limit]:
    """What `Standing` gives after these finished trials, in the order of their numbers."""
    standing = Standing(rule, space)
    for curve in past:
        standing.add(curve)
    return standing.limits(vals)


def _effects(tree: Tree, vals: Sequence[Mapping[str, Sequence[Any]]]) -> np.ndarray:
    """(trial, effect) the coordinates from the middle on, and their squares."""
    away = tree.coordinates(tree.points(vals))[0] - 0.5
    # 1/12 is the mean of the square over the range
    return np.hstack([away, away * away - 1.0 / 12.0])


def _limit(past: Sequence[tuple[Curve, float]], h: np.ndarray, epoch: int, end: float, rule: Rule) -> Limit | None:
    """The limit at one epoch for the trial in the last row of `h`, after trials with their losses in the end.

    None if too few of them reached it, or none that did not fail in the end.
    """
    now = [curve.at(epoch) if curve.epochs[-1] >= epoch else math.inf for curve, _ in past]
    used = np.flatnonzero(np.isfinite(now)).tolist()
    if len(used) < rule.warmup:
        return None
    losses, ends = [now[i] for i in used], [past[i][1] for i in used]
    good = [value for value in ends if math.isfinite(value)]
    if not good:
        return None
    scale, back = _scales(end, *losses, *good)
    # failures come last
    outcomes = _Scores([scale(value) if math.isfinite(value) else math.inf for value in ends])
    course = _Scores([scale(value) for value in losses])
    chance = _chance(course.given, outcomes.given, h[used], h[-1], outcomes.score(scale(end)), rule.spread)
    low, high = course.given.min() - _BEYOND, course.given.max()
    if chance(high) >= rule.chance:
        return Limit(epoch, math.inf, end)
    if chance(low) >= rule.chance:
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if chance(middle) >= rule.chance else (low, middle)
    # so that limits do not hang on the last digit of the linear algebra
    return Limit(epoch, _short(back(course.value(low)), _DIGITS), end)


class _Scores:
    """Normal scores of values by their ranks, at least one of them finite, and of others by interpolation."""

    def __init__(self, values: Sequence[float]) -> None:
        given = np.array(values)
        self.given = scores_of_ranks(values)
        """(value,) the scores of the values"""
        finite = np.isfinite(given)
        self._values, first = np.unique(given[finite], return_index=True)
        self._scores = self.given[finite][first]
        fifth = min(max(len(given) // 5, 3), len(self._values) - 1)
        rise = self._values[fifth] - self._values[0]
        #: beyond the best one the scores go on as among the best fifth
        self._slope = (self._scores[fifth] - self._scores[0]) / rise if rise > 0.0 else math.inf

    def score(self, value: float) -> float:
        """The score of a value."""
        inside = float(np.interp(value, self._values, self._scores))
        beyond = self._values[0] - value
        return inside - (self._slope * beyond if beyond > 0.0 and math.isfinite(self._slope) else 0.0)

    def value(self, score: float) -> float:
        """The value of a score."""
        inside = float(np.interp(score, self._scores, self._values))
        return inside - max(self._scores[0] - score, 0.0) / self._slope


def _chance(
    x: np.ndarray, y: np.ndarray, h: np.ndarray, own: np.ndarray, aim: float, spread: float
) -> Callable[[float], float]:
    """How probable a trial with effects `own` (effect,) and the score that is asked for now comes out below `aim`.

    x and y (trial,) scores now and in the end, h (trial, effect).
    """
    # here: so that a scan which does not prune starts without scipy
    from scipy.special import stdtr

    rows = np.column_stack([np.ones(len(x)), x, h])
    prior = np.diag([1e-3, 0.1, *np.full(h.shape[1], spread**-2)])
    start = np.zeros(rows.shape[1])
    start[1] = 1.0
    noise, free = 0.2, float(len(x))
    for _ in range(_ROUNDS):
        precision = rows.T @ rows / noise + prior
        mean = np.linalg.solve(precision, rows.T @ y / noise + prior @ start)
        # each parameter takes as much from the degrees of freedom as the data settle it
        free = max(len(y) - float(np.trace(np.linalg.solve(precision, rows.T @ rows / noise))), 3.0)
        noise = max(float(np.sum((y - rows @ mean) ** 2)) / free, _LEAST_NOISE)
    covariance = np.linalg.inv(rows.T @ rows / noise + prior)

    def chance(score: float) -> float:
        row = np.array([1.0, score, *own])
        return float(stdtr(free, (aim - row @ mean) / math.sqrt(noise + row @ covariance @ row)))

    return chance


def _scales(*losses: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """How losses are compared, and back: by their logarithms if all are above 0."""
    return (math.log, math.exp) if min(losses) > 0.0 else (float, float)


def decide(found: Sequence[Limit], epoch: int, loss: float | None) -> str | None:
    """Why a trial with this loss after `epoch` epochs is stopped; None if it goes on.

    `found` is what `limits` gave. Between the epochs of its entries the earlier one holds.
    """
    place = bisect_right([limit.epoch for limit in found], epoch)
    if not place:
        return None
    limit = found[place - 1]
    given = math.inf if loss is None else loss
    if given <= limit.loss:
        return None
    return f"loss {_told(given)} is above {limit.loss:.4g}, from which it would hardly come below {limit.end:.4g}"


def _told(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no finite number"
