"""The runcard as a JSON Schema (draft 2020-12), for editors and for the manual.

The models say what is accepted and what it means. What `check` finds faultless is valid. What is valid can still break
a rule between keys or sections, hold an expression that is none, or have a key that `check` refuses outside the models:
one of another program that would change the fit, or one of ours misspelt.
"""

from __future__ import annotations

import ast
import inspect
from functools import lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from hyperparton.runcard.card import Runcard
from hyperparton.runcard.datacuts import CutRules
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.parameters import SharedParameters
from hyperparton.runcard.treatment import DataTreatment

__all__ = ["json_schema"]


_PARAMETERS, _SHARED = "#/$defs/Parameters", "#/$defs/SharedParameters"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of an NNPDF runcard. Keys of other programs beside the sections are allowed."""
    schema, beside = Runcard.model_json_schema(), SharedParameters.model_json_schema()
    schema["$defs"] |= {**beside.pop("$defs"), "SharedParameters": beside}
    schema["properties"]["parameters"] = {"anyOf": [{"$ref": _PARAMETERS}, {"$ref": _SHARED}]}
    models = {model.__name__: model for model in _models(Section)}
    for name, section in {"Runcard": schema, **schema["$defs"]}.items():
        needed, meanings = section.get("required", ()), _meanings(models[name])
        # what pydantic lists before the keys of the card itself, for it is inherited, comes behind them
        keys = sorted(section["properties"], key={**CutRules.model_fields, **DataTreatment.model_fields}.__contains__)
        section["properties"] = {key: _entry(section["properties"][key], meanings[key], key in needed) for key in keys}
        section.pop("title", None)
    schema["additionalProperties"] = True
    # what a fit needs of `parameters` comes from the trials where there are trial_specs
    alone = {"properties": {"trial_specs": {"type": "null"}}}
    then, other = ({"properties": {"parameters": {"$ref": ref}}} for ref in (_PARAMETERS, _SHARED))
    schema |= {"if": alone, "then": then, "else": other}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A runcard of hyperparton",
        "description": "An NNPDF runcard: data, theory, methodology, and what a scan samples.",
    }
    return {**head, **{key: value for key, value in schema.items() if key not in head}}


def _models(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [base, *(model for each in base.__subclasses__() for model in _models(each))]


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Key -> the text under it in the model's source.

    pydantic can collect these texts too, while it makes the classes: that took a third of the time of a `check`.
    """
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, Section):
            body = _classes(inspect.getmodule(owner))[owner.__name__].body
            for field, text in pairwise(body):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    found[ast.unparse(field.target)] = str(text.value.value)
    return found


@lru_cache
def _classes(module: ModuleType) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)}


def _entry(entry: dict[str, Any], meaning: str, needed: bool) -> dict[str, Any]:
    """One key: what is accepted, its meaning and its default; a key that may be left out may also have no value."""
    accepted = {key: value for key, value in entry.items() if key not in ("title", "default")}
    if not needed and {"type": "null"} not in accepted.get("anyOf", ()):
        options = accepted["anyOf"] if set(accepted) == {"anyOf"} else [accepted]
        accepted = {"anyOf": [*options, {"type": "null"}]}
    default = {} if entry.get("default") is None else {"default": entry["default"]}
    return {**accepted, "description": meaning, **default}
