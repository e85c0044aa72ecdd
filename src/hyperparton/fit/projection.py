"""Predictions of data and constraints from x f on the grid, for the compiled epoch: one product with one matrix.

The data's linear features, the FK tables of observables that are not linear, positivity and integrability sets are
columns of one matrix acting on the PDF values of all models at once, which is one large product per epoch in place
of many small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.operations import operate
from hyperparton.fit.hadronic import Bilinear, bilinear_prediction, merged
from hyperparton.fit.observables import Convolution, Nonlinear, PreparedTable

__all__ = ["Outputs", "Projection", "build_projection", "to_device"]

Array = jax.Array | np.ndarray


#: columns `start` to `stop` of everything: the rows of the hadronic tables, then the product with the matrix
_Columns = tuple[int, int]


@dataclass(frozen=True)
class _Group:
    """The columns of one convolution: those of its linear part, and of the tables of each non-linear observable."""

    start: int
    stop: int
    observables: tuple[tuple[str, tuple[_Columns, ...]], ...]


@dataclass(frozen=True, eq=False)
class Projection:
    """The shared matrices of a problem."""

    matrix: Array
    """(working*x, feature + dat) columns of the linear features of the data, then of all other predictions"""
    transposed: Array
    """(feature + dat, working*x)"""
    bilinear: tuple[Bilinear, ...]
    """the hadronic tables, several merged into one (`fit.hadronic`)"""
    spread: tuple[Array, ...]
    """per group (dat, dat) where its non-linear predictions go among all of it; empty for the data"""
    groups: tuple[_Group, ...]

    def __call__(self, xf: Array, other: Array | None = None) -> tuple[list[Outputs], list[Outputs]]:
        """The outputs of each convolution for `xf` (model, working, x), and for `other` without gradients.

        One product serves both.  Without `other` the second are those of `xf` again.
        """
        flat = jnp.reshape(xf, (xf.shape[0], -1))
        if other is None:
            outputs = self._all(_product(flat, flat[:0], self.matrix, self.transposed), xf)
            return outputs, jax.lax.stop_gradient(outputs)
        fixed: Array = jax.lax.stop_gradient(other)
        product = _product(flat, jnp.reshape(fixed, flat.shape), self.matrix, self.transposed)
        first, second = product[: len(flat)], jax.lax.stop_gradient(product[len(flat) :])
        return self._all(first, xf), self._all(second, fixed)

    def _all(self, product: Array, xf: Array) -> list[Outputs]:
        columns = [bilinear_prediction(table, xf) for table in self.bilinear]
        if product.shape[1] or not columns:  # XLA aborts where an array without columns is joined to others
            columns.append(product)
        everything = columns[0] if len(columns) == 1 else jnp.concatenate(columns, axis=1)
        return [self._outputs(group, everything) for group in self.groups]

    def _outputs(self, group: _Group, everything: Array) -> Outputs:
        predictions = [
            operate(operation, [everything[:, start:stop] for start, stop in tables])
            for operation, tables in group.observables
        ]
        nonlinear = jnp.concatenate(predictions, axis=1) if predictions else None
        return Outputs(everything[:, group.start : group.stop], nonlinear)

    def predictions(self, outputs: Outputs, group: int) -> Array:
        """(model, dat) of a convolution whose linear part is its predictions."""
        if outputs.nonlinear is None:
            return outputs.linear
        return outputs.linear + outputs.nonlinear @ self.spread[group].T


jax.tree_util.register_dataclass(
    Projection, data_fields=["matrix", "transposed", "bilinear", "spread"], meta_fields=["groups"]
)


class Outputs(NamedTuple):
    """Features or predictions of one convolution."""

    linear: Array
    """(model, feature) the linear features, or (model, dat) the linear part of predictions"""
    nonlinear: Array | None
    """(model, dat) the predictions of the observables that are not linear"""


@jax.custom_vjp
def _product(flat: Array, other: Array, matrix: Array, transposed: Array) -> Array:
    """Products of the rows of `flat` (model, working*x), then of `other`, through which no gradient flows."""
    return jnp.concatenate([flat, other]) @ matrix


def _product_forward(flat: Array, other: Array, matrix: Array, transposed: Array) -> tuple[Array, tuple[Array, ...]]:
    return _product(flat, other, matrix, transposed), (other, matrix, transposed)


def _product_backward(saved: tuple[Array, ...], gradient: Array) -> tuple[Array, ...]:
    other, matrix, transposed = saved
    # with the transpose kept beside the matrix no product reads a matrix against its order in memory
    rows = gradient[: len(gradient) - len(other)] @ transposed
    return rows, jnp.zeros_like(other), jnp.zeros_like(matrix), jnp.zeros_like(transposed)


_product.defvjp(_product_forward, _product_backward)


def build_projection(data: Convolution, linear: int, *constraints: Convolution) -> Projection:
    """The projection onto the data's features (`Convolution.compressed`) and the predictions of constraints.

    Of the linear features the first `linear` are kept.
    """
    assert data.basis is not None
    builder = _Builder(len(data.grid), [each.nonlinear for each in (data, *constraints)])
    groups = [builder.group(data.basis[:, :linear], data.nonlinear)]
    spread = [np.zeros((0, 0))]
    for convolution in constraints:
        size = convolution.matrix.shape[1] - convolution.nonlinear_size
        groups.append(builder.group(convolution.matrix[:, :size].T, convolution.nonlinear))
        spread.append(convolution.matrix[:, size:])
    matrix = np.concatenate(builder.blocks, axis=1).astype(np.float32)
    return Projection(
        matrix,
        np.ascontiguousarray(matrix.T),
        builder.bilinear,
        tuple(s.astype(np.float32) for s in spread),
        tuple(groups),
    )


class _Builder:
    """Collects blocks of columns (working*x, dat), which are given as (x*working, dat)."""

    def __init__(self, grid: int, nonlinear: Sequence[Sequence[Nonlinear]]):
        """`grid` is the number of x, `nonlinear` are the observables that are not linear of each convolution."""
        self.grid = grid
        self.blocks: list[np.ndarray] = []
        self.columns = 0
        tables = [table for observables in nonlinear for each in observables for table in each.tables]
        hadronic = [table for table in tables if isinstance(table, Bilinear)]
        made = merged(hadronic)
        self.bilinear = tuple(table for table, _ in made)
        #: by the identity of each hadronic table
        self.rows: dict[int, _Columns] = {}
        for number in (number for _, members in made for number in members):
            start, self.columns = self.columns, self.columns + len(hadronic[number].values)
            self.rows[id(hadronic[number])] = start, self.columns

    def group(self, linear: np.ndarray, nonlinear: tuple[Nonlinear, ...]) -> _Group:
        start, stop = self.block(linear)
        observables = tuple((o.operation, tuple(self.table(t) for t in o.tables)) for o in nonlinear)
        return _Group(start, stop, observables)

    def table(self, table: PreparedTable) -> _Columns:
        if isinstance(table, Bilinear):
            return self.rows[id(table)]
        return self.block(table.T)

    def block(self, columns: np.ndarray) -> _Columns:
        by_x = columns.reshape(self.grid, len(columns) // self.grid, columns.shape[1])  # there may be no columns
        self.blocks.append(np.swapaxes(by_x, 0, 1).reshape(columns.shape))
        start, self.columns = self.columns, self.columns + columns.shape[1]
        return start, self.columns


def to_device(tree: Any) -> Any:
    """Arrays of a tree in single precision on the device; integer arrays (indices) stay integers."""

    def convert(a: Any) -> Any:
        a = np.asarray(a)
        return jnp.asarray(a, jnp.float32 if a.dtype.kind == "f" else jnp.int32)

    return jax.tree.map(convert, tree)
