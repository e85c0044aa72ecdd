"""The parameters of a trial: as a runcard has them, and as a table without nesting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hyperparton.trials.result import is_number

__all__ = [
    "OWN_NAMES",
    "PARAMETER",
    "as_runcard",
    "derived_values",
    "differ",
    "is_width",
    "names_of_places",
    "stated_values",
    "varied",
]

#: what a trial has of its own: tables and filters call these so
OWN_NAMES: tuple[str, ...] = ("trial", "scan", "status", "loss", "validation_loss", "experimental_loss", "seconds")

#: how the name of a hyperparameter begins whose own name is taken
PARAMETER = "parameter."

#: where these sections' entries are shown without the section's name, as validphys calls them
_PLAIN_SECTIONS = ("optimizer", "positivity")


def as_runcard(space_vals: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a runcard has them: an activation's name becomes a list, one per layer, the last one linear."""
    chosen = dict(space_vals)
    name, nodes = chosen.get("activation_per_layer"), chosen.get("nodes_per_layer")
    if isinstance(name, str) and isinstance(nodes, list | tuple) and nodes:
        chosen["activation_per_layer"] = [name] * (len(nodes) - 1) + ["linear"]
    return chosen


def stated_values(space_vals: Mapping[str, Any], vals: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters without nesting: `optimizer`, `learning_rate`, `nodes_per_layer`, ...

    `space_vals` are the readable parameters of a trial; where a file has none, `vals` (label -> [value]) stand in. A
    hyperparameter whose name is one of `OWN_NAMES`, or is taken by another one, is called `parameter.NAME`.
    """
    if not space_vals:
        return _named([((label,), held[0] if held else None) for label, held in vals.items()])
    stated = _named(list(_leaves(space_vals)))
    activation = stated.get("activation_per_layer")
    if isinstance(activation, list) and activation:
        stated["activation_per_layer"] = str(activation[0])
    return stated


def derived_values(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from the `stated_values`: `number_of_layers`, `layer_1`, ..., `stopping_epochs`.

    A hyperparameter of such a name goes before what would follow.
    """
    derived: dict[str, Any] = {}
    nodes = stated.get("nodes_per_layer")
    if isinstance(nodes, list) and nodes:
        derived["number_of_layers"] = len(nodes) - 1
        derived |= {f"layer_{i + 1}": width for i, width in enumerate(nodes[:-1])}
    epochs, patience = stated.get("epochs"), stated.get("stopping_patience")
    if epochs is not None and patience is not None and is_number(epochs) and is_number(patience):
        derived["stopping_epochs"] = epochs * patience
    return {name: value for name, value in derived.items() if name not in stated}


#: where a value stands: the keys on the way to it
_Path = tuple[str, ...]


def _leaves(values: Mapping[str, Any], path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _named(leaves: Sequence[tuple[_Path, Any]]) -> dict[str, Any]:
    """The values by names that differ."""
    names = _names(tuple(path for path, _ in leaves))
    return {name: value for name, (_, value) in zip(names, leaves, strict=True)}


def names_of_places(places: Sequence[_Path]) -> tuple[str, ...]:
    """How `stated_values` calls the values at these places, the keys on the way to them."""
    return _names(tuple(places))


@lru_cache(maxsize=64)  # the trials of a scan have the same places, or few kinds of them
def _names(paths: tuple[_Path, ...]) -> tuple[str, ...]:
    """Names that differ for these places; those of the top level come first, for they are in every trial of a scan."""
    taken, names = set(OWN_NAMES), {}
    for path in sorted(paths, key=lambda path: len(path) > 1):
        name = _short(path)
        while name in taken:
            name = f"{PARAMETER}{name}"
        taken.add(name)
        names[path] = name
    return tuple(names[path] for path in paths)


def _short(path: _Path) -> str:
    plain = path[1:] if len(path) > 1 and path[0] in _PLAIN_SECTIONS else path
    return "optimizer" if plain == ("optimizer_name",) else ".".join(plain)


def is_width(name: str) -> bool:
    """Whether `derived_values` has this name for the width of one layer."""
    return name.startswith("layer_") and name.removeprefix("layer_").isdecimal()


def varied(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all of these, in the order of their first coming."""
    listed = list(values)
    names = dict.fromkeys(name for each in listed for name in each)
    return [name for name in names if differ(repr(each.get(name)) for each in listed)]


def differ(texts: Iterator[str]) -> bool:
    """Whether not all are the same; of many that differ only the first ones are made."""
    first = next(texts, None)
    return any(text != first for text in texts)
