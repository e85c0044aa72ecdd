"""`datacuts` and `added_filter_rules`: which points of the data sets stay."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from hyperparton.catalogue import MAX_TAU, Q2MIN, W2MIN
from hyperparton.runcard.field_types import Name, NonNegative, Positive, Section, Text, conflict, refuse

__all__ = ["AddedRule", "DataCuts"]


class DataCuts(Section):
    """`datacuts`."""

    model_config = ConfigDict(extra="allow")

    t0pdfset: Name | None = None
    """PDF set of the t0 covariance matrix; without it the experimental one is used."""
    q2min: NonNegative = Q2MIN
    """Least Q², in GeV²."""
    w2min: NonNegative = W2MIN
    """Least W² of deep-inelastic data, in GeV²."""
    maxTau: Positive = MAX_TAU  # noqa: N815 (NNPDF's name)
    """Greatest τ of fixed-target Drell-Yan data."""


def _charm(value: Any) -> int:
    if value not in (0, 1):
        raise refuse("unknown treatment of charm", "1 for fitted charm, 0 for perturbative charm")
    return int(value)


class AddedRule(Section):
    """One entry of `added_filter_rules`."""

    rule: Text
    """What holds for the points that stay, such as x > 1e-5."""
    dataset: Name | None = None
    """Data set that it cuts."""
    process_type: Name | None = None
    """Process type whose data sets it cuts, such as DIS_NC; DIS_ALL is all of deep-inelastic scattering."""
    local_variables: dict[str, Any] | None = None
    """Names that the rule uses: numbers, or expressions of the kinematics and of the names before."""
    PTO: Text | None = None
    """Order of the theories that it is for: NNLO, or NNLO+ (that or higher), NNLO- (lower), NNLO! (any other)."""
    FNS: Name | None = None
    """Flavour scheme of the theories that it is for."""
    IC: Annotated[int, BeforeValidator(_charm), WithJsonSchema({"enum": [0, 1, False, True]})] | None = None
    """Whether it is for theories with fitted charm or for those without."""
    reason: Text | None = None
    """Why it is there; it changes nothing."""

    @model_validator(mode="after")
    def _about_something(self) -> AddedRule:
        if self.dataset is None and self.process_type is None:
            raise conflict("a rule needs a dataset or a process_type to cut", "dataset or process_type", "neither")
        return self
