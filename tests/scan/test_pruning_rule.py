"""The rule that stops trials: what it compares with what, on curves whose limits can be told by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.scan.pruning import Curve, Limit, Rule, Standing, decide, limits

RULE = Rule(share=0.5, fewest=2, most=4, warmup=4, margin=2.0, slowness=1.0)


def curve(final, *losses, folds=()):
    return Curve(tuple(100 * (i + 1) for i in range(len(losses))), losses, folds, final)


PAST = [curve(1.0, 8.0, 2.0), curve(2.0, 4.0, 2.0), curve(50.0, 60.0, 55.0), curve(math.inf, 1.0)]


def test_the_limit_is_the_worst_of_the_best_and_how_far_they_fell():
    """Best two: 8 falls to 1 (a factor 8) and 4 to 2; twice the distance in logarithms is a factor 64, to 2."""
    found = limits(PAST, RULE)
    assert [limit.epoch for limit in found] == [100, 200]
    assert found[0].loss == pytest.approx(128.0)
    assert found[1].loss == pytest.approx(8.0)  # 2 falls to 1: a factor 4
    assert {limit.end for limit in found} == {2.0}


def test_a_trial_may_be_slower_than_the_best():
    """At 1.25 times the epochs the best had, between 100 and 200: at 160, and 3/5 of the way in the logarithm."""
    found = limits(PAST, replace(RULE, margin=1.0, slowness=1.25))
    assert [limit.loss for limit in found] == [math.inf, pytest.approx(2.0 * 8.0**0.4 * 2.0**0.6)]
    linear = [curve(-1.0, 8.0, -2.0), *PAST[1:]]  # 2 at 160 epochs
    assert limits(linear, replace(RULE, margin=1.0, slowness=1.25))[1].loss == pytest.approx(2.0 + 3.0)


def test_a_curve_that_rises_counts_from_its_top():
    past = [curve(1.0, 3.0, 9.0), curve(2.0, 4.0, 2.0), *PAST[2:]]
    assert limits(past, replace(RULE, margin=1.0, slowness=2.0))[1].loss == pytest.approx(2.0 * 9.0)


def test_losses_that_are_not_all_above_zero_count_by_their_differences():
    past = [curve(-1.0, 2.0), curve(0.0, 2.0), curve(5.0, 9.0), curve(6.0, 9.0)]
    (limit,) = limits(past, RULE)
    assert limit.loss == pytest.approx(0.0 + 2 * 3.0)


def test_a_trial_above_the_limit_is_stopped():
    found = limits(PAST, RULE)
    assert decide(found, 100, 127.0) is None
    assert decide(found, 200, 7.9) is None
    assert decide(found, 200, 8.1) == "loss 8.1 is above 8, from which none of the best came down"
    assert "no finite number" in decide(found, 200, None)


def test_a_curve_between_its_checkpoints():
    whole = curve(1.0, 16.0, 4.0)
    assert [whole.at(epoch) for epoch in (99, 100, 150, 200, 250, 300, 999)] == [
        math.inf, 16.0, pytest.approx(8.0), 4.0, pytest.approx(2.0), 1.0, 1.0,
    ]  # fmt: skip
    stopped = curve(None, 16.0, 4.0)
    assert [stopped.at(epoch) for epoch in (150, 200, 999)] == [pytest.approx(8.0), 4.0, 4.0]
    assert curve(1.0, math.inf, 4.0).at(150) == math.inf
    assert curve(1.0).at(150) == math.inf


def test_between_checkpoints_the_earlier_limit_holds():
    found = limits(PAST, RULE)
    assert decide(found, 99, 1e9) is None
    assert decide(found, 199, 100.0) is None
    assert decide(found, 5000, 8.1) is not None


def test_many_checkpoints_are_thinned():
    """Nothing is stopped for it that would not be with all of them: limits come down with the epochs."""
    past = [
        Curve(tuple(range(1, 1001)), tuple(final + 1000.0 / e for e in range(1, 1001)), (), final) for final in (1, 2)
    ]
    found = limits([*past, *past], RULE)
    assert 32 < len(found) <= 64
    assert [limit.loss for limit in found] == sorted((limit.loss for limit in found), reverse=True)


def test_a_trial_that_is_over_counts_with_its_final_loss():
    """One of the best ended between 100 and 200 epochs; what it had at 100 says nothing of 200."""
    past = [curve(1.0, 500.0), curve(2.0, 4.0, 2.5), *PAST[2:]]
    assert limits(past, RULE)[1].loss == pytest.approx(2.0 * (2.5 / 2.0) ** 2)


def test_every_fold_above_the_worst_of_the_best():
    past = [
        curve(1.0, 3.0, folds=((2.0, 4.0),)),
        curve(2.0, 3.0, folds=((5.0, 1.0),)),
        curve(9.0, 9.0, folds=((9.0, 9.0),)),
        curve(9.0, 9.0, folds=((9.0, 9.0),)),
    ]
    found = limits(past, RULE)
    assert found[0].folds == (5.0, 4.0)
    assert decide(found, 100, 5.0, (5.1, 4.1)) == "each fold is above the most that it had in any of the best (5, 4)"
    assert decide(found, 100, 5.0, (5.1, 3.9)) is None
    assert decide(found, 100, 1.9, (5.1, 4.1)) is None  # already as good as one of the best
    assert decide(found, 100, 5.0, (None, 4.1)) is not None
    assert decide(found, 100, 5.0, (6.0,)) is None


def test_one_fold_alone_says_no_more_than_the_loss():
    past = [curve(1.0, 3.0, folds=((3.0,),))] * 4
    assert limits(past, RULE)[0].folds == ()


def test_nothing_is_stopped_without_enough_to_compare_with():
    assert limits(PAST[:3], RULE) == []
    stopped = [Curve((100,), (70.0,))] * 9  # trials that were stopped tell nothing
    assert limits([*PAST[:3], *stopped], RULE) == []
    failed = [curve(math.inf, 5.0)] * 9
    assert limits([*PAST[:1], *failed], RULE) == []
    without = [curve(0.5), *PAST]  # one of the best did not report
    assert limits(without, RULE) == []


def test_the_best_without_a_finite_loss_excuse_others():
    past = [curve(1.0, math.inf, 2.0), *PAST]
    found = limits(past, RULE)
    assert found[0].loss == math.inf
    assert decide(found, 100, None) is None
    assert decide(found, 100, 1e300) is None


def test_limits_go_to_another_process_and_back():
    found = [*limits(PAST, RULE), Limit(300, math.inf, 2.0, (1.0, math.inf))]
    assert [Limit.from_list(limit.as_list()) for limit in found] == found


def test_a_curve_of_a_result():
    kept = {"epochs": [100, 200], "loss": [3.0, None], "folds": [[1.0, None], [2.0, 3.0]]}
    done = Curve.from_result({"status": "ok", "loss": 2.5, "curve": kept})
    assert done == Curve((100, 200), (3.0, math.inf), ((1.0, math.inf), (2.0, 3.0)), 2.5)
    assert Curve.from_result({"status": "fail", "loss": 9.0, "curve": kept}).final == math.inf
    assert Curve.from_result({"status": "fail", "loss": 9.0, "curve": kept, "pruned": {"epoch": 200}}).final is None
    assert Curve.from_result({"status": "fail", "loss": None, "failure": {"type": "ValueError"}}).epochs == ()


losses = st.floats(0.01, 1e6)
curves = st.builds(
    lambda final, found, whole: curve(final if whole else None, *found),
    losses,
    st.lists(losses, min_size=1, max_size=5),
    st.booleans(),
)


@given(st.lists(curves, max_size=40))
def test_none_of_the_best_would_have_been_stopped(past):
    """The limits of any history let every one of the best trials pass that set them."""
    found = limits(past, RULE)
    standing = Standing(RULE)
    for one in past:
        standing.add(one)
    assert standing.limits() == found
    assert len(standing._best) <= RULE.most
    whole = sorted((one for one in past if one.final is not None), key=lambda one: one.final)
    count = min(max(math.ceil(RULE.share * len(past)), RULE.fewest), RULE.most)
    assert bool(found) == (len(whole) >= RULE.warmup)
    for one in whole[:count] if found else ():
        for epoch, loss in zip(one.epochs, one.losses, strict=True):
            assert loss <= found[[limit.epoch for limit in found].index(epoch)].loss * (1 + 1e-9)


@given(st.lists(curves, min_size=4, max_size=20), st.floats(0.1, 10.0))
def test_the_unit_of_the_loss_does_not_matter(past, unit):
    scaled = [
        Curve(c.epochs, tuple(unit * v for v in c.losses), (), None if c.final is None else unit * c.final)
        for c in past
    ]
    assert [limit.loss for limit in limits(scaled, RULE)] == pytest.approx(
        [unit * limit.loss for limit in limits(past, RULE)]
    )
