"""The fast path of what is not linear: mixed rows, expanded around PDFs that move with the fit.

Between epochs a PDF moves little.  With f_0 the PDFs of some epoch and d = f - f_0, the mixed rows (`fit.condensed`) of
the next are

    y(f) = y(f_0) + J d + d T d        J = 2 T f_0

One pass over the tables T gives both y(f_0) and J.  The last term is small, so few combinations of the columns hold it:
d is about R B^T d, and d T d about u S u with u = B^T d and S = R^T T R.  Ratios are computed from their rows in each
epoch.  When to expand anew follows from what the old expansions got wrong (`fit.pace`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.operations import OPERATIONS, operate
from hyperparton.fit.condensed import Condensed, Curved, MixedTables, hadronic_range, mixed_tables
from hyperparton.fit.hadronic import Bilinear
from hyperparton.fit.observables import Convolution
from hyperparton.fit.projection import Outputs, Projection, build_projection
from hyperparton.fit.second_order import combinations, condensed_tables

__all__ = ["Moving", "MovingProjection", "build_moving", "can_move"]

Array = Any


class Moving(NamedTuple):
    """Mixed rows expanded around the PDFs of each model."""

    at: Array
    """(model, col) these PDFs"""
    values: Array
    """(model, row)"""
    slopes: Array
    """(model, row, col)"""


class _Second(NamedTuple):
    """What the second order needs, the same for all models."""

    into: Array
    """(col, comb) B: from PDFs to combinations of them"""
    tables: Array
    """(comb, row*comb) S"""


@dataclass(frozen=True, eq=False)
class MovingProjection:
    """The shared matrices of a problem: those of what is linear, and the mixed rows."""

    linear: Projection
    tables: Array
    """(row, col, col) of the features c, of ratios, of constraints"""
    second: _Second
    unmixed: Array
    """(dat, row) the tables of ratios from their rows"""
    of_curved: Array
    """(dat, row) what ratios add to c"""
    of_direct: Array
    """(dat, row) what the observables of one proton that are not linear add to c"""
    spread: tuple[Array, ...]
    """per constraint (dat, dat) where its rows go among its predictions"""
    curved: tuple[Curved, ...]
    sizes: tuple[int, ...]
    """rows of c, of ratios, of each constraint"""
    span: tuple[int, int]
    """the x of the tables on the grid of the fit"""

    def expanded(self, xf: Array) -> Moving:
        """Around `xf` (model, working, x)."""
        at = self._columns(jax.lax.stop_gradient(xf))
        products = _pass(self.tables, at)
        return Moving(at, jnp.einsum("mrc,mc->mr", products, at), 2.0 * products)

    def nowhere(self, models: int) -> Moving:
        """What stands where nothing is expanded yet."""
        rows, size, _ = self.tables.shape
        shapes = (models, size), (models, rows), (models, rows, size)
        return Moving(*(jnp.zeros(shape, self.tables.dtype) for shape in shapes))

    def exact(self, xf: Array, other: Array) -> tuple[Moving, Array]:
        """Expanded around `xf` (model, working, x), and the rows (model, row) at `other`, by one pass."""
        both = self.expanded(jnp.concatenate([xf, other]))
        first = jax.tree.map(lambda a: a[: len(xf)], both)
        return first, both.values[len(xf) :]

    def outputs(self, xf: Array, moving: Moving) -> list[Outputs]:
        """The outputs of each convolution for `xf` (model, working, x)."""
        outputs, _ = self.linear(xf)
        return self._with_rows(outputs, _evaluate(self.second, moving, self._columns(xf)))

    def both(self, xf: Array, other: Array) -> tuple[list[Outputs], list[Outputs]]:
        """Exact outputs for `xf` (model, working, x), and for `other` without gradients."""
        moving, rows = self.exact(xf, other)
        first, second = self.linear(xf, other)
        own = _evaluate(self.second, moving, self._columns(xf))
        return self._with_rows(first, own), self._with_rows(second, rows)

    def predictions(self, outputs: Outputs, group: int) -> Array:
        """(model, dat) of a constraint."""
        if outputs.nonlinear is None:
            return outputs.linear
        return outputs.linear + outputs.nonlinear @ self.spread[group].T

    def _columns(self, xf: Array) -> Array:
        """(model, col): x f on the range of the tables."""
        start, stop = self.span
        return jnp.reshape(xf[:, :, start:stop], (len(xf), -1))

    def _curve(self, rows: Array) -> Array:
        """What the ratios add to c, (model, row), from their tables' rows."""
        tables = rows @ self.unmixed.T
        parts = [operate(o.operation, [tables[:, start:stop] for start, stop in o.tables]) for o in self.curved]
        return jnp.concatenate(parts, axis=1) @ self.of_curved

    def _with_rows(self, outputs: list[Outputs], rows: Array) -> list[Outputs]:
        count, ratios, *constraints = self.sizes
        data, *others = outputs
        own = rows[:, :count]
        if self.curved:
            own = own + self._curve(rows[:, count : count + ratios])
        if data.nonlinear is not None:
            own = own + data.nonlinear @ self.of_direct
        result, start = [Outputs(data.linear, own)], count + ratios
        for each, size in zip(others, constraints, strict=True):
            result.append(Outputs(each.linear, rows[:, start : start + size] if size else None))
            start += size
        return result


jax.tree_util.register_dataclass(
    MovingProjection,
    data_fields=["linear", "tables", "second", "unmixed", "of_curved", "of_direct", "spread"],
    meta_fields=["curved", "sizes", "span"],
)


