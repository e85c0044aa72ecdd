"""FK tables of two protons: luminosities of pairs of flavours, contracted with the table's values.

With T a table, its predictions are the sum over pairs of flavours a, b and of nodes x, y of T_abxy f_a(x) f_b(y).  Both
protons have the same PDF, so the pair b, a is that of a, b with the protons exchanged and is added to it.

A product of one luminosity with the values of many rows is fast; making the luminosity is slow.  `merged` therefore
puts the rows of several tables under each other, with zeros where a table has no values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.pdf.bases import WORKING_BASIS, working_to_evolution

__all__ = ["Bilinear", "bilinear_prediction", "merged", "pairs_of", "prepare_bilinear"]

Array = Any
#: making one number of a luminosity, and its gradient, costs as much as multiplying it with so many rows
_LUMINOSITY_ROWS = 32


@dataclass(frozen=True, eq=False)
class Bilinear:
    """Luminosities of pairs of flavours and the values that they are contracted with."""

    x: np.ndarray
    """(x,) places of its nodes on the grid of the fit"""
    left: np.ndarray
    """(chan, working) 1 at the flavour of each pair's first proton"""
    right: np.ndarray
    """(chan, working) the same of the second"""
    values: Array
    """(dat, chan*x*x)"""


# it travels through compiled programs as an argument, so that its table is data and not a constant
jax.tree_util.register_dataclass(Bilinear, data_fields=["x", "left", "right", "values"], meta_fields=[])


def bilinear_prediction(table: Bilinear, xf: Array, xp: Any = jnp) -> Array:
    """Predictions (model, dat) of a hadronic table for `xf` (model, working, x) on the grid of the fit.

    `xp` is the module of the arrays, numpy or jax.numpy.
    """
    values = xp.asarray(table.values, xf.dtype)
    on_table = xf[:, :, table.x]
    left = xp.einsum("mwx,cw->mcx", on_table, xp.asarray(table.left, xf.dtype))
    right = xp.einsum("mwx,cw->mcx", on_table, xp.asarray(table.right, xf.dtype))
    luminosity = xp.reshape(left[:, :, :, None] * right[:, :, None, :], (len(xf), -1))
    if len(xf) == 1:
        # a compiled product of matrices with one row is several times slower than one with a vector
        return (values @ luminosity[0])[None]
    return luminosity @ values.T


def prepare_bilinear(
    channels: np.ndarray, values: np.ndarray, positions: np.ndarray, working: Sequence[str] = WORKING_BASIS
) -> Bilinear:
    """A table with `channels` (chan, 2) of the evolution basis and `values` (dat, chan, x, x).

    `positions` (x,) are the places of its nodes on the grid of the fit, whose PDFs are in the basis `working`.
    """
    pairs, values = _folded(channels, values, working)
    # x at which no channel has anything, for neither proton, are left out
    used = np.abs(values).max(axis=(0, 1), initial=0.0) > 0
    used = used.any(axis=0) | used.any(axis=1)
    values = values[:, :, used][:, :, :, used].reshape(len(values), -1)
    return Bilinear(positions[used], *_flavours(pairs, len(working)), values)


def _flavours(pairs: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The flavours (chan, working) of both protons of `pairs` (chan, 2), places in a working basis of so many."""
    basis = np.eye(size)
    return basis[pairs[:, 0]], basis[pairs[:, 1]]


def _folded(channels: np.ndarray, values: np.ndarray, working: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of flavours of the working basis (chan, 2) and their values (dat, chan, x, x), without those that are zero.

    Channels of flavours that are equal at Q0, such as V and V24, are one pair; a channel with a flavour that is zero
    there, such as the photon, is none.
    """
    basis = working_to_evolution(working)
    kept: dict[tuple[int, int], np.ndarray] = {}
    for (one, two), value in zip(channels.tolist(), np.swapaxes(values, 0, 1), strict=True):
        if not (basis[one].any() and basis[two].any() and value.any()):
            continue
        a, b = int(basis[one].argmax()), int(basis[two].argmax())
        pair, ordered = ((a, b), value) if a <= b else ((b, a), np.swapaxes(value, 1, 2))
        kept[pair] = kept[pair] + ordered if pair in kept else ordered
    if not kept:  # a table of zeros keeps its rows
        return np.zeros((1, 2), int), np.zeros_like(values[:, :1])
    return np.array(list(kept)), np.stack(list(kept.values()), axis=1)


@dataclass(frozen=True, eq=False)
class _Part:
    """Tables that are to be one, and what the one needs."""

    members: tuple[int, ...]
    rows: int
    pairs: frozenset[tuple[int, int]]
    x: frozenset[int]

    @cached_property
    def cost(self) -> int:
        """Of its product and its luminosity, in numbers multiplied."""
        return (self.rows + _LUMINOSITY_ROWS) * len(self.pairs) * len(self.x) ** 2

    def joined(self, other: _Part) -> _Part:
        members = self.members + other.members
        return _Part(members, self.rows + other.rows, self.pairs | other.pairs, self.x | other.x)


def merged(tables: Sequence[Bilinear]) -> list[tuple[Bilinear, tuple[int, ...]]]:
    """Fewer tables with the rows of all, and the numbers of those that each holds, in the order of its rows.

    Two are joined as long as that makes an epoch cheaper: see `_Part.cost`.  The values are in single precision.
    """
    parts = [
        _Part((number,), len(table.values), frozenset(pairs_of(table)), frozenset(np.asarray(table.x).tolist()))
        for number, table in enumerate(tables)
    ]
    saved: dict[tuple[_Part, _Part], int] = {}
    while (found := _best(parts, saved)) is not None:
        one, two = found
        rest = [part for place, part in enumerate(parts) if place not in found]
        parts = [*rest, parts[one].joined(parts[two])]
    return [(_together([tables[number] for number in part.members]), part.members) for part in parts]


def _best(parts: Sequence[_Part], saved: dict[tuple[_Part, _Part], int]) -> tuple[int, int] | None:
    """The two whose union saves most, None where none saves anything; `saved` keeps what unions save."""
    best, found = 0, None
    for two, second in enumerate(parts):
        for one, first in enumerate(parts[:two]):
            pair = first, second
            if pair not in saved:
                saved[pair] = first.cost + second.cost - first.joined(second).cost
            if saved[pair] > best:
                best, found = saved[pair], (one, two)
    return found


def pairs_of(table: Bilinear) -> list[tuple[int, int]]:
    """The places in the working basis of the two flavours of each of its channels."""
    return list(zip(table.left.argmax(axis=1).tolist(), table.right.argmax(axis=1).tolist(), strict=True))


def _together(tables: Sequence[Bilinear]) -> Bilinear:
    """The rows of all tables, in their order."""
    x = np.unique(np.concatenate([table.x for table in tables]))
    pairs = sorted({pair for table in tables for pair in pairs_of(table)})
    rows_of_all = sum(len(table.values) for table in tables)
    values = np.zeros((rows_of_all, len(pairs), len(x), len(x)), np.float32)
    row = 0
    for table in tables:
        rows, size, nodes = len(table.values), len(table.x), np.searchsorted(x, table.x)
        channels = np.array([pairs.index(pair) for pair in pairs_of(table)])
        block = table.values.reshape(rows, len(channels), size, size)
        values[np.ix_(np.arange(row, row + rows), channels, nodes, nodes)] = block
        row += rows
    return Bilinear(x, *_flavours(np.array(pairs), tables[0].left.shape[1]), values.reshape(len(values), -1))
