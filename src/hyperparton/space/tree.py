"""Walking a search space: its labels and their conditions, its evaluation, a plain sampler, its fingerprint.

Values travel as hyperopt writes them: `vals` maps each label of the space to `[value]`, or to `[]` where the label does
not apply; the value of a choice is the index of its option.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hyperparton.errors import SpaceError
from hyperparton.files import checksum
from hyperparton.space.frozen import FrozenList
from hyperparton.space.samplers import REAL, Choice, LogUniform, QUniform, Range, Sampler

__all__ = [
    "Condition",
    "Vals",
    "choose",
    "conditions",
    "counterparts",
    "describe",
    "evaluate",
    "fill",
    "fingerprint",
    "readable",
    "replace_samplers",
    "sample",
    "samplers_by_label",
]

Vals = Mapping[str, Sequence[Any]]

#: the choices that must have been made for a label to apply, outermost first: (label, index of the option)
Condition = tuple[tuple[str, int], ...]


def samplers_by_label(space: Any) -> dict[str, Sampler]:
    """Every sampler of the space by its label; raises SpaceError if two different ones share a label."""
    by_label: dict[str, Sampler] = {}
    for sampler, _, _ in _walk(space):
        known = by_label.setdefault(sampler.label, sampler)
        if known != sampler:
            raise SpaceError(f"the label {sampler.label!r} names two different samplers: {known} and {sampler}")
    return by_label


def conditions(space: Any) -> dict[str, tuple[Condition, ...]]:
    """For every label the ways to reach it; `()` among them means that it always applies."""
    paths: dict[str, list[Condition]] = {}
    for sampler, path, _ in _walk(space):
        known = paths.setdefault(sampler.label, [])
        if path not in known:
            known.append(path)
    return {label: tuple(ways) for label, ways in paths.items()}


def counterparts(space: Any) -> list[tuple[str, ...]]:
    """Groups of labels that are the same parameter in different options of a choice; a label without such is alone.

    They stand at the same place, both on a linear scale or both on a logarithmic one, and never apply together: the
    learning rates of two optimizers, the widths of the last layers of a deep network and of a flat one. Places in
    lists count from the end, so that networks are compared from their outputs on. Groups are in the order of the space.
    """
    ways, kinds = conditions(space), samplers_by_label(space)
    places: dict[str, tuple[Any, ...]] = {}
    for sampler, _, place in _walk(space):
        places.setdefault(sampler.label, place)
    groups: dict[tuple[Any, ...], list[tuple[str, ...]]] = {}
    for label, place in places.items():
        kind = kinds[label]
        own = (label,) if isinstance(kind, Choice) else (isinstance(kind, LogUniform),)
        known = groups.setdefault((place, *own), [])
        fits = [i for i, group in enumerate(known) if all(_apart(ways[label], ways[other]) for other in group)]
        if fits:
            known[fits[0]] = (*known[fits[0]], label)
        else:
            known.append((label,))
    return [group for each in groups.values() for group in each]


def _apart(ways: Sequence[Condition], others: Sequence[Condition]) -> bool:
    """Whether no choice leads to both."""
    return all(any(dict(other).get(label, k) != k for label, k in way) for way in ways for other in others)


def _walk(
    node: Any, path: Condition = (), place: tuple[Any, ...] = ()
) -> Iterator[tuple[Sampler, Condition, tuple[Any, ...]]]:
    """Each sampler, the choices that lead to it, and its place: the keys on the way, whatever the options of choices.

    A place in a list is counted from its end.
    """
    if isinstance(node, Sampler):
        yield node, path, place
    if isinstance(node, Choice):
        for i, option in enumerate(node.options):
            yield from _walk(option, (*path, (node.label, i)), place)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _walk(value, path, (*place, key))
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _walk(value, path, (*place, i - len(node)))


def evaluate(space: Any, vals: Vals) -> Any:
    """The structure of `space` with each sampler replaced by its value; raises SpaceError if one has none."""
    return _resolve(space, lambda sampler: _value(sampler, vals))


def sample(space: Any, rng: np.random.Generator) -> dict[str, list[Any]]:
    """Draw a point of the space: every branch of a choice and every point of a grid equally likely."""
    return choose(space, lambda sampler: sampler.draw(rng))


def choose(space: Any, value_of: Callable[[Sampler], Any]) -> dict[str, list[Any]]:
    """The point of the space whose values `value_of` gives; it is asked once for each label that applies."""
    chosen: dict[str, Any] = {}

    def ask(sampler: Sampler) -> Any:
        if sampler.label not in chosen:
            chosen[sampler.label] = value_of(sampler)
        return chosen[sampler.label]

    known = samplers_by_label(space)
    _resolve(space, ask)
    return fill(known, chosen)


def fill(known: Mapping[str, Sampler], chosen: Mapping[str, Any]) -> dict[str, list[Any]]:
    """`vals` for all known labels, sorted, with `[]` for those that were not chosen."""
    return {label: [chosen[label]] if label in chosen else [] for label in sorted(known)}


def describe(node: Any) -> Any:
    """The space as plain JSON data, enough to tell whether two spaces are the same."""
    if isinstance(node, Choice):
        return {"choice": node.label, "options": [describe(option) for option in node.options]}
    if isinstance(node, Range):
        return {type(node).__name__.lower(): asdict(node)}
    if isinstance(node, Mapping):
        return {str(key): describe(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [describe(value) for value in node]
    return readable(node)


def fingerprint(space: Any) -> str:
    """The SHA-256 of the space's description; equal spaces have equal fingerprints, whatever the order of keys."""
    text = json.dumps(describe(space), sort_keys=True, separators=(",", ":"))
    return checksum(text)


def readable(value: Any) -> Any:
    """`value` as strict JSON data: numpy's numbers as Python's, NaN and infinity as None, other objects by name."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return readable(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): readable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [readable(entry) for entry in value]
    return str(value)


def replace_samplers(node: Any, made_of: Callable[[Sampler], Any]) -> Any:
    """The structure of a space, not frozen, with what `made_of` gives in place of each of its outermost samplers."""
    if isinstance(node, Sampler):
        return made_of(node)
    if isinstance(node, Mapping):
        return {key: replace_samplers(value, made_of) for key, value in node.items()}
    if isinstance(node, list | FrozenList):
        return [replace_samplers(value, made_of) for value in node]
    if isinstance(node, tuple):
        return tuple(replace_samplers(value, made_of) for value in node)
    return node


def _resolve(node: Any, value_of: Callable[[Sampler], Any]) -> Any:
    def resolved(sampler: Sampler) -> Any:
        if isinstance(sampler, Choice):
            return _resolve(sampler.options[value_of(sampler)], value_of)
        return sampler.cast(value_of(sampler)) if isinstance(sampler, QUniform) else value_of(sampler)

    return replace_samplers(node, resolved)


def _value(sampler: Sampler, vals: Vals) -> Any:
    held = vals.get(sampler.label, [])
    if isinstance(held, str) or not isinstance(held, Sequence) or len(held) != 1:
        raise SpaceError(f"{sampler.label}: accepted is a list with one value, given {held!r}")
    value = held[0]
    if isinstance(sampler, Choice):
        if isinstance(value, bool) or not isinstance(value, REAL) or value not in range(len(sampler.options)):
            accepted = f"an index from 0 to {len(sampler.options) - 1}"
            raise SpaceError(f"{sampler.label}: accepted is {accepted}, given {value!r}")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, REAL) or not math.isfinite(value):
        raise SpaceError(f"{sampler.label}: accepted is a finite number, given {value!r}")
    return float(value)
