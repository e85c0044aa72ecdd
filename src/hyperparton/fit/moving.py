"""The fast path of what is not linear: mixed rows, linearised around PDFs that move with the fit.

Between epochs a PDF moves little.  With f_0 the PDFs of some epoch, the mixed rows (`fit.condensed`) of the next are

    y(f) = y(f_0) + J (f - f_0)        J = 2 T f_0, and the derivatives of ratios with it

One pass over the tables T gives both y(f_0) and J.  When to make them anew follows from what the old ones got wrong
(`fit.pace`).
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

__all__ = ["Moving", "MovingProjection", "build_moving", "can_move"]

Array = Any
#: with so many models at least a product with all rows at once is faster than one for each row
_MANY = 8


class Moving(NamedTuple):
    """Mixed rows linearised around the PDFs of each model."""

    at: Array
    """(model, col) these PDFs"""
    values: Array
    """(model, row)"""
    slopes: Array
    """(model, row, col)"""


@dataclass(frozen=True, eq=False)
class MovingProjection:
    """The shared matrices of a problem: those of what is linear, and the mixed rows."""

    linear: Projection
    tables: Array
    """(row, col, col) of the features c, of ratios, of constraints"""
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

    def linearised(self, xf: Array) -> Moving:
        """Around `xf` (model, working, x)."""
        at = self._columns(jax.lax.stop_gradient(xf))
        products = _pass(self.tables, at)
        return Moving(at, *self._from(products, at, slopes=True))

    def nowhere(self, models: int) -> Moving:
        """What stands where nothing is linearised yet."""
        count, _, *constraints = self.sizes
        rows, size = count + sum(constraints), self.tables.shape[-1]
        shapes = (models, size), (models, rows), (models, rows, size)
        return Moving(*(jnp.zeros(shape, self.tables.dtype) for shape in shapes))

    def exact(self, xf: Array, other: Array) -> tuple[Moving, Array]:
        """Linearised around `xf` (model, working, x), and the values (model, row) at `other`, by one pass."""
        models = len(xf)
        at = self._columns(jax.lax.stop_gradient(jnp.concatenate([xf, other])))
        products = _pass(self.tables, at)
        moving = Moving(at[:models], *self._from(products[:models], at[:models], slopes=True))
        return moving, self._from(products[models:], at[models:], slopes=False)[0]

    def outputs(self, xf: Array, moving: Moving) -> list[Outputs]:
        """The outputs of each convolution for `xf` (model, working, x)."""
        outputs, _ = self.linear(xf)
        return self._with_rows(outputs, _evaluate(moving, self._columns(xf)))

    def both(self, xf: Array, other: Array) -> tuple[list[Outputs], list[Outputs]]:
        """Exact outputs for `xf` (model, working, x), and for `other` without gradients."""
        moving, values = self.exact(xf, other)
        first, second = self.linear(xf, other)
        return self._with_rows(first, _evaluate(moving, self._columns(xf))), self._with_rows(second, values)

    def predictions(self, outputs: Outputs, group: int) -> Array:
        """(model, dat) of a constraint."""
        if outputs.nonlinear is None:
            return outputs.linear
        return outputs.linear + outputs.nonlinear @ self.spread[group].T

    def _columns(self, xf: Array) -> Array:
        """(model, col): x f on the range of the tables."""
        start, stop = self.span
        return jnp.reshape(xf[:, :, start:stop], (len(xf), -1))

    def _from(self, products: Array, at: Array, slopes: bool) -> tuple[Array, ...]:
        """Values (model, row) and, if asked for, slopes (model, row, col) from T f (model, row, col) and f."""
        rows = jnp.einsum("mrc,mc->mr", products, at)
        count, ratios, *_ = self.sizes
        values, gradients = rows[:, :count], 2.0 * products[:, :count]
        others = slice(count + ratios, None)
        if self.curved:
            own = rows[:, count : count + ratios]
            values = values + jax.vmap(self._curve)(own)
            if slopes:
                change = jax.vmap(jax.jacfwd(self._curve))(own)
                gradients = gradients + 2.0 * jnp.einsum("mrs,msc->mrc", change, products[:, count : count + ratios])
        values = jnp.concatenate([values, rows[:, others]], axis=1)
        if not slopes:
            return (values,)
        return values, jnp.concatenate([gradients, 2.0 * products[:, others]], axis=1)

    def _curve(self, rows: Array) -> Array:
        """What the ratios add to c, (row,), from their tables' rows."""
        tables = self.unmixed @ rows
        parts = [operate(o.operation, [tables[start:stop] for start, stop in o.tables]) for o in self.curved]
        return jnp.concatenate(parts) @ self.of_curved

    def _with_rows(self, outputs: list[Outputs], rows: Array) -> list[Outputs]:
        count, _, *constraints = self.sizes
        data, *others = outputs
        own = rows[:, :count]
        if data.nonlinear is not None:
            own = own + data.nonlinear @ self.of_direct
        result, start = [Outputs(data.linear, own)], count
        for each, size in zip(others, constraints, strict=True):
            result.append(Outputs(each.linear, rows[:, start : start + size] if size else None))
            start += size
        return result


jax.tree_util.register_dataclass(
    MovingProjection,
    data_fields=["linear", "tables", "unmixed", "of_curved", "of_direct", "spread"],
    meta_fields=["curved", "sizes", "span"],
)


def _pass(tables: Array, at: Array) -> Array:
    """T f (model, row, col) for tables (row, col, col) and f (model, col)."""
    size = tables.shape[-1]
    flat = jnp.reshape(tables, (-1, size))
    if len(at) == 1:
        return jnp.reshape(flat @ at[0], (1, -1, size))
    if len(at) < _MANY:
        return jnp.swapaxes(jax.lax.map(lambda table: at @ table, tables), 0, 1)
    return jnp.moveaxis(jnp.reshape(flat @ at.T, (-1, size, len(at))), 2, 0)


@jax.custom_vjp
def _evaluate(moving: Moving, at: Array) -> Array:
    """(model, row) at PDFs (model, col)."""
    return moving.values + jnp.einsum("mrc,mc->mr", moving.slopes, at - moving.at)


def _evaluate_backward(moving: Moving, gradient: Array) -> tuple[Moving, Array]:
    return jax.tree.map(jnp.zeros_like, moving), jnp.einsum("mr,mrc->mc", gradient, moving.slopes)


_evaluate.defvjp(lambda moving, at: (_evaluate(moving, at), moving), _evaluate_backward)


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
    direct = tuple(o for o in data.nonlinear if not any(isinstance(t, Bilinear) for t in o.tables))
    projection = build_projection(replace(data, nonlinear=direct), linear, *stripped)
    return MovingProjection(
        linear=projection,
        tables=tables.values,
        unmixed=condensed.unmixed,
        of_curved=condensed.of_curved,
        of_direct=condensed.of_direct,
        spread=tuple(spread),
        curved=condensed.curved,
        sizes=tuple(sizes),
        span=(tables.start, tables.stop),
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
