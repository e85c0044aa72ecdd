"""The samplers of a search space: frozen values that no optimisation library has touched.

A space is an ordinary structure of dictionaries, lists and constants with samplers in some places. An engine compiles
it to its own library; `hyperparton.space.tree` walks, evaluates and samples it without any.

Every sampler maps its values to the unit interval, on the axis on which it draws, and back:

- `share(value)`: where in the range the value lies, from 0 to 1; a point of a grid or an option of a choice lies in the
  middle of its cell;
- `value_at(share)`: the value at a share from 0 to 1, both included; never outside of the range;
- `cells`: how many values there are, 0 for a continuous sampler;
- `draw(rng)`: a random value.

They hold for whatever range the sampler accepts: 1e-300 to 1e300 on a logarithmic axis, -1e308 to 1e308 on a linear
one, whose width is more than a float can hold. A range whose bounds are equal has one value: it is a parameter that is
fixed and keeps its label. Bounds are floats; one that no float holds, as 2**53 + 1, moves into the range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperparton.errors import SpaceError
from hyperparton.space.frozen import freeze
from hyperparton.text import counted

__all__ = [
    "REAL",
    "Choice",
    "LogUniform",
    "QUniform",
    "Range",
    "Sampler",
    "Uniform",
    "cell_at",
    "hp_choice",
    "hp_loguniform",
    "hp_quniform",
    "hp_uniform",
    "is_extreme",
    "middle",
    "optimizer_arg_wrapper",
]

#: what counts as a number, bool apart
REAL = int | float | np.integer | np.floating

#: relative distance below which a bound counts as lying on the grid
_ON_GRID = 1e-9

#: steps in a range beyond which that distance does not grow any more, so that it stays below one step
_FINE = 1e8

#: widths of linear ranges, and bounds of logarithmic ones, whose squares and products libraries compute without
#: overflow; grids of more points are continuous to them
_LEAST, _GREATEST, _MOST_POINTS = 1e-100, 1e100, 2**50

#: steps between zero and a grid beyond which libraries that round to multiples of the step miss its points
_FAR = 2.0**40

#: so many steps may be asked for: to a float the points of a finer grid are one
_MOST_STEPS = 2**53


@dataclass(frozen=True)
class Uniform:
    """A number between `lower` and `upper`, uniformly."""

    label: str
    lower: float
    upper: float

    @property
    def cells(self) -> int:
        """1 if the bounds are equal, else 0."""
        return int(self.lower == self.upper)

    def share(self, value: Any) -> Any:
        """Where in the range the value lies, from 0 to 1; a number or an array."""
        if self.lower == self.upper:
            return 0.5
        unit = _unit(self.lower, self.upper)
        return (value * unit - self.lower * unit) / (self.upper * unit - self.lower * unit)

    def value_at(self, share: float) -> float:
        """The value at a share of the range, from 0 to 1."""
        unit = _unit(self.lower, self.upper)
        return min((self.lower * unit + share * (self.upper * unit - self.lower * unit)) / unit, self.upper)

    def draw(self, rng: np.random.Generator) -> float:
        """A random value."""
        return self.value_at(rng.random())


@dataclass(frozen=True)
class LogUniform:
    """A number between `lower` and `upper` (the values, not their logarithms), uniform in its logarithm."""

    label: str
    lower: float
    upper: float

    @property
    def cells(self) -> int:
        """1 if the bounds are equal, else 0."""
        return int(self.lower == self.upper)

    def share(self, value: Any) -> Any:
        """Where in the range the value lies, from 0 to 1, along its logarithm; a number or an array."""
        log = np.log if isinstance(value, np.ndarray) else math.log
        if 1.0 < (ratio := self.upper / self.lower) < math.inf:
            return log(value / self.lower) / math.log(ratio)
        low, high = math.log(self.lower), math.log(self.upper)
        # bounds so close that their logarithms are equal have no share but the middle
        return (log(value) - low) / (high - low) if low < high else 0.5

    def value_at(self, share: float) -> float:
        """The value at a share of the range, from 0 to 1."""
        low, high = math.log(self.lower), math.log(self.upper)
        logarithm = low + share * (high - low)
        return self.upper if logarithm > high else min(max(math.exp(logarithm), self.lower), self.upper)

    def draw(self, rng: np.random.Generator) -> float:
        """A random value."""
        return self.value_at(rng.random())


@dataclass(frozen=True)
class QUniform:
    """A number on the grid lower, lower + step, ... that does not pass `upper`."""

    label: str
    lower: float
    upper: float
    step: float
    make_int: bool = False

    @cached_property
    def count(self) -> int:
        """Steps that fit into the range; the grid has one point more."""
        unit = _unit(self.lower, self.upper)
        ratio = (self.upper * unit - self.lower * unit) / (self.step * unit)
        return math.floor(ratio + _tolerance(ratio))

    @property
    def cells(self) -> int:
        """Points of the grid."""
        return self.count + 1

    @cached_property
    def last(self) -> float:
        """The grid's upper end: `upper` itself where the step divides the range."""
        end = self._at(self.count)
        return self.upper if math.isclose(end, self.upper, rel_tol=0.0, abs_tol=2 * _ON_GRID * self.step) else end

    @property
    def aligned(self) -> bool:
        """Whether the grid's points are whole multiples of the step, as those of hyperopt's quniform always are."""
        ratio = self.lower / self.step
        # so far from 0 that hyperopt's formulae lose the step, they are given the distance from the lower end
        return abs(ratio) < _FAR and abs(ratio - round(ratio)) <= _tolerance(ratio)

    def index(self, value: float) -> int:
        """The number of the grid's point nearest to `value`, from 0 to `count`."""
        unit = _unit(self.lower, self.upper)
        nearest = round((value * unit - self.lower * unit) / (self.step * unit))
        return min(max(nearest, 0), self.count)

    def snap(self, value: float) -> float:
        """`value` if it lies strictly between the grid's ends, else the nearer end, to the last bit."""
        k = self.index(value)
        if k == 0:
            return self.lower
        return self.last if k == self.count else float(value)

    def point(self, k: int) -> float:
        """The grid's point number `k`, from 0 to `count`."""
        return self.snap(self._at(k))

    def _at(self, k: int) -> float:
        unit = _unit(self.lower, self.upper)
        return min((self.lower * unit + k * (self.step * unit)) / unit, self.upper)

    def share(self, value: float) -> float:
        """Where in the range the value lies, from 0 to 1: the middle of its cell."""
        return middle(self.index(value), self.cells)

    def value_at(self, share: float) -> float:
        """The value at a share of the range, from 0 to 1."""
        return self.point(int(cell_at(share, self.cells)))

    def draw(self, rng: np.random.Generator) -> float:
        """A random value."""
        # numpy draws whole numbers of 64 bits
        return self.point(int(rng.integers(self.cells))) if self.cells < 2**63 else self.value_at(rng.random())

    def cast(self, value: float) -> float | int:
        """What a trainer receives for a drawn `value`: with `make_int` a whole number within the bounds."""
        if not self.make_int:
            return float(value)
        nearest = round(value)
        whole = nearest if math.isclose(value, nearest, rel_tol=1e-9, abs_tol=1e-9) else int(value)
        return min(max(whole, math.ceil(self.lower)), math.floor(self.upper))


