"""Samplers: missing bounds, grids, whole numbers and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hyperparton.errors import SpaceError
from hyperparton.space.locate import locate
from hyperparton.space.samplers import (
    Choice,
    LogUniform,
    QUniform,
    Uniform,
    hp_choice,
    hp_loguniform,
    hp_quniform,
    hp_uniform,
    optimizer_arg_wrapper,
)
from hyperparton.space.tree import evaluate, sample


def drawn(sampler, label="x", draws=400):
    rng = np.random.default_rng(7)
    return [sample({"x": sampler}, rng)[label][0] for _ in range(draws)]


@pytest.mark.parametrize("build", [hp_uniform, hp_quniform, hp_loguniform])
@pytest.mark.parametrize("bounds", [(None, 1.0), (1.0, None), (None, None)])
def test_a_missing_bound_is_no_sampler(build, bounds):
    assert build("x", *bounds) is None


@pytest.mark.parametrize("choices", [[], (), None, np.array([]), iter(())])
def test_no_choices_is_no_sampler(choices):
    assert hp_choice("x", choices) is None


def test_steps_divide_the_range_and_both_ends_are_drawn():
    found = sorted(set(drawn(hp_quniform("x", 0.1, 0.4, steps=5))))
    assert found == pytest.approx([0.10, 0.16, 0.22, 0.28, 0.34, 0.40], abs=1e-12)
    assert (found[0], found[-1]) == (0.1, 0.4)


def test_a_step_that_does_not_divide_the_range_stops_before_its_end():
    assert sorted(set(drawn(hp_quniform("x", 1, 10, step_size=4)))) == [1.0, 5.0, 9.0]


def test_steps_go_before_step_size_and_the_lower_bound_is_the_last_resort():
    assert hp_quniform("x", 0.0, 1.0, step_size=0.3, steps=4).step == 0.25
    assert hp_quniform("x", 2, 10).step == 2.0


def test_whole_numbers():
    sampler = hp_quniform("x", 10, 13, step_size=1, make_int=True)
    cast = {sampler.cast(value) for value in drawn(sampler)}
    assert cast == {10, 11, 12, 13}
    assert all(type(value) is int for value in cast)


@given(
    lower=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), steps=st.integers(1, 60), integer=st.booleans(),
    seed=st.integers(0, 2**32),
)  # fmt: skip
def test_grid_draws_never_leave_the_range(lower, width, steps, integer, seed):
    upper = lower + width
    if integer and math.ceil(lower) > math.floor(upper):
        return
    sampler = hp_quniform("x", lower, upper, steps=steps, make_int=integer)
    value = sample({"x": sampler}, np.random.default_rng(seed))["x"][0]
    assert lower <= value <= upper
    assert lower <= sampler.cast(value) <= upper
    position = (value - lower) / (width / steps)
    assert position == pytest.approx(round(position), abs=1e-5)
    assert (sampler.point(0), sampler.point(steps)) == (lower, upper)


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_snapping_moves_what_lies_outside_to_the_nearer_end(value):
    sampler = QUniform("x", 0.12, 0.40, 0.06)
    last = 0.12 + 4 * 0.06
    assert sampler.snap(value) == (0.12 if value < 0.15 else last if value > 0.33 else value)


def test_log_bounds_are_values():
    found = drawn(hp_loguniform("x", 1e-4, 1e-2), draws=4000)
    assert min(found) >= 1e-4
    assert max(found) <= 1e-2
    assert np.mean(np.log10(found)) == pytest.approx(-3.0, abs=4 * 2 / math.sqrt(12 * 4000))


@pytest.mark.parametrize(
    "call",
    [
        lambda: hp_uniform("x", 2, 1),
        lambda: hp_uniform("x", "1e3", 2e3),
        lambda: hp_uniform("x", True, 2),
        lambda: hp_uniform("x", 0, math.inf),
        lambda: hp_uniform("", 0, 1),
        lambda: hp_uniform(3, 0, 1),
        lambda: hp_loguniform("x", 0, 1),
        lambda: hp_loguniform("x", -1, 1),
        lambda: hp_quniform("x", 0, 1),
        lambda: hp_quniform("x", 0, 1, step_size=2),
        lambda: hp_quniform("x", 0, 1, step_size=-0.1),
        lambda: hp_quniform("x", 0, 1, steps=0),
        lambda: hp_quniform("x", 0, 1, steps=2.5),
        lambda: hp_quniform("x", 1.2, 1.8, steps=2, make_int=True),
        lambda: hp_choice("x", "ALL"),
        lambda: hp_choice("x", ""),
        lambda: hp_choice("x", {"a": 1}),
        lambda: hp_choice("x", 3),
        lambda: optimizer_arg_wrapper("x", {"min": 0, "max": 1, "sampling": "logarithmic"}),
        lambda: optimizer_arg_wrapper("x", {"min": 0, "maximum": 1}),
        lambda: optimizer_arg_wrapper("x", "0.1"),
        lambda: optimizer_arg_wrapper("x", True),
    ],
)
def test_what_makes_no_sampler_is_refused(call):
    with pytest.raises(SpaceError):
        call()


def test_optimizer_arguments():
    assert optimizer_arg_wrapper("x", 1) == 1
    assert type(optimizer_arg_wrapper("x", 1)) is int
    assert optimizer_arg_wrapper("x", 0.5) == 0.5
    assert optimizer_arg_wrapper("x", {"min": 0, "max": 1}) == Uniform("x", 0.0, 1.0)
    assert optimizer_arg_wrapper("x", {"min": 1e-3, "max": 1, "sampling": "log"}) == LogUniform("x", 1e-3, 1.0)
    assert optimizer_arg_wrapper("x", {"min": 1e-3, "max": None}) is None


def test_a_choice_cannot_be_changed_from_outside():
    options = [{"name": "a", "widths": [1, 2]}, np.array([1.5, 2.5])]
    choice = hp_choice("x", options)
    options[0]["widths"].append(3)
    options.append("more")
    assert choice == Choice("x", hp_choice("y", [{"name": "a", "widths": [1, 2]}, [1.5, 2.5]]).options)
    with pytest.raises(AttributeError):
        choice.label = "y"
    with pytest.raises(TypeError):
        choice.options[0]["name"] = "b"


LOG, LINEAR = hp_loguniform("l", 1e-300, 1e300), hp_uniform("u", -1e308, 1e308)
GRID = hp_quniform("g", -1e308, 1e308, steps=4)
FINE = hp_quniform("f", 1, 1e300, step_size=1)


@pytest.mark.parametrize(
    ("sampler", "share", "value"),
    [
        (hp_uniform("x", -1, 3), 0.25, 0.0),
        (hp_loguniform("x", 1.0, 2.0**16), 0.5, 256.0),
        (hp_quniform("x", 0, 7, step_size=1), 2.5 / 8, 2.0),
        (hp_choice("x", ["a", 1, 2, 3]), 0.625, 2),
        (LOG, 0.0, 1e-300),
        (LOG, 0.5, 1.0),
        (LOG, 0.75, 1e150),
        (LOG, 1.0, 1e300),
        (hp_loguniform("x", 5e-324, 1.0), 1.0, 1.0),
        (LINEAR, 0.0, -1e308),
        (LINEAR, 0.25, -5e307),
        (LINEAR, 0.5, 0.0),
        (LINEAR, 1.0, 1e308),
        (hp_uniform("x", 1e-300, 3e-300), 0.5, 2e-300),
        (GRID, 0.1, -1e308),
        (GRID, 0.3, -5e307),
        (GRID, 0.5, 0.0),
        (GRID, 0.7, 5e307),
        (GRID, 0.9, 1e308),
        (FINE, 0.25, 2.5e299),
        (FINE, 1.0, 1e300),
    ],
)
def test_shares_and_values_in_closed_form(sampler, share, value):
    assert sampler.value_at(share) == pytest.approx(value, rel=1e-12, abs=0.0 if value else 1e-15)
    assert sampler.share(value) == pytest.approx(share, abs=1e-12)
    if isinstance(sampler, Uniform | LogUniform):
        assert sampler.share(np.array([value, math.nan])) == pytest.approx([share, math.nan], abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("sampler", [hp_quniform("q", 0, 7, step_size=1), hp_choice("c", list(range(8)))])
def test_cells_are_equally_wide(sampler):
    assert sampler.cells == 8
    assert [sampler.value_at(share) for share in (0.0, 0.1249, 0.125, 0.9999, 1.0)] == [0, 0, 1, 7, 7]


@st.composite
def ranges(draw):
    """Any range that is accepted, ordinary and extreme ones."""
    kind = draw(st.sampled_from(["linear", "log", "steps", "step"]))
    if kind == "log":
        ends = [10.0 ** draw(st.floats(-307.5, 307.5)) for _ in range(2)]
    else:
        size = draw(st.sampled_from([1.0, 1e-300, 1e-9, 1e6, 1e300, 1.7e308]))
        ends = [size * draw(st.floats(-1.0, 1.0)) for _ in range(2)]
    low, high = min(ends), max(ends)
    # of bounds that agree in most digits there are few values
    assume(high / 2 - low / 2 > 1e-6 * max(abs(low), abs(high)) and high / 2 - low / 2 > 1e-310)
    if kind == "log":
        return hp_loguniform("x", low, high)
    if kind == "linear":
        return hp_uniform("x", low, high)
    if kind == "steps":
        return hp_quniform("x", low, high, steps=draw(st.integers(2, 5000)))
    step = 2.0 * (high / 2 - low / 2) * draw(st.floats(1e-9, 0.5))
    return hp_quniform("x", low, high, step_size=min(step, 1.7e308))


@given(sampler=ranges(), shares=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6), seed=st.integers(0, 2**32))
def test_shares_are_the_inverse_of_values(sampler, shares, seed):
    shares = sorted([0.0, *shares, 1.0])
    values = [sampler.value_at(share) for share in shares]
    assert values == sorted(values)
    assert values[0] == pytest.approx(sampler.lower, rel=1e-12, abs=0.0)
    drawn = sampler.draw(np.random.default_rng(seed))
    assert all(sampler.lower <= value <= sampler.upper for value in [*values, drawn])
    back = [sampler.share(value) for value in values]
    assert back == sorted(back)
    assert all(0.0 <= share <= 1.0 for share in [*back, sampler.share(drawn)])
    cell = 0.5 / sampler.cells if sampler.cells else 0.0
    assert back == pytest.approx(shares, abs=cell + 1e-8)


@given(sampler=ranges())
def test_grid_points_are_those_of_their_numbers(sampler):
    if not isinstance(sampler, QUniform):
        return
    for k in {0, 1, sampler.count // 2, sampler.count - 1, sampler.count}:
        assert sampler.index(sampler.point(k)) == k
    assert sampler.point(0) == sampler.lower
    assert sampler.point(sampler.count) == sampler.last <= sampler.upper


def test_a_step_that_nearly_divides_the_range_does_not_pass_its_end():
    """A million steps of 1.0000000005e-6 are longer than the range by a thousandth of a step less than is seen."""
    sampler = hp_quniform("x", 0, 1, step_size=1.0000000005e-6)
    assert sampler.point(sampler.count) == sampler.last == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hp_quniform("x", -1e308, 1e308, steps=1), "1 step from -1e.308 to 1e.308 have a length"),
        (lambda: hp_quniform("x", 0, 5e-324, steps=3), "3 steps from 0 to 4.94066e-324 have a length"),
        (lambda: hp_quniform("x", 0, 1e308, step_size=1e-10), "too many steps of 1e-10"),
        (lambda: hp_quniform("x", 0, 1, steps=10**400), "steps must be a whole number from 1 to"),
        (lambda: hp_uniform("x", 0, 10**400), "upper bound must be a finite number.*given a whole number of 1329 bits"),
        (lambda: hp_uniform("x", 0, 10**9000), "given a whole number of 29898 bits"),
        (lambda: hp_uniform("x", 2**53 + 1, 2**53 + 1), "no float lies between the bounds, given 9007199254740993"),
        (lambda: hp_uniform("x", np.int64(2**53 + 1), 2**53 + 1), "no float lies between the bounds"),
        (lambda: hp_quniform("x", 4, 4, step_size=-1), "the step must be above 0"),
        (lambda: hp_quniform("x", 4, 4, steps=0), "steps must be a whole number"),
        (lambda: hp_quniform("x", 4.5, 4.5, make_int=True), "no whole number between 4.5 and 4.5"),
    ],
)
def test_grids_that_no_float_can_hold_are_refused(call, message):
    with pytest.raises(SpaceError, match=message):
        call()


@pytest.mark.parametrize(
    "build",
    [
        hp_uniform,
        hp_loguniform,
        hp_quniform,
        lambda label, low, high: hp_quniform(label, low, high, steps=5),
        lambda label, low, high: hp_quniform(label, low, high, step_size=1, make_int=True),
        lambda label, low, high: optimizer_arg_wrapper(label, {"min": low, "max": high, "sampling": "log"}),
    ],
)
@pytest.mark.parametrize("value", [8, 1e300, 2**60, np.int64(3)])
def test_equal_bounds_are_one_value(build, value):
    """As in n3fit the label stays, with the value; its share is the middle, as that of the one option of a choice."""
    sampler = build("x", value, value)
    assert (sampler.cells, sampler.share(float(value))) == (1, 0.5) == (1, hp_choice("x", ["a"]).share(0))
    assert [sampler.value_at(share) for share in (0.0, 0.3, 0.5, 1.0)] == [float(value)] * 4
    assert evaluate({"x": sampler}, sample({"x": sampler}, np.random.default_rng(1))) == {"x": value}
    assert locate({"x": sampler}, {"x": float(value)}) == ({"x": [float(value)]}, [])


@pytest.mark.parametrize("value", [0.0, -3.5, -1e308, 5e-324])
def test_equal_bounds_of_any_sign(value):
    for sampler in (hp_uniform("x", value, value), hp_quniform("x", value, value)):
        assert set(drawn(sampler, draws=5)) == {value}


@given(low=st.integers(2**52, 2**70), width=st.integers(2**18, 2**60), share=st.floats(0.0, 1.0))
def test_whole_numbers_that_no_float_holds_stay_inside(low, width, share):
    """Floats below 2**71 are at most 2**18 apart; Python compares them with whole numbers exactly."""
    high = low + width
    sampler = hp_uniform("x", low, high)
    grid = hp_quniform("x", low, high, step_size=width / 2**20, make_int=True)
    values = [sampler.value_at(share), grid.value_at(share), grid.cast(grid.value_at(share))]
    assert all(low <= value <= high for value in values)
