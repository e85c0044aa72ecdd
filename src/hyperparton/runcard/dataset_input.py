"""An entry of `dataset_inputs`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from hyperparton.runcard.field_types import Fraction, Name, Names, Positive, Section, Text, conflict, refuse

__all__ = ["DatasetInput"]

_NUMBER = "^[0-9A-Za-z]{1,20}$"
_SYS = {"anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": 10**9}, {"type": "string", "pattern": _NUMBER}]}


def _sys(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    text = str(int(value)) if whole or type(value) is int else value
    if not isinstance(text, str) or not re.fullmatch(_NUMBER, text) or (value != text and len(text) > 9):
        raise refuse("must be the number of systematics", "a whole number, such as 10")
    return text


class DatasetInput(Section):
    """One entry of `dataset_inputs`."""

    dataset: Name
    """NNPDF's name of the set."""
    frac: Fraction = 1.0
    """Share of its points that is used for training."""
    cfac: Names = ()
    """C-factors that multiply its predictions."""
    variant: Names | None = None
    """Variant of the set, such as legacy_dw."""
    sys: Annotated[str, BeforeValidator(_sys), WithJsonSchema(_SYS)] | None = None
    """In older cards, the number of the systematics of an older name; NNPDF's map makes a variant of it."""
    weight: Positive = 1.0
    """How many times it counts in χ²: its covariances are divided by the weight."""
    custom_group: Text | None = None
    """Its group with `metadata_group: custom_group`; sets without one are a group too."""

    @model_validator(mode="after")
    def _one_variant(self) -> DatasetInput:
        if self.sys is not None and self.variant is not None:
            given = f"sys: {self.sys}, variant: {', '.join(self.variant)}"
            raise conflict("sys chooses a variant, so there cannot be another one", "one of the two", given)
        return self