def _pass(tables: Array, at: Array) -> Array:
    """T f (model, row, col) for tables (row, col, col) and f (model, col)."""
    size = tables.shape[-1]
    flat = jnp.reshape(tables, (-1, size))
    # a product with one column is another, slower routine, which rounds differently
    columns = jnp.pad(at, ((0, 1), (0, 0))) if len(at) == 1 else at
    products = jnp.reshape(flat @ columns.T, (-1, size, len(columns)))
    return jnp.moveaxis(products, 2, 0)[: len(at)]


@jax.custom_vjp
def _evaluate(second: _Second, moving: Moving, at: Array) -> Array:
    """(model, row) at PDFs (model, col)."""
    return _forward(second, moving, at)[0]


def _forward(second: _Second, moving: Moving, at: Array) -> tuple[Array, tuple[Any, ...]]:
    change = at - moving.at
    rows = moving.values + jnp.einsum("mrc,mc->mr", moving.slopes, change)
    own = change @ second.into
    # S u, for value and gradient
    columns = jnp.pad(own, ((0, 1), (0, 0))) if len(own) == 1 else own
    half = jnp.reshape((columns @ second.tables)[: len(own)], (len(own), rows.shape[1], -1))
    return rows + jnp.einsum("mru,mu->mr", half, own), (second, moving, half)


def _backward(saved: tuple[Any, ...], gradient: Array) -> tuple[Any, Any, Array]:
    second, moving, half = saved
    flat = jnp.einsum("mr,mrc->mc", gradient, moving.slopes)
    flat = flat + 2.0 * jnp.einsum("mr,mru->mu", gradient, half) @ second.into.T
    return *jax.tree.map(jnp.zeros_like, (second, moving)), flat


_evaluate.defvjp(_forward, _backward)


def can_move(data: Convolution, constraints: Sequence[Convolution]) -> bool:
    """Whether the fast path knows how to treat all observables, and whether there are any of two protons."""
    hadronic = [any(isinstance(t, Bilinear) for t in o.tables) for o in data.nonlinear]
    whole = all(
        isinstance(t, Bilinear) for o, has in zip(data.nonlinear, hadronic, strict=True) if has for t in o.tables
    )
    simple = all(
        isinstance(t, Bilinear) and OPERATIONS[o.operation].linear
        for each in constraints
        for o in each.nonlinear
        for t in o.tables
    )
    return any(hadronic) and whole and simple


def build_moving(data: Convolution, linear: int, condensed: Condensed, *constraints: Convolution) -> MovingProjection:
    """The projection onto the data's features, those of `condensed` among them, and predictions of constraints."""
    tables = condensed.tables
    own, sizes, spread = [], [condensed.count, len(tables.values) - condensed.count], [np.zeros((0, 0))]
    stripped = []
    for each in constraints:
        size = each.matrix.shape[1] - each.nonlinear_size
        stripped.append(replace(each, matrix=each.matrix[:, :size], nonlinear=()))
        spread.append(each.matrix[:, size:])
        sizes.append(each.nonlinear_size)
        row = 0
        for o in each.nonlinear:
            for table in (t for t in o.tables if isinstance(t, Bilinear)):
                mixing = np.zeros((each.nonlinear_size, len(table.values)))
                # a table of one row serves all points
                mixing[row : row + o.ndata] = 1.0 if len(table.values) == 1 else np.eye(o.ndata)
                own.append((each, mixing, table))
            row += o.ndata
    tables = _with_constraints(tables, [[(m, t) for e, m, t in own if e is each] for each in constraints])
    start, stop = tables.start, tables.stop
    around, changes = (
        np.swapaxes(each, 1, 2)[:, :, start:stop].reshape(len(each), -1)
        for each in (condensed.around, condensed.changes)
    )
    into, back = combinations(tables.values, len(condensed.tables.values), around, changes)
    direct = tuple(o for o in data.nonlinear if not any(isinstance(t, Bilinear) for t in o.tables))
    projection = build_projection(replace(data, nonlinear=direct), linear, *stripped)
    return MovingProjection(
        linear=projection,
        tables=tables.values,
        second=_Second(into, condensed_tables(tables.values, back)),
        unmixed=condensed.unmixed,
        of_curved=condensed.of_curved,
        of_direct=condensed.of_direct,
        spread=tuple(spread),
        curved=condensed.curved,
        sizes=tuple(sizes),
        span=(start, stop),
    )


def _with_constraints(tables: MixedTables, parts: Sequence[list[tuple[np.ndarray, Bilinear]]]) -> MixedTables:
    """The tables of the data, and behind them those of each constraint, on the range of all."""
    parts = [each for each in parts if each]
    if not parts:
        return tables
    start, stop = hadronic_range([t for each in parts for _, t in each])
    start, stop = min(start, tables.start), max(stop, tables.stop)
    others = [mixed_tables(each, start, stop).values for each in parts]
    return MixedTables(np.concatenate([_widened(tables, start, stop), *others]), start, stop)


def _widened(tables: MixedTables, start: int, stop: int) -> np.ndarray:
    """The tables on a larger range, with zeros where they had no values."""
    rows, old = len(tables.values), tables.stop - tables.start
    if (start, stop) == (tables.start, tables.stop):
        return tables.values
    flavours = tables.values.shape[1] // old
    values = np.zeros((rows, flavours, stop - start, flavours, stop - start), np.float32)
    inside = slice(tables.start - start, tables.stop - start)
    values[:, :, inside, :, inside] = tables.values.reshape(rows, flavours, old, flavours, old)
    return values.reshape(rows, flavours * (stop - start), -1)
