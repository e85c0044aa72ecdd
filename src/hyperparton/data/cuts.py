"""Kinematic cuts: which points of a data set enter a fit.

The variables of a rule are those of the data set's kinematic coverage in nnpdf-data (DIS: x, Q2, y), `q2min`, `w2min`,
`maxTau`, `idat` (the point's index) and `central_value`, and the rule's own local variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.data.filter_rules import DEFAULT_RULES, FilterRule
from hyperparton.runcard.datacuts import AddedRule, DataCuts

if TYPE_CHECKING:  # nnpdf-data takes long to load, and `check` reads rules alone
    from hyperparton.data.commondata import CommonData

__all__ = ["added_rule", "kept_points", "what_cuts"]

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
    """(dat,) indices of the points that pass NNPDF's default rules and those added.

    Raises CutError for a rule that does not go with the kinematics of the set.
    """
    passed = np.ones(data.ndata, dtype=bool)
    for _, passing in _passing(data, theory, cuts, added):
        passed &= passing
    return np.flatnonzero(passed)


def what_cuts(data: CommonData, theory: Mapping[str, Any], cuts: DataCuts, added: Sequence[FilterRule] = ()) -> str:
    """How many points each of the rules leaves that apply to the set, for a message."""
    parts = []
    for rule, passing in _passing(data, theory, cuts, added):
        limits = [f"{name} {getattr(cuts, name):g}" for name in DataCuts.model_fields if name in rule.names]
        parts.append(f"{rule.rule!r} leaves {passing.sum()} of {data.ndata} ({', '.join(limits)})".replace(" ()", ""))
    return "; ".join(parts)


def _passing(
    data: CommonData, theory: Mapping[str, Any], cuts: DataCuts, added: Sequence[FilterRule]
) -> Iterator[tuple[FilterRule, np.ndarray]]:
    """Each rule that applies, and (dat,) True for the points that pass it."""
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
    for rule in (*DEFAULT_RULES, *added):
        if rule.applies(data, theory):
            yield rule, rule.passed(data, variables)
