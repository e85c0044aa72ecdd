"""What a report is made of: panels, each a figure with its numbers, in sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from hyperparton.report.plots.style import Figure
from hyperparton.report.tables import Table
from hyperparton.trials.trial import Trial

__all__ = ["Panel", "Section", "with_file_names"]

#: letters of the name of a file at most; each may be four bytes
_FILE_NAME = 48


@dataclass(frozen=True, eq=False)
class Panel:
    """One figure of a report, with its numbers."""

    name: str
    """of its files"""
    title: str
    """what stands at its head"""
    reading: str
    """how to read it"""
    table: Table
    """its numbers; `table.csv()` is their text"""
    draw: Callable[[], Figure] | None = None
    """makes the figure of matplotlib, anew at each call; None for a panel that is a table"""
    small: bool = False
    """whether several stand side by side"""
    trials: tuple[Trial, ...] = ()
    """those of the points of its figure, in the order of `style.touch`"""
    listed: bool = False
    """whether the page shows the table too"""


@dataclass(frozen=True, eq=False)
class Section:
    """Panels under one heading; `note` says what is missing where there are none."""

    key: str
    title: str
    panels: tuple[Panel, ...]
    reading: str = ""
    note: str = ""
    details: tuple[tuple[str, str], ...] = ()
    """texts that a reader unfolds, each with a title"""


def with_file_names(parts: Sequence[Section]) -> list[Section]:
    """The sections with names of panels that files can have, no two of them the same in capitals or small letters."""
    taken: set[str] = set()

    def renamed(panel: Panel) -> Panel:
        base = re.sub(r"[^\w.-]+", "_", panel.name)[:_FILE_NAME]
        names = (base if k == 1 else f"{base}-{k}" for k in count(1))
        name = next(name for name in names if name.casefold() not in taken)
        taken.add(name.casefold())
        return replace(panel, name=name)

    return [replace(part, panels=tuple(renamed(panel) for panel in part.panels)) for part in parts]
