"""Numbers of a card replaced where they stand; every other letter of its text, comments and layout, stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hyperparton.errors import RuncardError
from hyperparton.runcard.yaml_positions import Document, KeyPath, parse_document

__all__ = ["with_numbers"]

#: the ends of lines as YAML counts them
_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")

#: a number as it stands in a card, up to what follows it
_NUMBER = re.compile(r"[-+.\w]+")


def with_numbers(document: Document, numbers: Mapping[KeyPath, float]) -> Document:
    """The document with these numbers in the place of those that it has there.

    Raises RuncardError where a number does not stand at its own place alone, as one that an anchor or `<<` brings.
    """
    text, wanted = document.text, deepcopy(document.content)
    # from the end of the text on, so that places before stay
    for path, number in sorted(numbers.items(), key=lambda entry: document.values.get(entry[0], (0, 0)), reverse=True):
        begin = _offset(document.text, *document.values.get(path, (1, 1)))
        found = _NUMBER.match(text, begin)
        holder = _holder(wanted, path)
        if found is None or holder is None:
            raise _shared(document, path)
        text = f"{text[:begin]}{_written(number)}{text[found.end() :]}"
        holder[path[-1]] = number
    made = parse_document(text, document.file)
    if made.content != wanted:
        raise _shared(document, next(iter(numbers)))
    return made


def _holder(content: Any, path: KeyPath) -> Any:
    """What holds the entry at `path`; None if it is not there."""
    for part in path[:-1]:
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and part in range(len(content)):
            content = content[int(part)]
    return content if isinstance(content, dict) and path[-1] in content else None


def _shared(document: Document, path: KeyPath) -> RuncardError:
    message = "this number cannot be replaced by itself (an anchor or `<<` brings it): change it by hand"
    return RuncardError([document.fault(path, message)])


def _offset(text: str, line: int, column: int) -> int:
    """Where in the text a line and column lie, which count from 1."""
    begins = [0, *(end.end() for end in _LINE_END.finditer(text))]
    return begins[line - 1] + column - 1


def _written(number: float) -> str:
    """A number as a card has it: whole ones without a point, others with the digits that they need."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))
