"""Reading `tries.json`, ours and n3fit's.

n3fit writes arrays as numpy's text, some numbers as text, and NaN and Infinity as no JSON parser must accept. All of
that is read here by a small parser of its own; nothing is evaluated.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from sys import intern
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import Trial
from hyperparton.trials.tries_entry import from_tries

__all__ = ["parse_array_text", "read_trials", "read_tries"]

_LOG = logging.getLogger(__name__)

#: letters of a text that may stand in many trials, at most
_WORD = 40

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_TOKEN = re.compile(r"\s*(?:(\[)|(\])|([^\s\[\],]+))\s*,?")


def read_trials(path: str | Path, keep: Callable[[Trial], Any] = lambda trial: trial) -> list[Any]:
    """The trials of a scan's folder or `tries.json`, hyperparton's or n3fit's, in the order of the file.

    What `keep` gives for a trial is kept of it: a file with one trial a line, as hyperparton writes it, is never in
    memory as a whole. Raises StoreError if there is no file, or if it is no list of trials.
    """
    tries = ScanFolder.find(path).tries

    def made(position: int, entry: dict[str, Any]) -> Any:
        try:
            trial = from_tries(entry, position)
        except ValueError as fault:
            raise StoreError(f"{tries}: trial {_shown(entry, position)}: {fault}") from fault
        return keep(trial)

    return _read(tries, made)


def read_tries(path: str | Path, keep: Callable[[dict[str, Any]], Any] = lambda entry: entry) -> list[Any]:
    """The entries of a `tries.json` as hyperparton or n3fit wrote it, dictionaries, in the order of the file.

    In `result` and `misc`, numbers and arrays that stand as text become numbers and lists; NaN and infinity are None.
    `keep` is as for `read_trials`, which gives trials with names for what they hold. Raises StoreError if the file is
    missing or is no list of trials.
    """
    return _read(Path(path), lambda i, entry: keep(entry))


def _read(path: Path, made: Callable[[int, dict[str, Any]], Any]) -> list[Any]:
    try:
        try:
            return [made(i, _entry(path, i, entry)) for i, entry in enumerate(_by_line(path))]
        except ValueError:
            entries = _parsed(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise StoreError(f"{path}: must be a list of trials, given {type(entries).__name__}")
        return [made(i, _entry(path, i, entry)) for i, entry in enumerate(entries)]
    except StoreError:
        raise
    except OSError as fault:
        raise StoreError(f"{path}: cannot be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise StoreError(f"{path}: not JSON: {fault}") from fault
    except RecursionError as fault:
        raise StoreError(f"{path}: is nested too deep to be trials") from fault


def _by_line(path: Path) -> Iterator[Any]:
    """The entries of a list that has one on each line; ValueError if it has not."""
    with path.open(encoding="utf-8") as file:
        line = file.readline()
        if line != "[\n":
            raise ValueError("not one entry a line")
        for following in file:
            if line != "[\n":
                yield _parsed(line.removesuffix(",\n"))
            line = following
    if line != "]\n":
        raise ValueError("not one entry a line")


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: None)


def _entry(path: Path, position: int, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(part), dict) for part in ("result", "misc")):
        raise StoreError(f"{path}: entry {position} is no trial: it needs the dictionaries `result` and `misc`")
    where = (f"{path}: trial {_shown(entry, position)}",)
    return {**entry, "result": _plain(entry["result"], where), "misc": _plain(entry["misc"], where)}


def _shown(entry: dict[str, Any], position: int) -> object:
    """How messages call an entry: by its number, or where it stands if that is none."""
    number = entry.get("tid", position)
    return number if isinstance(number, int) and abs(number) < 2**53 else f"at place {position}"


def _plain(value: Any, where: tuple[str, ...]) -> Any:
    kind = type(value)  # json makes no others
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        # each line of a file is parsed by itself, and would have words of its own: megabytes in thousands of trials
        return {intern(key): _plain(entry, (*where, key)) for key, entry in value.items()}
    if kind is list:
        return [_plain(entry, where) for entry in value]
    if kind is not str:
        return value
    if value[:1].isalpha() and value[:1] not in "nNiI":  # a word, and neither NaN nor infinity
        return intern(value) if len(value) < _WORD else value
    if _NUMBER.fullmatch(value.strip()):
        return _number(value.strip())
    if value.lstrip().startswith("["):
        return _array(value, where)
    return intern(value) if len(value) < _WORD else value


def _array(text: str, where: tuple[str, ...]) -> Any:
    if "..." in text:
        _LOG.warning("%s: numpy shortened this array to %r; it is read as missing", ": ".join(where), text[:40])
        return None
    try:
        return parse_array_text(text)
    except ValueError:
        return text


def parse_array_text(text: str) -> list[Any]:
    """An array of numbers as numpy prints it, `[[1. 2.]\\n [3. nan]]`, as nested lists; raises ValueError."""
    root: list[Any] = []
    stack = [root]
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() != end or (end and len(stack) == 1):
            raise ValueError(f"not an array: {text[:60]!r}")
        end = token.end()
        opening, closing, word = token.groups()
        if opening:
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif closing:
            stack.pop()
        elif len(stack) > 1 and _NUMBER.fullmatch(word):
            stack[-1].append(_number(word))
        else:
            raise ValueError(f"not a number: {word!r}")
    if end != len(text) or len(stack) != 1 or len(root) != 1:
        raise ValueError(f"not an array: {text[:60]!r}")
    return root[0]


def _number(text: str) -> float | int | None:
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None
