"""n3fit's refusal of a runcard as an error that says which card, where in it and what was given.

n3fit says the rule, and rarely the value or the place. Both are found again in the card: by a text of the card's that
n3fit's words repeat, else by the name of a key in them. Where they name no entry, or more than one, only the card is
named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperparton.errors import RuncardError
from hyperparton.runcard.yaml_positions import KeyPath, parse_document

__all__ = ["last_error", "refused"]

#: how n3fit's log begins a line, and what libraries tell beside it
_ERROR = re.compile(r"^\[(?:ERROR|CRITICAL)\]: *", re.MULTILINE)
_NEXT = re.compile(r"^\[[A-Z]+\]: ", re.MULTILINE)

#: lines that say which of n3fit's steps it was, or nothing
_STEPS = re.compile(
    r"Bad configuration encountered:|Cannot process a resource:|Could not process the resource .*|- Target .*|-+"
)

#: characters of what is shown where no error stands out, the last ones
_SHOWN = 2000


def refused(command: str, text: str, path: str | Path, words: str) -> RuncardError:
    """The error for the card `text`, read from `path`, that `command` refused with these `words`."""
    document = parse_document(text, Path(path))
    rule = "; ".join(line.rstrip(".") for line in _lines(words))
    message = f"{command} refuses the card: {rule}" if rule else f"{command} refuses the card without a word"
    named = _named(list(_entries(document.content)), rule)
    if named is None:
        return RuncardError([document.fault((), message)])
    place, value = named
    return RuncardError([document.fault(place, message, given=repr(value))])


def last_error(output: str) -> str:
    """What a command of n3fit's gave as its last error, of all that it and its libraries wrote; all if it gave none."""
    parts = _ERROR.split(output)
    return _NEXT.split(parts[-1])[0] if len(parts) > 1 else output.strip()[-_SHOWN:]


def _lines(words: str) -> list[str]:
    lines = (line.strip() for line in words.splitlines())
    return [line for line in lines if line and not _STEPS.fullmatch(line)]


def _entries(content: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The single values of a card with their places."""
    if isinstance(content, dict):
        parts: Iterator[tuple[Any, Any]] = iter(content.items())
    elif isinstance(content, list):
        parts = enumerate(content)
    else:
        yield path, content
        return
    for key, value in parts:
        yield from _entries(value, (*path, key))


def _named(entries: list[tuple[KeyPath, Any]], words: str) -> tuple[KeyPath, Any] | None:
    """The one entry whose text the words repeat, else the one whose key they name."""
    by_value = [(path, value) for path, value in entries if isinstance(value, str) and _says(words, value)]
    by_key = [(path, value) for path, value in entries if _says(words, str(path[-1]).replace("_", " "), str(path[-1]))]
    for named in (by_value, by_key):
        if named:
            return named[0] if len(named) == 1 else None
    return None


def _says(words: str, *names: str) -> bool:
    """Whether one of the names, of three letters or more, stands in the words by itself."""
    known = (re.escape(name) for name in names if len(name) > 2)
    return any(re.search(rf"(?<![\w-]){name}(?![\w-])", words, re.IGNORECASE) for name in known)
