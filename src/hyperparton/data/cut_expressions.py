"""Arithmetic and comparisons of cuts, such as ``Q2 > 8 and (x < 0.1 or y > 0)``, on arrays and without `eval`.

Allowed: numbers, names, ``+ - * / **``, comparisons (chained too), ``and or not``, parentheses, and the functions
`sqrt`, `log`, `fabs`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from hyperparton.errors import DataError, shortened

__all__ = ["FUNCTIONS", "Expression"]

FUNCTIONS: Mapping[str, Callable] = {"sqrt": np.sqrt, "log": np.log, "fabs": np.fabs}
_LONGEST = 1000
_LARGEST_POWER = 100
_DEEPEST = 100

_OPERATORS: Mapping[type, Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: np.logical_not,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


class Expression:
    """A checked expression; `names` are the variables that it needs.

    Raises `DataError` when made from anything but the grammar above.
    """

    def __init__(self, text: str | float):
        self.text = str(text)
        if len(self.text) > _LONGEST:
            raise DataError(f"an expression has at most {_LONGEST} characters, given {len(self.text)}")
        try:
            with warnings.catch_warnings(action="ignore"):  # Python's advice on `x is 1` and the like
                self._root = ast.parse(self.text.strip(), mode="eval").body
            self.names = frozenset(self._check(self._root))
        except DataError:
            raise
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            raise DataError(f"not an expression: {self._shown} ({getattr(error, 'msg', error)})") from error

    @property
    def _shown(self) -> str:
        return shortened(repr(self.text))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __call__(self, variables: Mapping[str, np.ndarray | float]) -> np.ndarray:
        """Its value, element by element.  Division by zero and logs of negative numbers give inf and nan."""
        missing = self.names - variables.keys()
        if missing:
            known = ", ".join(variables)
            raise DataError(f"{self._shown} needs {', '.join(sorted(missing))}, known are: {known}")
        with np.errstate(all="ignore"):
            return np.asarray(self._value(self._root, variables))

    def _check(self, node: ast.AST, depth: int = 0) -> list[str]:
        """The names below a node, or an error for what is not allowed."""
        if depth > _DEEPEST:
            raise DataError(f"an expression is nested at most {_DEEPEST} levels deep: {self._shown}")
        children: list[ast.expr]
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                float(value)  # a whole number can be too large for one
                return []
            case ast.Name(id=name):
                return [name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                if isinstance(op, ast.Pow) and not _small(right):
                    raise DataError(f"powers in an expression are numbers up to {_LARGEST_POWER}: {self._shown}")
                children = [left, right]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                children = [operand]
            case ast.BoolOp(values=values):
                children = values
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _OPERATORS for op in ops):
                children = [left, *others]
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                children = [argument]
            case _:
                accepted = "numbers, variables, + - * / **, comparisons, and, or, not, sqrt, log, fabs"
                raise DataError(f"{type(node).__name__} is not allowed in {self._shown}, accepted are: {accepted}")
        return [name for child in children for name in self._check(child, depth + 1)]

    def _value(self, node: ast.AST, variables: Mapping) -> np.ndarray | float:
        match node:
            case ast.Constant(value=value):
                return float(value)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return variables[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](self._value(left, variables), self._value(right, variables))
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](self._value(operand, variables))
            case ast.BoolOp(op=op, values=values):
                return reduce(_OPERATORS[type(op)], [self._value(value, variables) for value in values])
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return FUNCTIONS[name](self._value(argument, variables))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self._value(side, variables) for side in (left, *others)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                return reduce(np.logical_and, [_OPERATORS[type(op)](a, b) for op, a, b in pairs])
            case _:  # cannot be: checked when made
                raise DataError(f"{type(node).__name__} is not allowed in {self._shown}")


def _small(power: ast.AST) -> bool:
    if isinstance(power, ast.UnaryOp):
        power = power.operand
    return isinstance(power, ast.Constant) and isinstance(power.value, int | float) and power.value <= _LARGEST_POWER
