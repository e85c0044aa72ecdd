"""Where parameters lie in a search space: the converse of `evaluate`.

`locate` takes parameters that a space gives, `nearest_values` others too. Trials of an earlier scan are brought into
another space by their readable parameters, not by their labels: an option of a choice is the one that can give the
value, whatever its index was, and a number lies in a range whatever drew it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hyperparton.space.samplers import Choice, LogUniform, QUniform, Range
from hyperparton.space.tree import fill, readable, samplers_by_label

__all__ = ["Locator", "Misfit", "locate", "nearest_values"]

#: numbers that went through text are equal within this
_EQUAL = 1e-9

#: types of fixed values that are the same where they are equal; most of what a space holds
_PLAIN = frozenset({str, int, float, bool})

#: a parameter that the record does not hold
_ABSENT = object()


@dataclass(frozen=True)
class Misfit:
    """A value that a space does not have."""

    parameter: str
    """dotted"""
    value: str
    """as text"""
    accepted: str


def locate(space: Any, parameters: Mapping[str, Any]) -> tuple[dict[str, list[Any]] | None, list[Misfit]]:
    """The `vals` whose evaluation is `parameters` (readable ones), or None and what does not fit.

    A number between the points of a grid counts as the nearest point, and one beyond its ends by no more than half a
    step as the end: hyperopt's grids are multiples of the step, whatever the range. Parameters that the space holds
    fixed must have that value, if the record has them; parameters that the space does not know must not be set.
    """
    return Locator(space).locate(parameters)


def nearest_values(space: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values, by label, that a space has nearest to `parameters` (readable ones).

    A number beyond the ends of its range becomes the nearer end. A label is left out where the parameters say nothing
    of it, and a choice without an option like theirs, with all that depends on it.
    """
    chosen: dict[str, Any] = {}
    Locator(space, nearest=True).match(parameters, chosen)
    return chosen


class Locator:
    """`locate` in one space, for many trials; with `nearest` what the space does not have becomes its nearest."""

    def __init__(self, space: Any, nearest: bool = False) -> None:
        self._nearest = nearest
        self._space, self._labels = space, samplers_by_label(space)
        self._sampled: dict[int, bool] = {}
        """the id of a part of the space -> whether it holds samplers"""

    def locate(self, parameters: Mapping[str, Any]) -> tuple[dict[str, list[Any]] | None, list[Misfit]]:
        """As the function of this name."""
        chosen: dict[str, Any] = {}
        misfits = self.match(parameters, chosen)
        return (None, misfits) if misfits else (fill(self._labels, chosen), [])

    def match(self, parameters: Mapping[str, Any], chosen: dict[str, Any]) -> list[Misfit]:
        """What of the parameters does not fit; the values of what does, by label, are put into `chosen`."""
        return self._match(self._space, parameters, (), chosen)

    def _is_sampled(self, node: Any) -> bool:
        if (known := self._sampled.get(id(node))) is None:
            known = self._sampled[id(node)] = bool(samplers_by_label(node))
        return known

    def _match(self, node: Any, value: Any, path: tuple[str, ...], chosen: dict[str, Any]) -> list[Misfit]:
        if type(node) in _PLAIN and type(value) is type(node) and value == node:
            return []
        if isinstance(node, Choice):
            return self._match_choice(node, value, path, chosen)
        if isinstance(node, Range):
            return _match_number(node, value, path, chosen, self._nearest)
        if value is _ABSENT:
            return [_misfit(path, value, "a value")] if self._is_sampled(node) else []
        if isinstance(node, Mapping):
            return self._match_mapping(node, value, path, chosen)
        if isinstance(node, list | tuple) and self._is_sampled(node):
            if not isinstance(value, list | tuple) or len(value) != len(node):
                return [_misfit(path, value, f"a list of {len(node)}")]
            pairs = zip(node, value, strict=True)
            return [misfit for i, pair in enumerate(pairs) for misfit in self._match(*pair, (*path, str(i)), chosen)]
        return [] if _same(node, value) else [_misfit(path, value, _shown(readable(node)))]

    def _match_mapping(
        self, node: Mapping[str, Any], value: Any, path: tuple[str, ...], chosen: dict[str, Any]
    ) -> list[Misfit]:
        if not isinstance(value, Mapping):
            return [_misfit(path, value, f"keys {', '.join(node)}")]
        misfits: list[Misfit] = []
        for key, one in node.items():
            misfits += self._match(one, value.get(key, _ABSENT), (*path, key), chosen)
        unknown = [key for key, entry in value.items() if key not in node and entry is not None]
        return misfits + [_misfit((*path, key), value[key], "not set") for key in unknown]

    def _match_choice(self, node: Choice, value: Any, path: tuple[str, ...], chosen: dict[str, Any]) -> list[Misfit]:
        """The first option that can give the value; else the misfits of the option that is meant, if one is."""
        meant: list[Misfit] | None = None
        near: dict[str, Any] = {}
        for index, option in enumerate(node.options):
            inner: dict[str, Any] = {}
            misfits = self._match(option, value, path, inner)
            if not misfits:
                chosen.update({**inner, node.label: index})
                return []
            if meant is None and _named_alike(option, value):
                meant, near = misfits, {**inner, node.label: index}
        if meant is not None:
            if self._nearest:
                chosen.update(near)
            return meant
        return [_misfit(path, value, " or ".join(dict.fromkeys(_summary(option) for option in node.options)))]


