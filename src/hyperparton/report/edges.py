"""Whether the methodology that a scan names lies at the end of a range, and how the loss goes there.

A number lies at an end if it is within 5 % of the range from it, on the scale on which it is sampled; of a grid, if it
is the last point or within 5 % of the points.

How the loss goes is said by a model of the scan's trials (`report.slopes`): by how much the loss predicted a quarter of
the range inside lies above that at the end, the other hyperparameters kept. Its standard error is that of the predicted
difference, so the noise of single trials is averaged out. The loss falls or rises if the difference is more than twice
its error. It is flat if the difference and twice its error are small beside the spread of all losses; else there are
too few trials to tell.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hyperparton.errors import SpaceError
from hyperparton.report.hyperparameters import shown
from hyperparton.report.slopes import Losses
from hyperparton.runcard.ranges import CardRange
from hyperparton.space.locate import Locator
from hyperparton.space.samplers import QUniform, Range
from hyperparton.space.tree import samplers_by_label
from hyperparton.trials.trial import Outcome, Trial
from hyperparton.trials.tries_entry import as_asked

__all__ = ["Edge", "ScannedRanges", "edge_text", "edges", "plain_edge"]

#: shares of a range
_NEAR, _INSIDE = 0.05, 0.25

#: a difference is told if it is this many of its standard errors
_TOLD = 2.0

#: a loss is flat if it can hardly differ by more than this, in standard deviations of all losses
_SMALL = 0.3

Course = Literal["falls", "rises", "is flat", "unknown"]


@dataclass(frozen=True)
class ScannedRanges:
    """What a scan samples, from its card."""

    space: Mapping[str, Any]
    ranges: Mapping[str, CardRange]
    """of numbers, by label"""
    own: Mapping[str, Any]
    """the values, by label, that the space has nearest to the card's own parameters"""


@dataclass(frozen=True)
class Edge:
    """A hyperparameter of the named methodology that lies at an end of its range."""

    label: str
    name: str
    value: float
    low: float
    high: float
    upper: bool
    """whether it is the upper end"""
    last: bool
    """whether nothing beyond this end can be asked for"""
    fall: float | None
    """by how much the loss falls from a quarter of the range inside to the end; None where that is not known"""
    error: float | None
    """its standard error"""
    course: Course
    """how the loss goes towards the end"""

    @property
    def end(self) -> str:
        """The name of the end."""
        return "upper" if self.upper else "lower"

    @property
    def calls_for_more(self) -> bool:
        """Whether values beyond the end may be better."""
        return self.course in ("falls", "unknown")

    @property
    def sentence(self) -> str:
        """What there is to say."""
        accepted = f"; no {'greater' if self.upper else 'smaller'} value is accepted" if self.last else ""
        ends = f"{shown(self.low)} to {shown(self.high)}"
        where = f"{self.name} lies at the {self.end} end of its range ({shown(self.value)} of {ends}{accepted})"
        return f"{where}: {self.how}."

    @property
    def how(self) -> str:
        """How the loss goes towards the end, in a few words."""
        if self.fall is None or self.error is None:
            return "there are too few trials to tell how the loss goes there"
        size = _with_error(abs(self.fall) if self.course in ("falls", "rises") else self.fall, self.error)
        if self.course == "is flat":
            return f"the loss is flat there (it falls by {size})"
        if self.course == "unknown":
            return f"there are too few trials to tell how the loss goes there (it falls by {size})"
        return f"the loss {self.course} towards it by {size}"


