"""By which number trials are compared: the scan's own loss, or one recomputed from the folds.

Functions import numpy where they need it: the command line reads the defaults, and its help answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median_high, median_low
from typing import TYPE_CHECKING

from hyperparton.errors import ReportError, nearest
from hyperparton.trials.trial import Trial

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "MEASURES",
    "STATISTICS",
    "Loss",
    "fold_values",
    "good_range",
    "mean_of",
    "median_of",
    "relative",
    "replica_error",
    "unit_of",
]

#: measure -> what it is
MEASURES = {
    "scan": "the loss that the scan minimised",
    "chi2": "χ² of the hidden fold",
    "phi2": "phi2 of the hidden fold; its reciprocal, as in the scan, so that small is good",
    "logp": "−log p of the hidden fold",
    "chi2exp": "χ² of the fitted data",
    "validation": "validation χ² of the fitted data, mean over replicas",
    "experimental": "χ² of the hidden fold per replica, mean over replicas",
}


def _average(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    middle = _average(values)
    return math.sqrt(_average([(value - middle) ** 2 for value in values]))


#: of the values of a few folds; numpy takes longer for so few
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "average": _average,
    "best_worst": max,
    "std": _deviation,
}


@dataclass(frozen=True)
class Loss:
    """A measure and, unless it is the scan's own loss, the statistic over folds."""

    measure: str = "scan"
    statistic: str = "average"

    def __post_init__(self) -> None:
        for name, known, what in ((self.measure, MEASURES, "loss"), (self.statistic, STATISTICS, "statistic")):
            if name not in known:
                raise ReportError(f"unknown {what} {name!r}{nearest(name, known)}, accepted: {', '.join(known)}")

    @property
    def label(self) -> str:
        """The name of the number, for axes and headings."""
        if self.measure == "scan":
            return "loss"
        name = {"chi2": "χ²", "phi2": "1/phi2", "logp": "−log p", "chi2exp": "fitted χ²"}.get(
            self.measure, f"{self.measure} χ²"
        )
        return f"{name} ({self.statistic} over folds)"

    def __call__(self, trial: Trial) -> float | None:
        """The number of a trial; None where it cannot be computed."""
        if self.measure == "scan":
            return trial.loss
        folds = fold_values(trial, self.measure)
        values = [value for value in folds if value is not None]
        if not values or len(values) < len(folds):
            return None
        unit = unit_of(values)
        number = STATISTICS[self.statistic]([value * unit for value in values]) / unit
        if self.measure == "phi2":
            number = 1.0 / number if number else math.inf
        return number if math.isfinite(number) else None

    def of_all(self, trials: Iterable[Trial], otherwise: float = math.nan) -> np.ndarray:
        """(trial,) the numbers of trials; `otherwise` for one that failed, or whose number cannot be computed."""
        import numpy as np

        numbers = [self(trial) if trial.ok else None for trial in trials]
        return np.array([otherwise if number is None else number for number in numbers], dtype=float)


def fold_values(trial: Trial, measure: str) -> list[float | None]:
    """A measure of every fold, replicas averaged."""
    if measure in trial.replica_losses:
        return [_mean(fold) for fold in trial.replica_losses[measure]]
    return list(trial.fold_losses.get(measure, ()))


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of numbers, None if any is missing or there are none."""
    numbers = [value for value in values if value is not None]
    return mean_of(numbers) if numbers and len(numbers) == len(values) else None


def mean_of(numbers: Sequence[float]) -> float:
    """The mean of at least one finite number, also where their sum is more than a float holds."""
    unit = unit_of(numbers)
    return math.fsum(number * unit for number in numbers) / len(numbers) / unit


def median_of(numbers: Sequence[float]) -> float:
    """The median of at least one number, infinities too, also where the sum of two is more than a float holds."""
    from hyperparton.space.samplers import Uniform

    low, high = median_low(numbers), median_high(numbers)
    return high if math.isinf(high) else Uniform("", low, high).value_at(0.5)


def relative(change: float, of: float) -> float | None:
    """`change` as a part of the size of `of`; None where no float says it."""
    if of == 0.0:
        return None
    part = change / abs(of)
    return part if math.isfinite(part) else None


def unit_of(numbers: Iterable[float] | np.ndarray) -> float:
    """A power of two by which sums of the squares of many of the numbers stay finite; it changes no digit."""
    ravel = getattr(numbers, "ravel", None)  # of an array
    finite = filter(math.isfinite, numbers if ravel is None else ravel().tolist())
    greatest = max(map(abs, finite), default=1.0)
    return math.ldexp(1.0, -min(max(math.frexp(greatest)[1], -900), 900))


def good_range(losses: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The range of losses in which good trials lie, from the best loss up.

    It ends at the worst loss or, if that is much farther, at five times the distance of the best third from the best.
    """
    import numpy as np

    values = np.asarray(losses, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    unit = unit_of(values)
    scaled = values * unit
    best, worst = float(scaled.min()), float(scaled.max())
    reach = 5.0 * (float(np.quantile(scaled, 1 / 3)) - best)
    return float(values.min()), ((best + reach) / unit if 0.0 < reach < 0.6 * (worst - best) else float(values.max()))


def replica_error(trial: Trial, measure: str = "validation") -> float | None:
    """The standard error of a trial's mean over folds and replicas that comes from its replicas.

    It is sqrt(sum over folds of variance / replicas) / folds: what other replicas on the same folds would change. None
    with fewer than two replicas in any fold.
    """
    import numpy as np

    folds = [np.array([v for v in fold if v is not None]) for fold in trial.replica_losses.get(measure, ())]
    if not folds or any(len(fold) < 2 for fold in folds):
        return None
    unit = unit_of(np.concatenate(folds))
    return float(math.sqrt(sum(np.var(fold * unit, ddof=1) / len(fold) for fold in folds)) / len(folds) / unit)
