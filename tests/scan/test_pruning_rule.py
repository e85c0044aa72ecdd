"""The rule that stops trials: its regression by least squares, and limits that can be told by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from cheap import thresholds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hyperparton.scan import pruning
from hyperparton.scan.learning_curve import LearningCurve
from hyperparton.scan.pruning import Pruner, Rule, Threshold, reason_to_prune
from hyperparton.space.samplers import hp_choice, hp_uniform

RULE = Rule(warmup=10)
SPACE = {"x": hp_uniform("x", 0, 1), "c": hp_choice("c", ["a", {"y": hp_uniform("y", 0, 1)}])}


def point(x, c=0, y=None):
    return {"x": [x], "c": [c], "y": [] if y is None else [y]}


def curve(final, *losses, x=0.5):
    return LearningCurve(tuple(100 * (i + 1) for i in range(len(losses))), losses, final, point(x))


def history(count=40, seed=0, shift=0.0, fall=3.0, noise=0.1):
    """Trials that fall by `fall`, times e^(shift (x - 1/2)), with noise: the slower ones have a larger x."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        x, start = rng.random(), float(np.exp(rng.normal(2.0, 1.0)))
        final = start / fall * math.exp(-shift * (x - 0.5) + noise * rng.standard_normal())
        found.append(curve(final, start, math.sqrt(start * final), x=x))
    return found


def at(found, epoch=100):
    return next(threshold for threshold in found if threshold.epoch == epoch)


def test_the_chance_is_that_of_a_bayesian_regression():
    """With the noise that was found, mean and covariance are Bishop's (3.53) and (3.54), here by least squares.

    A prior is a further row of data: sqrt(precision) times the parameter is sqrt(precision) times its mean.
    """
    rng = np.random.default_rng(1)
    x, h = rng.standard_normal(30), rng.uniform(-0.5, 0.5, (30, 2))
    y = 0.9 * x + h @ [0.4, 0.0] + 0.2 * rng.standard_normal(30)
    own, spread = np.array([0.3, -0.2]), 0.3
    chance = pruning._chance(x, y, h, own, -1.0, spread)
    rows = np.column_stack([np.ones(30), x, h])
    widths = 1.0 / np.sqrt([1e-3, 0.1, spread**-2, spread**-2])
    noise = 0.2
    for _ in range(pruning._NOISE_ROUNDS):
        all_rows = np.vstack([rows / math.sqrt(noise), np.diag(1.0 / widths)])
        all_y = np.append(y / math.sqrt(noise), np.array([0.0, 1.0, 0.0, 0.0]) / widths)
        mean = np.linalg.lstsq(all_rows, all_y, rcond=None)[0]
        hat = all_rows @ np.linalg.pinv(all_rows)
        free = 30 - np.trace(hat[:30, :30])
        noise = np.sum((y - rows @ mean) ** 2) / free
    all_rows = np.vstack([rows / math.sqrt(noise), np.diag(1.0 / widths)])
    covariance = np.linalg.inv(all_rows.T @ all_rows)
    for score in (-2.0, -1.0, 0.0):
        row = np.array([1.0, score, *own])
        width = math.sqrt(noise + row @ covariance @ row)
        assert chance(score) == pytest.approx(stats.t(free).cdf((-1.0 - row @ mean) / width), rel=1e-6)


def test_a_trial_below_the_limit_has_the_chance_that_is_asked_for():
    """Of many trials like the past ones, drawn anew, those at the limit come out best as often as the rule says."""
    past = history(count=200, noise=0.3)
    threshold = at(thresholds(past, replace(RULE, chance=0.2), SPACE, point(0.5)))
    rng = np.random.default_rng(3)
    ends = threshold.loss / 3.0 * np.exp(0.3 * rng.standard_normal(20000))
    assert 0.05 < np.mean(ends <= threshold.target) < 0.4
    assert threshold.target == sorted(one.final for one in past)[20]


def test_the_better_the_odds_that_are_asked_for_the_lower_the_limit():
    past = history()
    found = [at(thresholds(past, replace(RULE, chance=chance), SPACE, point(0.5))).loss for chance in (0.01, 0.1, 0.4)]
    assert found[0] > found[1] > found[2]


