"""The race among the best trials of a scan: who is fitted again next, and when it is over.

It has rounds. In each all that are left are fitted with the same new replicas, and the worse half leaves, so that most
of the computing goes where it tells most (successive halving: Jamieson, Talwalkar, arXiv:1502.07943; with the same
replicas for all as in F-race: Birattari et al., GECCO 2002). Two are left to the end. Who leaves depends only on what
earlier rounds gave, so the race is the same however many fits run at once and however often it is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hyperparton.trials.refits import Refit
from hyperparton.trials.verdict import losses_of, mean_losses

__all__ = ["MOST", "Race", "blocks_after", "candidates_within"]

#: replicas that each round adds
_BLOCKS = (5, 5, 10, 20)

#: so many of the best trials take part at most, where their number follows from the computing of the scan
MOST = 16


def blocks_after(used: int, rounds: int = len(_BLOCKS)) -> list[tuple[int, ...]]:
    """The replicas of each round; those up to number `used` are the scan's own."""
    blocks, first = [], used + 1
    for size in _BLOCKS[:rounds]:
        blocks.append(tuple(range(first, first + size)))
        first += size
    return blocks


def _left(count: int) -> int:
    """How many of `count` go on to the next round."""
    return min(count, max(2, (count + 1) // 2))


def _cost(count: int, rounds: int) -> int:
    """Fits of replicas in a race of `count` trials."""
    fits = 0
    for size in _BLOCKS[:rounds]:
        fits, count = fits + size * count, _left(count)
    return fits


def candidates_within(fits: int) -> tuple[int, int]:
    """(trials, rounds) of the largest race that takes at most so many fits of replicas; (0, 0) if there is none."""
    for rounds in range(len(_BLOCKS), 0, -1):
        fitting = [count for count in range(2, MOST + 1) if _cost(count, rounds) <= fits]
        if fitting:
            return fitting[-1], rounds
    return 0, 0


@dataclass(frozen=True)
class Race:
    """A race of trials, by their numbers, best as the scan saw them first; `blocks` are the replicas of each round."""

    trials: Sequence[int]
    blocks: Sequence[tuple[int, ...]]

    def wanted(self, refits: Iterable[Refit]) -> list[tuple[int, tuple[int, ...]]]:
        """(trial, replicas) of the round under way that `refits` do not have; none when the race is over."""
        losses = losses_of(refits)
        left = list(self.trials)
        for number, block in enumerate(self.blocks):
            missing = [(trial, block) for trial in left if not set(block) <= losses.get(trial, {}).keys()]
            if missing:
                return missing
            left = self._survivors(left, losses, self.blocks[: number + 1])
        return []

    @staticmethod
    def _survivors(
        left: Sequence[int],
        losses: Mapping[int, Mapping[int, float]],
        blocks: Sequence[tuple[int, ...]],
    ) -> list[int]:
        """Those that go on, the best first."""
        replicas = [replica for block in blocks for replica in block]
        means = mean_losses({trial: [losses[trial][replica] for replica in replicas] for trial in left})
        return sorted(left, key=lambda trial: means[trial])[: _left(len(left))]
