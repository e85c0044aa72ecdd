"""The runcard as a frozen model: NNPDF's keys, and `TrainerRuncard` for a trainer of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, GetJsonSchemaHandler, PrivateAttr, WithJsonSchema, model_validator

from hyperparton.catalogue import FITBASES, SUM_RULES
from hyperparton.errors import Fault, nearest
from hyperparton.runcard.datacuts import AddedRule, CutRules, CutsNamespace, DataCuts, Limits
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.field_types import (
    Flag,
    Fraction,
    LessThanOne,
    ListField,
    Name,
    Names,
    Number,
    OrOff,
    Positive,
    Section,
    Seed,
    Text,
    TheoryId,
    WholePositive,
    as_list,
    conflict,
    number,
    one_of,
    refuse,
)
from hyperparton.runcard.hyperscan_config import HyperscanConfig
from hyperparton.runcard.kfold import KFold
from hyperparton.runcard.parameters import Parameters, SharedParameters, TrialSpecs
from hyperparton.runcard.treatment import ALL, DATA_GROUPINGS, EXPERIMENT, SAMPLING, DataTreatment
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = [
    "N3FIT",
    "BasisElement",
    "DatasetInput",
    "Fitting",
    "LagrangeSet",
    "Runcard",
    "SharedRuncard",
    "TheoryInput",
    "TrainerRuncard",
]

#: the trainer of a card whose fits are n3fit's
N3FIT = "n3fit"


class TheoryInput(Section):
    """`theory`."""

    model_config = ConfigDict(extra="allow")  # keys of other programs are looked at in `check`

    theoryid: TheoryId
    """Number of NNPDF's theory."""
    t0theoryid: TheoryId | None = None
    """Theory of the predictions in the t0 matrix; theoryid without it."""


def _range(value: Any) -> tuple[float, ...]:
    pair = tuple(number(each) for each in as_list(value))
    if len(pair) != 2:
        raise refuse("must be a range", "[lower, upper]")
    if not pair[0] <= pair[1]:
        raise conflict("must be a range", "[lower, upper]")
    return pair


Exponents = Annotated[tuple[Number, Number], BeforeValidator(_range)]


class BasisElement(Section):
    """One entry of `fitting: basis`: a flavour, the ranges of its preprocessing exponents."""

    model_config = ConfigDict(extra="allow")  # n3fit's older cards carry pos, mutsize, ...

    fl: Text
    """Name of the element."""
    smallx: Exponents
    """Range of its exponent α in x^(1-α)."""
    largex: Exponents = (0.0, 0.0)
    """Range of its exponent β in (1-x)^β."""
    trainable: Flag = True
    """Whether the exponents are trained."""


class Fitting(Section):
    """`fitting`."""

    model_config = ConfigDict(extra="allow")

    fitbasis: Annotated[str, *one_of("fitbasis", FITBASES)]
    """Fitting basis."""
    basis: Annotated[tuple[BasisElement, ...], ListField]
    """Its elements, each once; those that are left out are zero."""
    savepseudodata: Flag = True
    """Whether a fit of data replicas writes them, divided into training and validation data."""

    @model_validator(mode="after")
    def _elements(self) -> Fitting:
        names, known = [element.fl for element in self.basis], FITBASES[self.fitbasis]
        if not names or len(set(names)) < len(names) or not set(names) <= set(known):
            unknown = [name + nearest(name, known) for name in names if name not in known]
            what = f", unknown: {', '.join(unknown)}" if unknown else ""
            raise conflict(
                f"basis does not list elements of fitbasis {self.fitbasis}, each once{what}",
                ", ".join(known),
                ", ".join(names) or "none",
            )
        return self


class LagrangeSet(Section):
    """One entry of `posdatasets` or `integdatasets`."""

    dataset: Name
    """NNPDF's name of the set."""
    maxlambda: Positive = None  # pyright: ignore[reportAssignmentType] - there is one: see `_one_name`
    """Value to which its multiplier grows by the end of a fit; it is needed."""
    variant: Names | None = None
    """Variant of the set."""
    poslambda: Positive | None = None
    """Older name of maxlambda."""

    @model_validator(mode="before")
    @classmethod
    def _synonyms(cls, given: Any) -> Any:
        """`poslambda` fills `maxlambda` where that is not given."""
        if isinstance(given, dict) and given.get("maxlambda") is None and given.get("poslambda") is not None:
            return {**given, "maxlambda": given["poslambda"]}
        return given

    @model_validator(mode="after")
    def _one_name(self) -> LagrangeSet:
        if self.maxlambda is None:
            raise conflict("'maxlambda' is missing", "a number above 0")
        if self.poslambda is not None and self.poslambda != self.maxlambda:
            given = f"{self.poslambda:g} and {self.maxlambda:g}"
            raise conflict("poslambda and maxlambda are two names of the same thing", "one of them", given)
        return self


