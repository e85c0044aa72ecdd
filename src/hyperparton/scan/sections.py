"""The sections of `hyperscan_config` turned into samplers, each a function from a section to parts of `parameters`.

Labels are those of n3fit, so that trials of both can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.errors import SpaceError
from hyperparton.runcard.hyperscan_config import Architecture, OwnRange, ScannedLagrange, Stopping
from hyperparton.space import (
    Sampler,
    hp_choice,
    hp_loguniform,
    hp_quniform,
    hp_uniform,
    optimizer_arg_wrapper,
)

__all__ = [
    "ActivationStr",
    "architecture_samplers",
    "lagrange_samplers",
    "optimizer_sampler",
    "space_samplers",
    "stopping_samplers",
]


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


def stopping_samplers(steps: int, stopping: Stopping) -> dict[str, Sampler | None]:
    """`epochs` in whole numbers, `stopping_patience` in `steps` steps."""
    low, high = stopping.patience or (None, None)
    return {
        "epochs": hp_quniform("epochs", stopping.min_epochs, stopping.max_epochs, step_size=1, make_int=True),
        "stopping_patience": hp_quniform("stopping_patience", low, high, steps=steps),
    }


def optimizer_sampler(optimizers: Sequence[Mapping[str, Any]]) -> Sampler | None:
    """A choice among optimizers, each with its own arguments, fixed or sampled, in the order in which they stand."""
    return hp_choice("optimizer", [_optimizer(entry) for entry in optimizers])


def _optimizer(entry: Mapping[str, Any]) -> dict[str, Any]:
    name = entry["optimizer_name"]
    chosen = {
        key: value if isinstance(value, bool | str) else optimizer_arg_wrapper(f"{name}_{key}", value)
        for key, value in entry.items()
        if value is not None
    }
    return {"optimizer_name": name, **chosen}


def lagrange_samplers(prefix: str, bounds: ScannedLagrange) -> dict[str, Sampler]:
    """`multiplier`, uniform, and `initial`, logarithmic; only those with both bounds."""
    built = {
        "multiplier": hp_uniform(f"{prefix}multiplier", bounds.min_multiplier, bounds.max_multiplier),
        "initial": hp_loguniform(f"{prefix}initial", bounds.min_initial, bounds.max_initial),
    }
    return {key: sampler for key, sampler in built.items() if sampler is not None}


def architecture_samplers(steps: int, architecture: Architecture, output_size: Any) -> dict[str, Sampler | None]:
    """The network; widths exist for their depth only, and the last one is `output_size`."""
    functions = [ActivationStr(name) for name in architecture.activations or ()]
    low, high = architecture.min_units, architecture.max_units
    widths = [[*_hidden(depth, low, high), output_size] for depth in architecture.n_layers or ()]
    return {
        "layer_type": hp_choice("layer_type", architecture.layer_types),
        "activation_per_layer": hp_choice("activation_per_layer", functions),
        "nodes_per_layer": hp_choice("nodes_per_layer", widths),
        "initializer": hp_choice("initializer", architecture.initializers),
        "dropout": hp_quniform("dropout", 0.0, architecture.max_drop, steps=steps),
    }


def _hidden(depth: int, low: int | None, high: int | None) -> list[Sampler | None]:
    labels = [f"nl{depth}:-{i}/{depth}" for i in range(depth)]
    return [hp_quniform(label, low, high, step_size=1, make_int=True) for label in labels]


def space_samplers(steps: int, entries: Mapping[str, OwnRange]) -> dict[str, Sampler | None]:
    """The section `space`: a sampler for any parameter of the user's own, by the parameter's name."""
    return {name: _own_sampler(steps, name, entry) for name, entry in entries.items()}


def _own_sampler(steps: int, name: str, entry: OwnRange) -> Sampler | None:
    if entry.choice is not None:
        return hp_choice(name, entry.choice)
    if not entry.grid:
        return (hp_loguniform if entry.sampling == "log" else hp_uniform)(name, entry.min, entry.max)
    step, count = entry.step, entry.steps
    if step is None and count is None:
        step, count = (1, None) if entry.make_int else (None, steps)
    return hp_quniform(name, entry.min, entry.max, step_size=step, steps=count, make_int=entry.make_int)
