"""Points of a space in the unit cube, and as coordinates of a regression.

In the unit cube every label has an axis: a number is its share of the range, an option of a choice the middle of its
cell, and a label that does not apply stands at 0.5.

The coordinates are one for each number and one for each option of a choice. Labels that are the same parameter in
different options, the learning rates of two optimizers, share a coordinate (`space.counterparts`): what is learned with
one optimizer counts for the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.engines.base import samplers_to_scan
from hyperparton.space.samplers import Choice, LogUniform, QUniform, Range, Sampler, Uniform, cell_at, middle
from hyperparton.space.tree import choose, conditions, counterparts

__all__ = ["UnitCube"]

Array = np.ndarray


class UnitCube:
    """The unit cube of one space; its points are rows (point, label), labels in the order of `labels`."""

    def __init__(self, space: Any) -> None:
        self.space = space
        self.samplers = samplers_to_scan(space)
        self.labels = sorted(self.samplers)
        place = {label: i for i, label in enumerate(self.labels)}
        #: (label,) 0 for numbers without a grid
        self._cells = np.array([float(self.samplers[label].cells) for label in self.labels])
        #: for each parameter its labels: (place of the label, lowest share and width in the common range)
        self._parameters = [_in_common([(place[name], self.samplers[name]) for name in g]) for g in counterparts(space)]
        ways = conditions(space)
        self._ways = [[[(place[name], k) for name, k in way] for way in ways[label]] for label in self.labels]

    def points(self, vals: Sequence[Mapping[str, Sequence[Any]]]) -> Array:
        """(point, label) the points with these vals."""
        return np.array([[self._share(label, each) for label in self.labels] for each in vals])

    def _share(self, label: str, vals: Mapping[str, Sequence[Any]]) -> float:
        held = vals.get(label)
        return self.samplers[label].share(held[0]) if held else 0.5

    def place_of(self, name: str) -> int | None:
        """The place among the labels of the number that is sampled as the hyperparameter `name`; None if none is."""
        sampler = self.space.get(name) if isinstance(self.space, Mapping) else None
        return self.labels.index(sampler.label) if isinstance(sampler, Range) else None

    def along(self, label: int, values: Array) -> tuple[int, Array]:
        """The place of a number's coordinate, and (value,) that coordinate of `values`, which need not lie on its grid.

        `label` is its place among the labels, as of `place_of`. It is NaN for values that are not above the range's
        lower end, and for NaN.
        """
        parameter, lowest, width = next(
            (number, low, width)
            for number, members in enumerate(self._parameters)
            for place, low, width in members
            if place == label
        )
        sampler: Any = self.samplers[self.labels[label]]
        above = values > sampler.lower
        shares = np.full(len(values), np.nan)
        if isinstance(sampler, QUniform):
            shares[above] = ((values[above] - sampler.lower) / (sampler.step or 1.0) + 0.5) / sampler.cells
        else:
            shares[above] = sampler.share(values[above])
        return int(np.searchsorted(self.parameters, parameter)), lowest + width * shares

    def vals(self, point: Array) -> dict[str, list[Any]]:
        """The vals of one point (label,)."""
        shares = dict(zip(self.labels, point.tolist(), strict=True))
        return choose(self.space, lambda sampler: sampler.value_at(shares[sampler.label]))

    def settled(self, points: Array) -> tuple[Array, Array]:
        """The points as those of vals, in the middle of their cells and 0.5 where a label does not apply.

        With them (point, coordinate) their coordinates.
        """
        index, cells = self._indices(points)
        applies = self._applies(index)
        settled = np.where(applies, np.where(self._cells > 0, middle(index, cells), points), 0.5)
        return settled, self._coordinates(settled, applies)

    def coordinates(self, points: Array) -> Array:
        """(point, coordinate) of points of the cube."""
        return self._coordinates(points, self._applies(self._indices(points)[0]))

    @property
    def parameters(self) -> Array:
        """(coordinate,) the number of the parameter that each coordinate belongs to."""
        samplers = [self.samplers[self.labels[members[0][0]]] for members in self._parameters]
        return np.repeat(np.arange(len(samplers)), [s.cells if isinstance(s, Choice) else 1 for s in samplers])

    def _indices(self, points: Array) -> tuple[Array, Array]:
        """(point, label) the cell of each value, and (label,) how many there are."""
        cells = np.where(self._cells > 0, self._cells, 1)
        return cell_at(points, cells), cells

    def _applies(self, index: Array) -> Array:
        """(point, label) whether the choices of the point, those of the cells `index`, lead to the label."""
        applies = np.ones(index.shape, bool)
        for i, ways in enumerate(self._ways):
            applies[:, i] = np.any(
                [np.all([index[:, j] == k for j, k in way] or [np.ones(len(index), bool)], axis=0) for way in ways],
                axis=0,
            )
        return applies

    def _coordinates(self, points: Array, applies: Array) -> Array:
        columns = []
        for members in self._parameters:
            first = members[0][0]
            sampler = self.samplers[self.labels[first]]
            if isinstance(sampler, Choice):
                index = cell_at(points[:, first], sampler.cells)
                # two options are as far apart as the ends of a range
                columns += [np.where(index == k, math.sqrt(0.5), 0.0) for k in range(sampler.cells)]
                continue
            column = np.full(len(points), 0.5)
            for j, lowest, width in members:
                column = np.where(applies[:, j], lowest + width * points[:, j], column)
            columns.append(column)
        return np.stack(columns, axis=1)


def _in_common(members: Sequence[tuple[int, Sampler]]) -> list[tuple[int, float, float]]:
    """(place of the label, lowest, width) of each label's range, as shares of the range that holds all of them."""
    ranges = [(place, sampler) for place, sampler in members if not isinstance(sampler, Choice)]
    if not ranges:
        return [(place, 0.0, 1.0) for place, _ in members]
    kind = LogUniform if isinstance(ranges[0][1], LogUniform) else Uniform
    common = kind("", min(own.lower for _, own in ranges), max(own.upper for _, own in ranges))
    ends = [(place, common.share(own.lower), common.share(own.upper)) for place, own in ranges]
    return [(place, low, high - low) for place, low, high in ends]
