"""Strict JSON, in which trials are kept and sent: NaN and infinity are null, arrays are lists."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Decoded", "decode", "decode_dictionary", "decode_line", "encode", "encode_strict", "json_line", "strict"]

#: levels of lists and dictionaries at most, and characters of a place that is deeper
_DEEPEST, _PLACE = 100, 60


def encode(document: Any) -> str:
    """Strict JSON on one line; raises TypeError or ValueError for anything that JSON cannot hold."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(", ", ": "))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, from a file name that is no UTF-8: kept as its escape
        return json.dumps(document, allow_nan=False, separators=(", ", ": "))
    return text


def encode_strict(data: Any) -> str:
    """The JSON of what `strict` gave, on one line without spaces; what is no JSON data is not always refused here.

    It is ten times as fast as `encode`: a result may hold millions of numbers.
    """
    try:
        return msgspec.json.encode(data).decode()
    except UnicodeEncodeError:  # half a pair of surrogates
        return encode(data)


def decode(text: str | bytes) -> Any:
    """The data of a JSON text, as `json.loads` reads it; raises ValueError or RecursionError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError):  # NaN, or halves of pairs, or no JSON at all
        return json.loads(text)


class Decoded(dict[str, Any]):
    """A dictionary that was read from strict JSON, with its `text`, so that nothing encodes it again."""

    __slots__ = ("text",)

    text: str

    @classmethod
    def of(cls, text: str, data: Mapping[str, Any]) -> Decoded:
        """The `data` of this text."""
        made = cls(data)
        made.text = text
        return made


def decode_dictionary(text: str) -> Any:
    """As `decode`; a dictionary keeps its text if that is strict JSON."""
    try:
        data = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return json.loads(text)
    return Decoded.of(text, data) if type(data) is dict else data


def json_line(data: Mapping[str, Any]) -> str:
    """As `encode_strict`, with the text of each value that was decoded before."""
    texts = {key: msgspec.Raw(value.text) for key, value in data.items() if isinstance(value, Decoded)}
    try:
        return msgspec.json.encode({**data, **texts}).decode()
    except UnicodeEncodeError:
        return encode(data)


def decode_line(line: bytes, apart: str) -> dict[str, Any]:
    """The dictionary of a line; each dictionary of the list `apart` in it keeps its text."""
    try:
        parts = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        each = msgspec.json.decode(parts[apart], type=list[msgspec.Raw]) if apart in parts else []
    except (msgspec.MsgspecError, UnicodeError):
        return decode(line)
    told = {key: decode(bytes(part)) for key, part in parts.items() if key != apart}
    return {**told, apart: [decode_dictionary(bytes(part).decode()) for part in each]} if apart in parts else told


def strict(value: Any, path: str = "result") -> Any:
    """`value` as strict JSON data: arrays as lists, NaN and infinity as None, tuples as lists, keys as text.

    Raises TypeError naming the place of anything else, and ValueError for an integer that no float comes near (JSON has
    it, but few programs read it) and for what is nested so deep that it may hold itself.
    """
    try:
        return _strict(value, _DEEPEST)
    except (TypeError, ValueError):
        return _named_strict(value, path, _DEEPEST)


def _strict(value: Any, deep: int) -> Any:
    """As `strict`, without the places: these are only needed for a fault, and results hold thousands of numbers."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list and deep:
        if value and type(value[0]) is float and set(map(type, value)) == {float} and math.isfinite(sum(value)):
            return value.copy()
        return [_strict(entry, deep - 1) for entry in value]
    if kind is dict and deep:
        return {key if type(key) is str else str(key): _strict(entry, deep - 1) for key, entry in value.items()}
    if deep and callable(tolist := getattr(value, "tolist", None)):
        return _strict(tolist(), deep - 1)
    return _named_strict(value, "", deep)


def _named_strict(value: Any, path: str, deep: int) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if abs(value) > sys.float_info.max:
            raise ValueError(f"{path} is an integer larger than a float can be")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if not deep:
        raise ValueError(f"{path[:_PLACE]}... is nested deeper than {_DEEPEST} levels: does it hold itself?")
    if isinstance(value, Mapping):
        return {str(key): _named_strict(entry, f"{path}[{key!r}]", deep - 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_named_strict(entry, f"{path}[{i}]", deep - 1) for i, entry in enumerate(value)]
    if callable(getattr(value, "tolist", None)):
        return _named_strict(value.tolist(), path, deep - 1)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")
