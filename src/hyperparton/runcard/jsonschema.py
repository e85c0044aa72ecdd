"""The runcard as a JSON Schema (draft 2020-12), for editors and for the manual.

It is generated from the models, with what their validators accept beside the declared types: names out of a list, text
where a list of texts is meant, ranges where a number is scanned, sections left without a value. A card that `check`
finds faultless is valid under it; the converse does not hold, since rules between keys are `check`'s alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyperparton.catalogue import (
    ACTIVATIONS,
    FITBASES,
    INITIALIZERS,
    LAYER_TYPES,
    LOSS_TYPES,
    OPTIMIZERS,
    PENALTIES,
    REGULARIZERS,
    STATISTICS,
    SUM_RULES,
)
from hyperparton.runcard.meanings import MEANINGS
from hyperparton.runcard.schema import Runcard

__all__ = ["json_schema"]

_TEXTS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_RANGE: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {
            "type": "object",
            "properties": {
                "min": {"type": "number"},
                "max": {"type": "number"},
                "sampling": {"enum": ["uniform", "log"]},
            },
            "required": ["min", "max"],
            "additionalProperties": False,
        },
    ]
}


def _names(accepted: Any) -> dict[str, Any]:
    return {"enum": list(accepted)}


def _list_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(entry)}


def _wrapped(key: str) -> dict[str, Any]:
    listed = _list_of({"$ref": "#/$defs/LagrangeSet"})
    return {"type": "object", "properties": {key: listed}, "required": [key], "additionalProperties": False}


#: (model, key) -> what is accepted, where the type alone does not say it
_ACCEPTED: dict[tuple[str, str], dict[str, Any]] = {
    ("Runcard", "positivity"): _wrapped("posdatasets"),
    ("Runcard", "integrability"): _wrapped("integdatasets"),
    ("Runcard", "sum_rules"): {"anyOf": [{"type": "boolean"}, _names(SUM_RULES)]},
    ("TheoryInput", "theoryid"): {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9_]+$"}]},
    ("DatasetInput", "cfac"): _TEXTS,
    ("DatasetInput", "variant"): _TEXTS,
    ("DatasetInput", "weight"): {"const": 1},
    ("LagrangeSet", "variant"): _TEXTS,
    ("Fitting", "fitbasis"): _names(FITBASES),
    ("Parameters", "activation_per_layer"): _list_of(_names(ACTIVATIONS)),
    ("Parameters", "initializer"): _names(INITIALIZERS),
    ("Parameters", "layer_type"): _names(LAYER_TYPES),
    ("Parameters", "regularizer"): _names(REGULARIZERS),
    ("Optimizer", "optimizer_name"): _names(OPTIMIZERS),
    ("ScannedOptimizer", "optimizer_name"): _names(OPTIMIZERS),
    ("ScannedOptimizer", "learning_rate"): _RANGE,
    ("ScannedOptimizer", "clipnorm"): _RANGE,
    ("ScannedOptimizer", "momentum"): _RANGE,
    ("Architecture", "initializers"): {"anyOf": [{"const": "ALL"}, _list_of(_names(INITIALIZERS))]},
    ("Architecture", "activations"): _list_of(_names(ACTIVATIONS)),
    ("Architecture", "layer_types"): _list_of(_names(LAYER_TYPES)),
    ("OwnRange", "sampling"): _names(("uniform", "log", "quniform")),
    ("HyperscanConfig", "use_tries_from"): _TEXTS,
    ("Override", "activation_per_layer"): {"anyOf": [_names(ACTIVATIONS), _list_of(_names(ACTIVATIONS))]},
    ("Override", "initializer"): _names(INITIALIZERS),
    ("Override", "layer_type"): _names(LAYER_TYPES),
    ("Override", "optimizer"): {"anyOf": [_names(OPTIMIZERS), {"$ref": "#/$defs/Optimizer"}]},
    ("KFold", "penalties"): _list_of(_names(PENALTIES)),
    ("KFold", "loss_type"): _names(LOSS_TYPES),
    ("KFold", "replica_statistic"): _names(STATISTICS),
    ("KFold", "fold_statistic"): _names(STATISTICS),
    ("KFold", "target"): _names(STATISTICS),
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of an NNPDF runcard. Keys of other programs beside the sections are allowed."""
    schema = Runcard.model_json_schema()
    sections = {"Runcard": schema, **schema["$defs"]}
    for model, section in sections.items():
        section["properties"] = {
            key: _entry(model, key, entry, key not in section.get("required", ()))
            for key, entry in section["properties"].items()
        }
        section.pop("title", None)
    schema["additionalProperties"] = True
    # what a fit needs of `parameters` comes from the trials where there are trial_specs
    needed = {"properties": {"parameters": {"required": schema["$defs"]["Parameters"].pop("required")}}}
    schema |= {"if": {"properties": {"trial_specs": {"type": "null"}}}, "then": needed}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A runcard of hyperparton",
        "description": "An NNPDF runcard: data, theory, methodology, and what a scan samples.",
    }
    return {**head, **{key: value for key, value in schema.items() if key not in head}}


def _entry(model: str, key: str, entry: dict[str, Any], optional: bool) -> dict[str, Any]:
    """One key: what is accepted, its meaning and its default; a key that may be left out may also have no value."""
    found: dict[str, Any] = dict(
        _ACCEPTED.get((model, key), {k: v for k, v in entry.items() if k not in ("title", "default")})
    )
    if optional and {"type": "null"} not in found.get("anyOf", ()):
        found = {"anyOf": [*(found["anyOf"] if set(found) == {"anyOf"} else [found]), {"type": "null"}]}
    found["description"] = MEANINGS[model][key]
    if entry.get("default") is not None:
        found["default"] = entry["default"]
    return found
