"""The values of a runcard as pydantic types: what they accept, the sentence for what they do not, their JSON Schema."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hyperparton.errors import nearest

__all__ = [
    "Beside",
    "Count",
    "Depth",
    "FilledList",
    "Flag",
    "Fraction",
    "Layers",
    "LessThanOne",
    "ListField",
    "Name",
    "Names",
    "NonNegative",
    "Number",
    "OrOff",
    "Port",
    "Positive",
    "Section",
    "Seed",
    "Share",
    "Text",
    "Texts",
    "TheoryId",
    "WholePositive",
    "Width",
    "as_list",
    "conflict",
    "number",
    "one_of",
    "refuse",
]


class Section(BaseModel):
    """A part of a runcard: frozen, and an error for every key that it does not declare.

    A key without a value counts as not given, as in n3fit, unless it is a key that the section needs. The text under
    a field is its meaning, in the JSON Schema and in the manual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: value for key, value in given.items() if value is not None or key not in optional}

    def as_written(self) -> dict[str, Any]:
        """What was given, as plain data in a runcard's form; what was left out stays out."""
        return self.model_dump(mode="json", exclude_unset=True)


def refuse(message: str, accepted: str | None = None, given: str | None = None) -> PydanticCustomError:
    """The error of a validator, in the three parts of a `Fault`; `given` is the value itself if not said."""
    return PydanticCustomError("refused", "{message}", {"message": message, "accepted": accepted, "given": given})


def conflict(message: str, accepted: str | None = None, given: str | None = None) -> PydanticCustomError:
    """The same for values that are each accepted, but not together: a rule that the JSON Schema cannot say."""
    return PydanticCustomError("conflict", "{message}", {"message": message, "accepted": accepted, "given": given})


def number(value: Any) -> float:
    """A finite number as it is, an int or a float; anything else is refused."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refuse("must be a number")
    try:
        read = float(value)
    except OverflowError:
        read = math.inf
    if not math.isfinite(read):
        raise refuse("must be a finite number")
    return int(value) if isinstance(value, Integral) else read


def _whole(value: Any) -> int:
    read = number(value)
    if read != int(read):
        raise refuse("must be a whole number")
    return int(read)


#: the bounds that JSON Schema knows
_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}


def _within(read: Callable[[Any], float], accepted: str, **bounds: float) -> tuple[BeforeValidator, WithJsonSchema]:
    """Numbers that keep JSON Schema's `bounds`."""

    def validate(value: Any) -> float:
        number = read(value)
        if not all(_BOUNDS[name](number, bound) for name, bound in bounds.items()):
            raise refuse("is out of range", accepted)
        return number

    return BeforeValidator(validate), WithJsonSchema({"type": "integer" if read is _whole else "number", **bounds})


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refuse("must be text that is not empty")
    return value


def _name(value: Any) -> str:
    text = _text(value)
    if len(text) > _NAME["maxLength"] or not re.fullmatch(_NAME["pattern"], text):
        raise refuse("must be a name", f"text of at most {_NAME['maxLength']} characters, without /")
    return text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refuse("must be true or false")
    return value


