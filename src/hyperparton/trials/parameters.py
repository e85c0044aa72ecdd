"""The parameters of a trial: as a runcard has them, and as a table without nesting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hyperparton.trials.result import is_number

__all__ = ["as_runcard", "flat_values", "is_width", "stated_values", "varied"]

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

    `space_vals` are the readable parameters of a trial; where a file has none, `vals` (label -> [value]) stand in.
    """
    if not space_vals:
        return {label: (held[0] if held else None) for label, held in vals.items()}
    stated = _flatten(space_vals)
    activation = stated.get("activation_per_layer")
    if isinstance(activation, list) and activation:
        stated["activation_per_layer"] = str(activation[0])
    return stated


def flat_values(space_vals: Mapping[str, Any], vals: Mapping[str, Any]) -> dict[str, Any]:
    """The `stated_values`, and what follows from them: `number_of_layers`, `layer_1`, ..., `stopping_epochs`."""
    flat = stated_values(space_vals, vals)
    nodes = flat.get("nodes_per_layer")
    if isinstance(nodes, list) and nodes:
        flat["number_of_layers"] = len(nodes) - 1
        flat |= {f"layer_{i + 1}": width for i, width in enumerate(nodes[:-1])}
    epochs, patience = flat.get("epochs"), flat.get("stopping_patience")
    if epochs is not None and patience is not None and is_number(epochs) and is_number(patience):
        flat["stopping_epochs"] = epochs * patience
    return flat


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            plain = not prefix and key in _PLAIN_SECTIONS
            flat |= _flatten(value, "" if plain else f"{prefix}{key}.")
        elif key == "optimizer_name" and not prefix:
            flat["optimizer"] = value
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def is_width(name: str) -> bool:
    """Whether `flat_values` has this name for the width of one layer."""
    return name.startswith("layer_") and name.removeprefix("layer_").isdecimal()


def varied(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all of these, in the order of their first coming."""
    listed = list(values)
    names = dict.fromkeys(name for each in listed for name in each)
    return [name for name in names if len({repr(each.get(name)) for each in listed}) > 1]