@dataclass(frozen=True)
class Choice:
    """One of `options`, each of which may hold further samplers; its value is the option's index."""

    label: str
    options: tuple[Any, ...]

    @property
    def cells(self) -> int:
        """Options to choose from."""
        return len(self.options)

    def share(self, value: float) -> float:
        """Where in the range the value lies, from 0 to 1: the middle of its cell."""
        return middle(value, self.cells)

    def value_at(self, share: float) -> int:
        """The value at a share of the range, from 0 to 1."""
        return int(cell_at(share, self.cells))

    def draw(self, rng: np.random.Generator) -> int:
        """A random value."""
        return int(rng.integers(self.cells))


#: a sampler of a number
Range = Uniform | LogUniform | QUniform

Sampler = Range | Choice


def cell_at(share: Any, cells: Any) -> Any:
    """The number, from 0, of the cell that a share of the range lies in; numbers or arrays."""
    return np.minimum(np.floor(share * cells), cells - 1.0)


def middle(cell: Any, cells: Any) -> Any:
    """The share in the middle of a cell; numbers or arrays."""
    return (cell + 0.5) / cells


def is_extreme(sampler: Sampler) -> bool:
    """Whether formulae of libraries overflow or vanish for values of this range: they are given its shares then."""
    if isinstance(sampler, Choice):
        return False
    if sampler.cells == 1:
        return True
    if isinstance(sampler, LogUniform):
        return not (sampler.lower >= _LEAST and sampler.upper <= _GREATEST)
    return sampler.cells > _MOST_POINTS or not _LEAST <= sampler.upper - sampler.lower <= _GREATEST


def _unit(lower: float, upper: float) -> float:
    """1, or 1/2 where upper - lower overflows: a power of two, so a factor of the bounds that changes no digit."""
    return 1.0 if math.isfinite(upper - lower) else 0.5


def _tolerance(ratio: float) -> float:
    """By how much a number of steps may miss a whole number that it stands for."""
    return _ON_GRID * min(max(1.0, abs(ratio)), _FINE)


def hp_uniform(key: str, lower: float | None, upper: float | None) -> Uniform | None:
    """Uniform between two bounds; None (no sampler) if a bound is missing. Raises SpaceError."""
    if lower is None or upper is None:
        return None
    return Uniform(_label(key), *_range(key, lower, upper))


def hp_loguniform(key: str, lower: float | None, upper: float | None) -> LogUniform | None:
    """Uniform in the logarithm between two positive bounds; None if a bound is missing. Raises SpaceError."""
    if lower is None or upper is None:
        return None
    low, high = _range(key, lower, upper)
    if low <= 0:
        raise SpaceError(f"{key}: a logarithmic range needs a lower bound above 0, given {lower!r}")
    return LogUniform(_label(key), low, high)


