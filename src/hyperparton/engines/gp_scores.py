"""Scores of losses, to which the engine `gp` fits its process.

Losses have any scale, and the worst of a scan lie decades above its best. Among good trials the differences count; how
bad a bad trial is does not. So a score is linear in the loss up to as far above the median as the least loss lies below
it; what is worse, or has no loss, has the same score as a loss there. A least loss far below all others may be luck, or
a fault of the trainer: see `_LOWEST`.

=======  ===============  ==================================================  =========================================
symbol   in the code      meaning                                             formula
=======  ===============  ==================================================  =========================================
M        median           of the losses that are finite; the least that is    number
                          larger than the lowest one, if that is the median
q        lower            10 % quantile of the losses that are finite         number
l        lowest           the least loss, at most so far below q              max(min, q - 4 (M - q))
u                         place of a loss between l and M                     (loss - M) / (M - l), cut off at -1 and 1
         returned         scores, of variance 1                               u / deviation(u)
=======  ===============  ==================================================  =========================================
"""

from __future__ import annotations

import numpy as np

__all__ = ["scores_of"]

Array = np.ndarray

#: the 10 % quantile, and how far below it a loss counts as it is, in units of what the median lies above it
_LOWER, _LOWEST = 0.1, 4.0

#: a loss this many times as large as the median is as bad as any
_FAR = 1e300


def scores_of(losses: Array) -> Array:
    """(trial,) the scores of losses, infinite ones among them; all are 0 where there is no difference."""
    finite = np.sort(losses[np.isfinite(losses)])
    if not len(finite):
        return np.zeros(len(losses))
    median = finite[len(finite) // 2]
    larger = finite[finite > median]
    if median == finite[0] and len(larger):
        median = larger[0]
    # a loss may be as large as a float can be, a difference of two of them may not
    unit = max(abs(finite[0]), abs(median), np.finfo(float).tiny)
    least, lower, middle = finite[0] / unit, finite[int(_LOWER * len(finite))] / unit, median / unit
    lowest = max(least, lower - _LOWEST * (middle - lower))
    with np.errstate(over="ignore"):  # what is beyond all floats is cut off as well
        place = np.clip((np.minimum(losses / unit, _FAR) - middle) / (middle - lowest or 1.0), -1.0, 1.0)
    return place / (np.std(place) or 1.0)
