"""What each FK table holds: the observables of NNPDF's DIS, positivity and integrability sets.

The observables, targets and projectiles are those of NNPDF's own grids; the kinematics come from nnpdf-data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hyperparton.errors import TheoryError, nearest
from hyperparton.theory.coefficients import YadismObservable

__all__ = [
    "DISTable",
    "DrellYanTable",
    "IntegrabilityTable",
    "PDFTable",
    "TableKind",
    "known_datasets",
    "table_kind",
]


@dataclass(frozen=True)
class DISTable:
    """A structure function or cross section of deep-inelastic scattering."""

    observable: YadismObservable
    rows: int | None = None
    """how many points of the set are the table's, where the set has several tables one after another"""
    x: str = "x"
    """name of Bjorken's x among the set's kinematic variables"""
    y: str | None = None
    """name of the inelasticity among them; None where the observable does not depend on it"""


@dataclass(frozen=True)
class PDFTable:
    """x f(x, Q²) of one parton."""

    pid: int


@dataclass(frozen=True)
class IntegrabilityTable:
    """x f(x, Q0²) of a combination of the evolution basis."""

    channel: int


@dataclass(frozen=True)
class DrellYanTable:
    """The Drell-Yan cross section at leading order of one quark flavour."""

    pid: int


TableKind = DISTable | PDFTable | IntegrabilityTable | DrellYanTable

_F2 = YadismObservable("F2_total", "NC")
_D2 = replace(_F2, target="isoscalar")
_HERA_NC = YadismObservable("XSHERANC", "NC", "positron")
_HERA_CC = YadismObservable("XSHERACC", "CC")
_CHORUS = YadismObservable("XSCHORUSCC", "CC", target="lead")
_NUTEV = YadismObservable("XSNUTEVCC_charm", "CC", target="iron")
_HEAVY = YadismObservable("XSHERANCAVG_charm", "NC")
_POS = YadismObservable("F2_light", "EM", tmc=False)
_F2C = YadismObservable("F2_charm", "EM", positivity="all", tmc=False)
_FLL = YadismObservable("FL_light", "EM", positivity="all", tmc=False)
_F2C_CC = replace(_F2C, process="CC")

_TABLES: dict[str, TableKind] = {
    "NMC_NC_EM_D_F2": DISTable(_D2),
    "NMC_NC_EM_P_F2": DISTable(_F2),
    "NMC_NC_EM_P_SIGMARED": DISTable(replace(_HERA_NC, projectile="electron"), x="xraw", y="y"),
    "SLAC_NC_EM_P_F2": DISTable(_F2),
    "SLAC_NC_EM_D_F2": DISTable(_D2),
    "BCDMS_NC_100GEV_EM_P_F2": DISTable(_F2, 97),
    "BCDMS_NC_120GEV_EM_P_F2": DISTable(_F2, 99),
    "BCDMS_NC_200GEV_EM_P_F2": DISTable(_F2, 79),
    "BCDMS_NC_280GEV_EM_P_F2": DISTable(_F2, 76),
    "BCDMS_NC_100GEV_EM_D_F2": DISTable(_D2, 99),
    "BCDMS_NC_200GEV_EM_D_F2": DISTable(_D2, 79),
    "BCDMS_NC_280GEV_EM_D_F2": DISTable(_D2, 76),
    "CHORUS_CC_NU_PB_SIGMARED": DISTable(replace(_CHORUS, projectile="neutrino"), y="y"),
    "CHORUS_CC_NB_PB_SIGMARED": DISTable(replace(_CHORUS, projectile="antineutrino"), y="y"),
    "NUTEV_CC_NU_FE_SIGMARED": DISTable(replace(_NUTEV, projectile="neutrino"), y="y"),
    "NUTEV_CC_NB_FE_SIGMARED": DISTable(replace(_NUTEV, projectile="antineutrino"), y="y"),
    "HERA_NC_318GEV_EM_SIGMARED": DISTable(replace(_HERA_NC, projectile="electron"), y="y"),
    "HERA_NC_225GEV_EP_SIGMARED": DISTable(_HERA_NC, y="y"),
    "HERA_NC_251GEV_EP_SIGMARED": DISTable(_HERA_NC, y="y"),
    "HERA_NC_300GEV_EP_SIGMARED": DISTable(_HERA_NC, y="y"),
    "HERA_NC_318GEV_EP_SIGMARED": DISTable(_HERA_NC, y="y"),
    "HERA_CC_318GEV_EM_SIGMARED": DISTable(_HERA_CC, y="y"),
    "HERA_CC_318GEV_EP_SIGMARED": DISTable(replace(_HERA_CC, projectile="positron"), y="y"),
    "HERA_NC_318GEV_EAVG_SIGMARED_CHARM": DISTable(_HEAVY, y="y"),
    "HERA_NC_318GEV_EAVG_SIGMARED_BOTTOM": DISTable(replace(_HEAVY, name="XSHERANCAVG_bottom"), y="y"),
    "NNPDF_POS_F2U_40": DISTable(replace(_POS, positivity="up")),
    "NNPDF_POS_F2D_40": DISTable(replace(_POS, positivity="down")),
    "NNPDF_POS_F2S_40": DISTable(replace(_POS, positivity="strange")),
    "NNPDF_POS_F2C_40": DISTable(_F2C),
    "NNPDF_POS_F2C_40_17PTS": DISTable(_F2C),
    "NNPDF_POS_F2C_CCE_40": DISTable(_F2C_CC),
    "NNPDF_POS_F2C_CCE_40_17PTS": DISTable(_F2C_CC),
    "NNPDF_POS_F2C_CCP_40": DISTable(replace(_F2C_CC, projectile="positron")),
    "NNPDF_POS_F2C_CCP_40_17PTS": DISTable(replace(_F2C_CC, projectile="positron")),
    "NNPDF_POS_FLL_40": DISTable(_FLL),
    "NNPDF_POS_FLL_40_19PTS": DISTable(_FLL),
    "NNPDF_POS_DYU_40": DrellYanTable(2),
    "NNPDF_POS_DYD_40": DrellYanTable(1),
    "NNPDF_POS_DYS_40": DrellYanTable(3),
    "INTEGXT3": IntegrabilityTable(103),
    "INTEGXT8": IntegrabilityTable(108),
    "NNPDF_INTEG_XT3_40": IntegrabilityTable(103),
    "NNPDF_INTEG_XT8_40": IntegrabilityTable(108),
    "NNPDF_INTEG_XV_40": IntegrabilityTable(200),
    "NNPDF_INTEG_XV3_40": IntegrabilityTable(203),
    "NNPDF_INTEG_XV8_40": IntegrabilityTable(208),
}

