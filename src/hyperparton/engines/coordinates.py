"""Points of a space as coordinates of a regression: one for each number, one for each option of a choice.

A number is its share of the range, the middle of it where it does not apply. Labels that are the same parameter in
different options, the learning rates of two optimizers, share a coordinate (`space.counterparts`): what is learned with
one optimizer counts for the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hyperparton.engines.base import samplers_to_scan
from hyperparton.engines.quasirandom import value_at
from hyperparton.space import Choice, LogUniform, QUniform, Sampler, choose, conditions, counterparts

__all__ = ["Tree", "share_of"]

Array = np.ndarray


def share_of(sampler: Sampler, value: float) -> float:
    """Where in its range a value lies, from 0 to 1; a choice or a point of a grid in the middle of its cell."""
    if isinstance(sampler, Choice):
        return (value + 0.5) / len(sampler.options)
    if isinstance(sampler, QUniform):
        return (round((value - sampler.lower) / sampler.step) + 0.5) / (sampler.count + 1)
    if isinstance(sampler, LogUniform):
        return math.log(value / sampler.lower) / math.log(sampler.upper / sampler.lower)
    return (value - sampler.lower) / (sampler.upper - sampler.lower)


class Tree:
    """Points of a space as rows of shares (point, label), and those as the coordinates of the model."""

    def __init__(self, space: Any) -> None:
        self.space = space
        self.samplers = samplers_to_scan(space)
        self.labels = sorted(self.samplers)
        place = {label: i for i, label in enumerate(self.labels)}
        self._cells = np.array([_cells(self.samplers[label]) for label in self.labels])
        #: for each parameter its labels: (place of the label, lowest share and width in the common range)
        self._parameters = [_in_common([(place[name], self.samplers[name]) for name in g]) for g in counterparts(space)]
        ways = conditions(space)
        self._ways = [[[(place[name], k) for name, k in way] for way in ways[label]] for label in self.labels]

    def points(self, vals: Sequence[Mapping[str, Sequence[Any]]]) -> Array:
        """Shares of points with these vals; 0.5 where a label does not apply."""
        return np.array([[self._share(label, each) for label in self.labels] for each in vals])

    def _share(self, label: str, vals: Mapping[str, Sequence[Any]]) -> float:
        held = vals.get(label)
        return share_of(self.samplers[label], held[0]) if held else 0.5

    def settled(self, points: Array) -> Array:
        """Shares in the middle of their cells, and 0.5 where a label does not apply."""
        index, cells = self._indices(points)
        found = np.where(self._cells > 0, (index + 0.5) / cells, points)
        return np.where(self._applies(points), found, 0.5)

    def _indices(self, points: Array) -> tuple[Array, Array]:
        """(point, label) the cell of each value, and (label,) how many there are."""
        cells = np.where(self._cells > 0, self._cells, 1)
        return np.minimum(np.floor(points * cells), cells - 1), cells

    def _applies(self, points: Array) -> Array:
        """(point, label) whether the choices of the point lead to the label."""
        index, _ = self._indices(points)
        applies = np.ones(points.shape, bool)
        for i, ways in enumerate(self._ways):
            applies[:, i] = np.any(
                [np.all([index[:, j] == k for j, k in way] or [np.ones(len(points), bool)], axis=0) for way in ways],
                axis=0,
            )
        return applies

    def coordinates(self, points: Array) -> tuple[Array, Array]:
        """(point, coordinate) of the model and (coordinate,) the parameter of each."""
        columns, owners, applies = [], [], self._applies(points)
        for i, members in enumerate(self._parameters):
            first = members[0][0]
            sampler = self.samplers[self.labels[first]]
            if isinstance(sampler, Choice):
                options = len(sampler.options)
                index = np.floor(points[:, first] * options)
                # two options are as far apart as the ends of a range
                columns += [np.where(index == k, math.sqrt(0.5), 0.0) for k in range(options)]
                owners += [i] * options
                continue
            column = np.full(len(points), 0.5)
            for j, lowest, width in members:
                column = np.where(applies[:, j], lowest + width * points[:, j], column)
            columns.append(column)
            owners.append(i)
        return np.stack(columns, axis=1), np.array(owners)

    def vals(self, point: Array) -> dict[str, list[Any]]:
        """The values of a row of shares."""
        shares = dict(zip(self.labels, point.tolist(), strict=True))
        return choose(self.space, lambda s: value_at(s, min(shares[s.label], 1 - 1e-12)))


def _in_common(members: Sequence[tuple[int, Sampler]]) -> list[tuple[int, float, float]]:
    """(place of the label, lowest, width) of each label's range, as shares of the range that holds all of them."""
    ends = []
    for _, sampler in members:
        if isinstance(sampler, Choice):
            return [(place, 0.0, 1.0) for place, _ in members]
        scale = math.log if isinstance(sampler, LogUniform) else float
        ends.append((scale(sampler.lower), scale(sampler.upper)))
    lowest, whole = min(low for low, _ in ends), max(high for _, high in ends) - min(low for low, _ in ends)
    return [
        (place, (low - lowest) / whole, (high - low) / whole)
        for (place, _), (low, high) in zip(members, ends, strict=True)
    ]


def _cells(sampler: Sampler) -> int:
    """How many values a label has, 0 for a continuous one."""
    if isinstance(sampler, Choice):
        return len(sampler.options)
    return sampler.count + 1 if isinstance(sampler, QUniform) else 0
