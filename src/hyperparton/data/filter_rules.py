"""Rules that cut points, and those that NNPDF applies by default (arXiv:2109.02653, section 4).

A rule keeps the points for which its expression holds.  It applies to the data set named (under its name or an older
one) and to all data of the process type named; `DIS_ALL` is every type that begins with DIS.  `pto`, `fns` and `ic`
restrict it to theories of that perturbative order, flavour scheme or treatment of charm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperparton.data.cut_expressions import Expression
from hyperparton.errors import DataError, shortened

if TYPE_CHECKING:
    from hyperparton.data.commondata import CommonData

__all__ = ["DEFAULT_RULES", "DIS_ALL", "CutError", "FilterRule"]

DIS_ALL = "DIS_ALL"
_PTO = re.compile(r"(?:N(?P<number>[0-9]+)|(?P<letters>N*))LO(?P<relation>[-+!])?")


class CutError(DataError):
    """A rule that cannot be applied to a data set."""

    def __init__(self, rule: FilterRule, message: str) -> None:
        self.rule = rule
        super().__init__(message)


@dataclass(frozen=True)
class FilterRule:
    """One cut, with the names that a runcard uses in `added_filter_rules`; `DataError` for one that is wrong."""

    rule: str
    dataset: str | None = None
    process_type: str | None = None
    local_variables: Mapping[str, Any] | None = None
    """name -> number or expression, in terms of the kinematics and of the names before it"""
    pto: str | None = None
    """`NNLO` that order, `NNLO+` it or higher, `NNLO-` lower, `NNLO!` any other"""
    fns: str | None = None
    ic: int | None = None
    _local: dict[str, Expression] = field(init=False, repr=False)
    _keep: Expression = field(init=False, repr=False)

    def __post_init__(self) -> None:
        local = {name: Expression(text) for name, text in (self.local_variables or {}).items()}
        object.__setattr__(self, "_local", local)
        object.__setattr__(self, "_keep", Expression(self.rule))
        if self.pto is not None and not _PTO.fullmatch(self.pto.upper()):
            given = shortened(repr(self.pto))
            raise DataError(f"PTO of a rule is an order such as NNLO, NNLO+, NNLO- or NNLO!, given {given}")

    @property
    def names(self) -> frozenset[str]:
        """The names in its expression and in its local variables."""
        return self._keep.names.union(*(local.names for local in self._local.values()))

    def applies(self, data: CommonData, theory: Mapping[str, Any]) -> bool:
        """Whether the rule is about this set and this theory card."""
        by_name = self.dataset is not None and self.dataset in (data.name, *data.legacy_names)
        by_kind = self.process_type == DIS_ALL and data.process.startswith("DIS")
        return (
            (by_name or self.process_type == data.process or by_kind)
            and (self.pto is None or _order_matches(self.pto, int(theory["PTO"])))
            and (self.fns is None or self.fns == theory["FNS"])
            and (self.ic is None or self.ic == theory["IC"])
        )

    def passed(self, data: CommonData, variables: Mapping[str, Any]) -> np.ndarray:
        """(dat,) True for the points that pass, whose kinematics are among the variables; raises CutError."""
        known = dict(variables)
        try:
            for name, expression in self._local.items():
                known[name] = expression(known)
            kept = self._keep(known)
        except DataError as error:
            raise CutError(self, f"cut of {data.name}: {error}") from error
        return np.broadcast_to(kept.astype(bool), (data.ndata,))


def _order_matches(wanted: str, order: int) -> bool:
    match = _PTO.fullmatch(wanted.upper())
    assert match is not None  # checked when the rule was made
    number = int(match["number"]) if match["number"] is not None else len(match["letters"])
    relations = {"!": order != number, "+": order >= number, "-": order < number, None: order == number}
    return relations[match["relation"]]


def _each(rule: str, *datasets: str, **restrictions: Any) -> tuple[FilterRule, ...]:
    return tuple(FilterRule(rule, dataset=dataset, **restrictions) for dataset in datasets)


_DIS = (
    FilterRule("Q2 > q2min and w2 > w2min", process_type=DIS_ALL, local_variables={"w2": "Q2 * (1 - x) / x"}),
    # heavy-quark corrections at small x and Q2
    FilterRule("Q2 > 4 and (Q2 > 10 or x > 1e-3)", process_type="DIS_NC_CHARM", fns="FONLL-A"),
    # corrections to fitted charm that are not known at this order
    FilterRule("Q2 > 8", process_type="DIS_NC_CHARM", fns="FONLL-C", ic=1),
    FilterRule("Q2 > 8", process_type="DIS_NC_CHARM", fns="FONLL-E", ic=1),
)

# bins that the normalization makes linearly dependent on the others
_TOP_PAIRS = tuple(
    FilterRule(rule, dataset=dataset)
    for dataset, rule in {
        "CMS_TTBAR_8TEV_2L_DIF_MTTBAR-YT-NORM": "idat != 8",
        "ATLAS_TTBAR_8TEV_LJ_DIF_PTT-NORM": "pT_t < 450",
        "ATLAS_TTBAR_8TEV_LJ_DIF_YT-NORM": "y_t < 2.05",
        "ATLAS_TTBAR_8TEV_LJ_DIF_YTTBAR-NORM": "y_ttBar < 1.90",
        "ATLAS_TTBAR_8TEV_LJ_DIF_MTTBAR-NORM": "m_ttBar < 1350",
        "ATLAS_TTBAR_8TEV_2L_DIF_YTTBAR-NORM": "y_ttBar < 2.00",
        "ATLAS_TTBAR_8TEV_2L_DIF_MTTBAR-NORM": "m_ttBar < 1000",
        "CMS_TTBAR_8TEV_LJ_DIF_YT-NORM": "y_t < 2.01",
        "CMS_TTBAR_8TEV_LJ_DIF_YTTBAR-NORM": "y_ttBar < 1.82",
        "ATLAS_TTBAR_13TEV_HADR_DIF_MTTBAR-NORM": "m_ttBar < 2130.625",
        "ATLAS_TTBAR_13TEV_HADR_DIF_YTTBAR-NORM": "y_ttBar < 1.995",
        "ATLAS_TTBAR_13TEV_HADR_DIF_MTTBAR-YTTBAR-NORM": "m_ttBar < 1985 or y_ttBar < 1.645",
        "ATLAS_TTBAR_13TEV_LJ_DIF_MTTBAR-PTT-NORM": "pT_t < 640 or m_ttBar < 1500",
        "ATLAS_TTBAR_13TEV_LJ_DIF_PTT-YT-NORM": "pT_t < 650 or y_t < 2.0",
        "ATLAS_TTBAR_13TEV_LJ_DIF_MTTBAR-NORM": "m_ttBar < 1750",
        "ATLAS_TTBAR_13TEV_LJ_DIF_PTT-NORM": "pT_t < 737.5",
        "ATLAS_TTBAR_13TEV_LJ_DIF_YT-NORM": "y_t < 2.1",
        "ATLAS_TTBAR_13TEV_LJ_DIF_YTTBAR-NORM": "y_ttBar < 2.15",
        "CMS_TTBAR_13TEV_LJ_DIF_MTTBAR-NORM": "m_ttBar < 2900",
        "CMS_TTBAR_13TEV_LJ_DIF_YTTBAR-NORM": "y_ttBar < 2.1",
        "CMS_TTBAR_13TEV_LJ_DIF_MTTBAR-YTTBAR-NORM": "m_ttBar < 2250 or y_ttBar < 1.7",
        "CMS_TTBAR_13TEV_LJ_DIF_PTT-NORM": "pT_t < 1250",
        "CMS_TTBAR_13TEV_LJ_DIF_YT-NORM": "y_t < 2.25",
    }.items()
)

_JETS = (
    FilterRule("pT >= 74", dataset="CMS_1JET_8TEV_PTY"),
    *_each("pT**2 + Q2 > 100", "H1_1JET_319GEV_290PB-1_DIF_PTQ2", "H1_2JET_319GEV_290PB-1_DIF_PTQ2"),
)

# small transverse momenta need resummation, large ones electroweak corrections
_BOSON_PT = (
    *_each(
        "pT >= 30",
        "ATLAS_WJ_8TEV_WP-PT",
        "ATLAS_WJ_8TEV_WM-PT",
        "ATLAS_Z0J_8TEV_PT-M",
        "ATLAS_Z0J_8TEV_PT-Y",
        "ATLAS_Z0J_13TEV_PT_LL",
        "CMS_Z0J_8TEV_PT-Y",
        "CMS_Z0J_13TEV_PT-M",
    ),
    *_each("pT <= 150", "ATLAS_Z0J_8TEV_PT-Y", "ATLAS_Z0J_13TEV_PT_LL"),
    *_each("pT <= 170", "CMS_Z0J_8TEV_PT-Y", "CMS_Z0J_13TEV_PT-M"),
    FilterRule("abs_y <= 1.6", dataset="CMS_Z0J_8TEV_PT-Y"),
    FilterRule("m_ll >= 76", dataset="CMS_Z0J_13TEV_PT-M"),
)

_BOSON_RAPIDITY = (
    *_each(
        "y >= 2.25",
        "LHCB_DY_8TEV_MUON_Y",
        "LHCB_WPWM_8TEV_MUON_Y",
        "LHCB_Z0_8TEV_MUON_Y",
        "LHCB_DY_7TEV_MUON_Y",
        "LHCB_WPWM_7TEV_MUON_Y",
        "LHCB_Z0_7TEV_MUON_Y",
        pto="NNLO+",
    ),
    *_each("y >= 2.20", "LHCB_Z0_13TEV_DIELECTRON-Y", "LHCB_Z0_13TEV_DIMUON-Y", pto="NNLO+"),
    FilterRule("fabs(central_value) >= 0.03", dataset="D0_WPWM_1P96TEV_ASY", pto="NNLO+"),
)

_BOSON_MASS = (
    FilterRule("m_ll < 86 or m_ll > 96", dataset="CMS_Z0_13TEV_AFB"),
    FilterRule("sqrt(m_Z2) <= 116.0", dataset="ATLAS_Z0_8TEV_LOWMASS_M-Y"),
    FilterRule("sqrt(m_Z2) <= 200.0", dataset="CMS_Z0_7TEV_DIMUON_2D", pto="NNLO-"),
    FilterRule("sqrt(m_Z2) >= 30.0 and y <= 2.2", dataset="CMS_Z0_7TEV_DIMUON_2D", pto="NNLO-"),
    FilterRule("sqrt(m_Z2) <= 200.0 and y <= 2.2", dataset="CMS_Z0_7TEV_DIMUON_2D", pto="NNLO+"),
    FilterRule("m_ll <= 200.0", dataset="ATLAS_Z0_7TEV_49FB_HIMASS"),
    FilterRule("idat >= 2", dataset="ATLAS_Z0_7TEV_LOMASS_M", pto="NNLO-"),
)

# where the perturbative expansion holds without resummation, arXiv:1507.01006
_FIXED_TARGET = _each(
    "tau <= maxTau and fabs(y / ymax) <= 0.663",
    "DYE866_Z0_800GEV_PXSEC",
    "DYE605",
    "DYE605_dw",
    "DYE605_sh",
    "DYE605_Z0_38P8GEV_DW_PXSEC",
    "DYE605_sh_ite",
    process_type="DYP",
    local_variables={"tau": "M2 / sqrts**2", "ymax": "-0.5 * log(tau)"},
)

DEFAULT_RULES: tuple[FilterRule, ...] = (
    _DIS + _TOP_PAIRS + _JETS + _BOSON_PT + _BOSON_RAPIDITY + _BOSON_MASS + _FIXED_TARGET
)
