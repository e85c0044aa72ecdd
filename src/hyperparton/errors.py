"""The errors that hyperparton raises on purpose, one family.

Each is also the builtin that a caller would expect (`ValueError`, `FileNotFoundError`, ...), so code that
knows nothing of hyperparton can catch it.  The message says the rule, the value received and what is accepted.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = [
    "DataError",
    "EngineError",
    "Fault",
    "FolderInUseError",
    "HyperpartonError",
    "NoScanError",
    "NodeError",
    "OutputError",
    "PDFSetError",
    "ReportError",
    "RuncardError",
    "ScanError",
    "SpaceError",
    "StoreAwayError",
    "StoreError",
    "TheoryError",
    "TooManyFailuresError",
    "TrainingError",
    "TrialPrunedError",
    "WalltimeError",
    "WeightsError",
    "class_of",
    "is_of_disk",
    "is_of_node",
    "nearest",
    "printable",
    "shortened",
    "summary_of",
    "unknown",
    "words_of",
]

#: what a system says when a disk is full or gone, or when it has no more memory, files or processes to give
_OF_NODE = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "ENODEV", "ENXIO", "ENOMEM", "EMFILE", "ENFILE")
    if hasattr(errno, name)
)

#: the same of a disk or a network file system alone
_OF_DISK = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE") if hasattr(errno, name)
)

#: of SQLite: read-only, input or output failed, full
_FULL = frozenset({8, 10, 13})


#: characters of a name or value that a message shows, and of each part of a fault
_SHOWN, _LONGEST = 60, 1500


class HyperpartonError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback.

    `faults` are the lines of its message where each of them names its place in a runcard.
    """

    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a runcard: where it is, what the rule is, what was given, what is accepted."""

    message: str
    path: str = ""
    given: str | None = None
    accepted: str | None = None
    file: Path | str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = ": ".join(part for part in (place, self.path, shortened(self.message, _LONGEST)) if part)
        if self.given is not None:
            text += f", given {shortened(self.given, _LONGEST)}"
        if self.accepted is not None:
            text += f", accepted: {shortened(self.accepted, _LONGEST)}"
        return printable(text)


class RuncardError(HyperpartonError, ValueError):
    """A runcard that cannot be used; `faults` holds everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]):
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class SpaceError(HyperpartonError, ValueError):
    """A search space or a sampler that cannot be built or evaluated."""


class EngineError(HyperpartonError, ValueError):
    """An engine that is unknown or cannot use a space or a history."""


class ScanError(HyperpartonError, RuntimeError):
    """A scan that ends without a usable trial."""


class NodeError(ScanError):
    """A scan that this machine cannot run: JAX does not start, data or theory are not here, there is no room on a disk.

    Nothing was booked, or what was is released: another machine can run it.
    """


class TooManyFailuresError(ScanError):
    """A scan that was ended because too many trials failed one after the other."""


class WalltimeError(HyperpartonError, TimeoutError):
    """A scan whose time is over while trials are left; the same command continues it."""


class TrialPrunedError(HyperpartonError):
    """A trial that is stopped before its end because it cannot become one of the best; raised by a scan's `report`.

    `record` is what the scan keeps of it: status, loss, reason and the checkpoint. A trainer may put what it knows of
    the fits as they stood into `result`; that is kept too.
    """

    def __init__(self, reason: str, record: Mapping[str, Any]):
        self.record = record
        self.result: Mapping[str, Any] = {}
        super().__init__(reason)


class DataError(HyperpartonError, ValueError):
    """Measured data that are missing, unknown or do not fit together."""


class TheoryError(HyperpartonError, FileNotFoundError):
    """A theory or FK table that is missing or cannot be read."""


class OutputError(HyperpartonError, OSError):
    """Output, or a log, that cannot be written."""


class PDFSetError(HyperpartonError, FileNotFoundError):
    """A PDF set that is missing or cannot be read."""


class StoreError(HyperpartonError, OSError):
    """A trial store that is held by another scan, damaged or does not belong to this scan."""


class NoScanError(StoreError):
    """A database that could hold a scan and is empty."""


class StoreAwayError(StoreError):
    """A database server that does not answer just now: it restarts, is stopped, or the connection was lost.

    What was asked may have been done.
    """


class FolderInUseError(StoreError):
    """Another process works in a folder; `holder` is what it wrote into its lock: `pid`, `host` and its notes."""

    def __init__(self, folder: Path, work: str, holder: Mapping[str, object]) -> None:
        self.holder = dict(holder)
        super().__init__(
            f"{folder}: another {work} works in this folder: process {holder.get('pid', 'unknown')} on host "
            f"{holder.get('host', 'unknown')}; wait for it, stop it, or choose another folder"
        )


class ReportError(HyperpartonError, ValueError):
    """A filter or a choice of a report that is not understood, or trials that it cannot be made of."""


class WeightsError(HyperpartonError, ValueError):
    """A file of weights that is missing, cannot be read or is one of another network."""


class TrainingError(HyperpartonError, RuntimeError):
    """A fit that cannot be set up or whose numbers are not usable."""


def is_of_node(fault: BaseException) -> bool:
    """Whether it, or what caused it, is what a system says of itself: no room on the disk, no memory left.

    SQLite says so in its own way.
    """
    return any(isinstance(each, MemoryError) or _says(each, _OF_NODE) for each in _with_causes(fault))


def is_of_disk(fault: BaseException) -> bool:
    """Whether it, or what caused it, is a disk that is full, read-only or gone: a trial in which that is said may
    succeed on another machine. How much memory a trial takes is its own doing.
    """
    return any(_says(each, _OF_DISK) for each in _with_causes(fault))


def _says(fault: BaseException, codes: frozenset[int]) -> bool:
    code = fault.errno if isinstance(fault, OSError) else None
    return code in codes or getattr(fault, "sqlite_errorcode", -1) & 0xFF in _FULL


def _with_causes(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__


def words_of(fault: BaseException) -> str:
    """What an exception says, also one that fails when it is asked."""
    try:
        return str(fault)
    except BaseException as second:
        return f"(what it says is not known: its __str__ raised {class_of(second)})"


def class_of(fault: BaseException) -> str:
    """The name of an exception's class, whatever a metaclass of a library says of it."""
    return type.__dict__["__name__"].__get__(type(fault))


def summary_of(fault: BaseException) -> str:
    """An exception in a line: its class and what it says, if anything."""
    return ": ".join(filter(None, (class_of(fault), words_of(fault))))


def printable(text: str, keep: str = "") -> str:
    """`text` as a terminal may be given it: what does not print, or would steer the terminal, is written as an escape.

    The letters of `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else repr(each)[1:-1] for each in text)


def shortened(text: str, length: int = _SHOWN) -> str:
    """`text` as a message shows it: its beginning if it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def nearest(word: str, known: Iterable[str]) -> str:
    """The clause ``(did you mean 'x'?)`` for the known word closest to `word`, or nothing."""
    names = [str(name) for name in known]
    if len(str(word)) > 2 * max(map(len, names), default=0):  # no slip of the pen, and long to compare
        return ""
    match = get_close_matches(str(word), names, n=1, cutoff=0.5)
    return f" (did you mean {match[0]!r}?)" if match else ""


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """The message that there is no `what` of that name: the nearest that is known, and all that are accepted."""
    accepted = list(known)
    return f"unknown {what} {name!r}{nearest(str(name), accepted)}, accepted: {', '.join(accepted)}"
