"""The `.info` file of a PDF set in LHAPDF's format (arXiv:1412.7420, section 3.3): read, and checked entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hyperparton.errors import Fault, PDFSetError, RuncardError
from hyperparton.runcard.yaml_positions import Document, parse_document

__all__ = ["SetInfo", "read_info"]

Check = tuple[Callable[[Any], bool], str]

#: larger numbers do not fit into the 32 bits that LHAPDF's entries have
_LARGEST = 2**31


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _are_flavours(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_whole, value)) and 0 < len(value) == len(set(value))


def _are_positive(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(each) and each > 0 for each in value)


_POSITIVE: Check = (lambda value: _is_number(value) and value > 0, "a number above 0")
_COUNT: Check = (lambda value: _is_whole(value) and value >= 0, "a whole number from 0")
_NUMBER: Check = (_is_number, "a number")
_TEXT: Check = (lambda value: isinstance(value, str), "text")
_NUMBERS: Check = (_are_positive, "a list of numbers above 0")

#: entries that every set must have
_REQUIRED: Mapping[str, Check] = MappingProxyType(
    {
        "SetDesc": (lambda value: value is not None, "text"),
        "SetIndex": _COUNT,
        "Format": (lambda value: value == "lhagrid1", "lhagrid1"),
        "NumMembers": _COUNT,
        "Flavors": (_are_flavours, "a list of different PDG numbers"),
        "XMin": _POSITIVE,
        "XMax": _POSITIVE,
        "QMin": _POSITIVE,
        "QMax": _POSITIVE,
    }
)

#: entries that are checked in the sets that have them
_OPTIONAL: Mapping[str, Check] = MappingProxyType(
    {
        "OrderQCD": _COUNT,
        "ErrorType": _TEXT,
        "Particle": (_is_whole, "a PDG number"),
        "InterpolatorType": (lambda value: value == "LogBicubic", "LogBicubic, the interpolation of LHAPDF"),
        "AlphaS_OrderQCD": _COUNT,
        "AlphaS_Qs": _NUMBERS,
        "AlphaS_Vals": _NUMBERS,
        "MZ": _NUMBER,
        "MCharm": _NUMBER,
        "MBottom": _NUMBER,
        "MTop": _NUMBER,
    }
)


@dataclass(frozen=True)
class SetInfo:
    """What the `.info` of a set says."""

    members: int
    """how many members it has, the central one included"""
    flavours: frozenset[int]
    """PDG numbers; the gluon is 21"""


def read_info(path: Path) -> SetInfo:
    """Read a `.info` file.

    Raises `PDFSetError` with everything that is wrong with it, one line each with its place: an entry that is missing,
    of another type or outside its range, or a file that is not there or no YAML.
    """
    try:
        # names of authors are not always in UTF-8; nothing that is used here is outside ASCII
        document = parse_document(path.read_text(encoding="utf-8", errors="replace"), path)
        faults = list(_faults(document))
    except OSError as error:
        raise PDFSetError(f"{path} cannot be read: {error.strerror}") from error
    except RuncardError as error:
        faults = list(error.faults)
    if faults:
        raise PDFSetError("\n".join(map(str, faults)))
    content = document.content
    return SetInfo(content["NumMembers"], frozenset(21 if pid == 0 else pid for pid in content["Flavors"]))


def _faults(document: Document) -> Iterator[Fault]:
    content, known = document.content, {**_REQUIRED, **_OPTIONAL}
    broken = [fault for fault in document.faults if fault.path.partition("[")[0] in known]
    yield from broken
    told = {fault.path.partition("[")[0] for fault in broken}
    for key, (right, accepted) in known.items():
        if key not in content:
            if key in _REQUIRED and key not in told:
                yield document.fault((), f"the .info of a PDF set lacks {key}", accepted=accepted)
        elif key not in told and not right(content[key]):
            told.add(key)
            yield document.fault((key,), "this cannot be used", repr(content[key])[:60], accepted)
    for low, high in (("XMin", "XMax"), ("QMin", "QMax")):
        if not told & {low, high} and {low, high} <= content.keys() and not content[low] < content[high]:
            yield document.fault((high,), f"this must be above {low}", repr(content[high]), f"above {content[low]!r}")
    pair = [content.get(key, []) for key in ("AlphaS_Qs", "AlphaS_Vals")]
    if not told & {"AlphaS_Qs", "AlphaS_Vals"} and len(pair[0]) != len(pair[1]):
        given = f"{len(pair[0])} and {len(pair[1])} numbers"
        yield document.fault(("AlphaS_Vals",), "AlphaS_Qs and AlphaS_Vals must be equally long", given)