def hp_quniform(
    key: str,
    lower: float | None,
    upper: float | None,
    step_size: float | None = None,
    steps: int | None = None,
    make_int: bool = False,
) -> QUniform | None:
    """A grid between two bounds; None if a bound is missing.

    `steps` divides the range into that many steps, both ends included, and goes before `step_size`; with neither, the
    step is the lower bound, as in n3fit. With `make_int` the trainer receives whole numbers. Draws never leave the
    range. Raises SpaceError.
    """
    if lower is None or upper is None:
        return None
    low, high = _range(key, lower, upper)
    sampler = QUniform(_label(key), low, high, _step(key, low, high, step_size, steps), bool(make_int))
    if make_int and math.ceil(low) > math.floor(high):
        raise SpaceError(f"{key}: there is no whole number between {lower!r} and {upper!r}")
    return sampler


def hp_choice(key: str, choices: Sequence[Any] | None) -> Choice | None:
    """One of a list of options, which may hold samplers at any depth; None if there are none. Raises SpaceError."""
    if choices is None:
        return None
    if isinstance(choices, str | bytes | Mapping) or not isinstance(choices, Iterable):
        raise SpaceError(f"{key}: choices must be a list, given {choices!r}")
    options = tuple(freeze(list(choices)))
    return Choice(_label(key), options) if options else None


def optimizer_arg_wrapper(key: str, option: float | Mapping[str, Any]) -> float | Sampler | None:
    """An optimizer's argument: a number stays fixed, `{min, max, sampling: uniform|log}` becomes a sampler.

    Raises SpaceError for any other `sampling`, an unknown key or a value that is neither.
    """
    if isinstance(option, REAL) and not isinstance(option, bool):
        return option if isinstance(option, int | float) else option.item()
    if not isinstance(option, Mapping):
        raise SpaceError(f"{key}: accepted is a number or {{min, max, sampling}}, given {option!r}")
    unknown = set(option) - {"min", "max", "sampling"}
    if unknown:
        raise SpaceError(f"{key}: unknown key {sorted(map(str, unknown))[0]!r}, accepted: min, max, sampling")
    sampling = option.get("sampling", "uniform")
    if sampling not in ("uniform", "log"):
        raise SpaceError(f"{key}: unknown sampling {sampling!r}, accepted: uniform, log")
    build = hp_uniform if sampling == "uniform" else hp_loguniform
    return build(key, option.get("min"), option.get("max"))


def _label(key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise SpaceError(f"the label of a sampler must be a non-empty text, given {key!r}")
    return key


def _number(key: str, name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, REAL) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpaceError(f"{key}: {name} must be a finite number that a float holds, given {_brief(value)}")
    return number


def _brief(value: Any) -> str:
    """A value for a message; a whole number may have more digits than Python writes."""
    if isinstance(value, int) and not -_MOST_STEPS <= value <= _MOST_STEPS:
        return f"a whole number of {value.bit_length()} bits" if value.bit_length() > 1000 else str(value)
    return repr(value)


def _range(key: str, lower: Any, upper: Any) -> tuple[float, float]:
    low, high = _number(key, "the lower bound", lower), _number(key, "the upper bound", upper)
    if low > high:
        raise SpaceError(f"{key}: the lower bound must not be above the upper bound, given {lower!r} and {upper!r}")
    inner = math.nextafter(low, math.inf) if low < _exact(lower) else low
    outer = math.nextafter(high, -math.inf) if high > _exact(upper) else high
    if inner > outer:
        raise SpaceError(f"{key}: no float lies between the bounds, given {lower!r} and {upper!r}")
    return inner, outer


def _exact(bound: Any) -> Any:
    """A bound as a number that Python compares with a float digit by digit, as numpy does not."""
    return bound.item() if isinstance(bound, np.generic) else bound


def _step(key: str, low: float, high: float, step_size: Any, steps: Any) -> float:
    fixed, unit = low == high, _unit(low, high)
    width = high * unit - low * unit
    if steps is not None:
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps <= _MOST_STEPS:
            accepted = f"a whole number from 1 to {_MOST_STEPS}"
            raise SpaceError(f"{key}: steps must be {accepted}, given {_brief(steps)}")
        step = width / int(steps) / unit
        if not fixed and not 0.0 < step < math.inf:
            told = counted(int(steps), "step")
            raise SpaceError(f"{key}: {told} from {low:g} to {high:g} have a length that no float can hold")
        # a grid of one point has no step: any number stands for it
        return step or 1.0
    step = (1.0 if fixed else low) if step_size is None else _number(key, "the step", step_size)
    if step <= 0 or (not fixed and step > width / unit * (1 + _ON_GRID)):
        raise SpaceError(f"{key}: the step must be above 0 and at most the range {high - low:g}, given {step!r}")
    if math.isinf(width / (step * unit)):
        raise SpaceError(f"{key}: the range from {low:g} to {high:g} has too many steps of {step!r}: use a larger step")
    return step
