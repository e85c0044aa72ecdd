"""NNPDF theory cards: which of them can be computed, and how yadism and eko get them.

Supported is what the DIS part of NNPDF4.0 uses (arXiv:2109.02653): FONLL-A, B or C, pole masses, fitted charm,
truncated evolution, central scales, no QED.  Any other card is refused, with all its faults at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hyperparton.data.commondata import THEORY_CARDS
from hyperparton.data.theory_folder import read_theory_card
from hyperparton.errors import TheoryError, nearest

__all__ = ["TheoryCard", "read_card"]

#: every number of a card is below
_LARGEST = 1e300

#: scheme -> (order of evolution and light quarks, order of the massive terms), in powers of the strong coupling
_SCHEMES = {"FONLL-A": (1, 1), "FONLL-B": (1, 2), "FONLL-C": (2, 2)}

_NUMBERS = (
    "ID", "PTO", "Q0", "Qref", "alphas", "alphaqed", "mc", "mb", "mt", "MZ", "MW", "GF", "SIN2TW", "MP", "NfFF", "TMC",
)  # fmt: skip

_POSITIVE = ("Q0", "Qref", "alphas", "alphaqed", "mc", "mb", "mt", "MZ", "MW", "GF", "SIN2TW", "MP")

#: key -> the values that can be computed; a key that the card lacks counts as the first of them
_ONLY: dict[str, tuple[Any, ...]] = {
    "IC": (1,),
    "HQ": ("POLE",),
    "ModEv": ("TRN",),
    "DAMP": (0,),
    "QED": (0,),
    "SxRes": (0,),
    "TMC": (1, 0),
    "XIR": (1.0,),
    "XIF": (1.0,),
    "kcThr": (1.0,),
    "kbThr": (1.0,),
    "ktThr": (1.0,),
    "NfFF": (5, 6),
    "MaxNfAs": (5,),
    "MaxNfPdf": (5,),
    "PTODIS": (None,),
    "FONLLParts": ("full", None),
    "FactScaleVar": (False,),
    "RenScaleVar": (False,),
    "ModSV": (None,),
    "nf0": (4,),
    "nfref": (5,),
    "n3lo_cf_variation": (0,),
}
#: keys that a card must have, since they have no value that goes without saying
_NEEDED = (*_NUMBERS, "FNS", "CKM", "IC", "HQ", "ModEv")

#: what yadism and eko need and nnpdf-data's cards lack; `theory_card.yaml` beside the tables holds it too
_ADDED = {
    "MaxNfAs": 5, "MaxNfPdf": 5, "nf0": 4, "nfref": 5, "n3lo_cf_variation": 0, "PTODIS": None, "FONLLParts": "full",
    "FactScaleVar": False, "RenScaleVar": False, "ModSV": None, "XIA": 1.0, "QrefQED": 1.777,
}  # fmt: skip


@dataclass(frozen=True)
class TheoryCard:
    """A theory card that can be computed."""

    raw: dict[str, Any] = field(hash=False)
    path: Path

    @property
    def theoryid(self) -> int:
        return int(self.raw["ID"])

    @property
    def light_order(self) -> int:
        """Power of the strong coupling up to which light quarks are computed (2 is NNLO), and evolution's order."""
        return _SCHEMES[self.raw["FNS"]][0]

    @property
    def massive_order(self) -> int:
        """Power of the strong coupling up to which terms with a heavy quark's mass are computed."""
        return _SCHEMES[self.raw["FNS"]][1]

    @property
    def q0(self) -> float:
        """Initial scale in GeV."""
        return float(self.raw["Q0"])

    def threshold(self, nf: int) -> float:
        """Scale in GeV² from which on `nf` flavours are active in FONLL (the mass of the nf-th quark squared)."""
        return float(self.raw[{4: "mc", 5: "mb", 6: "mt"}[nf]]) ** 2

    @property
    def full(self) -> dict[str, Any]:
        """The card as written beside the tables, with the keys that yadism and eko want."""
        return {**_ADDED, **self.raw}

    def yadism(self, scheme: str, nf: int, parts: str, order: int, tmc: bool) -> dict[str, Any]:
        """yadism's theory dictionary for one part of FONLL."""
        changed = {"FNS": scheme, "NfFF": nf, "FONLLParts": parts, "PTODIS": order, "TMC": self.raw["TMC"] * tmc}
        return {**self.full, "PTO": self.light_order, **changed}


