"""Expressions of cuts: right values, nothing else runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.data.cut_expressions import Expression
from hyperparton.errors import DataError

X = np.array([0.01, 0.1, 0.5])
Q2 = np.array([2.0, 10.0, 100.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > 0.05", [False, True, True]),
        ("Q2 > 3 and x < 0.3", [False, True, False]),
        ("not (Q2 > 3 and x < 0.3)", [True, False, True]),
        ("0.05 < x <= 0.5", [False, True, True]),
        ("x != 0.1 or Q2 == 10", [True, True, True]),
        ("Q2 * (1 - x) / x > 100", [True, False, False]),
        ("-0.5 * log(x) >= fabs(sqrt(Q2) - 5)", [False, False, False]),
        ("x**2 + Q2 > 100", [False, False, True]),
        ("Q2 > 5 and (Q2 > 50 or x > 1e-3) and x < 1", [False, True, True]),
    ],
)
def test_values(text, expected):
    np.testing.assert_array_equal(Expression(text)({"x": X, "Q2": Q2}), expected)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 1e3))
def test_arithmetic_is_that_of_numbers(a, b, c):
    value = Expression("(a + b) * 2 - a / c + c**2")({"a": a, "b": b, "c": c})
    assert value == pytest.approx((a + b) * 2 - a / c + c * c, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "x.real",
        "x[0]",
        "exp(x)",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "x if x else 1",
        "'text'",
        "x; y",
        "x = 1",
        "x := 1",
        "f'{x}'",
        "sqrt(x, x)",
        "sqrt(a=x)",
        "x is 1",
        "x in (1, 2)",
        "x // 2",
        "x & 1",
        "9**9**9",
        "x**y",
        "1" * 400,
        "",
        "((((",
        "x" * 2000,
        "-" * 900 + "x",
        "-" * 101 + "x",
        "x\0",
        None,
    ],
)
def test_everything_else_is_an_error(text):
    if text is None:
        text = "None"
    with pytest.raises(DataError):
        Expression(text)


def test_expressions_may_be_nested():
    assert Expression("-" * 100 + "x")({"x": X}).tolist() == X.tolist()
    assert Expression("+".join(["x"] * 101))({"x": np.float64(1.0)}) == 101.0


def test_unknown_names_are_named_with_those_known():
    with pytest.raises(DataError, match=r"needs w2, known are: x, Q2"):
        Expression("w2 > 1")({"x": X, "Q2": Q2})


def test_division_by_zero_is_infinite_not_an_error():
    assert Expression("1 / x > 5")({"x": np.array([0.0, 1.0])}).tolist() == [True, False]