def test_later_limits_are_lower():
    found = thresholds(history(), RULE, SPACE, point(0.5))
    assert [threshold.epoch for threshold in found] == [100, 200]
    assert found[0].loss > found[1].loss > found[0].target


def test_a_trial_whose_hyperparameters_make_it_slow_may_be_worse():
    """With x near 1 a trial falls farther after the checkpoint than with x near 0."""
    past = history(count=60, shift=2.0)
    slow, fast = (at(thresholds(past, RULE, SPACE, point(x))).loss for x in (0.95, 0.05))
    assert slow > 2.0 * fast
    even = [at(thresholds(history(count=60), RULE, SPACE, point(x))).loss for x in (0.95, 0.05)]
    assert even[0] == pytest.approx(even[1], rel=0.4)


def test_a_trial_above_the_limit_is_stopped():
    found = [Threshold(100, 8.0, 2.0), Threshold(200, 4.0, 2.0)]
    assert reason_to_prune(found, 99, 1e9) is None
    assert reason_to_prune(found, 100, 8.0) is None
    assert reason_to_prune(found, 199, 7.0) is None
    assert reason_to_prune(found, 200, 4.1) == "loss 4.1 is above 4, from which it would hardly come below 2"
    assert reason_to_prune(found, 5000, 4.1) is not None
    assert "no finite number" in reason_to_prune(found, 200, None)


def test_a_curve_between_its_checkpoints():
    whole = curve(1.0, 16.0, 4.0)
    assert [whole.at(epoch) for epoch in (99, 100, 150, 200, 250, 300, 999)] == [
        math.inf, 16.0, pytest.approx(8.0), 4.0, pytest.approx(2.0), 1.0, 1.0,
    ]  # fmt: skip
    stopped = curve(None, 16.0, 4.0)
    assert [stopped.at(epoch) for epoch in (150, 200, 999)] == [pytest.approx(8.0), 4.0, 4.0]
    assert curve(1.0, math.inf, 4.0).at(150) == math.inf
    assert curve(1.0).at(150) == math.inf


def test_many_checkpoints_are_thinned():
    past = [LearningCurve(tuple(range(1, 1001)), tuple(k + 1000.0 / e for e in range(1, 1001)), k, point(0.5))
            for k in range(1, 21)]  # fmt: skip
    found = thresholds(past, RULE, SPACE, point(0.5))
    assert 32 < len(found) <= 64


def test_nothing_is_stopped_without_enough_to_compare_with():
    past = history(9)
    assert thresholds(past, RULE, SPACE, point(0.5)) == []
    stopped = [LearningCurve((100,), (70.0,), None, point(0.5))] * 9  # trials that were stopped tell nothing
    assert thresholds([*past, *stopped], RULE, SPACE, point(0.5)) == []
    silent = [LearningCurve((), (), 1.0, point(0.5))] * 9  # nor do those that did not report
    assert thresholds([*past, *silent], RULE, SPACE, point(0.5)) == []
    failed = [curve(math.inf, 5.0)] * 20  # with no good trial there is nothing to come down to
    assert thresholds(failed, RULE, SPACE, point(0.5)) == []


def test_an_epoch_that_few_reached_sets_no_limit():
    past = [*history(20), curve(1.0, 5.0, 3.0, 2.0)]
    assert [threshold.epoch for threshold in thresholds(past, RULE, SPACE, point(0.5))] == [100, 200]


def test_an_epoch_that_only_failed_trials_reached_sets_no_limit():
    past = [*history(20), *[curve(math.inf, 5.0 + k, 4.0, 3.0) for k in range(12)]]
    assert [threshold.epoch for threshold in thresholds(past, RULE, SPACE, point(0.5))] == [100, 200]


def test_a_rule_without_a_warmup_stops_nothing_before_a_trial_is_finished():
    assert thresholds([], replace(RULE, warmup=0), SPACE, point(0.5)) == []


