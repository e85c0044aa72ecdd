"""Whether the parts of a scan's folder belong together: store, `tries.json`, `progress.json`, count in `tries.lock`.

A log that was lost, a store of another scan or one that was copied while it changed are whole files, so no store
notices by itself. But `tries.json` names the finished trials, and the count says how many trials the store had: what
they know must be in the store. A store that is ahead of them is usual: the scan was killed before they were written.
`progress.json` names the scan by the checksum of what the store keeps of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from os.path import isfile
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import checksum
from hyperparton.trials.result import STATUSES
from hyperparton.trials.strict_json import decode

__all__ = ["Count", "entries_in", "refuse_losses", "scan_word"]

#: what `tries.json` is when hyperparton wrote it: one trial a line
_HEAD, _TAIL, _COMMA = b"[\n", b"]\n", b",\n"


@dataclass(frozen=True)
class Count:
    """What a store held when it was last written to; its checksum tells a damaged one."""

    scan: str
    """the store's own random word"""
    booked: int
    finished: int

    #: the key of a lock's notes under which it is kept
    key = "scan"

    def note(self) -> dict[str, object]:
        """As it is kept in a lock's file."""
        return {self.key: {**asdict(self), "checksum": self._checksum}}

    @classmethod
    def of(cls, notes: Any) -> Count | None:
        """The count in the notes of a lock; None if there is none, or a damaged one."""
        try:
            given = dict(notes[cls.key])
            said = given.pop("checksum")
            count = cls(str(given.pop("scan")), *(int(given.pop(name)) for name in ("booked", "finished")))
        except (KeyError, TypeError, ValueError):
            return None
        return count if said == count._checksum else None

    @property
    def _checksum(self) -> str:
        return checksum(f"{self.scan} {self.booked} {self.finished}")[:8]


def scan_word(kept: Mapping[str, Any]) -> str:
    """A word for what a scan is, from what its store keeps of that: search space, settings and `metadata`.

    What may differ from start to start is left out: the lag, which may be asked for or not, and notes.
    """
    parts = (("settings", "lag"), ("metadata", "notes"))
    same = [{key: value for key, value in dict(kept.get(part) or {}).items() if key != out} for part, out in parts]
    return checksum(json.dumps(same, sort_keys=True))[:16]


def refuse_losses(path: Path, store: str, lines: Iterable[tuple[int, bytes]]) -> None:
    """Raise StoreError if the `tries.json` at `path` has a finished trial that `lines` lack, or have differently.

    `lines` are the trials of the store called `store` by number, as lines of the file. What cannot be read of a damaged
    file is passed over.
    """
    there = iter(lines)
    number, line = next(there, (None, b""))
    for text in _entries(path):
        if text == line:
            number, line = next(there, (None, b""))
            continue
        entry = _parsed(text)
        if entry is None:
            continue
        while number is not None and isinstance(entry["tid"], int) and number < entry["tid"]:
            number, line = next(there, (None, b""))
        if number != entry["tid"] or not _same(entry, decode(line)):
            raise StoreError(
                f"{path}: trial {entry['tid']!r} is not in the store {store}, or not as it is here: one of the two is "
                "of another scan, damaged or older. Put back what belongs together; or move the file away to go on "
                "with what the store has, or start in a new folder with the trials of the file (scan --from)"
            )
        number, line = next(there, (None, b""))


def entries_in(path: Path) -> int:
    """How many entries a `tries.json` has, as far as it can be read; it is only counted."""
    return sum(1 for _ in _entries(path))


def _entries(path: Path) -> Iterator[bytes]:
    """The entries of the file as text: its lines, or what they are in another form."""
    if not isfile(path):
        return
    try:
        with path.open("rb") as file:
            if file.readline() == _HEAD:
                yield from (line.removesuffix(_COMMA).removesuffix(b"\n") for line in file if line != _TAIL)
                return
            file.seek(0)
            content = decode(file.read())
    except (FileNotFoundError, ValueError, RecursionError):
        return
    except OSError as fault:
        raise StoreError(f"{path}: cannot be read: {fault.strerror}") from fault
    for entry in content if isinstance(content, list) else ():
        yield json.dumps(entry).encode()


def _parsed(text: bytes) -> dict[str, Any] | None:
    """The entry of a finished trial; None for anything else."""
    try:
        entry = decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("result"), dict):
        return None
    if entry["result"].get("status") not in STATUSES:
        return None
    return {"tid": None, **entry}


def _same(entry: dict[str, Any], mine: dict[str, Any]) -> bool:
    misc = entry.get("misc")
    vals = misc.get("vals") if isinstance(misc, dict) else None
    return entry["result"] == mine["result"] and vals == mine["misc"]["vals"]
