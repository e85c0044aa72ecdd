"""Kinematic cuts: which points of a data set enter a fit.

The variables of a rule are those of the data set's kinematic coverage in nnpdf-data (DIS: x, Q2, y), `q2min`, `w2min`,
`maxTau`, `idat` (the point's index) and `central_value`, and the rule's own local variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperparton.data.commondata import CommonData
from hyperparton.data.cut_expressions import Expression
from hyperparton.data.filter_rules import DEFAULT_RULES, DIS_ALL, FilterRule
from hyperparton.errors import DataError, nearest

__all__ = ["CutRule", "CutSettings", "added_rules", "kept_points"]

_PTO = re.compile(r"(?:N(?P<number>[0-9]+)|(?P<letters>N*))LO(?P<relation>[-+!])?")
_KEYS = {"dataset", "process_type", "rule", "local_variables", "PTO", "FNS", "IC", "reason"}
#: names under which NNPDF's rules for a process type know a variable -> the names it has in data sets
_ALIASES = {"eta": ("y",), "etay": ("eta", "y"), "yQQ": ("y_ttBar",), "yQ": ("y_t",)}


@dataclass(frozen=True)
class CutSettings:
    """The numbers that the default rules use; these are NNPDF's defaults, in GeV² (maxTau has no unit)."""

    q2min: float = 3.49
    w2min: float = 12.5
    maxTau: float = 0.080  # noqa: N815 (the name in NNPDF's rules)

    def as_variables(self) -> dict[str, float]:
        return {"q2min": self.q2min, "w2min": self.w2min, "maxTau": self.maxTau}


class CutRule:
    """A `FilterRule` with its expressions parsed and checked; raises `DataError` for one that is wrong."""

    def __init__(self, source: FilterRule):
        self.source = source
        self._locals = {name: Expression(text) for name, text in source.local_variables.items()}
        self._rule = Expression(source.rule)
        if source.pto is not None and not _PTO.fullmatch(source.pto.upper()):
            raise DataError(f"PTO of a rule is an order such as NNLO, NNLO+, NNLO- or NNLO!, given {source.pto!r}")

    def applies(self, data: CommonData, theory: Mapping[str, Any]) -> bool:
        """Whether the rule is about this set and this theory card."""
        source = self.source
        by_name = source.dataset is not None and source.dataset in (data.name, *data.legacy_names)
        by_process = source.process_type == data.process
        by_kind = source.process_type == DIS_ALL and data.process.startswith("DIS")
        if not (by_name or by_process or by_kind):
            return False
        return (
            (source.pto is None or _order_matches(source.pto, int(theory["PTO"])))
            and (source.fns is None or source.fns == theory["FNS"])
            and (source.ic is None or source.ic == theory["IC"])
        )

    def __call__(self, data: CommonData, settings: CutSettings) -> np.ndarray:
        """(dat,) True for the points that pass."""
        variables: dict[str, Any] = {
            **settings.as_variables(),
            "idat": np.arange(data.ndata),
            "central_value": data.central,
            **_with_aliases(data.kinematics),
        }
        try:
            for name, expression in self._locals.items():
                variables[name] = expression(variables)
            passed = self._rule(variables)
        except DataError as error:
            raise DataError(f"cut of {data.name}: {error}") from error
        return np.broadcast_to(passed.astype(bool), (data.ndata,))


def _with_aliases(kinematics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    named = dict(kinematics)
    for alias, names in _ALIASES.items():
        for name in names:
            if name in kinematics:
                named.setdefault(alias, kinematics[name])
    return named


def _order_matches(wanted: str, order: int) -> bool:
    match = _PTO.fullmatch(wanted.upper())
    if match is None:  # checked when the rule was made
        raise DataError(f"not a perturbative order: {wanted!r}")
    number = int(match["number"]) if match["number"] is not None else len(match["letters"])
    relations = {"!": order != number, "+": order >= number, "-": order < number, None: order == number}
    return relations[match["relation"]]


def added_rules(entries: Iterable[Mapping[str, Any]] | None) -> tuple[CutRule, ...]:
    """The rules of a runcard's `added_filter_rules`.  Raises `DataError` with everything wrong with them."""
    rules, faults = [], []
    for place, entry in enumerate(entries or ()):
        try:
            rules.append(CutRule(_filter_rule(entry)))
        except DataError as error:
            faults.append(f"added_filter_rules[{place}]: {error}")
    if faults:
        raise DataError("\n".join(faults))
    return tuple(rules)


def _filter_rule(entry: Mapping[str, Any]) -> FilterRule:
    unknown = [f"{key!r}{nearest(key, _KEYS)}" for key in entry if key not in _KEYS]
    if unknown:
        raise DataError(f"unknown key {', '.join(unknown)}, accepted: {', '.join(sorted(_KEYS))}")
    if "rule" not in entry or not ({"dataset", "process_type"} & entry.keys()):
        raise DataError(f"a rule has `rule` and one of `dataset` and `process_type`, given {', '.join(entry)}")
    return FilterRule(
        rule=str(entry["rule"]),
        dataset=entry.get("dataset"),
        process_type=entry.get("process_type"),
        local_variables=dict(entry.get("local_variables") or {}),
        pto=entry.get("PTO"),
        fns=entry.get("FNS"),
        ic=entry.get("IC"),
    )


def kept_points(
    data: CommonData, theory: Mapping[str, Any], settings: CutSettings, added: Sequence[CutRule] = ()
) -> np.ndarray:
    """Indices of the points that pass NNPDF's default rules and those added."""
    passed = np.ones(data.ndata, dtype=bool)
    for rule in (*_DEFAULT, *added):
        if rule.applies(data, theory):
            passed &= rule(data, settings)
    return np.flatnonzero(passed)


_DEFAULT = tuple(CutRule(rule) for rule in DEFAULT_RULES)
