"""Which of several methodologies with the same chi2 is named: the one with the largest phi2 of the hidden folds.

phi2 says how far the replicas' predictions for the hidden data spread. Among methodologies that predict these data
equally well, the one that admits the largest uncertainty where it has seen no data is the better one: the scan of
arXiv:2410.16248 has 1 / phi2 as its figure of merit, among those whose chi2 is within the spread of the best one's.

Here a methodology is in question if it is stable, was fitted again as often as the one with the lowest mean loss, and
its mean loss is not higher by more than one standard error of the difference, replica by replica. Those that left the
race earlier are not in question: they were worse, and little is known of their failures.

phi2 is noisy. A block of n replicas gives it with a relative error of about 1 / sqrt(2 (n - 1)) if the predictions
spread in one direction only, and less if in more. All methodologies have the same blocks, so two are compared block by
block, by the logarithm of the ratio of their phi2: what n replicas make of it on average (sqrt((n - 1) / n)) and what
the replicas happen to be drops out. With the weights n - 1 of its B blocks, the mean of the logarithm has the variance

    sum_b w_b (l_b - mean)**2 / ((B - 1) sum_b w_b)

and phi2 is larger if the mean is positive by more than Student's quantile of 97.5 % for B - 1 degrees of freedom times
its square root. A block in which a fit failed is left out: such a fit makes phi2 large.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hyperparton.trials.refits import Refit

__all__ = ["Blocks", "Compared", "SecondChoice", "blocks_without_failures", "phi2_of", "second_choice"]

#: of Student's distribution
_QUANTILE = 0.975

#: replicas -> phi2 of the hidden folds
Blocks = Mapping[tuple[int, ...], float]


@dataclass(frozen=True)
class Compared:
    """A methodology beside the one with the lowest mean loss."""

    trial: int
    loss: float
    """by how much its mean loss is higher, in pairs"""
    loss_error: float
    phi2: float
    """by which part its phi2 is larger; NaN without a block in which neither has a failed fit"""
    phi2_error: float
    """infinite for fewer than two blocks"""
    larger: bool
    """whether its phi2 is larger by more than chance"""


@dataclass(frozen=True)
class SecondChoice:
    """How the best was chosen among those that have the same chi2."""

    lowest: int
    """the trial with the lowest mean loss"""
    chosen: int
    """the trial that is named"""
    compared: tuple[Compared, ...]
    """all others in question, the one with the lowest mean loss first"""

    @property
    def by_phi2(self) -> bool:
        """Whether phi2 decided."""
        return self.chosen != self.lowest


def blocks_without_failures(refits: Iterable[Refit], limit: float) -> dict[int, dict[tuple[int, ...], float]]:
    """Trial -> its blocks in which no loss is missing or above `limit`, and that have a phi2."""
    blocks: dict[int, dict[tuple[int, ...], float]] = {}
    for refit in refits:
        phi2 = refit.hidden_phi2
        if phi2 is None or not 0.0 < phi2 < math.inf or len(refit.replicas) < 2:
            continue
        if all(loss is not None and loss <= limit for loss in refit.losses):
            blocks.setdefault(refit.trial, {})[refit.replicas] = phi2
    return blocks


def phi2_of(blocks: Blocks) -> float:
    """phi2 from all blocks together, each corrected for the number of its replicas, so that others compare with it."""
    # sum of squares over degrees of freedom; by the largest, so that squares do not overflow
    largest = max(blocks.values())
    squares = sum(len(replicas) * (phi2 / largest) ** 2 for replicas, phi2 in blocks.items())
    return largest * math.sqrt(squares / sum(len(replicas) - 1 for replicas in blocks))


def second_choice(
    lowest: int, others: Sequence[tuple[int, float, float]], blocks: Mapping[int, Blocks]
) -> SecondChoice | None:
    """The choice among the trial `lowest` and `others`: (trial, difference of mean losses, its error).

    None where the lowest one has no phi2.
    """
    if lowest not in blocks:
        return None
    near = [each for each in others if each[1] <= each[2] < math.inf]
    compared = [Compared(*each, *_larger(blocks[lowest], blocks.get(each[0], {}))) for each in near]
    compared.sort(key=lambda each: (each.loss, each.trial))
    larger = [each for each in compared if each.larger]
    chosen = max(larger, key=lambda each: each.phi2).trial if larger else lowest
    return SecondChoice(lowest, chosen, tuple(compared))


def _larger(one: Blocks, other: Blocks) -> tuple[float, float, bool]:
    """By which part the phi2 of `other` is larger, its error, and whether that is more than chance."""
    common = sorted(one.keys() & other.keys())
    if not common:
        return math.nan, math.inf, False
    logs = np.array([math.log(other[block]) - math.log(one[block]) for block in common])
    weights = np.array([len(block) - 1.0 for block in common])
    mean = float(weights @ logs / weights.sum())
    part = math.expm1(min(mean, 700.0))  # phi2 may be as large, or as small, as a float can be
    if len(common) < 2:
        return part, math.inf, False
    # here: scipy.special takes time to import
    from scipy.special import stdtrit

    freedom = len(common) - 1
    error = math.sqrt(weights @ (logs - mean) ** 2 / (freedom * weights.sum()))
    return part, (1.0 + part) * error, mean > float(stdtrit(freedom, _QUANTILE)) * error
