"""Dictionaries and lists inside a space that nobody can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FrozenDict", "FrozenList", "freeze"]


@dataclass(frozen=True)
class FrozenDict(Mapping[str, Any]):
    """A dictionary inside a frozen tree; it evaluates to a new `dict`."""

    entries: tuple[tuple[str, Any], ...]

    def __getitem__(self, key: str) -> Any:
        for name, value in self.entries:
            if name == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class FrozenList(tuple):
    """A list inside a frozen tree; it evaluates to a new `list`."""

    __slots__ = ()


def freeze(node: Any) -> Any:
    """The same structure with no part that can change; arrays and numpy's numbers become Python's."""
    if isinstance(node, Mapping):
        return FrozenDict(tuple((str(key), freeze(value)) for key, value in node.items()))
    if isinstance(node, np.ndarray | np.generic):
        return freeze(node.tolist())
    if isinstance(node, tuple) and not isinstance(node, FrozenList):
        return tuple(freeze(value) for value in node)
    if isinstance(node, list | FrozenList):
        return FrozenList(freeze(value) for value in node)
    return node
