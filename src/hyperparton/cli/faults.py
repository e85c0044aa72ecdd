"""Faults of a runcard on a terminal: of many that are alike the first few, and how to see all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hyperparton.errors import Fault, shortened
from hyperparton.text import counted

__all__ = ["fault_lines"]

#: how many faults of one kind are shown, and how many letters of each
_FIRST, _LETTERS = 5, 300

#: words at the beginning of a message that two faults of one kind share
_WORDS = 3


def fault_lines(faults: Sequence[Fault]) -> list[str]:
    """A line for each fault, beginning with its place; of a kind with more than five the first, and how many follow.

    Faults are of one kind if they are in the same list of the card and their messages begin alike.
    """
    counts = Counter(map(_kind, faults))
    shown: Counter[tuple[str, ...]] = Counter()
    lines = []
    for fault in faults:
        kind = _kind(fault)
        shown[kind] += 1
        if counts[kind] <= _FIRST or "[" not in fault.path:
            lines.append(str(fault))
        elif shown[kind] <= _FIRST:
            lines.append(shortened(str(fault), _LETTERS))
        elif shown[kind] == counts[kind]:
            lines.append(
                f"{fault.file or 'the card'}: {counted(counts[kind] - _FIRST, 'more such fault')}, {counts[kind]} in "
                "all; `hyperparton check --all` lists them whole"
            )
    return lines


def _kind(fault: Fault) -> tuple[str, ...]:
    return (str(fault.file), re.sub(r"\[\d+\]", "[]", fault.path), *fault.message.split()[:_WORDS])
