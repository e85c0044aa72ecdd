"""The race among the best trials: who is fitted again, and who is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperparton.scan.race import MOST, Race, blocks_after, candidates_within
from hyperparton.trials.refits import Refit
from hyperparton.trials.verdict import verdicts


def run(race, fit):
    """Every re-fit of a race, one after the other; `fit(trial, replica)` is a loss."""
    refits = []
    while wanted := race.wanted(refits):
        trial, replicas = wanted[0]
        refits.append(Refit(trial, replicas, tuple(fit(trial, replica) for replica in replicas)))
    return refits


def test_the_replicas_are_those_that_the_scan_has_not_used():
    assert blocks_after(3)[0] == (4, 5, 6, 7, 8)
    together = [replica for block in blocks_after(3) for replica in block]
    assert together == list(range(4, 44))


def test_half_of_them_leave_after_each_round_and_two_stay_to_the_end():
    refits = run(Race(range(8), blocks_after(0)), lambda trial, replica: 1.0 + 0.1 * trial)
    fitted = {trial: sum(len(refit.replicas) for refit in refits if refit.trial == trial) for trial in range(8)}
    assert fitted == {0: 40, 1: 40, 2: 10, 3: 10, 4: 5, 5: 5, 6: 5, 7: 5}


def test_all_of_a_round_have_the_same_replicas():
    rng = np.random.default_rng(1)
    for block in blocks_after(2):
        refits = run(Race(range(6), blocks_after(2)), lambda trial, replica: rng.random())
        of_block = [refit.replicas for refit in refits if set(refit.replicas) & set(block)]
        assert set(of_block) == {block}


@given(st.integers(0, 3000))
def test_a_race_takes_no_more_fits_than_it_may(fits):
    count, rounds = candidates_within(fits)
    refits = run(Race(range(count), blocks_after(0, rounds)), lambda trial, replica: trial)
    assert sum(len(refit.replicas) for refit in refits) <= fits
    assert (count == 0) == (fits < 10)
    assert count <= MOST
    assert count == 0 or count >= 2


@given(st.permutations(range(10)), st.integers(0, 2**31), st.data())
@settings(max_examples=30)
def test_a_race_is_the_same_in_whatever_order_its_fits_end(numbers, seed, data):
    table = np.random.default_rng(seed).random((10, 41))
    race = Race(numbers, blocks_after(0))
    expected = run(race, lambda trial, replica: table[trial, replica])
    refits = []
    while wanted := race.wanted(refits):
        trial, replicas = data.draw(st.sampled_from(wanted))
        refits.append(Refit(trial, replicas, tuple(table[trial, replica] for replica in replicas)))
    assert sorted(refits, key=repr) == sorted(expected, key=repr)


def test_one_that_fails_now_and_then_is_not_named_though_its_other_fits_are_the_best():
    rng = np.random.default_rng(5)
    luck = 0.04 * rng.standard_normal(41)

    def fit(trial, replica):
        if trial == 0 and replica % 10 == 3:
            return 2.5
        return 1.22 + 0.002 * trial + luck[replica]

    first, *others = verdicts(run(Race([0, 1], blocks_after(0)), fit))
    assert (first.trial, first.failed, first.stable, first.replicas) == (1, 0, True, 40)
    (second,) = others
    assert (second.trial, second.failed, second.stable) == (0, 4, False)
    assert second.mean < first.mean


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


def test_fits_without_a_loss_have_failed():
    found = verdicts([Refit(3, (1, 2, 3), (1.0, None, 1.1)), Refit(4, (1, 2, 3), (2.0, 2.1, 2.05))])
    assert [(verdict.trial, verdict.failed) for verdict in found if verdict.trial == 3] == [(3, 1)]
    assert verdicts([Refit(1, (1, 2), (None, None))])[0].mean == math.inf
    assert verdicts([]) == []
