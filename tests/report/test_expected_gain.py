"""What the report expects of further trials, for functions that the test knows."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.report.expected_gain import expected_gain
from hyperparton.report.hyperparameters import columns
from hyperparton.report.losses import Loss
from hyperparton.report.scans import Scan
from hyperparton.report.summary import summarise
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import DONE, Trial


def trials_at(points, losses):
    """Trials with the values `points` (trial, hyperparameter) and these losses; None for one that failed."""
    return [
        Trial(
            n, {}, {f"x{i}": float(value) for i, value in enumerate(point)}, DONE,
            result={"status": "fail" if loss is None else "ok", "loss": None if loss is None else float(loss)},
        )
        for n, (point, loss) in enumerate(zip(points, losses, strict=True))
    ]  # fmt: skip


def gain_of(trials, **more):
    return expected_gain(trials, columns(trials), Loss(), **more)


def answer(trials, tmp_path):
    scan = Scan("scan", ScanFolder(tmp_path), tuple(trials))
    return next(finding.answer for finding in summarise([scan]).findings if finding.key == "converged")


def test_a_lucky_draw_is_no_gain():
    """Losses are noise alone, and the luckiest draw came late: it is 0.3 below the mean of all."""
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        losses = 1.5 + 0.05 * rng.standard_normal(80)
        losses[70] = 1.2
        gain = gain_of(trials_at(rng.random((80, 2)), losses))
        assert gain.trials == 20
        found.append((gain.mean, gain.best))
    gained, best = np.mean(found, axis=0)
    assert gained < 0.03
    assert best > 1.4


def test_a_point_that_is_drawn_again_and_again_does_not_look_converged(tmp_path):
    """f = 3 - a + 3 (b - 1/2)^2 has its minimum of 2 at a = 1; a scan redraws a = 0.55, b = 0.5, where f is 2.45."""
    rng = np.random.default_rng(2)
    points = np.vstack([rng.random((20, 2)) * [0.6, 1.0], [[1.0, 1.0]], np.tile([0.55, 0.5], (60, 1))])
    losses = 3.0 - points[:, 0] + 3.0 * (points[:, 1] - 0.5) ** 2 + 0.02 * rng.standard_normal(81)
    trials = trials_at(points, losses)
    gain = gain_of(trials)
    assert gain.best == pytest.approx(2.45, abs=0.05)
    assert 0.0245 < gain.mean < 0.45  # more than 1 %, and not more than there is to gain
    assert answer(trials, tmp_path).startswith("No: by a model of all trials, 20 more trials")


@pytest.mark.parametrize("count", [30, 120])
def test_no_more_is_expected_than_there_is_to_gain(count):
    """f = 1 + |x - p|^2 in three dimensions: what is named lacks f - 1, and no trial gains more than that."""
    expected, lacking = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        points = rng.random((count, 3))
        values = 1.0 + np.sum((points - [0.3, 0.6, 0.5]) ** 2, axis=1)
        trials = trials_at(points, values + 0.05 * rng.standard_normal(count))
        gain = gain_of(trials)
        expected.append(gain.mean)
        lacking.append(gain.best - 1.0)
    assert np.mean(expected) < np.mean(lacking)
    assert np.mean(expected) > 0.0


def test_more_trials_gain_more_and_the_same_trials_the_same():
    rng = np.random.default_rng(4)
    points = rng.random((40, 4))
    trials = trials_at(points, np.sum((points - 0.4) ** 2, axis=1) + 0.02 * rng.standard_normal(40))
    few, many = (gain_of(trials, more=count) for count in (1, 80))
    assert few.mean < many.mean
    assert gain_of(trials, more=80) == many


def test_gains_have_the_unit_of_the_losses():
    rng = np.random.default_rng(5)
    points = rng.random((40, 2))
    losses = np.sum((points - 0.4) ** 2, axis=1) + 1.0
    plain, large, small = (gain_of(trials_at(points, losses * 2.0**power)) for power in (0, 900, -900))
    assert large.mean == pytest.approx(plain.mean * 2.0**900)
    assert small.mean == pytest.approx(plain.mean * 2.0**-900)


def test_failed_trials_choices_and_hyperparameters_that_do_not_always_apply():
    rng = np.random.default_rng(6)
    trials = []
    for n in range(60):
        kind = "ab"[n % 2]
        values = {"kind": kind, "width": int(rng.integers(5, 45)), **({"clip": float(rng.random())} if n % 2 else {})}
        loss = 1.0 + 0.3 * (kind == "a") + values.get("clip", 0.0)
        failed = n % 7 == 0
        trials.append(
            Trial(n, {}, values, DONE, result={"status": "fail" if failed else "ok", "loss": None if failed else loss})
        )
    gain = gain_of(trials)
    assert 0.9 < gain.best < 1.3
    assert -0.01 < gain.mean < 0.3


def test_nothing_is_said_where_nothing_differs():
    assert gain_of(trials_at(np.zeros((30, 1)), range(30))) is None
    assert gain_of(trials_at(np.random.default_rng(0).random((30, 1)), [None] * 30)) is None


def test_losses_that_are_all_the_same_gain_nothing(tmp_path):
    trials = trials_at(np.random.default_rng(0).random((30, 2)), [1.0] * 30)
    assert gain_of(trials).mean == 0.0
    assert answer(trials, tmp_path).startswith("Yes")


def test_it_is_said_with_enough_trials_only(tmp_path):
    points = np.random.default_rng(0).random((20, 2))
    assert answer(trials_at(points[:19], points[:19, 0]), tmp_path).startswith("Not known yet: fewer than 20 trials")
    assert answer(trials_at(points, points[:, 0]), tmp_path).startswith(("Yes", "Nearly", "No:"))
