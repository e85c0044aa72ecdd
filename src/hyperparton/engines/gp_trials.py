"""What the engine `gp` makes of a history: which trials it sees, what counts as a failure, and what it fits to them.

Scores. A process is fitted to scores of the losses: see `gp_scores`. A trial without a loss counts as a bad one.

Failures. A trial failed if its status is fail, if it has no loss, or if its loss lies far above the bulk: above
B + 4 (B - b), where b and B are the 10 % and the 30 % quantile of the first 30 losses, and above the median of the
first 10, which are random. Later ones would move the bulk to where the search is. Some fail where every trial would
have a bad loss; that the scores tell. Others fail by chance among good ones. How likely that is follows from what all
other trials predict for the trial: c is the probability that it lies in the bulk. By Bayes's rule it then failed by
chance with the probability q = ρ c / (ρ c + 1 - c), if a share ρ of the fits in the bulk fails. ρ is small until trials
show that it is not (`_RARE`). Where little is known c is large, q is not: there a bad loss is first of all a bad loss.
A trial that failed by chance tells little about the fits there that do not fail, so its score has a noise variance of
`_VAGUE` q besides. Where fits fail by chance is learned apart from the scores: see `gp_failures`.

Value. A methodology that fails now and then is none to name, however good its other fits are. So a point is judged by
the mean of its score plus `COST` times its chance to fail. What is named has to be beyond doubt, so there this chance
is learned from c. What is tried may turn out bad, so there it is learned from q: with c, few trials in, the search
would keep away from much that is only unknown.

Trials seen. The cost of a process grows with the third power, so it sees the latest trials, and those nearest to the
best. Nearness does not depend on the draw of a trial's own loss: the best trials alone would all be lucky ones.

The most probable θ (see `gp_model`), B and b are found anew when the trials have grown by an eighth or less, at
most by 64. They depend on the trials up to then alone, so the history determines them.

R: Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hyperparton.engines.base import History, HistoryTracker, counted_loss
from hyperparton.engines.coordinates import UnitCube
from hyperparton.engines.gp_failures import Chance
from hyperparton.engines.gp_model import Lengths, Process
from hyperparton.engines.gp_scores import scores_of
from hyperparton.space.samplers import Choice
from hyperparton.trials.trial import Outcome

__all__ = ["COST", "Models", "SeenTrials", "end_of_bulk"]

Array = np.ndarray

#: the processes see so many of the latest trials, and of those nearest to so many of the best
_LATEST, _NEAREST, _BEST = 100, 100, 20

#: quantiles of the first losses, how many are looked at, and how far above the first quantile the bulk ends, in units
#: of their distance
_BULK, _FIRST, _FAR_ABOVE = (0.3, 0.1), 30, 4.0

#: so many of the first are random
_DRAWN = 10

#: noise variance of the score of a trial that failed by chance
_VAGUE = 1.0

#: what is taken for known of the share of fits that fail by chance: so many failures, of so many trials
_RARE = (0.5, 20.0)

#: steps in which that share is found
_ROUNDS = 10

#: what a chance to fail of 1 costs, in units of the score: that of 5 % as much as one standard deviation of all scores
COST = 20.0

#: the search for θ uses evenly so many of the trials seen at most
_FITTED = 100

#: trials between two searches for θ, as a share of the trials and at most
_EACH, _AT_MOST = 8, 64


def end_of_bulk(losses: Array) -> float:
    """The loss above which a trial is far from the bulk, from finite losses in their order of time."""
    ranked = np.sort(losses[:_FIRST])
    if not len(ranked):
        return math.inf
    upper, lower = (float(ranked[int(share * len(ranked))]) for share in _BULK)
    # among equal losses the first that differ tell the scale
    unit = next((upper - other for other in (lower, float(ranked[0])) if other < upper), float(ranked[-1]) - upper)
    drawn = np.sort(losses[:_DRAWN])
    return max(upper + _FAR_ABOVE * unit, float(drawn[(len(drawn) - 1) // 2]))


@dataclass(frozen=True)
class _Fit:
    """What was fitted to the first `count` trials, and holds until the next fit."""

    count: int
    end: float
    """losses above this are failures"""
    theta: Array


@dataclass(frozen=True)
class _Data:
    """What the processes are fitted to."""

    seen: Array
    """(trial,) places of the trials in the history"""
    x: Array
    y: Array
    """(trial,) scores, less their mean"""
    losses: Array
    """(trial,) the worst one for those without a loss"""
    far: Array
    """(trial,) whether the loss is missing or far above the bulk"""
    failed: Array
    """(trial,) 1 or 0"""


@dataclass(frozen=True)
class Models:
    """What was fitted to a history."""

    scores: Process
    failures: Chance | None
    """None where no trial failed by chance, or would have"""
    incumbent: float
    """the least value among trials that did not fail"""
    incumbent_mean: float
    """the mean of its score"""
    by_value: Array
    """(trial, label) the points of the trials seen, from the best value to the worst, failed ones last"""
    losses: Array
    """(trial,) in ascending order"""
    of_losses: Array
    """(trial,) the scores that they have"""

    def loss(self, scores: Array) -> Array:
        """The losses of scores: between the trials', and below the best on the line from it to the median."""
        half = len(self.losses) // 2
        slope = (self.losses[half] - self.losses[0]) / max(self.of_losses[half] - self.of_losses[0], 1e-9)
        below = np.minimum(scores - self.of_losses[0], 0.0)
        return np.interp(scores, self.of_losses, self.losses) + slope * below

    def risk(self, x: Array, away: float = 0.0) -> Array:
        """(point,) the chance that a fit at these coordinates fails; `away` as in `Chance.at`."""
        return np.zeros(len(x)) if self.failures is None else self.failures.at(x, away)

    def value(self, x: Array, mean: Array) -> Array:
        """(point,) what counts at points whose scores have these means."""
        return mean + COST * self.risk(x)


