"""Reads quickly the part of YAML that nnpdf-data's files of numbers are written in.

A covariance of 600 points and 1,000 uncertainties is 20 MB of text, a minute for a YAML library in Python and a
second here.  Only block mappings and sequences of plain scalars are read; everything else (flow style, comments,
anchors, text over several lines) raises `NotSimpleError` and the caller turns to a full YAML library, so that a file is
either read as YAML says or not at all.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ["NotSimpleError", "read_block", "read_table", "top_level"]

_TEXT = re.compile(r"(?:[A-Za-z_]|[0-9]+ [A-Za-z])(?!.*(?:: | #)).*(?<!:)\Z")
_QUOTED = re.compile(r"'[^'\n]*'\Z|\"[^\"\\\n]*\"\Z")
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.+\-/()]*):(?: +(\S.*))?\Z")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_NULLS = frozenset({"null", "Null", "NULL"})
_NOT_TEXT = frozenset(["true", "false", "yes", "no", "on", "off", "y", "n"])


class NotSimpleError(ValueError):
    """The text needs a full YAML library."""


def top_level(text: str) -> dict[str, list[str]]:
    """Top-level key -> the lines of its value, of a document whose root is a block mapping without values in line."""
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.split("\n"):
        if line and line[0] not in " -":
            key = _KEY.match(line)
            if key is None or key[2] or key[1] in sections:
                raise NotSimpleError(line)
            current = sections[key[1]] = []
        elif line:
            if current is None or line.startswith("---"):
                raise NotSimpleError(line)
            current.append(line)
    return sections


def read_table(lines: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The keys of a block sequence of flat mappings with the same keys, and an array with a row of numbers for each."""
    if not lines:
        raise NotSimpleError("an empty table")
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    start, inner = " " * indent + "- ", " " * (indent + 2)
    ncol = next((n for n, line in enumerate(lines[1:], 1) if line.startswith(start)), len(lines))
    pairs = [line.partition(": ") for line in lines]
    keys = [pair[0] for pair in pairs[:ncol]]
    if len(lines) % ncol or [pair[0] for pair in pairs] != keys * (len(lines) // ncol):
        raise NotSimpleError("rows that differ")
    names = tuple(key[indent + 2 :] for key in keys)
    if not keys[0].startswith(start) or not all(key.startswith(inner) for key in keys[1:]):
        raise NotSimpleError(keys[0])
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.+\-/()]*", name) for name in names) or len(set(names)) < ncol:
        raise NotSimpleError(str(names))
    try:
        values = [float(pair[2]) for pair in pairs]
    except ValueError as error:
        raise NotSimpleError(str(error)) from error
    if not np.all(np.isfinite(values)):  # float() knows words for these that YAML does not
        raise NotSimpleError("not a number")
    return names, np.array(values).reshape(-1, ncol)


def read_block(lines: list[str]) -> object:
    """Nested dicts, lists, numbers, text and None of a block of lines without blank lines."""
    if not lines:
        return None
    value, end = _node(lines, 0, len(lines[0]) - len(lines[0].lstrip(" ")))
    if end != len(lines):
        raise NotSimpleError(lines[end])
    return value


def _node(lines: list[str], at: int, indent: int) -> tuple[object, int]:
    return (_sequence if lines[at].startswith(" " * indent + "-") else _mapping)(lines, at, indent)


def _sequence(lines: list[str], at: int, indent: int) -> tuple[list, int]:
    items: list = []
    mark = " " * indent + "- "
    while at < len(lines) and lines[at].startswith(mark):
        body = lines[at][indent + 2 :]
        if _KEY.match(body):
            # the item is a mapping that begins on the line of the dash: read it as if it stood two columns in
            lines[at] = " " * (indent + 2) + body
            item, at = _mapping(lines, at, indent + 2)
        else:
            item, at = _scalar(body), at + 1
        items.append(item)
    return items, at


def _mapping(lines: list[str], at: int, indent: int) -> tuple[dict, int]:
    entries: dict = {}
    while at < len(lines) and _depth(lines[at]) == indent and not lines[at].startswith("-", indent):
        key = _KEY.match(lines[at][indent:])
        if key is None or key[1] in entries:
            raise NotSimpleError(lines[at])
        at += 1
        if key[2] is not None:
            entries[key[1]] = _scalar(key[2])
            continue
        below = _depth(lines[at]) if at < len(lines) else -1
        if below > indent or (below == indent and lines[at].startswith("- ", indent)):
            entries[key[1]], at = _node(lines, at, below)
        else:
            entries[key[1]] = None
    if not entries:
        raise NotSimpleError(lines[at])
    return entries, at


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _scalar(text: str) -> object:
    text = text.rstrip(" ")
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if text in _NULLS:
        return None
    if _QUOTED.match(text):
        return text[1:-1]
    if _TEXT.match(text) and text.lower() not in _NOT_TEXT:
        return text
    raise NotSimpleError(text)
