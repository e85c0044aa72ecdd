"""The choice by phi2 among methodologies with the same chi2."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hyperparton.report.verdicts import verdict_sentence
from hyperparton.trials.refits import Refit
from hyperparton.trials.trial import Trial
from hyperparton.trials.verdict import by_verdict, plain, verdicts

BLOCKS = [tuple(range(first, last)) for first, last in ((2, 7), (7, 12), (12, 22), (22, 42))]


def phi2(predictions):
    """Of predictions (replica, point) in units of their errors: <(r - mean)**2> / N, its root."""
    return math.sqrt(np.mean((predictions - predictions.mean(axis=0)) ** 2))


def refits(spreads, losses=None, seed=1, blocks=BLOCKS, points=12):
    """Methodologies whose replicas predict `points` with these spreads; losses (trial, replica)."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((50, points))
    found = []
    for trial, spread in enumerate(spreads):
        drawn = spread * (0.6 * common + 0.8 * rng.standard_normal(common.shape))
        for block in blocks:
            own = [1.0] * len(block) if losses is None else losses[trial, list(block)].tolist()
            found.append(Refit(trial, block, tuple(own), 1.0, phi2(drawn[list(block)])))
    return found


def alike(trials, shift=0.0, seed=2):
    """Losses that are the same but for what chance gives; those of trial 0 are lowest."""
    rng = np.random.default_rng(seed)
    own = 0.01 * rng.standard_normal((trials, 50))
    own -= own[:, 2:42].mean(axis=1, keepdims=True)
    return 1.2 + 0.04 * rng.standard_normal(50) + own + shift * np.arange(trials)[:, None]


def test_of_those_with_the_same_chi2_the_one_with_the_largest_phi2_is_named():
    losses = alike(3, shift=0.0004)
    found = verdicts(refits([0.5, 0.9, 0.7], losses))
    best = found[0]
    assert (best.trial, best.choice.lowest, best.choice.by_phi2) == (1, 0, True)
    compared = best.choice.compared[0]
    pairs = (losses[1] - losses[0])[2:42]
    assert (compared.loss, compared.loss_error) == pytest.approx((pairs.mean(), pairs.std(ddof=1) / math.sqrt(40)))
    assert compared.phi2 == pytest.approx(0.8, abs=0.15)
    text = verdict_sentence(found)
    assert "trial 1 is the best" in text
    assert f"the mean loss of trial 1 is 0.0004 ± {compared.loss_error:.2g} higher than that of trial 0" in text
    assert f"its phi2 on the hidden folds is {100 * compared.phi2:.2g} % ±" in text
    assert plain(best)["chosen_by"] == "phi2"
    named = by_verdict([Trial(number, {}, result={"status": "ok", "loss": 1.0}) for number in range(3)], found)
    assert named[0].number == 1


def test_a_worse_chi2_is_not_made_good_by_phi2():
    # of 0.01 / sqrt(20) is one standard error of the difference
    found = verdicts(refits([0.5, 5.0], alike(2, shift=0.0035)))
    assert found[0].trial == 0
    assert not found[1].told
    assert found[0].choice.compared == ()
    assert "χ² decided: no other stable trial" in verdict_sentence(found)


def test_one_that_fails_is_not_named_for_its_phi2():
    losses = alike(2)
    losses[1, [5, 30]] = 9.0
    assert verdicts(refits([0.5, 5.0], losses))[0].trial == 0


def test_one_that_left_the_race_is_not_named_for_its_phi2():
    losses = alike(2)
    left = [refit for refit in refits([0.5, 5.0], losses) if refit.trial == 0 or refit.replicas in BLOCKS[:3]]
    assert verdicts(left)[0].trial == 0


def test_a_block_with_a_failed_fit_does_not_count_for_phi2():
    losses = alike(2)
    losses[1, 30] = 9.0
    clean = refits([0.5, 0.5], losses)
    wide = [Refit(r.trial, r.replicas, r.losses, 1.0, 50.0) if 9.0 in r.losses else r for r in clean]
    assert verdicts(wide)[0].trial == verdicts(clean)[0].trial
    assert max(verdict.phi2 for verdict in verdicts(wide)) < 1.0


def test_phi2_within_its_noise_seldom_decides():
    """The chance is 2.5 % by construction; with 400 draws 5 % lies more than three standard deviations above it."""
    losses = alike(2)
    chosen = [verdicts(refits([0.6, 0.6], losses, seed))[0].trial for seed in range(400)]
    assert np.mean(chosen) < 0.05


def test_phi2_of_blocks_of_different_sizes_is_that_of_many_replicas():
    """With n replicas the mean square deviation is (n - 1) / n of the variance."""
    few, many = (
        np.mean([verdicts(refits([0.6], seed=seed, blocks=blocks))[0].phi2 ** 2 for seed in range(300)])
        for blocks in (BLOCKS[:1], BLOCKS)
    )
    assert few == pytest.approx(0.36, rel=0.03)
    assert many == pytest.approx(0.36, rel=0.03)


def test_one_block_does_not_tell_phi2():
    found = verdicts(refits([0.5, 5.0], alike(2), blocks=BLOCKS[3:]))
    assert found[0].choice.compared == () or math.isinf(found[0].choice.compared[0].phi2_error)
    lowest = min(found, key=lambda verdict: verdict.mean)
    assert found[0] is lowest


def test_without_phi2_the_lowest_mean_is_named():
    plain_refits = [Refit(r.trial, r.replicas, r.losses) for r in refits([0.5, 5.0], alike(2))]
    found = verdicts(plain_refits)
    assert (found[0].trial, found[0].choice, found[0].phi2) == (0, None, None)
    assert "decided" not in verdict_sentence(found)


def test_the_order_of_the_fits_does_not_matter():
    given = refits([0.5, 0.9, 0.9], alike(3))
    assert verdicts(given) == verdicts(given[::-1])


@pytest.mark.parametrize("values", [(1e-300, 1e300), (1e300, 1e-300), (0.0, math.inf)])
def test_phi2_of_any_size_gives_a_choice(values):
    given = [Refit(t, b, (1.0, 1.1) * (len(b) // 2), 1.0, values[t]) for t in range(2) for b in BLOCKS[2:]]
    assert {verdict.trial for verdict in verdicts(given)} == {0, 1}
