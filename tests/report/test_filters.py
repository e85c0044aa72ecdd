"""Choosing trials: the parser, its errors, what passes."""

import pytest

from hyperparton.errors import ReportError
from hyperparton.report.autofilter import autofilter
from hyperparton.report.filters import apply_filters, parse_filter
from hyperparton.report.losses import Loss


@pytest.fixture
def trials(rows):
    return rows(
        (0, 1.0, {"optimizer": {"optimizer_name": "Adam", "learning_rate": 0.01}, "nodes_per_layer": [20, 8]}),
        (1, 2.0, {"optimizer": {"optimizer_name": "Nadam", "learning_rate": 0.001}, "nodes_per_layer": [20, 10, 8]}),
        (2, 3.0, {"optimizer": {"optimizer_name": "Adagrad"}, "nodes_per_layer": [9, 8]}),
        (3, None, {"status": "fail", "optimizer": {"optimizer_name": "Adam", "learning_rate": 0.1}, "trainable": True}),
    )


def kept(trials, *texts):
    return [row.number for row in apply_filters(trials, [parse_filter(text) for text in texts])]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("optimizer=Adam", [0, 3]),
        ("optimizer==Adam", [0, 3]),
        ("optimizer_name = 'Adam'", [0, 3]),
        ("optimizer!=Adam", [1, 2]),
        ("optimizer=Adam|Adagrad", [0, 2, 3]),
        ("loss<2", [0]),
        ("loss<=2", [0, 1]),
        ("loss>1.5", [1, 2]),
        ("loss>=1", [0, 1, 2]),
        ("learning_rate<5e-2", [0, 1, 2]),  # it does not apply to trial 2, which passes
        ("lr=0.01", [0, 2]),
        ("nl=2", [1, 3]),
        ("layer_1=20", [0, 1, 3]),
        ("nodes=20-8", [0, 3]),
        ("trial>1", [2, 3]),
        ("status=fail", [3]),
        ("trainable=true", [0, 1, 2, 3]),
        ("trainable!=true", [0, 1, 2]),
    ],
)
def test_what_passes(trials, text, numbers):
    assert kept(trials, text) == numbers


def test_all_filters_must_hold(trials):
    assert kept(trials, "optimizer=Adam", "loss<2") == [0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer", "not understood, accepted: KEY=VALUE"),
        ("=Adam", "not understood"),
        ("loss<", "a value is missing after '<'"),
        ("optimizer=Adam|", "a value is missing after '='"),
        ("loss=<2", "unknown operator '=<', accepted: = == != < <= > >="),
        ("loss<two", "< compares numbers, given 'two'"),
        ("loss<nan", "< compares numbers, given 'nan'"),
        ("loss<1|2", "< takes one number, given 2"),
        ("__import__('os').system('true')=1", "not understood"),
    ],
)
def test_what_is_not_understood(text, message):
    with pytest.raises(ReportError, match=r"filter .*") as caught:
        parse_filter(text)
    assert message in str(caught.value)
    assert repr(text) in str(caught.value)


def test_keys_that_no_trial_has_and_values_without_order(trials):
    with pytest.raises(ReportError, match=r"no trial has 'optimiser' \(did you mean 'optimizer'\?\), accepted: "):
        kept(trials, "optimiser=Adam")
    with pytest.raises(ReportError, match="optimizer holds 'Adam', which has no order; accepted: = and !="):
        kept(trials, "optimizer<3")


def test_the_automatic_filter_leaves_out_the_worst_median(rows):
    # medians: A 2, B 5, C 9 (one of three failed counts as infinite: 1, 9, inf); C goes although it has a 1.5
    trials = rows(
        (0, 1.0, {"kind": "A"}), (1, 2.0, {"kind": "A"}), (2, 3.0, {"kind": "A"}),
        (3, 4.0, {"kind": "B"}), (4, 6.0, {"kind": "B"}),
        (5, 1.5, {"kind": "C"}), (6, 9.0, {"kind": "C"}), (7, None, {"kind": "C", "status": "fail"}),
    )  # fmt: skip
    left, removed = autofilter(trials, ["kind"], Loss())
    assert [row.number for row in left] == [0, 1, 2, 3, 4]
    assert [(gone.combination, gone.trials, gone.median) for gone in removed] == [("kind=C", 3, 9.0)]


def test_the_automatic_filter_keeps_the_best_trial_and_one_combination(rows):
    # B holds the best trial, so A goes although its median is lower
    trials = rows(
        (0, 0.5, {"kind": "B"}), (1, 8.0, {"kind": "B"}), (2, 9.0, {"kind": "B"}), (3, 1.0, {"kind": "A"}),
    )  # fmt: skip
    left, _ = autofilter(trials, ["kind"], Loss())
    assert [row.number for row in left] == [0, 1, 2]
    again, removed = autofilter(left, ["kind"], Loss())
    assert (again, removed) == (left, [])


def test_a_bin_of_the_automatic_filter_begins_at_its_lower_edge(rows):
    trials = rows(*((i, 9.0 if i == 3 else 1.0, {"rate": i / 10}) for i in range(11)))
    assert [entry.combination for entry in autofilter(trials, ["rate"], Loss())[1]] == ["rate=[0.3, 0.4)"]


def test_the_automatic_filter_bins_numbers_of_the_widest_range(rows):
    trials = rows(*((i, float(i), {"rate": (i - 5) * 2e307}) for i in range(11)))
    trials += rows((11, 12.0, {"rate": 1.7e308}), (12, 13.0, {"rate": -1.7e308}))
    assert [entry.combination for entry in autofilter(trials, ["rate"], Loss())[1]] == ["rate=[-1.7e+308, -1.36e+308)"]


def test_the_automatic_filter_bins_numbers(rows):
    # twelve values from 0 to 11 make bins of width 1.1; the last, [9.9, 11], holds 10 and 11 with losses 11 and 12
    trials = rows(*((n, 1.0 + n, {"rate": n}) for n in range(12)))
    left, removed = autofilter(trials, ["rate"], Loss())
    assert [row.number for row in left] == list(range(10))
    assert [(gone.combination, gone.median) for gone in removed] == [("rate=[9.9, 11]", 11.5)]
    with pytest.raises(ReportError, match="automatic filter: no trial has 'rates'"):
        autofilter(trials, ["rates"], Loss())
