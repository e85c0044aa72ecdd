"""pydantic's errors as the faults of a runcard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from hyperparton.errors import Fault, HyperpartonError, nearest, shortened
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = ["in_file", "shown", "translated", "validated"]

Model = TypeVar("Model", bound=BaseModel)

#: what values that come from no file are read from: faults without a place
_NO_FILE = Document({}, None, "", {}, {})

#: pydantic's type of error -> the rule
_RULES: Mapping[str, str] = {
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "recursion_loop": "contains itself",
}

#: sections whose list pydantic sees without the key that holds it in the file
_HOLDERS: Mapping[str, str] = {"positivity": "posdatasets", "integrability": "integdatasets"}


def translated(error: ValidationError, document: Document, base: KeyPath, model: type[BaseModel]) -> Iterator[Fault]:
    """Each of pydantic's errors as a fault at its place; `base` is where `model` stands in the document."""
    for detail in error.errors(include_url=False):
        path = in_file((*base, *detail["loc"]))
        kind, given = detail["type"], shown(detail["input"])
        if kind == "missing":
            yield document.fault(path, f"{shortened(str(path[-1]))!r} is missing")
        elif kind == "extra_forbidden":
            accepted = _accepted_keys(model, detail["loc"][:-1])
            message = f"unknown key {shortened(str(path[-1]))!r}{nearest(str(path[-1]), accepted)}"
            yield document.fault(path, message, accepted=", ".join(accepted) or None, of_key=True)
        elif kind in ("refused", "conflict"):
            context = detail.get("ctx", {})
            yield document.fault(path, context["message"], context.get("given") or given, context.get("accepted"))
        else:
            yield document.fault(path, _RULES.get(kind, detail["msg"]), given)


def validated(model: type[Model], given: Any, error: type[HyperpartonError], what: str) -> Model:
    """`given`, which comes from no file, as `model`; raises `error` with everything that is wrong with `what`."""
    try:
        return model.model_validate(given)
    except ValidationError as fault:
        faults = "; ".join(str(each) for each in translated(fault, _NO_FILE, (), model))
        raise error(f"{what}: {faults}") from None


def in_file(path: KeyPath) -> KeyPath:
    """Where in a card pydantic's place of an error is."""
    holder = _HOLDERS.get(str(path[0])) if path else None
    if holder is not None and len(path) > 1 and path[1] != holder:
        return (path[0], holder, *path[1:])
    return path


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {shown(entry)}" for key, entry in list(value.items())[:6]) + "}"
    elif value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = repr(value)
    return shortened(text)


def _accepted_keys(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """The keys of the section that `path` leads to from `model`."""
    current: Any = model
    for part in path:
        if isinstance(part, str) and current is not None and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return tuple(current.model_fields) if current is not None else ()


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        model = _model_in(inner)
        if model is not None:
            return model
    return None