_PARTONS = {"UP": 2, "DOWN": 1, "STRANGE": 3, "CHARM": 4, "GLUON": 21}
_PDF_NAME = re.compile(r"NNPDF_POS_(ANTI_)?(UP|DOWN|STRANGE|CHARM|GLUON)_(40|Q2_10|Q2_10000|Q2_VARIABLE)")

_DATASETS = {
    "dis": (
        "NMC_NC_NOTFIXED_EM-F2", "NMC_NC_NOTFIXED_P_EM-SIGMARED", "SLAC_NC_NOTFIXED_P_EM-F2",
        "SLAC_NC_NOTFIXED_D_EM-F2", "BCDMS_NC_NOTFIXED_P_EM-F2", "BCDMS_NC_NOTFIXED_D_EM-F2",
        "CHORUS_CC_NOTFIXED_PB_NU-SIGMARED", "CHORUS_CC_NOTFIXED_PB_NB-SIGMARED",
        "NUTEV_CC_NOTFIXED_FE_NU-SIGMARED", "NUTEV_CC_NOTFIXED_FE_NB-SIGMARED",
        "HERA_NC_318GEV_EM-SIGMARED", "HERA_NC_225GEV_EP-SIGMARED", "HERA_NC_251GEV_EP-SIGMARED",
        "HERA_NC_300GEV_EP-SIGMARED", "HERA_NC_318GEV_EP-SIGMARED", "HERA_CC_318GEV_EM-SIGMARED",
        "HERA_CC_318GEV_EP-SIGMARED", "HERA_NC_318GEV_EAVG_CHARM-SIGMARED", "HERA_NC_318GEV_EAVG_BOTTOM-SIGMARED",
    ),
    "positivity": tuple(
        f"NNPDF_POS_2P24GEV_{name}"
        for name in (
            "F2U", "F2D", "F2S", "F2C", "F2C-17PTS", "F2C-CCE", "F2C-CCE-17PTS", "F2C-CCP", "F2C-CCP-17PTS", "FLL",
            "FLL-19PTS", "DYU", "DYD", "DYS", "XUQ", "XUB", "XDQ", "XDB", "XSQ", "XSB", "XCQ", "XGL",
        )
    ),
    "integrability": tuple(f"NNPDF_INTEG_3GEV_{name}" for name in ("XV", "XV3", "XV8", "XT3", "XT8")),
}  # fmt: skip


def known_datasets() -> dict[str, tuple[str, ...]]:
    """Kind (dis, positivity, integrability) -> the data sets whose tables a theory of hyperparton has."""
    return dict(_DATASETS)


def table_kind(table: str) -> TableKind:
    """What the table of that name holds.  Raises `TheoryError` for one that cannot be computed."""
    if table in _TABLES:
        return _TABLES[table]
    match = _PDF_NAME.fullmatch(table)
    if match:
        return PDFTable((-1 if match[1] else 1) * _PARTONS[match[2]])
    raise TheoryError(
        f"the FK table {table} cannot be computed{nearest(table, _TABLES)}: known are the tables of the DIS, "
        "positivity and integrability sets of NNPDF4.0"
    )
