"""Where in `hyperscan_config` the range of each label of a scan stands, how it is called, and how far it may go."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hyperparton.runcard.hyperscan_config import (
    Architecture,
    HyperscanConfig,
    OwnRange,
    Range,
    ScannedLagrange,
    ScannedOptimizer,
    Stopping,
)
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["CardRange", "card_ranges"]

_CONFIG = "hyperscan_config"


@dataclass(frozen=True)
class CardRange:
    """A range of a card."""

    name: str
    """how messages call the hyperparameter"""
    lower: KeyPath | None
    """where its lower bound stands; None where the card does not write one"""
    upper: KeyPath | None
    least: float = -math.inf
    """no bound may lie below this"""
    most: float = math.inf
    open_least: bool = False
    """whether `least` itself is not accepted"""
    open_most: bool = False
    whole: bool = False
    """whether its bounds are whole numbers"""
    step: float | None = None
    """the distance of its points, where the card fixes that"""

    def ends(self, bound: float, upper: bool) -> bool:
        """Whether nothing beyond this bound can be asked for."""
        place, limit = (self.upper, self.most) if upper else (self.lower, self.least)
        return place is None or bound == limit


def card_ranges(config: HyperscanConfig) -> dict[str, CardRange]:
    """The ranges of numbers by the labels that `HyperScanner` gives them."""
    found: dict[str, CardRange] = {}
    for section, model in (("stopping", Stopping), ("positivity", ScannedLagrange), ("integrability", ScannedLagrange)):
        held = getattr(config, section)
        if held is not None:
            found |= _pairs(section, model, held)
    if config.architecture is not None:
        found |= _network(config.architecture)
    for place, entry in enumerate(config.optimizer or ()):
        found |= _arguments(place, entry)
    for name, entry in (config.space or {}).items():
        if entry.choice is None:
            found[name] = _own(name, entry)
    return found


#: what a section scans: the end of its keys min_ and max_, and the label
_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "stopping": {"epochs": "epochs", "patience": "stopping_patience"},
    "positivity": {"multiplier": "multiplier", "initial": "initial"},
    "integrability": {"multiplier": "integrability_multiplier", "initial": "integrability_initial"},
}


def _pairs(section: str, model: type[BaseModel], held: BaseModel) -> dict[str, CardRange]:
    found = {}
    for key, label in _SECTIONS[section].items():
        keys = f"min_{key}", f"max_{key}"
        lower, upper = ((_CONFIG, section, each) if each in held.model_fields_set else None for each in keys)
        name = label if section == "stopping" else f"{key} of {section}"
        found[label] = CardRange(name, lower, upper, **_limits(model, keys[0]))
    return found


def _network(section: Architecture) -> dict[str, CardRange]:
    place = (_CONFIG, "architecture")
    found = {"dropout": CardRange("dropout", None, (*place, "max_drop"), **_limits(Architecture, "max_drop"))}
    limits = _limits(Architecture, "min_units")
    for depth in section.n_layers or ():
        for i in range(depth):
            name = f"width of layer {i + 1}"
            bounds = (*place, "min_units"), (*place, "max_units")
            found[f"nl{depth}:-{i}/{depth}"] = CardRange(name, *bounds, **limits)
    return found


def _arguments(place: int, entry: ScannedOptimizer) -> dict[str, CardRange]:
    found = {}
    for key in ("learning_rate", "clipnorm", "momentum"):
        if isinstance(getattr(entry, key), Range):
            where: KeyPath = (_CONFIG, "optimizer", place, key)
            name, limits = f"{key} of {entry.optimizer_name}", _limits(ScannedOptimizer, key)
            found[f"{entry.optimizer_name}_{key}"] = CardRange(name, (*where, "min"), (*where, "max"), **limits)
    return found


def _own(name: str, entry: OwnRange) -> CardRange:
    """Of a parameter that the card alone knows: its numbers keep their sign, and whole ones do not become 0."""
    low, high = float(entry.min or 0), float(entry.max or 0)
    lower, upper = ((_CONFIG, "space", name, bound) for bound in ("min", "max"))
    step = entry.step or (1.0 if entry.make_int and entry.steps is None else None)
    least, most = 0.0 if low >= 0 else -math.inf, 0.0 if high <= 0 else math.inf
    if entry.make_int:
        least, most = 1.0 if low >= 1 else least, -1.0 if high <= -1 else most
        return CardRange(name, lower, upper, least, most, whole=step is None or step.is_integer(), step=step)
    return CardRange(name, lower, upper, least, most, low > 0, high < 0, step=step)


def _limits(model: type[BaseModel], key: str) -> dict[str, Any]:
    """What the JSON Schema of a section says of the numbers that `key` takes, which is what `check` accepts."""
    entry = model.model_json_schema()["properties"][key]
    (number,) = [each for each in entry.get("anyOf", [entry]) if each.get("type") in ("integer", "number")]
    return {
        "least": number.get("minimum", number.get("exclusiveMinimum", -math.inf)),
        "most": number.get("maximum", number.get("exclusiveMaximum", math.inf)),
        "open_least": "exclusiveMinimum" in number,
        "open_most": "exclusiveMaximum" in number,
        "whole": number["type"] == "integer",
    }
