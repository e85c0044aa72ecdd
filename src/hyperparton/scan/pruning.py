"""Which trials are stopped before their end: a rule on learning curves, numbers in and numbers out.

At each checkpoint a trainer reports the loss that the trial would have if it ended there, and that of each fold. The
finished trials that came out best tell how bad one may look at that epoch and still become one of them. Of the best
share of the finished trials, with f_i the loss of trial i in the end and c_i(e) its loss after e epochs,

    limit(e) = max over i of f_i + margin * max over i of (c_i(e / slowness) - f_i)

where losses count by their logarithms if all are above 0: a trial above it would not become one of the best even if
it fell as far as the farthest of them did from an earlier epoch on. Such a trial is stopped. So is one of which
*every* fold is above the largest value that this fold had, at the same epoch, in any of the best: several folds that
agree need no margin. Nothing is stopped before `warmup` trials are finished whole. Where one of the best had no finite
loss, none is too high.

A curve is compared with others by epochs, whatever the number of epochs that either may take. A trial that is over
counts with its final loss from then on. Stopped trials count as not among the best, never as what they might have
become.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Curve", "Limit", "Rule", "Standing", "decide", "limits", "rounded"]

#: limits are made at so many epochs at most; the others have that of the epoch before
_CHECKPOINTS = 64

#: digits of the losses of a curve, in decisions as in the record
_DIGITS = 6


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule."""

    share: float = 0.25
    """share of the finished trials that counts as the best"""
    fewest: int = 5
    """but at least so many"""
    most: int = 60
    """and at most so many"""
    warmup: int = 20
    """no trial is stopped before so many are finished that were not stopped"""
    margin: float = 1.6
    """factor of the distance that the best fell"""
    slowness: float = 1.5
    """a trial may need this much longer than the slowest of the best"""

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
    folds: tuple[tuple[float, ...], ...] = ()
    """(checkpoint, fold); empty for a trainer that does not tell them"""
    final: float | None = None
    """the loss in the end: infinite for a failed trial, None for one that is not over or was stopped"""

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Curve:
        """Of a finished trial's result; without checkpoints if it holds no `curve`."""
        final = None if result.get("pruned") else math.inf
        if result.get("status") == "ok":
            final = _finite(result.get("loss"))
        curve = result.get("curve") or {"epochs": (), "loss": ()}
        losses = tuple(_finite(value) for value in curve["loss"])
        folds = tuple(tuple(_finite(value) for value in each) for each in curve.get("folds") or ())
        return cls(tuple(curve["epochs"]), losses, folds, final)

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

    def folds_at(self, epoch: int) -> tuple[float, ...]:
        """Of each fold, at the last checkpoint until `epoch`; empty if there is none."""
        place = bisect_right(self.epochs, epoch)
        return self.folds[place - 1] if place and self.folds else ()


@dataclass(frozen=True)
class Limit:
    """What a trial may have after `epoch` epochs."""

    epoch: int
    loss: float
    end: float
    """the worst loss that one of the best had in the end"""
    folds: tuple[float, ...] = ()
    """a trial of which every fold is above these is stopped too"""

    def as_list(self) -> list[Any]:
        """Strict JSON data, for a process that runs the trial; infinity is None."""
        return [self.epoch, *(rounded(value, 17) for value in (self.loss, self.end, *self.folds))]

    @classmethod
    def from_list(cls, held: Sequence[Any]) -> Limit:
        """Of what `as_list` gave."""
        epoch, loss, end, *folds = held
        return cls(int(epoch), _finite(loss), _finite(end), tuple(_finite(value) for value in folds))


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.inf


def rounded(value: Any, digits: int = _DIGITS) -> float | None:
    """A loss as curves hold it; None where it is not finite."""
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None


@dataclass
class Standing:
    """What the rule remembers of the finished trials, given by `add` in the order of their numbers; of bounded size."""

    rule: Rule
    count: int = 0
    """finished trials"""
    whole: int = 0
    """of them those that were not stopped"""
    _best: list[tuple[float, int, Curve]] = field(default_factory=list)

    def add(self, curve: Curve) -> None:
        """One more finished trial; one without a curve has no `epochs`."""
        if curve.final is not None:
            self.whole += 1
            if math.isfinite(curve.final):
                insort(self._best, (curve.final, self.count, curve), key=lambda entry: entry[:2])
                del self._best[self.rule.most :]
        self.count += 1

    def limits(self) -> list[Limit]:
        """The limits, by epoch, that these trials set to a new one; none as long as there are too few of them."""
        rule = self.rule
        wanted = min(max(math.ceil(rule.share * self.count), rule.fewest), rule.most)
        best = [curve for _, _, curve in self._best[:wanted]]
        if self.whole < rule.warmup or len(best) < rule.fewest or not all(curve.epochs for curve in best):
            return []
        epochs = sorted({epoch for curve in best for epoch in curve.epochs})
        epochs = epochs[:: -(-len(epochs) // _CHECKPOINTS)]
        return [_limit(best, epoch, rule) for epoch in epochs]


def limits(past: Iterable[Curve], rule: Rule) -> list[Limit]:
    """What `Standing` gives after these finished trials, in the order of their numbers."""
    standing = Standing(rule)
    for curve in past:
        standing.add(curve)
    return standing.limits()


def _limit(best: Sequence[Curve], epoch: int, rule: Rule) -> Limit:
    ends = [curve.final or 0.0 for curve in best]
    # a curve may rise for a while: then the later value is the one that came down
    now = [max(curve.at(epoch / rule.slowness), curve.at(epoch)) for curve in best]
    loss = math.inf
    if math.inf not in now:
        scale, back = _scales(*ends, *now)
        fall = max(scale(value) - scale(end) for value, end in zip(now, ends, strict=True))
        loss = back(scale(max(ends)) + rule.margin * max(fall, 0.0))
    return Limit(epoch, loss, max(ends), _fold_limits(best, epoch))


def _scales(*losses: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """How losses are compared, and back: by their logarithms if all are above 0."""
    return (math.log, math.exp) if min(losses) > 0.0 else (float, float)


def _fold_limits(best: Sequence[Curve], epoch: int) -> tuple[float, ...]:
    """The largest value of each fold; nothing where one of the best does not tell its folds, or there is one alone."""
    each = [curve.folds_at(epoch) for curve in best]
    if len({len(folds) for folds in each}) != 1 or len(each[0]) < 2:
        return ()
    return tuple(max(values) for values in zip(*each, strict=True))


def decide(found: Sequence[Limit], epoch: int, loss: float | None, folds: Sequence[float | None] = ()) -> str | None:
    """Why a trial with this loss after `epoch` epochs is stopped; None if it goes on.

    `found` is what `limits` gave. Between the epochs of its entries the earlier one holds.
    """
    place = bisect_right([limit.epoch for limit in found], epoch)
    if not place:
        return None
    limit = found[place - 1]
    given = math.inf if loss is None else loss
    if given > limit.loss:
        return f"loss {_told(given)} is above {limit.loss:.4g}, from which none of the best came down"
    each = [math.inf if value is None else value for value in folds]
    apart = limit.folds and len(each) == len(limit.folds) and given > limit.end
    if apart and all(value > most for value, most in zip(each, limit.folds, strict=True)):
        worst = ", ".join(f"{value:.4g}" for value in limit.folds)
        return f"each fold is above the most that it had in any of the best ({worst})"
    return None


def _told(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no finite number"