def _sum_rules(value: Any) -> str | None:
    """In the spelling of `SUM_RULES`, where capitals do not matter; None for off."""
    if isinstance(value, bool):
        return "All" if value else None
    for name in SUM_RULES:
        if isinstance(value, str) and value.isascii() and value.upper() == name.upper():
            return name
    raise refuse("unknown sum_rules", f"{', '.join(SUM_RULES)}, true, false")


_ANY_CASE = "|".join("".join(f"[{letter.upper()}{letter.lower()}]" for letter in name) for name in SUM_RULES)
_SUM_RULES = {
    "anyOf": [{"type": "boolean"}, {"enum": list(SUM_RULES)}, {"type": "string", "pattern": f"^({_ANY_CASE})$"}]
}


class _Listed:
    """`positivity: {posdatasets: [...]}` as the list itself."""

    def __init__(self, key: str) -> None:
        self._key = key

    def _read(self, value: Any) -> Any:
        if not isinstance(value, dict) or set(value) != {self._key}:
            raise refuse(f"must hold the list {self._key}", f"{{{self._key}: [...]}}")
        return () if value[self._key] is None else as_list(value[self._key])

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return BeforeValidator(self._read).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed = {"anyOf": [handler(core_schema), {"type": "null"}]}
        content = {"properties": {self._key: listed}, "required": [self._key]}
        return {"type": "object", **content, "additionalProperties": False}