#: finite numbers; NNPDF's cards write whole ones as 1e3 too
Number = Annotated[float, BeforeValidator(number)]
Positive = Annotated[float, *_within(number, "a number above 0", exclusiveMinimum=0)]
NonNegative = Annotated[float, *_within(number, "a number of at least 0", minimum=0)]
Share = Annotated[float, *_within(number, "a number from 0 to 1", minimum=0, maximum=1)]
Fraction = Annotated[float, *_within(number, "a number above 0, at most 1", exclusiveMinimum=0, maximum=1)]
LessThanOne = Annotated[float, *_within(number, "a number of at least 0, below 1", minimum=0, exclusiveMaximum=1)]
Count = Annotated[int, *_within(_whole, "a whole number of at least 0, below 2^31", minimum=0, exclusiveMaximum=2**31)]
WholePositive = Annotated[
    int, *_within(_whole, "a whole number of at least 1, below 2^31", minimum=1, exclusiveMaximum=2**31)
]
#: widths beyond this are a slip of the pen: NNPDF's networks have 10 to 100 nodes a layer
Width = Annotated[int, *_within(_whole, "a whole number of nodes from 1 to 4096", minimum=1, maximum=4096)]
#: the same for layers
_MOST_LAYERS = 64
_DEPTHS = f"a whole number of layers from 1 to {_MOST_LAYERS}"
Depth = Annotated[int, *_within(_whole, _DEPTHS, minimum=1, maximum=_MOST_LAYERS)]
Port = Annotated[int, *_within(_whole, "a port number, 1 to 65535", minimum=1, exclusiveMaximum=2**16)]
Seed = Annotated[int, *_within(_whole, "a whole number of at least 0, below 2^32", minimum=0, exclusiveMaximum=2**32)]
Flag = Annotated[bool, BeforeValidator(_flag)]
_TEXT = {"type": "string", "pattern": r"\S"}
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema(_TEXT)]
_NAME = {"type": "string", "pattern": r"^[^\x00-\x1f/]*[^\x00-\x20/][^\x00-\x1f/]*$", "maxLength": 200}
#: text that can be part of a file's name
Name = Annotated[str, BeforeValidator(_name), WithJsonSchema(_NAME)]


def _theoryid(value: Any) -> int:
    whole = isinstance(value, float) and value.is_integer()
    text = value if isinstance(value, str) else str(int(value)) if whole or type(value) is int else ""
    if not re.fullmatch(_DIGITS, text):
        raise refuse("must be the number of a theory", "a whole number of at most ten digits, such as 40_000_000")
    return int(text.replace("_", ""))


_DIGITS = "^_*([0-9]_*){1,10}$"
_THEORYID = {
    "anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": 10**10}, {"type": "string", "pattern": _DIGITS}]
}
TheoryId = Annotated[int, BeforeValidator(_theoryid), WithJsonSchema(_THEORYID)]


def one_of(what: str, accepted: Iterable[str]) -> tuple[BeforeValidator, WithJsonSchema]:
    """A name out of a list; `what` says of what kind."""
    names = tuple(accepted)

    def validate(value: Any) -> str:
        if value not in names:
            raise refuse(f"unknown {what}{nearest(value, names)}", ", ".join(names))
        return value

    return BeforeValidator(validate), WithJsonSchema({"enum": list(names)})


def as_list(value: Any) -> Any:
    """Lists become tuples, which are what frozen models hold; anything else is refused."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise refuse("must be a list")
    return tuple(value)


def _filled_list(value: Any) -> Any:
    listed = as_list(value)
    if not listed:
        raise refuse("must be a list with at least one entry")
    return listed


def _layers(value: Any) -> Any:
    listed = _filled_list(value)
    if len(listed) > _MOST_LAYERS + 1:
        raise refuse("has too many layers", f"at most {_MOST_LAYERS} hidden layers", str(len(listed) - 1))
    return listed


ListField = BeforeValidator(as_list)
FilledList = BeforeValidator(_filled_list), Field(json_schema_extra={"minItems": 1})
Layers = BeforeValidator(_layers), Field(json_schema_extra={"minItems": 1, "maxItems": _MOST_LAYERS + 1})


class Beside:
    """In the JSON Schema: what is accepted beside what the type says."""

    def __init__(self, accepted: Mapping[str, Any]) -> None:
        self._accepted = accepted

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [dict(self._accepted), handler(core_schema)]}


#: false is the same as nothing
OrOff = BeforeValidator(lambda value: None if value is False else value), Beside({"const": False})
_OneOrMore = BeforeValidator(lambda value: (value,) if isinstance(value, str) else as_list(value))
#: a list of texts, or one text
Texts = Annotated[tuple[Text, ...], _OneOrMore, Beside(_TEXT)]
#: a list of names, or one name
Names = Annotated[tuple[Name, ...], _OneOrMore, Beside(_NAME)]
