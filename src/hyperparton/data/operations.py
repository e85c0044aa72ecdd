"""NNPDF's operations: how the predictions of several FK tables make one observable.

A data set names its operation in nnpdf-data (`theory: operation`), and validphys and n3fit know the same ones.
An operation that is missing here is one more row of `OPERATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from hyperparton.errors import DataError

__all__ = ["OPERATIONS", "Operation", "find_operation", "operate"]

Array = Any


@dataclass(frozen=True)
class Operation:
    """One operation on the predictions of FK tables, arrays of numpy or of jax that broadcast to one shape."""

    operands: int
    """how many predictions it takes"""
    formula: Callable[..., Array]
    linear: bool = False
    """whether it is a sum: the observable is then linear in the PDFs wherever its tables are"""


def _sum(*values: Array) -> Array:
    """From left to right, as validphys adds, so that the last digits do not depend on the array module."""
    return reduce(add, values)


OPERATIONS: dict[str, Operation] = {
    "NULL": Operation(1, _sum, linear=True),
    "ADD": Operation(2, _sum, linear=True),
    "SMT": Operation(10, _sum, linear=True),
    "RATIO": Operation(2, lambda a, b: a / b),
    "ASY": Operation(2, lambda a, b: (a - b) / (a + b)),
    "SMN": Operation(4, lambda a, b, c, d: (a + b) / (c + d)),
    "COM": Operation(20, lambda *values: _sum(*values[:10]) / _sum(*values[10:])),
}
"""name -> operation: the prediction itself, sums of 2 and of 10, ratio, asymmetry, ratio of sums of 2 and of 10"""


def find_operation(observable: str, name: str, operands: int) -> Operation:
    """The operation `name` that joins the `operands` FK tables of an observable.

    Raises `DataError` for an unknown operation or one that takes another number of tables.
    """
    operation = OPERATIONS.get(name)
    if operation is None or operation.operands != operands:
        accepted = ", ".join(f"{each} of {known.operands}" for each, known in OPERATIONS.items())
        raise DataError(f"{observable}: FK tables are joined by {name} of {operands}, accepted: {accepted}")
    return operation


def operate(name: str, predictions: Sequence[Array]) -> Array:
    """The observable from the predictions of its tables, (..., dat) each; a table of one point serves all points."""
    return OPERATIONS[name].formula(*predictions)
