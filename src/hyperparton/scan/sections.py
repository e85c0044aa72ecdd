"""The sections of `hyperscan_config` turned into samplers, each a function from its entries to parts of `parameters`.

Labels are those of n3fit, so that trials of both can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.catalogue import ACTIVATIONS, INITIALIZERS, LAYER_TYPES, OPTIMIZERS
from hyperparton.errors import SpaceError, nearest
from hyperparton.space import (
    Sampler,
    hp_choice,
    hp_loguniform,
    hp_quniform,
    hp_uniform,
    optimizer_arg_wrapper,
)

__all__ = [
    "SECTION_KEYS",
    "ActivationStr",
    "architecture_samplers",
    "known_only",
    "lagrange_samplers",
    "optimizer_sampler",
    "space_samplers",
    "stopping_samplers",
]

_MULTIPLIERS = ("min_multiplier", "max_multiplier", "min_initial", "max_initial")

#: section of hyperscan_config -> the keys it knows
SECTION_KEYS: Mapping[str, tuple[str, ...]] = {
    "stopping": ("min_epochs", "max_epochs", "min_patience", "max_patience"),
    "positivity": _MULTIPLIERS,
    "integrability": _MULTIPLIERS,
    "architecture": (
        "initializers", "activations", "max_drop", "n_layers", "min_units", "max_units", "layer_types",
    ),
}  # fmt: skip

_SPACE_KEYS = ("choice", "min", "max", "sampling", "step", "steps", "make_int")
_SAMPLINGS = ("uniform", "log", "quniform")


@dataclass(frozen=True)
class ActivationStr:
    """An activation for a network of any depth: called with the depth, it lists one per layer, the last one linear.

    It prints as its name.
    """

    function_name: str

    def __str__(self) -> str:
        return self.function_name

    def __call__(self, n_of_layers: int) -> list[str]:
        """The activations of a network with `n_of_layers` layers, the output layer included."""
        if n_of_layers < 1:
            raise SpaceError(f"a network needs at least one layer, given {n_of_layers!r}")
        return [self.function_name] * (n_of_layers - 1) + ["linear"]


def known_only(what: str, given: Iterable[Any], accepted: Iterable[str]) -> None:
    """Raise SpaceError for the first name that is not accepted, with the nearest one that is."""
    accepted = tuple(accepted)
    for name in given:
        if not isinstance(name, str) or name not in accepted:
            raise SpaceError(f"unknown {what} {name!r}{nearest(name, accepted)}, accepted: {', '.join(accepted)}")


def stopping_samplers(
    steps: int, min_epochs: Any, max_epochs: Any, min_patience: Any, max_patience: Any
) -> dict[str, Sampler | None]:
    """`epochs` in whole numbers, `stopping_patience` in `steps` steps; a patience bound alone has 0 or 1 beside it."""
    patience = None
    if min_patience is not None or max_patience is not None:
        low, high = (0.0 if min_patience is None else min_patience), (1.0 if max_patience is None else max_patience)
        patience = hp_quniform("stopping_patience", low, high, steps=steps)
    epochs = hp_quniform("epochs", min_epochs, max_epochs, step_size=1, make_int=True)
    return {"epochs": epochs, "stopping_patience": patience}


def optimizer_sampler(optimizers: Any) -> Sampler | None:
    """A choice among optimizers, each with its own learning rate and clipnorm, fixed or sampled."""
    if isinstance(optimizers, str | Mapping) or not isinstance(optimizers, Sequence):
        raise SpaceError(f"optimizer: accepted is a list of {{optimizer_name, ...}}, given {optimizers!r}")
    return hp_choice("optimizer", [_optimizer(entry) for entry in optimizers])


def _optimizer(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping) or "optimizer_name" not in entry:
        raise SpaceError(f"optimizer: each entry needs an optimizer_name, given {entry!r}")
    name = entry["optimizer_name"]
    known_only("optimizer", [name], OPTIMIZERS)
    accepted = OPTIMIZERS[name]
    chosen: dict[str, Any] = {"optimizer_name": name}
    for key, value in entry.items():
        if key == "optimizer_name" or value is None:
            continue
        if key not in accepted:
            raise SpaceError(f"optimizer {name} has no {key!r}, accepted: {', '.join(accepted)}")
        argument = value if isinstance(value, bool) else optimizer_arg_wrapper(f"{name}_{key}", value)
        if argument is not None:
            chosen[key] = argument
    return chosen


def lagrange_samplers(
    prefix: str, min_multiplier: Any, max_multiplier: Any, min_initial: Any, max_initial: Any
) -> dict[str, Sampler]:
    """`multiplier`, uniform and from 1 if nothing else is said, and `initial`, logarithmic; only those with bounds."""
    low = 1.0 if min_multiplier is None else min_multiplier
    built = {
        "multiplier": hp_uniform(f"{prefix}multiplier", low, max_multiplier),
        "initial": hp_loguniform(f"{prefix}initial", min_initial, max_initial),
    }
    return {key: sampler for key, sampler in built.items() if sampler is not None}


def architecture_samplers(
    steps: int,
    *,
    initializers: Any,
    activations: Any,
    max_drop: Any,
    n_layers: Any,
    min_units: Any,
    max_units: Any,
    layer_types: Any,
    output_size: Any,
) -> dict[str, Sampler | None]:
    """The network: names checked against the catalogue, widths that exist for their depth only."""
    names = list(INITIALIZERS) if initializers == "ALL" else _names("initializer", initializers, INITIALIZERS)
    functions = [ActivationStr(name) for name in _names("activation", activations, ACTIVATIONS)]
    return {
        "layer_type": hp_choice("layer_type", _names("layer type", layer_types, LAYER_TYPES)),
        "activation_per_layer": hp_choice("activation_per_layer", functions),
        "nodes_per_layer": hp_choice("nodes_per_layer", _widths(n_layers, min_units, max_units, output_size)),
        "initializer": hp_choice("initializer", names),
        "dropout": hp_quniform("dropout", 0.0, max_drop, steps=steps),
    }


def _names(what: str, given: Any, accepted: Iterable[str]) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise SpaceError(f"{what}: accepted is a list of names, given {given!r}")
    known_only(what, given, accepted)
    return list(given)


def _widths(n_layers: Any, min_units: Any, max_units: Any, output_size: Any) -> list[list[Any]]:
    if n_layers is None:
        return []
    if isinstance(n_layers, str) or not isinstance(n_layers, Sequence):
        raise SpaceError(f"n_layers: accepted is a list of whole numbers, given {n_layers!r}")
    if n_layers and (min_units is None or max_units is None):
        raise SpaceError(f"n_layers needs both min_units and max_units, given {min_units!r} and {max_units!r}")
    return [[*_hidden(_depth(depth), min_units, max_units), output_size] for depth in n_layers]


def _hidden(depth: int, min_units: Any, max_units: Any) -> list[Sampler | None]:
    labels = [f"nl{depth}:-{i}/{depth}" for i in range(depth)]
    return [hp_quniform(label, min_units, max_units, step_size=1, make_int=True) for label in labels]


def _depth(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
        raise SpaceError(f"n_layers: accepted are whole numbers of at least 1, given {value!r}")
    return int(value)


def space_samplers(steps: int, entries: Any) -> dict[str, Sampler | None]:
    """The section `space`: a sampler for any parameter of the user's own, by the parameter's name."""
    if not isinstance(entries, Mapping):
        raise SpaceError(f"space: accepted is a dictionary of parameters, given {entries!r}")
    return {str(name): _own_sampler(steps, str(name), entry) for name, entry in entries.items()}


def _own_sampler(steps: int, name: str, entry: Any) -> Sampler | None:
    if not isinstance(entry, Mapping):
        raise SpaceError(f"space: {name}: accepted is {{min, max, ...}} or {{choice: [...]}}, given {entry!r}")
    known_only(f"key of space: {name}:", entry, _SPACE_KEYS)
    if "choice" in entry:
        if len(entry) > 1 or not entry["choice"]:
            raise SpaceError(f"space: {name}: `choice` needs a list of options and nothing beside it, given {entry!r}")
        return hp_choice(name, entry["choice"])
    low, high = entry.get("min"), entry.get("max")
    if low is None or high is None:
        raise SpaceError(f"space: {name}: needs both min and max, or a choice, given {dict(entry)!r}")
    grid = [key for key in ("step", "steps", "make_int") if entry.get(key)]
    sampling = entry.get("sampling", "quniform" if grid else "uniform")
    known_only(f"sampling of {name}", [sampling], _SAMPLINGS)
    if sampling != "quniform":
        if grid:
            raise SpaceError(f"space: {name}: {grid[0]} needs sampling quniform, given {sampling}")
        return (hp_uniform if sampling == "uniform" else hp_loguniform)(name, low, high)
    step, count, whole = entry.get("step"), entry.get("steps"), bool(entry.get("make_int"))
    if step is None and count is None:
        step, count = (1, None) if whole else (None, steps)
    return hp_quniform(name, low, high, step_size=step, steps=count, make_int=whole)
