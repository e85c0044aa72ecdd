"""Which points of the data sets stay: `datacuts`, and the rules at the top level of a card."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from hyperparton.catalogue import MAX_TAU, Q2MIN, W2MIN
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.field_types import (
    FilledList,
    ListField,
    Name,
    Names,
    NonNegative,
    Positive,
    Section,
    Text,
    TheoryId,
    conflict,
    refuse,
)

__all__ = [
    "FROM_FIT",
    "INTERNAL",
    "INTERSECTION",
    "NO_CUTS",
    "SIMILAR",
    "AddedRule",
    "CutRules",
    "CutsNamespace",
    "DataCuts",
    "FilterDefaults",
    "Limits",
]

INTERNAL, NO_CUTS, FROM_FIT, INTERSECTION, SIMILAR = _POLICIES = (
    "internal", "nocuts", "fromfit", "fromintersection", "fromsimilarpredictions",
)  # fmt: skip


class Limits(NamedTuple):
    """The numbers that rules know by these names."""

    q2min: float = Q2MIN
    w2min: float = W2MIN
    maxTau: float = MAX_TAU  # noqa: N815 (NNPDF's name)


def _charm(value: Any) -> int:
    if value not in (0, 1):
        raise refuse("unknown treatment of charm", "1 for fitted charm, 0 for perturbative charm")
    return int(value)


class AddedRule(Section):
    """One entry of `added_filter_rules` or `filter_rules`."""

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


class FilterDefaults(Section):
    """`filter_defaults`: the limits of rules in the place of NNPDF's own."""

    q2min: NonNegative | None = None
    """Least Q², in GeV²."""
    w2min: NonNegative | None = None
    """Least W² of deep-inelastic data, in GeV²."""
    maxTau: Positive | None = None  # noqa: N815
    """Greatest τ of fixed-target Drell-Yan data."""


class CutRules(Section):
    """What changes NNPDF's own rules; the keys stand at the top level of a card."""

    filter_rules: Annotated[tuple[AddedRule, ...], ListField] = ()
    """Cuts in the place of NNPDF's own."""
    drop_internal_rules: Names = ()
    """Data sets whose own rules among NNPDF's are left out; rules for their process types stay."""
    filter_defaults: FilterDefaults | None = None
    """Limits in the place of NNPDF's; where datacuts has one too, it must be the same."""


class CutsNamespace(CutRules):
    """One entry of `cuts_intersection_spec`: where cuts are those of a theory and of keys, other than the card's."""

    theoryid: TheoryId | None = None
    """Theory whose order, flavour scheme and treatment of charm the rules go by; the card's without it."""
    q2min: NonNegative | None = None
    """Least Q², in GeV²; that of datacuts without it, and so on."""
    w2min: NonNegative | None = None
    """Least W² of deep-inelastic data, in GeV²."""
    maxTau: Positive | None = None  # noqa: N815
    """Greatest τ of fixed-target Drell-Yan data."""
    added_filter_rules: Annotated[tuple[AddedRule, ...], ListField] = ()
    """Cuts beside NNPDF's own, in the place of the card's."""
    pdf: Name | None = None
    """PDF set of the predictions, with `use_cuts: fromsimilarpredictions`."""
    dataset_inputs: Annotated[tuple[DatasetInput, ...], ListField] = ()
    """Data sets with the C-factors of the predictions, with `use_cuts: fromsimilarpredictions`."""


def _use_cuts(value: Any) -> str:
    """The name of a policy; validphys reads true as fromfit and false as nocuts."""
    if isinstance(value, bool):
        return FROM_FIT if value else NO_CUTS
    if value in _POLICIES:
        return value
    raise refuse("unknown use_cuts", ", ".join(_POLICIES))


_USE_CUTS = {"enum": [*_POLICIES, True, False]}


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
    use_cuts: Annotated[str, BeforeValidator(_use_cuts), WithJsonSchema(_USE_CUTS)] = INTERNAL
    """Which points stay: those that pass the rules (internal), all (nocuts), those of another fit (fromfit), those that
    pass the rules of each entry of cuts_intersection_spec (fromintersection), or those of these whose predictions are
    similar too (fromsimilarpredictions). validphys' older spellings are true for fromfit and false for nocuts."""
    cuts_intersection_spec: Annotated[tuple[CutsNamespace, ...], *FilledList] | None = None
    """Entries that each have their cuts."""
    fit: Text | None = None
    """Folder of the fit of n3fit whose points are taken, with `use_cuts: fromfit`; its path is absolute, or relative to
    the card or to the current folder."""
    cut_similarity_threshold: Positive | None = None
    """With fromsimilarpredictions, bound on the difference of the two predictions in units of the uncertainty."""
    do_not_require_similarity_for: Names = ()
    """With fromsimilarpredictions, data sets that have the cuts of the card itself."""