class SeenTrials:
    """The trials of a history as points and losses; only those that were added are read.

    `scores` makes scores (trial,) of losses (trial,).
    """

    def __init__(self, cube: UnitCube, scores: Callable[[Array], Array] = scores_of) -> None:
        self.cube, self._scores = cube, scores
        self._tracker = HistoryTracker()
        self.points = np.zeros((0, len(cube.labels)))
        """(trial, label) in the unit cube"""
        self.x = np.zeros((0, len(cube.parameters)))
        """(trial, coordinate)"""
        self.losses = np.zeros(0)
        """(trial,) infinite where there is none"""
        #: (label,) half the distance of two options of a choice
        self._cells = [0.5 / s.cells if isinstance(s := cube.samplers[label], Choice) else 1.0 for label in cube.labels]
        self.numbers = [column for column, cell in enumerate(self._cells) if cell == 1.0]
        """places of the labels that are no choices"""
        #: numbers first, which tell points apart soonest
        self._columns = sorted(range(len(self._cells)), key=lambda column: -self._cells[column])
        self._unusable = np.zeros(0, bool)
        #: place of a label -> (trial,) the value below which the trial would have failed, NaN if unknown
        self._fails_below: dict[int, Array] = {}
        #: the trials' order along the first of these columns, and their values there
        self._order, self._sorted = np.zeros(0, int), np.zeros(0)
        self._last: _Fit | None = None

    def update(self, history: History) -> None:
        """Read what is new."""
        void, added = self._tracker.update(history)
        if void:
            self.points, self.x, self.losses, self._unusable = (
                a[:0] for a in (self.points, self.x, self.losses, self._unusable)
            )
            self._last, self._fails_below = None, {}
        if added:
            losses = [counted_loss(outcome) for outcome in added]
            points = self.cube.points([outcome.vals for outcome in added])
            self.points = np.vstack([self.points, points])
            self.x = np.vstack([self.x, self.cube.coordinates(points)])
            self.losses = np.append(self.losses, losses)
            self._unusable = np.append(self._unusable, [outcome.status != "ok" for outcome in added])
            self._add_fails_below(added)
            along = self.points[:, self._columns[0]]
            self._order = np.argsort(along, kind="stable")
            self._sorted = along[self._order]

    def _add_fails_below(self, added: Sequence[Outcome]) -> None:
        count = len(self.points)
        below = {label: np.append(held, np.full(len(added), np.nan)) for label, held in self._fails_below.items()}
        for trial, outcome in enumerate(added, count - len(added)):
            for name, value in (outcome.fails_below or {}).items():
                if (label := self.cube.place_of(name)) is not None:
                    below.setdefault(label, np.full(count, np.nan))[trial] = value
        self._fails_below = below

    @property
    def failed(self) -> Array:
        """(trial,) whether each trial failed."""
        return self._unusable | _far(self.losses, self._fit().end)

    def repeats(self, point: Array, near: float) -> bool:
        """Whether a point (label,) lies so near a trial in every label, with the same choices."""
        column = self._columns[0]
        reach = self._reach(column, near)
        between = np.searchsorted(self._sorted, [point[column] - reach, point[column] + reach])
        some = self._order[between[0] : between[1]]
        return bool(len(some)) and bool(np.any(self.alike(self.points[some], point, near)))

    def alike(self, points: Array, point: Array, near: float) -> Array:
        """(point,) which of `points` lie so near `point` in every label, with the same choices."""
        left = np.arange(len(points))
        for column in self._columns:
            if not len(left):
                break
            left = left[np.abs(points[left, column] - point[column]) < self._reach(column, near)]
        alike = np.zeros(len(points), bool)
        alike[left] = True
        return alike

    def _reach(self, column: int, near: float) -> float:
        return min(near, self._cells[column])

    def models(self, searching: bool = False) -> Models:
        """The processes of all trials: to say which of them are good, or to search for a better one."""
        fit, parameters = self._fit(), self.cube.parameters
        data = self._data(len(self.losses), fit.end)
        in_bulk, by_chance = _by_chance(data, parameters, fit.theta)
        process = Process(data.x, parameters, data.y, _VAGUE * by_chance, fit.theta)
        mean = process.mean(data.x)
        failures = self._failures(data, by_chance if searching else in_bulk)
        models = Models(process, failures, 0.0, 0.0, data.x, np.sort(data.losses), np.sort(data.y))
        value = models.value(data.x, mean)
        order = np.lexsort([value, data.failed])
        return replace(
            models, incumbent=float(value[order[0]]), incumbent_mean=float(mean[order[0]]),
            by_value=self.points[data.seen][order],
        )  # fmt: skip

    def _failures(self, data: _Data, failed: Array) -> Chance | None:
        below = {label: held[data.seen] for label, held in self._fails_below.items()}
        if not failed.any() and not any(np.nanmax(each, initial=0.0) > 0.0 for each in below.values()):
            return None
        return Chance(self.cube, self.points[data.seen], failed, below)

    def _fit(self) -> _Fit:
        """What was fitted last, at a number of trials that the number of all determines."""
        count = len(self.losses)
        count -= count % min(1 << max((count // _EACH).bit_length() - 1, 0), _AT_MOST)
        if self._last is None or self._last.count != count:
            losses = self.losses[:count]
            end = end_of_bulk(losses[np.isfinite(losses)])
            data, parameters = self._data(count, end), self.cube.parameters
            some = slice(None, None, -(-len(data.y) // _FITTED))
            x, y = data.x[some], data.y[some]
            theta = Lengths(x, parameters, y, np.zeros(len(y))).most_probable()
            if data.failed[some].any():
                by_chance = _by_chance(data, parameters, theta)[1]
                theta = Lengths(x, parameters, y, _VAGUE * by_chance[some]).most_probable()
            self._last = _Fit(count, end, theta)
        return self._last

    def _seen(self, count: int) -> Array:
        """Places of the trials that the processes see, of the first `count`."""
        if count <= _LATEST + _NEAREST:
            return np.arange(count)
        old = count - _LATEST
        best, x = self.x[np.argsort(self.losses[:count], kind="stable")[:_BEST]], self.x[:old]
        squared = np.sum(best * best, axis=1)[:, None] - 2.0 * best @ x.T
        nearest = np.min(squared, axis=0) + np.sum(x * x, axis=1)
        return np.append(np.sort(np.argsort(nearest, kind="stable")[:_NEAREST]), np.arange(old, count))

    def _data(self, count: int, end: float) -> _Data:
        seen = self._seen(count)
        losses = self.losses[seen]
        far = _far(losses, end)
        scores = self._scores(losses)
        known = np.isfinite(losses)
        losses = np.where(known, losses, np.max(losses[known]) if known.any() else 0.0)
        failed = (far | self._unusable[seen]).astype(float)
        return _Data(seen, self.x[seen], scores - np.mean(scores), losses, far, failed)


def _by_chance(data: _Data, parameters: Array, theta: Array) -> tuple[Array, Array]:
    """c and q (trial,): how likely each trial that failed would lie in the bulk, and failed by chance; 0 for others."""
    # here: scipy.special takes time to import
    from scipy.special import ndtr

    if data.far.all() or not data.failed.any():
        return data.failed, data.failed
    mean, variance = Process(data.x, parameters, data.y, np.zeros(len(data.y)), theta).left_out()
    below, latent = data.y[~data.far].max() - mean, np.maximum(variance - math.exp(theta[-1]), 1e-6)
    in_bulk, good = data.failed * ndtr(below / np.sqrt(variance)), data.failed * ndtr(below / np.sqrt(latent))
    failures, trials = _RARE
    share, by_chance = failures / trials, good
    for _ in range(_ROUNDS):
        by_chance = share * good / (share * good + 1.0 - good)
        count = float(np.sum(by_chance))
        share = (failures + count) / (trials + count + float(np.sum(1.0 - data.failed)))
    return in_bulk, by_chance


def _far(losses: Array, end: float) -> Array:
    """(trial,) whether a loss is missing or far above the bulk."""
    return ~np.isfinite(losses) | (losses > end)
