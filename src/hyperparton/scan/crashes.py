"""Processes that died while they ran trials: which trials run again, which alone, and which fail."""

from __future__ import annotations

from collections.abc import Sequence

from hyperparton.errors import ScanError

__all__ = ["Crashes"]

#: how often a trial may end the process that runs it before it counts as failed
_DEATHS = 3

#: how many processes in a row may die before they have a trainer
_FALSE_STARTS = 10


class Crashes:
    """What is known of the processes of a scan that died."""

    def __init__(self) -> None:
        self._deaths: dict[int, int] = {}
        self._false_starts = 0
        #: trials that ended a process together with others: each runs alone, so that it counts for itself
        self.alone: set[int] = set()

    def none(self) -> None:
        """A process gave results."""
        self._false_starts = 0

    def at_start(self, how: str) -> None:
        """A process died before it had a trainer; ScanError if that happens too often in a row."""
        self._false_starts += 1
        if self._false_starts == _FALSE_STARTS:
            raise ScanError(f"{_FALSE_STARTS} processes one after the other died before they had a trainer: {how}")

    def in_trials(self, numbers: Sequence[int]) -> None:
        """A process died that ran these trials."""
        if len(numbers) > 1:
            self.alone.update(numbers)
        else:
            self._deaths[numbers[0]] = self._deaths.get(numbers[0], 0) + 1

    def fault(self, number: int, how: str) -> str | None:
        """Why the trial fails, if its process died too often, the last time `how`; None if it runs again."""
        deaths = self._deaths.get(number, 0)
        return None if deaths < _DEATHS else f"the process that ran it died {deaths} times; the last time {how}"
