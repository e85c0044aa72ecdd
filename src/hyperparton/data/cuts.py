"""Kinematic cuts: which points of a data set enter a fit.

The variables of a rule are those of the data set's kinematic coverage in nnpdf-data (DIS: x, Q2, y), `q2min`, `w2min`,
`maxTau`, `idat` (the point's index) and `central_value`, and the rule's own local variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.data.filter_rules import DEFAULT_RULES, FilterRule
from hyperparton.runcard.datacuts import AddedRule, Limits

if TYPE_CHECKING:  # nnpdf-data takes long to load, and `check` reads rules alone
    from hyperparton.data.commondata import CommonData

__all__ = ["RuleCuts", "added_rule"]

#: names under which NNPDF's rules for a process type know a variable -> the names it has in data sets
_ALIASES = {"eta": ("y",), "etay": ("eta", "y"), "yQQ": ("y_ttBar",), "yQ": ("y_t",)}


def added_rule(entry: AddedRule) -> FilterRule:
    """The cut of an entry of `added_filter_rules` or `filter_rules`.

    Raises `DataError` for an expression or an order that is none.
    """
    return FilterRule(
        entry.rule, entry.dataset, entry.process_type, entry.local_variables, entry.PTO, entry.FNS, entry.IC
    )


@dataclass(frozen=True, eq=False)
class RuleCuts:
    """Rules, with the limits and the theory card that they go by."""

    theory: Mapping[str, Any]
    limits: Limits = field(default_factory=Limits)
    rules: tuple[FilterRule, ...] = DEFAULT_RULES
    applied: set[int] = field(default_factory=set)
    """the ids of the rules that applied to a set so far"""

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) indices of the points that pass all rules.

        Raises CutError for a rule that does not go with the kinematics of the set.
        """
        passed = np.ones(data.ndata, dtype=bool)
        for rule, passing in self._passing(data):
            self.applied.add(id(rule))
            passed &= passing
        return np.flatnonzero(passed)

    def why(self, data: CommonData) -> str:
        """How many points each of the rules leaves that apply to the set, for a message."""
        parts = []
        for rule, passing in self._passing(data):
            limits = [f"{name} {value:g}" for name, value in self.limits._asdict().items() if name in rule.names]
            part = f"{rule.rule!r} leaves {passing.sum()} of {data.ndata} ({', '.join(limits)})"
            parts.append(part.replace(" ()", ""))
        return "; ".join(parts)

    def _passing(self, data: CommonData) -> Iterator[tuple[FilterRule, np.ndarray]]:
        """Each rule that applies, and (dat,) True for the points that pass it."""
        variables: dict[str, Any] = {
            **self.limits._asdict(),
            "idat": np.arange(data.ndata),
            "central_value": data.central,
            **data.kinematics,
        }
        for alias, names in _ALIASES.items():
            for name in names:
                if name in data.kinematics:
                    variables.setdefault(alias, data.kinematics[name])
        for rule in self.rules:
            if rule.applies(data, self.theory):
                yield rule, rule.passed(data, variables)
