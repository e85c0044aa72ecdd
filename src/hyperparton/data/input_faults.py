"""What is wrong with the inputs of a card, collected to be told together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hyperparton.errors import DataError, Fault, HyperpartonError, PDFSetError, RuncardError, TheoryError, shortened
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.check import in_order
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["InputFaults", "find_beside"]

_Result = TypeVar("_Result")


@dataclass
class InputFaults:
    """What is wrong with the data, the theory and the PDF set of a card, collected to be told together."""

    card: Runcard
    errors: list[tuple[KeyPath, HyperpartonError]] = field(default_factory=list)
    idle: list[Fault] = field(default_factory=list)
    """added rules that apply to no set of the card"""

    def attempt(self, path: KeyPath, action: Callable[[], _Result]) -> _Result | None:
        try:
            return action()
        except HyperpartonError as error:
            self.add(path, error)
            return None

    def add(self, path: KeyPath, error: HyperpartonError) -> None:
        self.errors.append((path, error))

    @property
    def faults(self) -> list[Fault]:
        """The errors, each line one, with their places in the card, in their order there."""
        lines = [(path, line) for path, error in self.errors for line in str(error).splitlines()]
        return in_order([self.card.fault(path, line) for path, line in lines])

    def raise_all(self) -> None:
        """An error of one kind if all are of it, a `RuncardError` otherwise; nothing if there are none."""
        for kind in (DataError, TheoryError, PDFSetError):
            if self.errors and all(isinstance(error, kind) for _, error in self.errors):
                raised = kind("\n".join(map(str, self.faults)))
                raised.faults = tuple(self.faults)
                raise raised
        if self.errors:
            raise RuncardError(self.faults)


def find_beside(card: Runcard, name: str) -> Path:
    """The file or folder that a card names: absolute, beside the card, or in the current folder.

    Raises `DataError` if it is not there.
    """
    path, folder = Path(os.path.expanduser(name)), None if card.path is None else Path(card.path).resolve().parent
    places = list(dict.fromkeys(each / path for each in (folder, Path.cwd()) if each is not None))
    for place in places:
        if os.path.exists(place):  # False too where a name cannot be one
            return place
    raise DataError(f"{shortened(name)} is not there; searched: {', '.join(map(str, places))}")
