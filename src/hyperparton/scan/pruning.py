"""Pruning: which trials are stopped before their end, decided from learning curves alone.

At each checkpoint a trainer reports the loss that the trial would have if it ended there. A linear regression over the
finished trials predicts from this loss, and from the trial's hyperparameters, the loss in the end. A trial is stopped
if its chance to come out among the best `share` of all trials is below `chance`. So of the trials that would have been
among the best at most that part of the stopped ones is lost, as far as the regression holds.

Notation
--------
Everything is at one epoch. The trials are those that were not stopped and still ran at that epoch. Equations (3.x) are
of Bishop, Pattern Recognition and Machine Learning, 2006, section 3.3 and 3.5; t is his name for y.

======  ================  =============================================  ==================================
symbol  in the code       meaning                                        shape, or formula
======  ================  =============================================  ==================================
x       scores            normal scores of the losses' ranks at the      (trial,)
                          epoch
y       final_scores      normal scores of the final losses' ranks       (trial,)
u                         coordinates of the hyperparameters             (trial, coordinate)
                          (`engines.coordinates`)
h       effects           centred coordinates and their squares          (trial, effect): u - 1/2,
                                                                         (u - 1/2)² - 1/12
Φ       design            rows of the regression                         (trial, parameter): 1, x, h
a b w   mean              parameters of y = a + b x + w h + noise        (parameter,)
m₀ S₀   prior_mean,       prior: b ~ N(1, 3²), w ~ N(0, spread²),        (parameter,),
        prior_precision   a almost free                                  (parameter, parameter) S₀⁻¹
σ²      noise             noise variance, 1/β                            (3.95): |y - Φ m|² / (N - γ)
γ                         effective number of parameters                 (3.91): tr(S Φᵀ Φ / σ²)
N - γ   freedom           degrees of freedom of Student's distribution
m S     mean, covariance  posterior                                      (3.50), (3.51)
y*      target_score      score of the best final loss that is not
                          among the best
======  ================  =============================================  ==================================

The chance of a new trial with the row φ is F((y* - φ m) / √(σ² + φᵀ S φ)), with the variance of (3.59) and F Student's
distribution with N - γ degrees of freedom. The score at which it equals `chance` is the trial's threshold.

Thresholds of a trial are made before it begins. Nothing is stopped before `warmup` trials ran to their end, and
nothing at an epoch that fewer of them reached. Stopped trials count among all trials, but never with the loss that they
might have reached. Of more than 1,000 trials fewer than the best tenth count as the best: at most 100.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperparton.engines.base import scores_of_ranks
from hyperparton.engines.coordinates import UnitCube
from hyperparton.scan.history import seen_by
from hyperparton.scan.learning_curve import LearningCurve, finite_loss, loss_scale, rounded_loss, significant
from hyperparton.space.frozen import freeze
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import Trial

__all__ = ["Pruner", "Rule", "Threshold", "Thresholds", "reason_to_prune"]

#: thresholds are made at so many epochs at most; the epochs between have that of the epoch before
_MOST_THRESHOLDS = 64

#: trials read at a time when the curves of a scan that is continued are read
_PAGE = 200

#: how far below the best score at an epoch a threshold may lie, and the bisections that find it
_BELOW_BEST, _BISECTIONS = 3.0, 40

#: rounds in which the noise variance and the parameters are estimated in turn, and the least noise variance
_NOISE_ROUNDS, _LEAST_NOISE = 5, 0.05**2


@dataclass(frozen=True)
class Rule:
    """The numbers of the pruning rule."""

    share: float = 0.1
    """share of the finished trials that counts as the best"""
    chance: float = 0.04
    """a trial whose chance to become one of the best is smaller is stopped"""
    warmup: int = 12
    """no trial is stopped before so many are finished that were not stopped"""
    spread: float = 0.3
    """standard deviation of the prior of a hyperparameter's effect, in units of that of all trials"""
    most: int = 200
    """half of so many of the best trials, and half of the latest, are compared with"""


@dataclass(frozen=True)
class Threshold:
    """The loss above which a trial is stopped after `epoch` epochs."""

    epoch: int
    loss: float
    target: float
    """the final loss that the trial has to come below: the best one that is not among the best"""

    def as_list(self) -> list[Any]:
        """Strict JSON data, for the process that runs the trial; infinity is None."""
        return [self.epoch, rounded_loss(self.loss, 17), rounded_loss(self.target, 17)]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Threshold:
        """The threshold from the data of `as_list`."""
        epoch, loss, target = data
        return cls(int(epoch), finite_loss(loss), finite_loss(target))


