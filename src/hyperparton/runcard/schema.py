"""The runcard as a frozen model: NNPDF's keys, and `TrainerRuncard` for a trainer of the user's own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PrivateAttr, model_validator

from hyperparton.catalogue import FITBASES, SUM_RULES
from hyperparton.errors import Fault, nearest
from hyperparton.runcard.field_types import (
    Flag,
    Fraction,
    ListField,
    NonNegative,
    Number,
    Positive,
    Section,
    Seed,
    Text,
    as_list,
    none_as,
    one_of,
    refuse,
)
from hyperparton.runcard.hyperscan import HyperscanConfig, KFold
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.trialspecs import SharedParameters, TrialSpecs
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = [
    "N3FIT",
    "BasisElement",
    "DataCuts",
    "DatasetInput",
    "Fitting",
    "LagrangeSet",
    "Runcard",
    "SharedRuncard",
    "TrainerRuncard",
]

#: the trainer of a card whose fits are n3fit's
N3FIT = "n3fit"


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else as_list(value)


def _one(value: Any) -> float:
    if isinstance(value, bool) or value != 1:
        raise refuse("weights of data sets in the loss are not supported", "1, or leave it out")
    return 1.0


class DatasetInput(Section):
    """One entry of `dataset_inputs`."""

    dataset: Text
    frac: Fraction = 1.0
    cfac: Annotated[tuple[Text, ...], BeforeValidator(_names), none_as(list)] = ()
    variant: Annotated[tuple[Text, ...], BeforeValidator(_names), none_as(list)] | None = None
    weight: Annotated[float, BeforeValidator(_one)] = 1.0
    custom_group: Text | None = None


class DataCuts(Section):
    """`datacuts`; cuts in GeV^2."""

    model_config = ConfigDict(extra="allow")

    t0pdfset: Text | None = None
    q2min: Annotated[NonNegative, none_as(lambda: 3.49)] = 3.49
    w2min: Annotated[NonNegative, none_as(lambda: 12.5)] = 12.5
    maxTau: Positive | None = None  # noqa: N815 (NNPDF's name)


def _theoryid(value: Any) -> Any:
    text = str(value).replace("_", "")
    if isinstance(value, bool) or not isinstance(value, int | str) or not text.isascii() or not text.isdigit():
        raise refuse("must be the number of a theory", "a whole number, such as 40_000_000")
    return int(text)


class TheoryInput(Section):
    """`theory`."""

    model_config = ConfigDict(extra="allow")  # t0theoryid and the like are looked at in `read`

    theoryid: Annotated[int, BeforeValidator(_theoryid)]


def _range(value: Any) -> Any:
    pair = as_list(value)
    numbers = [v for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(pair) != 2 or len(numbers) != 2 or not pair[0] <= pair[1]:
        raise refuse("must be a range", "[lower, upper]")
    return float(pair[0]), float(pair[1])


Exponents = Annotated[tuple[Number, Number], BeforeValidator(_range)]


class BasisElement(Section):
    """One entry of `fitting: basis`: a flavour, the ranges of its preprocessing exponents."""

    model_config = ConfigDict(extra="allow")  # n3fit's older cards carry pos, mutsize, ...

    fl: Text
    smallx: Exponents
    largex: Exponents = (0.0, 0.0)
    trainable: Annotated[Flag, none_as(lambda: True)] = True


class Fitting(Section):
    """`fitting`."""

    model_config = ConfigDict(extra="allow")

    fitbasis: Annotated[str, one_of("fitbasis", FITBASES)]
    basis: Annotated[tuple[BasisElement, ...], ListField]

    @model_validator(mode="after")
    def _elements(self) -> Fitting:
        names, known = [element.fl for element in self.basis], FITBASES[self.fitbasis]
        if sorted(names) != sorted(known):
            unknown = [name + nearest(name, known) for name in names if name not in known]
            what = f", unknown: {', '.join(unknown)}" if unknown else ""
            raise refuse(
                f"basis does not list the elements of fitbasis {self.fitbasis}, each once{what}",
                ", ".join(known),
                ", ".join(names) or "none",
            )
        return self


class LagrangeSet(Section):
    """One entry of `posdatasets` or `integdatasets`."""

    dataset: Text
    maxlambda: Positive
    variant: Annotated[tuple[Text, ...], BeforeValidator(_names), none_as(list)] | None = None


def _sum_rules(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.upper() not in {name.upper() for name in SUM_RULES}:
        raise refuse("unknown sum_rules", f"{', '.join(SUM_RULES)}, true, false")
    return value


def _listed(key: str) -> BeforeValidator:
    """`positivity: {posdatasets: [...]}` as the list itself."""

    def validate(value: Any) -> Any:
        if value is None:
            return ()
        if not isinstance(value, dict) or set(value) != {key}:
            raise refuse(f"must hold the list {key}", f"{{{key}: [...]}}")
        return as_list(value[key] or [])

    return BeforeValidator(validate)


class _Positioned(Section):
    """A card that remembers the file that it was read from, so that later faults name their place too."""

    hyperscan_config: HyperscanConfig | None = None
    _document: Document = PrivateAttr()
    _unused: tuple[str, ...] = PrivateAttr(default=())

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
    def unused(self) -> tuple[str, ...]:
        """Keys that other programs use and hyperparton does not."""
        return self._unused

    def fault(self, path: KeyPath, message: str, given: str | None = None, accepted: str | None = None) -> Fault:
        """A fault of this card at `path`, with file, line and column."""
        return self._document.fault(path, message, given, accepted)


class Runcard(_Positioned):
    """An NNPDF runcard. Sections keep NNPDF's names; `positivity` and `integrability` are the lists themselves."""

    dataset_inputs: Annotated[tuple[DatasetInput, ...], ListField]
    datacuts: Annotated[DataCuts, none_as(dict)] = DataCuts()
    theory: TheoryInput
    parameters: Parameters
    fitting: Fitting
    kfold: KFold | None = None
    positivity: Annotated[tuple[LagrangeSet, ...], _listed("posdatasets")] = ()
    integrability: Annotated[tuple[LagrangeSet, ...], _listed("integdatasets")] = ()
    added_filter_rules: Annotated[tuple[dict[str, Any], ...], ListField, none_as(list)] = ()
    trvlseed: Seed
    nnseed: Seed
    mcseed: Seed = 0
    genrep: Flag = False
    sum_rules: Annotated[Any, BeforeValidator(_sum_rules)] = True
    diagonal_basis: Annotated[Flag, none_as(lambda: True)] = True
    diagonal_frac: Annotated[Fraction, none_as(lambda: 0.75)] = 0.75
    same_trvl_per_replica: Annotated[Flag, none_as(lambda: False)] = False
    trial_specs: TrialSpecs | None = None

    @property
    def theoryid(self) -> int:
        """Number of the theory."""
        return self.theory.theoryid

    def scan_parameters(self) -> dict[str, Any]:
        """`parameters` as the card writes them: what HyperScanner puts its samplers into."""
        return dict(self.raw["parameters"])


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
    parameters: dict[str, Any]

    def scan_parameters(self) -> dict[str, Any]:
        """`parameters` as the card writes them."""
        return dict(self.parameters)