def test_trials_that_failed_in_the_end_count_as_the_worst():
    """Where trials with a large x fail in the end, one of them has to be better on the way."""
    past = [one if one.vals["x"][0] < 0.6 else replace(one, final=math.inf) for one in history(60)]
    bad, good = (at(thresholds(past, RULE, SPACE, point(x)), 200).loss for x in (0.95, 0.05))
    assert bad < 0.5 * good


def test_losses_below_zero_count_by_their_differences():
    past = [LearningCurve(c.epochs, tuple(math.log(v) for v in c.losses), math.log(c.final), c.vals) for c in history()]
    whole, logs = (thresholds(each, RULE, SPACE, point(0.5)) for each in (history(), past))
    assert [threshold.loss for threshold in logs] == pytest.approx(
        [math.log(threshold.loss) for threshold in whole], rel=1e-3
    )


def test_stopped_trials_count_among_all():
    """The best tenth of 40 and 60 stopped ones are 10 of the 40."""
    past = history()
    stopped = [LearningCurve((100,), (70.0,), None, point(0.5))] * 60
    ends = sorted(one.final for one in past)
    assert at(thresholds(past, RULE, SPACE, point(0.5))).target == ends[4]
    assert at(thresholds([*past, *stopped], RULE, SPACE, point(0.5))).target == ends[10]


def test_limits_go_to_another_process_and_back():
    found = [*thresholds(history(), RULE, SPACE, point(0.5)), Threshold(300, math.inf, 2.0)]
    assert [Threshold.from_list(threshold.as_list()) for threshold in found] == found


def test_a_curve_of_a_result():
    kept = {"epochs": [100, 200], "loss": [3.0, None], "folds": [[1.0, None], [2.0, 3.0]]}
    vals = point(0.5)
    done = LearningCurve.from_result({"status": "ok", "loss": 2.5, "curve": kept}, vals)
    assert done == LearningCurve((100, 200), (3.0, math.inf), 2.5, vals)
    assert LearningCurve.from_result({"status": "fail", "loss": 9.0, "curve": kept}, vals).final == math.inf
    over = {"status": "fail", "loss": 9.0, "curve": kept, "pruned": {"epoch": 200}}
    assert LearningCurve.from_result(over, vals).final is None
    assert (
        LearningCurve.from_result({"status": "fail", "loss": None, "failure": {"type": "ValueError"}}, vals).epochs
        == ()
    )


losses = st.floats(0.01, 1e6)
curves = st.builds(
    lambda final, found, whole, x: curve(final if whole else None, *found, x=x),
    st.one_of(losses, st.just(math.inf)),
    st.lists(losses, min_size=1, max_size=5),
    st.booleans(),
    st.floats(0.0, 1.0),
)


@given(st.lists(curves, max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_history_gives_limits_that_can_be_used(past):
    """Numbers in the order of the epochs, the same from what a pruner remembers, of bounded size."""
    found = thresholds(past, RULE, SPACE, point(0.5))
    pruner = Pruner(RULE, SPACE)
    for one in past:
        pruner.add(one)
        if pruner.count == 30:
            pruner.thresholds(point(0.2))  # asking leaves nothing behind
    assert pruner.thresholds(point(0.5)) == found
    assert [threshold.epoch for threshold in found] == sorted({threshold.epoch for threshold in found})
    for threshold in found:
        assert threshold.loss > 0.0
        assert math.isfinite(threshold.target)


def test_what_is_remembered_is_bounded():
    rule = replace(RULE, most=20)
    pruner = Pruner(rule, SPACE)
    for one in history(100):
        pruner.add(one)
    assert (len(pruner._best), len(pruner._latest)) == (10, 10)
    assert pruner.thresholds(point(0.5))


@given(st.integers(0, 20), st.floats(0.1, 10.0))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_the_loss_does_not_matter(seed, unit):
    past = history(seed=seed)
    scaled = [LearningCurve(c.epochs, tuple(unit * v for v in c.losses), unit * c.final, c.vals) for c in past]
    assert [threshold.loss for threshold in thresholds(scaled, RULE, SPACE, point(0.5))] == pytest.approx(
        [unit * threshold.loss for threshold in thresholds(past, RULE, SPACE, point(0.5))], rel=1e-4
    )
