"""Strict JSON, in which trials are kept and sent: NaN and infinity are null, arrays are lists."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["encode", "strict"]


def encode(document: Any) -> str:
    """Strict JSON on one line; raises TypeError or ValueError for anything that JSON cannot hold."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(", ", ": "))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, from a file name that is no UTF-8: kept as its escape
        return json.dumps(document, allow_nan=False, separators=(", ", ": "))
    return text


def strict(value: Any, path: str = "result") -> Any:
    """`value` as strict JSON data: arrays as lists, NaN and infinity as None, tuples as lists, keys as text.

    Raises TypeError naming the place of anything else.
    """
    try:
        return _strict(value)
    except TypeError:
        return _named_strict(value, path)


def _strict(value: Any) -> Any:
    """As `strict`, without the places: these are only needed for a fault, and results hold thousands of numbers."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list:
        return [_strict(entry) for entry in value]
    if kind is dict:
        return {key if type(key) is str else str(key): _strict(entry) for key, entry in value.items()}
    return _named_strict(value, "")


def _named_strict(value: Any, path: str) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _named_strict(entry, f"{path}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_named_strict(entry, f"{path}[{i}]") for i, entry in enumerate(value)]
    if callable(getattr(value, "tolist", None)):
        return _named_strict(value.tolist(), path)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")
