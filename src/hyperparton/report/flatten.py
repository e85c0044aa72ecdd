"""Trials' values as plain numbers and words: hyperparameters without nesting, lists over folds and replicas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["flat_values", "fold_lists", "is_number", "mean", "shown", "varied"]

#: where these sections' entries are shown without the section's name, as validphys calls them
_PLAIN_SECTIONS = ("optimizer", "positivity")

_FOLD_LISTS = {
    "chi2": "hyper_losses_chi2",
    "phi2": "hyper_losses_phi2",
    "logp": "hyper_losses_logp",
    "chi2exp": "trvl_losses_chi2exp",
}
#: as n3fit 4.1.0 called it, which wrote phi2 under this name
_OLDER = {"phi2": "hyper_losses_phi"}
_REPLICA_LISTS = {
    "validation": "validation_losses",
    "experimental": "experimental_losses",
    "hyper": "hyper_losses",
}


def is_number(value: Any) -> bool:
    """Whether it is a finite number; truth values are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def flat_values(space_vals: Mapping[str, Any], vals: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters without nesting: `optimizer`, `learning_rate`, `number_of_layers`, `layer_1`, ...

    `space_vals` are the readable parameters of a trial; where a file has none, `vals` (label -> [value]) stand in.
    """
    if not space_vals:
        return {label: (held[0] if held else None) for label, held in vals.items()}
    found = _flatten(space_vals)
    nodes = found.get("nodes_per_layer")
    if isinstance(nodes, list) and nodes:
        found["number_of_layers"] = len(nodes) - 1
        found |= {f"layer_{i + 1}": width for i, width in enumerate(nodes[:-1])}
    activation = found.get("activation_per_layer")
    if isinstance(activation, list) and activation:
        found["activation_per_layer"] = str(activation[0])
    epochs, patience = found.get("epochs"), found.get("stopping_patience")
    if epochs is not None and patience is not None and is_number(epochs) and is_number(patience):
        found["stopping_epochs"] = epochs * patience
    return found


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            plain = not prefix and key in _PLAIN_SECTIONS
            found |= _flatten(value, "" if plain else f"{prefix}{key}.")
        elif key == "optimizer_name" and not prefix:
            found["optimizer"] = value
        else:
            found[f"{prefix}{key}"] = value
    return found


def varied(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all rows, in the order of their first coming."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return [name for name in names if len({repr(row.get(name)) for row in listed}) > 1]


def fold_lists(meta: Mapping[str, Any]) -> tuple[dict[str, list[float | None]], dict[str, list[list[float | None]]]]:
    """Metrics over folds and over folds and replicas, of a trial's `kfold_meta`; what is not there is left out."""
    keys = {name: key if key in meta else _OLDER.get(name, key) for name, key in _FOLD_LISTS.items()}
    folds = {name: _numbers(meta[key]) for name, key in keys.items() if isinstance(meta.get(key), list)}
    replicas = {
        name: [_numbers(fold if isinstance(fold, list) else [fold]) for fold in meta[key]]
        for name, key in _REPLICA_LISTS.items()
        if isinstance(meta.get(key), list)
    }
    return folds, replicas


def _numbers(values: Sequence[Any]) -> list[float | None]:
    return [float(value) if is_number(value) else None for value in values]


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of numbers, None if any is missing or there are none."""
    listed = list(values)
    if not listed or any(value is None for value in listed):
        return None
    return math.fsum(value for value in listed if value is not None) / len(listed)


def shown(value: Any, digits: int = 4) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        return "-".join(shown(entry, digits) for entry in value)
    return str(value)
