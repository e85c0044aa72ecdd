"""The values of a runcard as pydantic types: what they accept, and the sentence for what they do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from hyperparton.errors import nearest

__all__ = [
    "Count",
    "Flag",
    "Fraction",
    "LessThanOne",
    "ListField",
    "NonNegative",
    "Number",
    "Port",
    "Positive",
    "Section",
    "Seed",
    "Share",
    "Text",
    "Whole",
    "WholePositive",
    "as_list",
    "none_as",
    "one_of",
    "refuse",
]


class Section(BaseModel):
    """A part of a runcard: frozen, and an error for every key that it does not declare."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refuse(message: str, accepted: str | None = None, given: str | None = None) -> PydanticCustomError:
    """The error of a validator, in the three parts of a `Fault`; `given` is the value itself if not said."""
    return PydanticCustomError("refused", "{message}", {"message": message, "accepted": accepted, "given": given})


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse("must be a finite number")
    return value if isinstance(value, int) else number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise refuse("must be a whole number")
    return int(number)


def _checked(read: Callable[[Any], Any], passes: Callable[[Any], bool], accepted: str) -> BeforeValidator:
    def validate(value: Any) -> Any:
        number = read(value)
        if not passes(number):
            raise refuse("is out of range", accepted)
        return number

    return BeforeValidator(validate)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refuse("must be text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refuse("must be true or false")
    return value


#: finite numbers; NNPDF's cards write whole ones as 1e3 too
Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[float, _checked(_number, lambda v: v > 0, "a number above 0")]
NonNegative = Annotated[float, _checked(_number, lambda v: v >= 0, "a number of at least 0")]
Share = Annotated[float, _checked(_number, lambda v: 0 <= v <= 1, "a number from 0 to 1")]
Fraction = Annotated[float, _checked(_number, lambda v: 0 < v <= 1, "a number above 0, at most 1")]
LessThanOne = Annotated[float, _checked(_number, lambda v: 0 <= v < 1, "a number of at least 0, below 1")]
Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[int, _checked(_whole, lambda v: 0 <= v < 2**31, "a whole number of at least 0")]
WholePositive = Annotated[int, _checked(_whole, lambda v: 1 <= v < 2**31, "a whole number of at least 1")]
Port = Annotated[int, _checked(_whole, lambda v: 1 <= v < 2**16, "a port number, 1 to 65535")]
Seed = Annotated[int, _checked(_whole, lambda v: 0 <= v < 2**32, "a whole number of at least 0, below 2^32")]
Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]


def one_of(what: str, accepted: Iterable[str]) -> BeforeValidator:
    """A name out of a list; `what` says of what kind."""
    names = tuple(accepted)

    def validate(value: Any) -> str:
        if value not in names:
            raise refuse(f"unknown {what}{nearest(value, names)}", ", ".join(names))
        return value

    return BeforeValidator(validate)


def none_as(default: Callable[[], Any]) -> BeforeValidator:
    """A key left without a value counts as not given."""
    return BeforeValidator(lambda value: default() if value is None else value)


def as_list(value: Any) -> Any:
    """Lists become tuples, which are what frozen models hold; anything else is refused."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise refuse("must be a list")
    return tuple(value)


ListField = BeforeValidator(as_list)
