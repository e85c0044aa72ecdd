"""The race among the best trials: who is fitted again, and who is named."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperparton.report.verdicts import margin_sentence, named, verdict_sentence
from hyperparton.scan.race import MOST, Race, blocks_after, candidates_within, fits_of
from hyperparton.trials.refits import Refit
from hyperparton.trials.verdict import Verdict, losses_of, mean_losses, verdicts


def race_of(count, used=0, blocks=4, fits=10**6, order=None):
    """A race of `count` trials in the order of the means of their re-fits, those without any at 0 first."""

    def best_first(number, refits):
        means = mean_losses({trial: list(held.values()) for trial, held in losses_of(refits).items()})
        return sorted(order or range(count), key=lambda trial: means.get(trial, 0.0))

    return Race(count, blocks_after(used, blocks), fits, best_first)


def run(race, fit):
    """Every re-fit of a race, one after the other; `fit(trial, replica)` is a loss."""
    refits = []
    while wanted := race.wanted(refits):
        trial, replicas = wanted[0]
        refits.append(Refit(trial, replicas, tuple(fit(trial, replica) for replica in replicas)))
    return refits


def fitted(refits):
    """How many replicas each trial has."""
    counts = Counter()
    for refit in refits:
        counts[refit.trial] += len(refit.replicas)
    return counts


def test_the_replicas_are_those_that_the_scan_has_not_used():
    assert blocks_after(3)[0] == (4, 5, 6, 7, 8)
    together = [replica for block in blocks_after(3) for replica in block]
    assert together == list(range(4, 44))


def test_each_round_takes_half_of_the_trials_before_and_the_two_best_have_all_replicas():
    refits = run(race_of(8), lambda trial, replica: 1.0 + 0.1 * trial)
    assert fitted(refits) == {0: 40, 1: 40, 2: 10, 3: 10, 4: 5, 5: 5, 6: 5, 7: 5}


def test_trials_that_fail_make_room_for_others():
    """The first four are the best by the scan, and each of their fits fails."""
    order = list(range(12))
    known = {trial: 0.01 * trial for trial in order}

    def best_first(number, refits):
        means = mean_losses({trial: list(held.values()) for trial, held in losses_of(refits).items()})
        return sorted(order, key=lambda trial: means.get(trial, known[trial]))

    refits = run(Race(4, blocks_after(0), 110, best_first), lambda trial, replica: 9.0 if trial < 4 else 0.01 * trial)
    assert fitted(refits) == {0: 5, 1: 5, 2: 5, 3: 5, 4: 40, 5: 40}


def test_all_trials_have_the_same_replicas_in_the_same_order():
    rng = np.random.default_rng(1)
    refits = run(race_of(6, used=2), lambda trial, replica: rng.random())
    for trial in range(6):
        had = [refit.replicas for refit in refits if refit.trial == trial]
        assert had == blocks_after(2)[: len(had)]


@given(st.integers(0, 3000), st.integers(0, 99))
def test_a_race_takes_no_more_fits_than_it_may(fits, seed):
    count, blocks = candidates_within(fits)
    if not count:
        assert fits < 10
        return
    assert 2 <= count <= MOST
    rng, order = np.random.default_rng(seed), list(range(40))
    race = Race(count, blocks_after(0, blocks), fits_of(count, blocks), lambda number, refits: rng.permutation(order))
    assert sum(fitted(run(race, lambda trial, replica: trial)).values()) <= fits


@given(st.permutations(range(10)), st.integers(0, 2**31), st.data())
@settings(max_examples=30)
def test_a_race_is_the_same_in_whatever_order_its_fits_end(numbers, seed, data):
    table = np.random.default_rng(seed).random((10, 41))
    expected = run(race_of(10, order=numbers), lambda trial, replica: table[trial, replica])
    race, refits = race_of(10, order=numbers), []
    while wanted := race.wanted(refits):
        trial, replicas = data.draw(st.sampled_from(wanted))
        refits.append(Refit(trial, replicas, tuple(table[trial, replica] for replica in replicas)))
    assert sorted(refits, key=repr) == sorted(expected, key=repr)
    # one that begins anew with what is there goes the same way
    again = race_of(10, order=numbers)
    assert again.wanted(refits) == []


def test_one_that_fails_now_and_then_is_not_named_though_its_other_fits_are_the_best():
    rng = np.random.default_rng(5)
    luck = 0.04 * rng.standard_normal(41)

    def fit(trial, replica):
        if trial == 0 and replica % 10 == 3:
            return 2.5
        return 1.22 + 0.002 * trial + luck[replica]

    first, *others = verdicts(run(race_of(2), fit))
    assert (first.trial, first.failed, first.stable, first.replicas) == (1, 0, True, 40)
    (second,) = others
    assert (second.trial, second.failed, second.stable) == (0, 4, False)
    assert second.mean < first.mean


def outcome(trial, replicas, failed, mean=1.0):
    """Re-fits of one trial of which the last `failed` failed."""
    luck = 0.01 * np.cos(np.arange(replicas) + trial)
    losses = [mean + each for each in luck[: replicas - failed]] + [9.0] * failed
    return Refit(trial, tuple(range(1, replicas + 1)), tuple(losses))


def test_where_those_with_the_most_replicas_fail_a_stable_one_that_left_earlier_is_named():
    refits = [outcome(1, 40, 2), outcome(2, 40, 5), outcome(3, 20, 0, 1.002), outcome(4, 20, 1), outcome(5, 5, 0)]
    found = verdicts(refits)
    # (k + 1/2) / (n + 1): 0.024, 0.061, 0.071, 0.083, 0.134
    assert [verdict.trial for verdict in found] == [3, 1, 4, 5, 2]
    assert [verdict.stable for verdict in found] == [True, False, False, True, False]
    text = verdict_sentence(found)
    assert "None of those with 40 replicas is stable: trial 1 failed in 2, trial 2 failed in 5." in text
    assert "Fitted again with 20 other replicas, trial 3 is the best that may be stable" in text
    # of 20 fits that fail with a chance of 13.9 % none fails in 5 of 100 cases: 0.861 ** 20 = 0.05
    assert "at most 14% of its fits fail, with 95% confidence" in text


def test_a_few_fits_without_a_failure_do_not_show_that_one_is_stable():
    found = verdicts([outcome(1, 40, 2), outcome(2, 40, 8), outcome(3, 5, 0)])
    assert (found[0].trial, found[0].stable) == (1, False)
    text = verdict_sentence(found)
    assert text.startswith("No methodology is known to be stable: of 3 trials fitted again, trial 1")
    assert "It failed in 2 of 40 fits" in text
    assert "trial 3, without a failed fit in at most 5" in text
    assert named(found) == "trial 1, whose fits fail now and then"


def test_a_stable_one_with_the_most_replicas_goes_before_a_better_one_that_left_earlier():
    found = verdicts([outcome(1, 40, 1), outcome(2, 40, 6), outcome(3, 20, 0, 0.99)])
    assert [verdict.trial for verdict in found] == [1, 3, 2]


@given(st.integers(1, 40), st.data())
def test_the_limit_of_the_failing_share_is_that_of_the_binomial_distribution(replicas, data):
    failed = data.draw(st.integers(0, replicas - 1))
    limit = Verdict(1, replicas, failed, 1.0, 0.1).share_limit
    chance = sum(math.comb(replicas, k) * limit**k * (1 - limit) ** (replicas - k) for k in range(failed + 1))
    assert chance == pytest.approx(0.05)


def test_small_differences_are_seen_on_the_same_replicas():
    rng = np.random.default_rng(2)
    luck, own = 0.04 * rng.standard_normal(41), 0.004 * rng.standard_normal((3, 41))
    shift = {0: 0.0, 1: 0.0, 2: 0.01}
    found = verdicts(
        Refit(trial, (replica,), (1.2 + shift[trial] + luck[replica] + own[trial, replica],))
        for trial in range(3)
        for replica in range(1, 41)
    )
    told = {verdict.trial: verdict.told for verdict in found}
    assert told[2]
    assert not told[0]
    assert not told[1]
    best = found[0]
    losses = 1.2 + luck[1:] + own[best.trial, 1:]
    assert best.mean == pytest.approx(np.mean(losses))
    assert best.error == pytest.approx(np.std(losses, ddof=1) / math.sqrt(40))


def test_by_how_much_the_best_is_better_is_said_in_pairs():
    rng = np.random.default_rng(4)
    luck, own = 0.04 * rng.standard_normal(40), 0.002 * rng.standard_normal((4, 40))
    losses = 1.2 + luck + own + np.array([[0.0], [0.0005], [0.03], [0.01]])
    losses[3, ::10] = 9.0
    replicas = tuple(range(1, 41))
    found = verdicts(Refit(trial, replicas, tuple(losses[trial].tolist())) for trial in range(4))
    best, second = found[0].trial, found[1].trial
    assert {best, second} == {0, 1}
    pairs = losses[second] - losses[best]
    assert found[1].difference == pytest.approx(pairs.mean())
    assert found[1].difference_error == pytest.approx(pairs.std(ddof=1) / math.sqrt(40))
    text = margin_sentence(found)
    assert f"trial {second}, is larger by {pairs.mean():.2g} ± {found[1].difference_error:.2g} on the 40" in text
    assert f"Not told from trial {best} are 1 of 3 others: trial {second}." in text
    assert "Not stable: trial 3." in text


def test_fits_without_a_loss_have_failed():
    found = verdicts([Refit(3, (1, 2, 3), (1.0, None, 1.1)), Refit(4, (1, 2, 3), (2.0, 2.1, 2.05))])
    assert [(verdict.trial, verdict.failed) for verdict in found if verdict.trial == 3] == [(3, 1)]
    assert verdicts([Refit(1, (1, 2), (None, None))])[0].mean == math.inf
    assert verdicts([]) == []
