"""Strict JSON, in which trials are kept and sent: NaN and infinity are null, arrays are lists."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import msgspec

__all__ = [
    "Decoded",
    "decode",
    "decode_answer",
    "decode_dictionary",
    "encode",
    "encode_bytes",
    "encode_strict",
    "strict",
]

#: levels of lists and dictionaries at most, and characters of a place that is deeper
_DEEPEST, _PLACE = 100, 60


def encode(document: Any) -> str:
    """Strict JSON on one line; raises TypeError or ValueError for anything that JSON cannot hold."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(", ", ": "), default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, from a file name that is no UTF-8: kept as its escape
        return json.dumps(document, allow_nan=False, separators=(", ", ": "), default=_plain)
    return text


def _plain(value: Any) -> dict[str, Any]:
    if isinstance(value, Decoded):
        return dict(value)
    raise TypeError(f"JSON cannot hold what is of type {type(value).__name__}")


def encode_strict(data: Any) -> str:
    """The JSON of what `strict` gave, on one line without spaces; what is no JSON data is not always refused here.

    It is ten times as fast as `encode`: a result may hold millions of numbers.
    """
    return encode_bytes(data).decode()


def encode_bytes(data: Any) -> bytes:
    """`encode_strict` in UTF-8."""
    try:
        return msgspec.json.encode(data, enc_hook=_text_of)
    except UnicodeEncodeError:  # half a pair of surrogates
        return encode(data).encode()


def _text_of(value: Any) -> msgspec.Raw:
    if isinstance(value, Decoded):
        return msgspec.Raw(value.text)
    raise TypeError(f"JSON cannot hold what is of type {type(value).__name__}")


def decode(text: str | bytes | bytearray) -> Any:
    """The data of a JSON text, as `json.loads` reads it; raises ValueError or RecursionError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError):  # NaN, or halves of pairs, or no JSON at all
        return json.loads(text)


class Decoded(Mapping[str, Any]):
    """A dictionary that is read from strict JSON: a value is decoded when somebody asks for it.

    It keeps its `text`, which `encode_strict` writes as it is. A result may hold millions of numbers that nobody looks
    at while it goes from a worker to a store and to `tries.json`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            self._values[key] = decode(bytes(self._parts[key]))
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return repr(dict(self))


def decode_dictionary(text: str) -> Any:
    """As `decode`; a dictionary is `Decoded` if the text is strict JSON."""
    try:
        return Decoded(text)
    except (msgspec.MsgspecError, UnicodeError):
        return decode(text)


class _Answer(msgspec.Struct):
    """A line with results; any other line is small."""

    ask: int | None = None
    results: list[msgspec.Raw] | None = None


def decode_answer(line: bytes | bytearray) -> dict[str, Any]:
    """The dictionary of a line; of one with `ask` and `results` these two, each result `Decoded`."""
    try:
        answer = msgspec.json.decode(line, type=_Answer)
    except (msgspec.MsgspecError, UnicodeError):
        return decode(line)
    if answer.ask is None or answer.results is None:
        return decode(line)
    return {
        "ask": answer.ask,
        "results": [decode_dictionary(str(memoryview(each), "utf-8")) for each in answer.results],
    }


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
    if deep and type(plain := _listed(value)) is not kind:
        return _strict(plain, deep - 1)
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
    if type(plain := _listed(value)) is not type(value):
        return _named_strict(plain, path, deep - 1)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")


def _listed(value: Any) -> Any:
    """What `tolist` of a value gives, or the value; numpy's long doubles give themselves."""
    if not callable(tolist := getattr(value, "tolist", None)):
        return value
    plain = tolist()
    return float(plain) if type(plain) is type(value) and isinstance(plain, Real) else plain
