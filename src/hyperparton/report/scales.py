"""The scale and the ends of the range from which each number of a scan was drawn, by its search space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hyperparton.space.samplers import LogUniform, Uniform
from hyperparton.trials.parameters import names_of_places
from hyperparton.trials.result import is_number

__all__ = ["Scale", "common_scales", "scales"]

Scale = Uniform | LogUniform
"""a linear or a logarithmic axis with its ends"""

#: how `space.tree.describe` calls ranges
_KINDS: Mapping[str, type[Scale]] = {"uniform": Uniform, "quniform": Uniform, "loguniform": LogUniform}

_Place = tuple[str, ...]


def scales(description: Any) -> dict[str, Scale]:
    """Hyperparameters as trials call them -> their scales, from a space as `space.tree.describe` writes it.

    A hyperparameter that has several ranges, in different options of a choice, has one that holds all of them; it is
    left out where some of them are linear and others logarithmic, or where a range is none.
    """
    found = list(_leaves(description, ()))
    places = list(dict.fromkeys(place for place, _ in found))
    named = dict(zip(places, names_of_places(places), strict=True))
    ranges: dict[str, list[Scale | None]] = {}
    for place, node in found:
        for name, inner in _ranges(named[place], node):
            ranges.setdefault(name, []).append(_scale(name, inner))
    return {name: hull for name, each in ranges.items() if (hull := _hull(each)) is not None}


def common_scales(spaces: Sequence[Any]) -> dict[str, Scale]:
    """The scales of several scans together: of hyperparameters for which all scans have the same kind."""
    if not spaces or any(space is None for space in spaces):
        return {}
    each = [scales(space) for space in spaces]
    names = [name for name in each[0] if all(name in other for other in each)]
    return {name: hull for name in names if (hull := _hull([other[name] for other in each])) is not None}


def _leaves(node: Any, place: _Place) -> Iterator[tuple[_Place, Any]]:
    """The values of the space, whatever the options of choices, with their places."""
    if _is_choice(node):
        for option in node["options"]:
            yield from _leaves(option, place)
    elif isinstance(node, Mapping) and _range(node) is None:
        for key, value in node.items():
            yield from _leaves(value, (*place, str(key)))
    else:
        yield place, node


def _ranges(name: str, node: Any) -> Iterator[tuple[str, tuple[str, Any]]]:
    """The ranges of a value: its own, or those of the widths of layers."""
    if (own := _range(node)) is not None:
        yield name, own
    elif name == "nodes_per_layer" and isinstance(node, list):
        for i, width in enumerate(node):
            if (inner := _range(width)) is not None:
                yield f"layer_{i + 1}", inner


def _is_choice(node: Any) -> bool:
    return isinstance(node, Mapping) and set(node) == {"choice", "options"} and isinstance(node["options"], list)


def _range(node: Any) -> tuple[str, Any] | None:
    if not isinstance(node, Mapping) or len(node) != 1:
        return None
    ((kind, held),) = node.items()
    return (kind, held) if kind in _KINDS and isinstance(held, Mapping) and "label" in held else None


def _scale(name: str, described: tuple[str, Any]) -> Scale | None:
    kind, held = described[0], described[1]
    ends = held.get("lower"), held.get("upper")
    if not all(is_number(end) and math.isfinite(end) for end in ends):
        return None
    low, high = map(float, ends)
    return None if low > high or (kind == "loguniform" and low <= 0.0) else _KINDS[kind](name, low, high)


def _hull(ranges: Sequence[Scale | None]) -> Scale | None:
    known = [each for each in ranges if each is not None]
    if len(known) < len(ranges) or len({type(each) for each in known}) != 1:
        return None
    low, high = min(each.lower for each in known), max(each.upper for each in known)
    return type(known[0])(known[0].label, low, high)
