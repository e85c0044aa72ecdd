"""Hyperparameters as columns: which of them figures show, and how they are drawn and binned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.errors import printable
from hyperparton.report.scales import Scale
from hyperparton.space.samplers import LogUniform, Uniform, is_extreme
from hyperparton.trials.parameters import differ, is_width, varied
from hyperparton.trials.result import is_number
from hyperparton.trials.trial import Trial

__all__ = ["Column", "columns", "describe_values", "shares", "shown", "table_names"]

#: hyperparameters of a trial that are said in a line at most
_SAID = 12

#: up to this many different whole numbers are drawn as categories
_FEW = 6

#: greatest over smallest above which positive numbers of an unknown range are drawn on a logarithmic axis
_WIDE = 10.0


def shown(value: Any, digits: int = 4) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        return "-".join(shown(entry, digits) for entry in value)
    return str(value)


@dataclass(frozen=True, eq=False)
class Column:
    """One hyperparameter over trials."""

    name: str
    values: tuple[Any, ...]
    """(trial,); None where it does not apply"""
    numeric: bool
    logarithmic: bool
    categories: tuple[str, ...]
    """in their order; empty for numbers"""
    sampled: Scale | None = None
    """the range from which the numbers were drawn, where that is known"""

    @cached_property
    def applies(self) -> np.ndarray:
        """(trial,) whether it applies."""
        return np.array([value is not None for value in self.values], dtype=bool)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(trial,) the numbers, or the categories' positions; NaN where it does not apply."""
        if self.numeric:
            return np.array([np.nan if value is None else float(value) for value in self.values])
        place = {name: float(i) for i, name in enumerate(self.categories)}
        return np.array([np.nan if value is None else place[shown(value)] for value in self.values])

    @cached_property
    def axis(self) -> Uniform | LogUniform:
        """The range of the numbers, and that from which they were drawn, on the axis of a figure."""
        ends = float(np.nanmin(self.numbers)), float(np.nanmax(self.numbers))
        if self.sampled is not None:
            ends = min(ends[0], self.sampled.lower), max(ends[1], self.sampled.upper)
        return LogUniform(self.name, *ends) if self.logarithmic else Uniform(self.name, *ends)

    @cached_property
    def even_axis(self) -> Uniform | LogUniform:
        """The range of the numbers on the scale on which they were drawn.

        Where that is not known, along themselves or their logarithms: where they spread more evenly. Many from a range
        that begins near 0 span decades too.
        """
        if self.sampled is not None:
            return self.axis
        numbers = self.numbers[self.applies]
        ends = float(numbers.min()), float(numbers.max())
        axes = [Uniform(self.name, *ends)] + ([LogUniform(self.name, *ends)] if ends[0] > 0.0 else [])
        return min(axes, key=lambda axis: abs(2 * int(np.sum(numbers >= axis.value_at(0.5))) - len(numbers)))

    @property
    def extreme(self) -> bool:
        """Whether the numbers differ by more, or by less, than formulae for ordinary numbers can take."""
        return self.axis.lower < self.axis.upper and is_extreme(self.axis)

    @cached_property
    def scaled(self) -> np.ndarray:
        """(trial,) numbers from 0 to 1 along the axis on which they are drawn; NaN where it does not apply."""
        return shares(self.axis, self.numbers)


def shares(axis: Uniform | LogUniform, numbers: np.ndarray) -> np.ndarray:
    """(number,) the shares of numbers of the range; NaN stays."""
    return np.where(np.isnan(numbers), np.nan, axis.share(numbers))


def describe_values(trial: Trial, names: Sequence[str] | None = None) -> str:
    """The hyperparameters of a trial in a line; of all or of these `names`, widths of layers as one list."""
    chosen = list(trial.stated) if names is None else [name for name in names if not _is_width_of(name, [trial])]
    if "number_of_layers" in trial.derived:
        chosen = [*(n for n in chosen if n not in ("number_of_layers", "nodes_per_layer")), "nodes_per_layer"]
    said = [name for name in chosen if trial.values.get(name) is not None]
    more = f" and {len(said) - _SAID:,} more" if len(said) > _SAID else ""
    return printable(", ".join(f"{name} {shown(trial.values[name])}" for name in said[:_SAID]) + more)


def table_names(trials: Sequence[Trial]) -> list[str]:
    """The hyperparameters that differ between these trials, as a table names them: widths of layers as one list."""
    names = varied([trial.values for trial in trials])
    return [name for name in names if not _is_width_of(name, trials)]


def _is_width_of(name: str, trials: Sequence[Trial]) -> bool:
    """Whether this is the width of a layer, and no hyperparameter of that name."""
    return is_width(name) and any(name in trial.derived for trial in trials)


def columns(trials: Sequence[Trial], sampled: Mapping[str, Scale] | None = None) -> list[Column]:
    """The hyperparameters that differ between these trials, in the order in which they first occur.

    `sampled` are the ranges from which they were drawn, as far as they are known.
    """
    ranges = sampled or {}
    derived = {name for trial in trials for name in trial.derived}
    # what numbers of their own say too
    said = {"stopping_epochs"} & derived | ({"nodes_per_layer"} if "number_of_layers" in derived else set())
    names = [name for name in varied([trial.values for trial in trials]) if name not in said]
    columns = [_column(name, [trial.values.get(name) for trial in trials], ranges.get(name)) for name in names]
    # one that differs only in whether it applies repeats the choice above it
    return [column for column in columns if differ(shown(v, 17) for v in column.values if v is not None)]


def _column(name: str, values: Sequence[Any], sampled: Scale | None) -> Column:
    held = [value for value in values if value is not None]
    if not held or not all(map(is_number, held)):
        return Column(name, tuple(values), False, False, tuple(sorted({shown(value) for value in held})))
    distinct = sorted(set(held))
    if len(distinct) <= _FEW and all(float(value).is_integer() for value in distinct):
        return Column(name, tuple(values), False, False, tuple(shown(value) for value in distinct))
    if sampled is None or (isinstance(sampled, LogUniform) and distinct[0] <= 0):
        return Column(name, tuple(values), True, distinct[0] > 0 and distinct[-1] / distinct[0] > _WIDE, ())
    return Column(name, tuple(values), True, isinstance(sampled, LogUniform), (), sampled)