def edges(
    scanned: ScannedRanges,
    trials: Sequence[Trial],
    named: Trial,
    loss: Callable[[Trial], float | None] | None = None,
) -> list[Edge]:
    """The edges of the methodology `named`, in the order of the space; raises SpaceError if it is not in the space.

    `loss` gives the number by which trials are compared, by default their own.
    """
    numbers = {label: each for label, each in samplers_by_label(scanned.space).items() if isinstance(each, Range)}
    if not numbers:
        return []
    locator = Locator(scanned.space)
    at, misfits = locator.locate(as_asked(named.space_vals, scanned.space))
    if at is None:
        first = misfits[0]
        raise SpaceError(
            f"trial {named.name} does not lie in the ranges of the card: {first.parameter} is {first.value}, accepted: "
            f"{first.accepted}"
        )
    found = [
        (label, sampler, end)
        for label, sampler in numbers.items()
        if at[label] and (end := _end(sampler, at[label][0])) is not None
    ]
    if not found:
        return []
    pairs = [_places(sampler, upper) for _, sampler, upper in found]
    ends = [[{**at, label: [place]} for place in pair] for (label, *_), pair in zip(found, pairs, strict=True)]
    made = []
    with np.errstate(all="ignore"):  # losses may be as large as a float can be
        losses = Losses(scanned.space, _history(locator, scanned.space, trials, loss), [at])
        falls = [losses.fall(inside, last) for last, inside in ends]
    for (label, sampler, upper), told in zip(found, falls, strict=True):
        if told is not None and not all(map(math.isfinite, told)):
            told = None
        entry = scanned.ranges[label]
        bound = sampler.upper if upper else sampler.lower
        value = sampler.cast(at[label][0]) if isinstance(sampler, QUniform) else at[label][0]
        made.append(
            Edge(
                label, entry.name, value, sampler.lower, sampler.upper, upper, entry.ends(bound, upper),
                *(told or (None, None)), _course(told, losses.unit),
            )
        )  # fmt: skip
    return made


def edge_text(found: Sequence[Edge], directory: object) -> str:
    """A sentence on each, and how to come by wider ranges where values beyond may be better; empty for none."""
    sentences = [edge.sentence for edge in found]
    if any(edge.calls_for_more and not edge.last for edge in found):
        sentences.append(f"`hyperparton best {shlex.quote(str(directory))} --widen` proposes wider ranges.")
    return " ".join(sentences)


def plain_edge(edge: Edge) -> dict[str, object]:
    """The edge as strict JSON data."""
    return {
        "hyperparameter": edge.name, "label": edge.label, "value": edge.value, "range": [edge.low, edge.high],
        "end": edge.end, "is_last": edge.last, "loss": edge.course, "fall": edge.fall, "error": edge.error,
    }  # fmt: skip


def _history(
    locator: Locator, space: Mapping[str, Any], trials: Sequence[Trial], loss: Callable[[Trial], float | None] | None
) -> list[Outcome]:
    """The finished trials of the space as an engine sees them: their vals by their parameters, whoever wrote them."""
    return [
        Outcome(trial.number, vals, trial.status, trial.loss if loss is None else loss(trial), trial.failure)
        for trial in trials
        if trial.finished and (vals := locator.locate(as_asked(trial.space_vals, space))[0]) is not None
    ]


def _end(sampler: Range, value: float) -> bool | None:
    """Whether a value lies at the upper end, or the lower one; None if at neither."""
    if isinstance(sampler, QUniform):
        place, count = sampler.index(value), sampler.count
        near = math.floor(_NEAR * count)
        ends = place >= count - near, place <= near
    else:
        share = sampler.share(value)
        ends = share >= 1.0 - _NEAR, share <= _NEAR
    if sampler.cells == 1:
        return None
    return True if ends[0] else False if ends[1] else None


def _places(sampler: Range, upper: bool) -> tuple[float, float]:
    """The value at the end, and the one a quarter of the range inside."""
    if isinstance(sampler, QUniform):
        steps = max(round(_INSIDE * sampler.count), 1)
        return (
            (sampler.point(sampler.count), sampler.point(sampler.count - steps))
            if upper
            else (sampler.point(0), sampler.point(steps))
        )
    return sampler.value_at(float(upper)), sampler.value_at(abs(float(upper) - _INSIDE))


def _course(told: tuple[float, float] | None, unit: float) -> Course:
    if told is None:
        return "unknown"
    fall, error = told
    if abs(fall) > _TOLD * error:
        return "falls" if fall > 0 else "rises"
    return "is flat" if abs(fall) + _TOLD * error <= _SMALL * unit else "unknown"


def _with_error(value: float, error: float) -> str:
    """A number and its error, both to the second digit of the error."""
    if not 1e-6 < error < 1e6:
        return f"{value:.3g} ± {error:.2g}"
    digits = max(1 - math.floor(math.log10(error)), 0)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