def read_card(card: str | int | Path) -> TheoryCard:
    """The card of a number in nnpdf-data (`40000000`, `40_000_000`) or of a YAML file.

    Raises `TheoryError` if there is none, and with every key whose value cannot be computed.
    """
    path = _find(str(card))
    raw = read_theory_card(path)
    if not isinstance(raw, dict):
        raise TheoryError(f"the theory card {path} is not a mapping of keys to values")
    absent = [f"{key}: is missing" for key in _NEEDED if raw.get(key) is None]
    faults = absent or [*_wrong_numbers(raw), *_unsupported(raw), *_scheme_faults(raw)]
    if faults:
        raise TheoryError("\n".join(f"{path}: {fault}" for fault in faults))
    return TheoryCard(raw=dict(raw), path=path)


def _find(card: str) -> Path:
    path = Path(os.path.expanduser(card))
    if os.path.isfile(path):
        return path
    number = card.replace("_", "")
    if not number.isdecimal():
        raise TheoryError(f"there is no theory card {card!r}: give a YAML file or the number of one in nnpdf-data")
    known = THEORY_CARDS / f"{number}.yaml"
    if not os.path.isfile(known):
        numbers = [each.stem for each in THEORY_CARDS.glob("*.yaml")]
        raise TheoryError(f"nnpdf-data has no theory card {number}{nearest(number, numbers)}")
    return known


def _wrong_numbers(raw: dict[str, Any]) -> list[str]:
    faults = [f"{key}: must be a number, given {raw[key]!r}" for key in _NUMBERS if not _is_number(raw[key])]
    faults += [
        f"{key}: must be greater than 0, given {raw[key]!r}"
        for key in _POSITIVE
        if _is_number(raw[key]) and not raw[key] > 0
    ]
    if _is_number(raw["ID"]) and (raw["ID"] != int(raw["ID"]) or raw["ID"] < 0):
        faults.append(f"ID: must be a whole number that is not negative, given {raw['ID']!r}")
    ckm = raw["CKM"]
    if not isinstance(ckm, list) or len(ckm) != 9 or not all(map(_is_number, ckm)):
        faults.append(f"CKM: must be the 9 numbers of the matrix, row by row, given {ckm!r}")
    return faults


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _unsupported(raw: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {raw[key]!r} is not supported, accepted: {', '.join(map(repr, accepted))}"
        for key, accepted in _ONLY.items()
        if key in raw and not any(raw[key] == value for value in accepted)
    ]


def _scheme_faults(raw: dict[str, Any]) -> list[str]:
    orders = _SCHEMES.get(raw["FNS"]) if isinstance(raw["FNS"], str) else None
    if orders is None:
        return [f"FNS: {raw['FNS']!r} is not supported, accepted: {', '.join(map(repr, _SCHEMES))}"]
    if not all(_is_number(raw[key]) for key in ("PTO", "mc", "Q0", "mb", "mt")):
        return []  # already a fault: not a number
    faults = []
    if raw["PTO"] != orders[0]:
        faults.append(f"PTO: {raw['PTO']!r} does not go with FNS {raw['FNS']}, accepted: {orders[0]}")
    if not raw["mc"] < raw["Q0"] < raw["mb"]:
        faults.append(f"Q0: must lie between mc = {raw['mc']} and mb = {raw['mb']} GeV, given {raw['Q0']}")
    if not raw["mb"] < raw["mt"]:
        faults.append(f"mt: must be greater than mb = {raw['mb']} GeV, given {raw['mt']}")
    return faults