class _Positioned(Section):
    """A card that remembers the file that it was read from, so that later faults name their place too."""

    hyperscan_config: HyperscanConfig | None = None
    """What a scan samples."""
    _document: Document = PrivateAttr()
    _unused: tuple[str, ...] = PrivateAttr(default=())
    _notes: tuple[Fault, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Any:
        """The file; None for text."""
        return self._document.file

    @property
    def text(self) -> str:
        """The runcard as it was written."""
        return self._document.text

    @property
    def raw(self) -> dict[str, Any]:
        """The plain content of the file."""
        return self._document.content

    @property
    def moved(self) -> Mapping[KeyPath, KeyPath]:
        """Path in the card -> where the file has it, for what the file has in another section or in an older form."""
        return self._document.moved

    @property
    def unused(self) -> tuple[str, ...]:
        """Keys at the top level that other programs use and hyperparton does not."""
        return self._unused

    @property
    def notes(self) -> tuple[Fault, ...]:
        """Keys elsewhere that change nothing, each with its place."""
        return self._notes

    # What identifies a scan is the card as it is written, not as the models read it: the fingerprint of a space and
    # `space_vals` hold 1e3 and 1000 apart, and draws follow the order of the keys. A scan that is continued must find
    # the same again, so HyperScanner gets these two as they are and reads them through the models itself.

    def scan_parameters(self) -> dict[str, Any]:
        """`parameters` as the card writes them: what HyperScanner puts its samplers into."""
        return dict(self.raw["parameters"])

    def scan_config(self) -> dict[str, Any]:
        """`hyperscan_config` as the card writes it."""
        return dict(self.raw["hyperscan_config"])

    def fault(self, path: KeyPath, message: str, given: str | None = None, accepted: str | None = None) -> Fault:
        """A fault of this card at `path`, with file, line and column."""
        return self._document.fault(path, message, given, accepted)


class Runcard(_Positioned, CutRules, DataTreatment):
    """An NNPDF runcard. Sections keep NNPDF's names; `positivity` and `integrability` are the lists themselves."""

    dataset_inputs: Annotated[tuple[DatasetInput, ...], ListField]
    """Data sets that are fitted."""
    datacuts: DataCuts = DataCuts()
    """Kinematic cuts, and the PDF set of the t0 covariance matrix."""
    theory: TheoryInput
    """Which theory's FK tables are used."""
    parameters: Parameters
    """Hyperparameters of one fit; in a scan, the values of those that are not sampled."""
    fitting: Fitting
    """Fitting basis, and the preprocessing of its elements."""
    kfold: KFold | None = None
    """Folds of a scan, and how a trial is judged."""
    positivity: Annotated[tuple[LagrangeSet, ...], _Listed("posdatasets")] = ()
    """Observables that must not be negative."""
    integrability: Annotated[tuple[LagrangeSet, ...], _Listed("integdatasets")] = ()
    """Combinations of PDFs that must be integrable."""
    added_filter_rules: Annotated[tuple[AddedRule, ...], ListField] = ()
    """Cuts beside NNPDF's own."""
    trvlseed: Seed
    """Seed of the split into training and validation data."""
    nnseed: Seed
    """Seed of the networks' first weights."""
    mcseed: Seed = 0
    """Seed of the data replicas."""
    genrep: Flag = False
    """Whether each replica is fitted to a Monte Carlo replica of the data, not to the data themselves."""
    sum_rules: Annotated[str | None, BeforeValidator(_sum_rules), WithJsonSchema(_SUM_RULES)] = "All"
    """Sum rules that the fit imposes; true means All, false none."""
    diagonal_basis: Flag = True
    """Whether training and validation are split in the eigenbasis of the covariance matrix."""
    diagonal_frac: Fraction = 0.75
    """Share of the eigenmodes that is used for training."""
    same_trvl_per_replica: Flag = False
    """Whether all replicas have the same split."""
    load: Annotated[Text | None, *OrOff] = None
    """File of weights from which every replica starts, and in a scan every fold."""
    load_weights_from_fit: Annotated[Name | None, *OrOff] = None
    """Fit from whose saved weights the replicas start, each from those of its number."""
    save: Annotated[Name | None, *OrOff] = None
    """Name of the file into which a fit writes the weights of each replica."""
    maxcores: WholePositive | None = None
    """Most cores that a job uses; results do not depend on it."""
    hadronic_accuracy: LessThanOne = 0.0
    """By what share of χ² the fast path for data of two protons may differ from their FK tables; 0 for the tables."""
    trial_specs: TrialSpecs | None = None
    """Which scan's best trials the replicas of a fit take their methodologies from."""

    @property
    def theoryid(self) -> int:
        """Number of the theory."""
        return self.theory.theoryid

    def cut_limits(self, namespace: CutsNamespace | None = None) -> Limits:
        """The limits that rules know, those of the card or of an entry of cuts_intersection_spec."""
        defaults = self.filter_defaults
        if namespace is not None and namespace.filter_defaults is not None:
            defaults = namespace.filter_defaults
        found = []
        for name in Limits._fields:
            stated = (getattr(source, name) for source in (defaults, namespace, self.datacuts) if source is not None)
            found.append(next(value for value in stated if value is not None))
        return Limits(*found)

    @property
    def grouping(self) -> str:
        """What groups the data sets, one of `METADATA_GROUPS`."""
        if self.metadata_group is not None:
            return self.metadata_group
        if self.data_grouping is not None:
            return DATA_GROUPINGS[self.data_grouping]
        return self._default_grouping

    @property
    def _default_grouping(self) -> str:
        theory = self.theorycovmatconfig is not None and self.theorycovmatconfig.used
        return ALL if self.diagonal_basis or theory else EXPERIMENT

    def untreated(self) -> set[str]:
        """The keys of the data's treatment by which the fits of this card are those of a card without them."""
        keys = set(DataTreatment.model_fields) - {"theorycovmatconfig"}  # part of what identifies older scans
        groups = {"metadata_group", "data_grouping"} if self.grouping == self._default_grouping else set()
        sampling = set() if self.genrep else set(SAMPLING)
        return (
            groups | sampling | {key for key in keys if getattr(self, key) == DataTreatment.model_fields[key].default}
        )


class SharedRuncard(Runcard):
    """A card with `trial_specs`: its fits take their methodologies from the trials of a scan."""

    parameters: SharedParameters  # pyright: ignore[reportIncompatibleVariableOverride]
    trial_specs: TrialSpecs  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


class TrainerRuncard(_Positioned):
    """A card that scans a trainer of the user's own: `trainer: module:factory`; other keys are the factory's.

    With `trainer: n3fit` the fits are n3fit's, and the other keys are those of an n3fit runcard.
    """

    model_config = ConfigDict(extra="allow")

    trainer: Text
    """`module:factory` of the trainer, or n3fit."""
    parameters: dict[str, Any]
    """Its parameters, any names and values."""
