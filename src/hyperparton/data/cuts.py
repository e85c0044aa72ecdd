"""Kinematic cuts: which points of a data set enter a fit.

The variables of a rule are those of the data set's kinematic coverage in nnpdf-data (DIS: x, Q2, y), `q2min`, `w2min`,
`maxTau`, `idat` (the point's index) and `central_value`, and the rule's own local variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.data.commondata import CommonData
from hyperparton.data.filter_rules import DEFAULT_RULES, FilterRule
from hyperparton.errors import DataError, nearest
from hyperparton.runcard.card import DataCuts

__all__ = ["added_rules", "kept_points"]

_KEYS = {"dataset", "process_type", "rule", "local_variables", "PTO", "FNS", "IC", "reason"}
#: names under which NNPDF's rules for a process type know a variable -> the names it has in data sets
_ALIASES = {"eta": ("y",), "etay": ("eta", "y"), "yQQ": ("y_ttBar",), "yQ": ("y_t",)}


def added_rules(entries: Iterable[Mapping[str, Any]] | None) -> tuple[FilterRule, ...]:
    """The rules of a runcard's `added_filter_rules`.  Raises `DataError` with everything wrong with them."""
    rules, faults = [], []
    for place, entry in enumerate(entries or ()):
        try:
            rules.append(_filter_rule(entry))
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
    return FilterRule(**{key.lower(): value for key, value in entry.items() if key != "reason"})


def kept_points(
    data: CommonData, theory: Mapping[str, Any], cuts: DataCuts, added: Sequence[FilterRule] = ()
) -> np.ndarray:
    """Indices of the points that pass NNPDF's default rules and those added."""
    variables: dict[str, Any] = {
        "q2min": cuts.q2min,
        "w2min": cuts.w2min,
        "maxTau": cuts.maxTau,
        "idat": np.arange(data.ndata),
        "central_value": data.central,
        **data.kinematics,
    }
    for alias, names in _ALIASES.items():
        for name in names:
            if name in data.kinematics:
                variables.setdefault(alias, data.kinematics[name])
    passed = np.ones(data.ndata, dtype=bool)
    for rule in (*DEFAULT_RULES, *added):
        if rule.applies(data, theory):
            passed &= rule.passed(data, variables)
    return np.flatnonzero(passed)
