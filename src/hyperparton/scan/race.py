"""The race among the trials of a scan: who is fitted again next, and when it is over.

It has rounds. In each some trials are fitted with their next block of replicas: those that may be the best by what is
known then, the scan and the re-fits of all rounds before it. So a trial whose fits fail makes room for another, and so
do those that are like it, for a scan's best trials are often much the same methodology. Each round takes half as many
trials as the one before it, two at least, so that most of the computing goes where it tells most (successive halving:
Jamieson, Talwalkar, arXiv:1502.07943). All trials have the same replicas in the same order, so two are compared by
pairs (as in F-race: Birattari et al., GECCO 2002).

The race is over when the two best have all blocks, or when its fits are spent: twice those that it takes if nobody is
replaced. Who takes part in a round depends on
finished rounds alone, so the race is the same however many fits run at once and however often it is stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hyperparton.trials.refits import Refit

__all__ = ["MOST", "Race", "blocks_after", "candidates_within", "fits_of"]

#: replicas of each block
_BLOCKS = (5, 5, 10, 20)

#: so many of the best trials begin at most, where their number follows from the computing of the scan
MOST = 16


def blocks_after(used: int, count: int = len(_BLOCKS)) -> list[tuple[int, ...]]:
    """The replicas of so many blocks; those up to number `used` are the scan's own."""
    blocks, first = [], used + 1
    for size in _BLOCKS[:count]:
        blocks.append(tuple(range(first, first + size)))
        first += size
    return blocks


def _next_width(count: int) -> int:
    """How many trials a round takes after one of `count`."""
    return min(count, max(2, (count + 1) // 2))


def fits_of(count: int, blocks: int = len(_BLOCKS)) -> int:
    """Fits of replicas in a race that `count` trials begin, if all that go on were in the round before it."""
    fits = 0
    for size in _BLOCKS[:blocks]:
        fits, count = fits + size * count, _next_width(count)
    return fits


def candidates_within(fits: int) -> tuple[int, int]:
    """(trials, blocks) of the largest race that takes at most so many fits of replicas; (0, 0) if there is none."""
    for blocks in range(len(_BLOCKS), 0, -1):
        fitting = [count for count in range(2, MOST + 1) if fits_of(count, blocks) <= fits]
        if fitting:
            return fitting[-1], blocks
    return 0, 0


@dataclass(frozen=True)
class Race:
    """A race that `count` trials begin and that takes so many `fits` of replicas at most."""

    count: int
    blocks: Sequence[tuple[int, ...]]
    """the replicas of each block"""
    fits: int
    best_first: Callable[[int, Sequence[Refit]], Sequence[int]]
    """the trials in the order of what is known at a round of this number, from the re-fits of all before it"""
    _rounds: list[list[tuple[int, tuple[int, ...]]]] = field(default_factory=list)

    def wanted(self, refits: Iterable[Refit]) -> list[tuple[int, tuple[int, ...]]]:
        """(trial, replicas) of the round under way that `refits` do not have; none when the race is over."""
        held = {(refit.trial, refit.replicas): refit for refit in refits}
        known: list[Refit] = []
        width, number = self.count, 0
        while round_ := self._round(number, width, known):
            if missing := [each for each in round_ if each not in held]:
                return missing
            known += [held[each] for each in round_]
            width, number = _next_width(width), number + 1
        return []

    def _round(self, number: int, width: int, known: Sequence[Refit]) -> list[tuple[int, tuple[int, ...]]]:
        """The trials of a round with their replicas, from what is `known` before it."""
        if number == len(self._rounds):
            self._rounds.append(self._chosen(number, width, known))
        return self._rounds[number]

    def _chosen(self, number: int, width: int, known: Sequence[Refit]) -> list[tuple[int, tuple[int, ...]]]:
        had = Counter(refit.trial for refit in known)
        left = self.fits - sum(len(refit.replicas) for refit in known)
        order = self.best_first(number, known)
        if all(had[trial] == len(self.blocks) for trial in order[:2]):
            return []
        chosen = []
        for trial in order:
            if had[trial] == len(self.blocks):
                continue
            block = self.blocks[had[trial]]
            left -= len(block)
            if left < 0 or len(chosen) == width:
                break
            chosen.append((trial, block))
        return chosen
