"""Whether scans can be combined in one report: their losses must be of the same data, folds and fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from hyperparton.errors import ReportError, shortened
from hyperparton.report.scans import Scan, card_content
from hyperparton.text import counted

__all__ = ["check_comparable"]

#: keys of a card by which its losses are what they are; of a trainer of one's own all others are too
_OF_LOSS = (
    "dataset_inputs", "datacuts", "theory", "added_filter_rules", "kfold", "genrep", "diagonal_basis", "diagonal_frac",
    "sum_rules",
    "positivity", "integrability", "fitting", "theorycovmatconfig", "sampling", "closuretest", "trainer",
    "use_t0_sampling", "separate_multiplicative", "resample_negative_pseudodata", "use_weights_in_covmat",
    "norm_threshold", "threshold", "metadata_group", "data_grouping",
    "filter_rules", "drop_internal_rules", "filter_defaults",
)  # fmt: skip

#: keys that every card of fits of PDFs has, and settings of a scan that its losses depend on
_EXPECTED, _SETTINGS = ("dataset_inputs", "kfold"), ("replicas", "t0pdfset", "FK tables", "function")

#: keys whose difference a reader may want to know of, though losses stay comparable: spaces and random numbers
_NOTED = ("hyperscan_config", "parameters", "trvlseed", "nnseed", "mcseed")

#: keys of a card that say nothing of its trials
_WORDS = ("description", "meta")

#: what a card or a setting does not say
_ABSENT = object()


def check_comparable(scans: Sequence[Scan]) -> list[str]:
    """Lines on what a reader of the combined scans should know of their differences.

    Raises ReportError if two of them are of other data, folds, theory or fits: then one number says nothing about which
    trial of both is better.
    """
    if len(scans) < 2:
        return []
    cards = {scan.name: card_content(scan) for scan in scans}
    unknown = [scan.name for scan in scans if cards[scan.name] is None]
    notes = []
    if unknown:
        notes.append(
            f"The card of {', '.join(unknown)} is not beside the trials: whether all scans are of the same data and "
            "folds is not known."
        )
    for one, other in combinations(scans, 2):
        found = [*_settings(one, other), *_of_loss(cards[one.name], cards[other.name])]
        if found:
            raise ReportError(
                f"{one.path} and {other.path} cannot be combined, for their losses are not comparable: they differ in "
                f"{'; '.join(found)}; report each by itself"
            )
        notes += _noted(one, other, cards)
    return notes


def _settings(one: Scan, other: Scan) -> Iterator[str]:
    for key in _SETTINGS:
        values = [scan.settings.get(key) for scan in (one, other)]
        if None not in values and values[0] != values[1]:
            yield f"{key} ({_short(values[0])}, {_short(values[1])})"


def _of_loss(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Iterator[str]:
    if one is None or other is None:
        return
    own = "trainer" in one or "trainer" in other
    keys = [key for key in {**one, **other} if key in _OF_LOSS or (own and key not in (*_NOTED, *_WORDS))]
    for key in keys:
        yield from _differing(key, one.get(key, _ABSENT), other.get(key, _ABSENT), key in _EXPECTED or own)


def _differing(path: str, one: Any, other: Any, expected: bool) -> Iterator[str]:
    """The places below `path` at which both differ; what only one of them says counts where it is `expected`."""
    if one is _ABSENT or other is _ABSENT:
        if expected:
            yield f"{path} ({_short(one)}, {_short(other)})"
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from _differing(f"{path}.{key}", one.get(key, _ABSENT), other.get(key, _ABSENT), expected)
    elif _in_any_order(one) != _in_any_order(other):
        yield f"{path} ({_short(one)}, {_short(other)})"


def _in_any_order(value: Any) -> Any:
    """A value in which the order of lists does not matter: data sets, folds and the data sets of a fold."""
    if isinstance(value, Mapping):
        return sorted((str(key), repr(_in_any_order(entry))) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return sorted(repr(_in_any_order(entry)) for entry in value)
    return value


def _noted(one: Scan, other: Scan, cards: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    first, second = cards[one.name], cards[other.name]
    if first is None or second is None:
        return
    found = [key for key in _NOTED if first.get(key) != second.get(key)]
    if found:
        yield (
            f"{one.name} and {other.name} differ in {', '.join(found)}. Their losses can be compared; which "
            "hyperparameters matter, and how the scan converges, is mixed of both."
        )


def _short(value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        return counted(len(value), "entry", "entries")
    return shortened(str(value))