def _named_alike(option: Any, value: Any) -> bool:
    """Whether an option of several keys has the names of the value, so that it is meant whatever else differs."""
    if not isinstance(option, Mapping) or not isinstance(value, Mapping):
        return False
    names = {key: name for key, name in option.items() if isinstance(name, str)}
    return bool(names) and all(value.get(key) == name for key, name in names.items())


def _match_number(
    node: Range, value: Any, path: tuple[str, ...], chosen: dict[str, Any], nearest: bool
) -> list[Misfit]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    slack = _EQUAL * max(abs(node.lower), abs(node.upper))
    if isinstance(node, QUniform) and node.lower < node.upper:
        slack += node.step / 2
    low = math.floor(node.lower) if isinstance(node, QUniform) and node.make_int else node.lower
    # of a logarithmic range the lower bound may be less than the slack of the upper
    below = _EQUAL * low if isinstance(node, LogUniform) else slack
    if not number or not (nearest or low - below <= value <= node.upper + slack):
        return [_misfit(path, value, f"{node.lower:g} to {node.upper:g}")]
    inside = float(min(max(value, low), node.upper))
    if isinstance(node, QUniform):
        inside = _grid_point(node, inside if nearest else value)
    chosen[node.label] = inside
    return []


def _grid_point(node: QUniform, value: float) -> float:
    """The point that is cast to the value, else the nearest one."""
    nearest = node.index(value)
    for k in (nearest, nearest + 1, nearest - 1):
        if 0 <= k <= node.count and math.isclose(node.cast(node.point(k)), value, rel_tol=_EQUAL):
            return node.point(k)
    return node.point(nearest)


def _same(node: Any, value: Any) -> bool:
    """Whether a fixed part of the space is this value; an activation's name stands for the list of all layers too."""
    fixed = readable(node)
    if isinstance(fixed, str) and isinstance(value, list) and callable(node):
        by_layer: Any = node
        value = value[0] if value and value == list(by_layer(len(value))) else value
    return _equal(fixed, value)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_EQUAL)
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_equal(one.get(key), other.get(key)) for key in {*one, *other})
    return one == other


def _misfit(path: tuple[str, ...], value: Any, accepted: str) -> Misfit:
    return Misfit(".".join(path) or "parameters", "nothing" if value is _ABSENT else _shown(value), accepted)


def _summary(option: Any) -> str:
    """An option in a few words: of one with samplers its fixed name, or how many values it has."""
    if isinstance(option, Mapping):
        return (
            ", ".join(str(value) for value in option.values() if isinstance(value, str)) or f"keys {', '.join(option)}"
        )
    if isinstance(option, list | tuple) and samplers_by_label(option):
        return f"a list of {len(option)}"
    return _shown(readable(option))


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