def reason_to_prune(thresholds: Sequence[Threshold], epoch: int, loss: float | None) -> str | None:
    """Why a trial with this loss after `epoch` epochs is stopped; None if it goes on.

    `thresholds` are in the order of their epochs. Between two of them the earlier one holds.
    """
    place = bisect_right([threshold.epoch for threshold in thresholds], epoch)
    if not place:
        return None
    threshold = thresholds[place - 1]
    reached = math.inf if loss is None else loss
    if reached <= threshold.loss:
        return None
    shown = f"{reached:.4g}" if math.isfinite(reached) else "no finite number"
    return f"loss {shown} is above {threshold.loss:.4g}, from which it would hardly come below {threshold.target:.4g}"


class Pruner:
    """The finished trials that the rule compares with, and the thresholds that they set; its size is bounded."""

    def __init__(self, rule: Rule, space: Any) -> None:
        """`space` is that of the trials."""
        self.rule = rule
        self.count = 0
        """finished trials"""
        self.completed = 0
        """of them those that were not stopped"""
        self._cube = UnitCube(freeze(space))
        self._best: list[tuple[float, int, LearningCurve]] = []
        self._latest: deque[tuple[float, int, LearningCurve]] = deque(maxlen=rule.most // 2)

    def add(self, curve: LearningCurve) -> None:
        """Take one more finished trial, in the order of their numbers; one that did not report has no `epochs`."""
        if curve.final is not None:
            self.completed += 1
            entry = (curve.final, self.count, curve)
            self._latest.append(entry)
            insort(self._best, entry, key=lambda each: each[:2])
            del self._best[self.rule.most // 2 :]
        self.count += 1

    def thresholds(self, vals: Mapping[str, Sequence[Any]]) -> list[Threshold]:
        """The thresholds, by epoch, of a new trial with `vals`; none as long as too few trials are finished."""
        rule = self.rule
        if self.completed < max(rule.warmup, 1):
            return []
        place = min(max(math.ceil(rule.share * self.count), 1), len(self._best) - 1)
        target = self._best[place][0]
        by_number = {number: (curve, final) for final, number, curve in (*self._best, *self._latest)}
        past = [by_number[number] for number in sorted(by_number) if by_number[number][0].epochs]
        if not math.isfinite(target) or not past:
            return []
        effects = _effects(self._cube, [*(curve.vals for curve, _ in past), vals])
        epochs = sorted({epoch for curve, _ in past for epoch in curve.epochs})
        thinned = epochs[:: -(-len(epochs) // _MOST_THRESHOLDS)]
        thresholds = (_threshold(past, effects, epoch, target, rule) for epoch in thinned)
        return [threshold for threshold in thresholds if threshold is not None]


class Thresholds:
    """The thresholds of the trials of a scan in `store`; none without a rule."""

    def __init__(self, rule: Rule | None, space: Any, lag: int, store: TrialStore) -> None:
        self._rule, self._space, self._lag, self._store = rule, space, lag, store
        self._pruner: Pruner | None = None

    def of(self, trial: Trial) -> list[Threshold] | None:
        """The thresholds of one trial, by epoch; None if the scan does not prune.

        They follow from the finished trials that it was suggested from, whenever it runs.
        """
        if self._rule is None:
            return None
        seen = seen_by(trial.number, self._lag)
        pruner = self._pruner
        if pruner is None or pruner.count > seen:  # a trial that was left unfinished saw fewer
            pruner = Pruner(self._rule, self._space)
        for start in range(pruner.count, seen, _PAGE):
            for one in self._store.trials(start, min(start + _PAGE, seen)):
                pruner.add(LearningCurve.from_result(one.result or {}, one.vals))
        if self._pruner is None or pruner.count >= self._pruner.count:
            self._pruner = pruner
        return pruner.thresholds(trial.vals)


def _effects(cube: UnitCube, vals: Sequence[Mapping[str, Sequence[Any]]]) -> np.ndarray:
    """(trial, effect) the centred coordinates, and their squares."""
    centred = cube.coordinates(cube.points(vals)) - 0.5
    # 1/12 is the mean of the square over the range
    return np.hstack([centred, centred * centred - 1.0 / 12.0])


def _threshold(
    past: Sequence[tuple[LearningCurve, float]], effects: np.ndarray, epoch: int, target: float, rule: Rule
) -> Threshold | None:
    """The threshold at one epoch of the trial in the last row of `effects`; `past` are curves and their final losses.

    None if too few of them reached the epoch, or only such as failed in the end.
    """
    at_epoch = [curve.at(epoch) if curve.epochs[-1] >= epoch else math.inf for curve, _ in past]
    used = np.flatnonzero(np.isfinite(at_epoch)).tolist()
    if len(used) < rule.warmup:
        return None
    losses, finals = [at_epoch[i] for i in used], [past[i][1] for i in used]
    good = [value for value in finals if math.isfinite(value)]
    if not good:
        return None
    scale, unscale = loss_scale(target, *losses, *good)
    # failures come last
    y = _NormalScores([scale(value) if math.isfinite(value) else math.inf for value in finals])
    x = _NormalScores([scale(value) for value in losses])
    chance = _chance(x.scores, y.scores, effects[used], effects[-1], y.score(scale(target)), rule.spread)
    low, high = x.scores.min() - _BELOW_BEST, x.scores.max()
    if chance(high) >= rule.chance:
        return Threshold(epoch, math.inf, target)
    if chance(low) >= rule.chance:
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if chance(middle) >= rule.chance else (low, middle)
    # so that thresholds do not hang on the last digit of the linear algebra
    return Threshold(epoch, significant(unscale(x.value(low))), target)


class _NormalScores:
    """Normal scores of values by their ranks, at least one of them finite, and of others by interpolation."""

    def __init__(self, values: Sequence[float]) -> None:
        self.scores = scores_of_ranks(values)
        """(value,)"""
        numbers = np.array(values)
        finite = np.isfinite(numbers)
        self._values, first = np.unique(numbers[finite], return_index=True)
        self._scores = self.scores[finite][first]
        fifth = min(max(len(numbers) // 5, 3), len(self._values) - 1)
        rise = self._values[fifth] - self._values[0]
        #: below the best value the scores go on as among the best fifth
        self._slope = (self._scores[fifth] - self._scores[0]) / rise if rise > 0.0 else math.inf

    def score(self, value: float) -> float:
        """The score of a value."""
        inside = float(np.interp(value, self._values, self._scores))
        below = self._values[0] - value
        return inside - (self._slope * below if below > 0.0 and math.isfinite(self._slope) else 0.0)

    def value(self, score: float) -> float:
        """The value of a score."""
        inside = float(np.interp(score, self._scores, self._values))
        return inside - max(self._scores[0] - score, 0.0) / self._slope


def _chance(
    scores: np.ndarray,
    final_scores: np.ndarray,
    effects: np.ndarray,
    own_effects: np.ndarray,
    target_score: float,
    spread: float,
) -> Callable[[float], float]:
    """The chance that a trial comes out below the target, by its score at the epoch.

    `scores` and `final_scores` (trial,), `effects` (trial, effect) of past trials; `own_effects` (effect,).
    """
    # here: so that a scan which does not prune starts without scipy
    from scipy.special import stdtr

    design = np.column_stack([np.ones(len(scores)), scores, effects])
    prior_precision = np.diag([1e-3, 0.1, *np.full(effects.shape[1], spread**-2)])
    prior_mean = np.zeros(design.shape[1])
    prior_mean[1] = 1.0
    noise, freedom = 0.2, float(len(scores))
    for _ in range(_NOISE_ROUNDS):
        precision = design.T @ design / noise + prior_precision
        mean = np.linalg.solve(precision, design.T @ final_scores / noise + prior_precision @ prior_mean)
        parameters = float(np.trace(np.linalg.solve(precision, design.T @ design / noise)))
        freedom = max(len(final_scores) - parameters, 3.0)
        noise = max(float(np.sum((final_scores - design @ mean) ** 2)) / freedom, _LEAST_NOISE)
    covariance = np.linalg.inv(design.T @ design / noise + prior_precision)

    def chance(score: float) -> float:
        row = np.array([1.0, score, *own_effects])
        return float(stdtr(freedom, (target_score - row @ mean) / math.sqrt(noise + row @ covariance @ row)))

    return chance
