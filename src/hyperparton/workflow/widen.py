"""A scan's card with wider ranges: those at whose end its best methodology lies, as far as `check` accepts them.

A range grows on that side by half its width, on the scale on which it is sampled: one from 1 to 100 on a logarithmic
scale grows to 1000. The new bound is rounded to the second digit of the
step to it. Where the check refuses it, half and a
quarter of the step are tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.errors import Fault, HyperpartonError, RuncardError
from hyperparton.report.edges import Edge, ScannedRanges
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.ranges import CardRange
from hyperparton.runcard.rewrite import with_numbers
from hyperparton.runcard.yaml_positions import Document, KeyPath, dotted
from hyperparton.space.samplers import LogUniform, Range
from hyperparton.space.tree import samplers_by_label
from hyperparton.workflow.cards import check_card

__all__ = ["Widened", "widened"]

#: by which share of its width a range grows, the first that is accepted
_SHARES = (0.5, 0.25, 0.125)


@dataclass(frozen=True)
class Widened:
    """A proposal."""

    text: str
    """the card"""
    changes: tuple[str, ...]
    """a line on each range that is wider"""
    refused: tuple[str, ...]
    """a line on each that should be and cannot"""
    kept: tuple[str, ...]
    """a line on each that need not be"""


def widened(document: Document, scanned: ScannedRanges, edges: Sequence[Edge]) -> Widened:
    """The card in `document` with wider ranges for these edges, its layout and comments kept."""
    known = {(fault.path, fault.message) for fault in _faults(document)}
    samplers = samplers_by_label(scanned.space)
    changes, refused, kept = [], [], []
    done: set[KeyPath] = set()
    for edge in edges:
        entry, sampler = scanned.ranges[edge.label], samplers[edge.label]
        assert isinstance(sampler, Range)
        place = entry.upper if edge.upper else entry.lower
        if place in done:  # the widths of all layers have one range
            continue
        if not edge.calls_for_more:
            kept.append(f"{edge.name}: its {edge.end} end stays, {edge.how}")
            continue
        if place is None or edge.last:
            why = f"no {'greater' if edge.upper else 'smaller'} value is accepted"
            refused.append(f"{edge.name}: its {edge.end} end cannot be moved, {why}")
            continue
        done.add(place)
        document, line = _moved(document, edge, place, _wider_bounds(entry, sampler, edge.upper), known)
        (changes if line is None else refused).append(line or _change(document, edge, place, sampler))
    return Widened(document.text, tuple(changes), tuple(refused), tuple(kept))


def _moved(
    document: Document, edge: Edge, place: KeyPath, bounds: Sequence[float], known: set[tuple[str, str]]
) -> tuple[Document, str | None]:
    """The document with the first of these bounds that is accepted, or as it was and why none is."""
    why = "there is no number beyond it"
    for bound in bounds:
        try:
            tried = with_numbers(document, {place: bound})
        except RuncardError as fault:
            return document, f"{edge.name}: its {edge.end} end cannot be moved: {fault}"
        new = [fault for fault in _faults(tried) if (fault.path, fault.message) not in known]
        if not new:
            return tried, None
        why = str(new[0])
    return document, f"{edge.name}: its {edge.end} end cannot be moved: {why}"


def _change(document: Document, edge: Edge, place: KeyPath, sampler: Range) -> str:
    new: Any = document.content
    for part in place:
        new = new[part]
    old = sampler.upper if edge.upper else sampler.lower
    return f"{edge.name}: {dotted(place)} from {old:.12g} to {new:.12g}"


def _faults(document: Document) -> tuple[Fault, ...]:
    """What `check` finds in the card alone: no theory, no data."""
    try:
        check_card(parse_runcard(document.text, document.file), "scan", inputs=False)
    except HyperpartonError as error:
        return error.faults or (Fault(str(error)),)
    return ()


def _wider_bounds(entry: CardRange, sampler: Range, upper: bool) -> list[float]:
    """Bounds beyond the upper or the lower one, the farthest first, within what the card can ask for."""
    old = sampler.upper if upper else sampler.lower
    found = []
    for share in _SHARES:
        bound = _within(entry, old, _grown(entry, sampler, share, upper), upper)
        if math.isfinite(bound) and (bound > old if upper else bound < old) and bound not in found:
            found.append(bound)
    return found


def _grown(entry: CardRange, sampler: Range, share: float, upper: bool) -> float:
    """The bound that a range has when it grows by a share of its width."""
    old, sign = (sampler.upper, 1.0) if upper else (sampler.lower, -1.0)
    if isinstance(sampler, LogUniform):
        width = math.log(sampler.upper) - math.log(sampler.lower)
        logarithm = math.log(old) + sign * share * width
        new = math.exp(logarithm) if logarithm < 709.0 else math.inf
        return _rounded(new, min(abs(new - old), new))
    step = share * (sampler.upper - sampler.lower)
    if entry.step is not None:  # the points of the grid stay
        return old + sign * entry.step * max(math.ceil(step / entry.step - 1e-9), 1)
    if entry.whole:
        step = max(step, 1.0)
    return _rounded(old + sign * step, step)


def _rounded(value: float, unit: float) -> float:
    """The value to the second digit of the unit."""
    if not (math.isfinite(value) and 0.0 < unit < math.inf):
        return value
    digits = 1 - math.floor(math.log10(unit))
    return round(value, digits) if digits < 300 else value


def _within(entry: CardRange, old: float, new: float, upper: bool) -> float:
    """The bound `new`, or a nearer one if that is not accepted: the last one, or half the way to it if it is open."""
    limit, is_open = (entry.most, entry.open_most) if upper else (entry.least, entry.open_least)
    beyond = new > limit if upper else new < limit
    if beyond or (is_open and new == limit):
        if entry.step is not None:
            steps = abs(limit - old) / entry.step
            count = math.ceil(steps - 1e-9) - 1 if is_open else math.floor(steps + 1e-9)
            new = old + math.copysign(count * entry.step, limit - old)
        else:
            new = 0.5 * (old + limit) if is_open else limit
    if entry.step is not None and math.isfinite(new):
        new = float(f"{new:.12g}")  # 1 - 0.8 is 0.2
    whole = entry.whole and math.isfinite(new)
    return float((math.floor if upper else math.ceil)(new)) if whole else new
