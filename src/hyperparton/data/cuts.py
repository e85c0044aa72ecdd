"""Kinematic cuts: which points of a data set enter a fit.

The variables of a rule are those of the data set's kinematic coverage in nnpdf-data (DIS: x, Q2, y), `q2min`, `w2min`,
`maxTau`, `idat` (the point's index) and `central_value`, and the rule's own local variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.data.filter_rules import DEFAULT_RULES, FilterRule
from hyperparton.runcard.datacuts import AddedRule, DataCuts

if TYPE_CHECKING:  # nnpdf-data takes long to load, and `check` reads rules alone
    from hyperparton.data.commondata import CommonData

__all__ = ["added_rule", "kept_points"]

#: names under which NNPDF's rules for a process type know a variable -> the names it has in data sets
_ALIASES = {"eta": ("y",), "etay": ("eta", "y"), "yQQ": ("y_ttBar",), "yQ": ("y_t",)}


def added_rule(entry: AddedRule) -> FilterRule:
    """The cut of an entry of `added_filter_rules`; raises `DataError` for an expression or an order that is none."""
    return FilterRule(
        entry.rule, entry.dataset, entry.process_type, entry.local_variables, entry.PTO, entry.FNS, entry.IC
    )


def kept_points(
    data: CommonData, theory: Mapping[str, Any], cuts: DataCuts, added: Sequence[FilterRule] = ()
) -> np.ndarray:
    """(dat,) indices of the points that pass NNPDF's default rules and those added."""
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
