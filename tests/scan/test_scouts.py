"""Re-fits while a scan searches: gp learns which methodologies fail with other replicas than that of the trials."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import refitting

from hyperparton import hyper_scan_wrapper
from hyperparton.errors import ScanError
from hyperparton.scan.scouts import stages_below
from hyperparton.trials.refits import read_refits
from hyperparton.trials.tries_read import read_trials

SCRIPT = Path(refitting.__file__)


class FailsElsewhere(refitting.Trainer):
    """Its best trials are near x = 1, and fail with each third replica, but never with that of the trials."""

    def loss(self, x, replica):
        own = np.random.default_rng([replica, round(1e6 * (x + 5))]).standard_normal()
        failed = x < 2 and replica % 3 == 0
        return 4.0 if failed else 1.0 + 0.05 * (x - 1.0) ** 2 + 0.01 * own + 0.1 * (replica % 5)

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": self.loss(params["x"], 1)}

    def refit(self, params, replicas):
        losses = [self.loss(params["x"], replica) for replica in replicas]
        return {"status": "ok", "loss": float(np.mean(losses)), "replica_losses": losses}


def scan(folder, trials=refitting.TRIALS, trainer=None, **options):
    given = {"engine": "gp", "lag": 1, "confirm": 4, **options}
    return hyper_scan_wrapper(folder, trainer or refitting.Trainer(), refitting.scanner(), trials, **given)


def points(folder):
    return [trial.vals["x"][0] for trial in read_trials(folder / "tries.json")]


def refits(folder):
    return read_refits(folder / "tries.json", read_trials(folder / "tries.json"))


def test_the_stages_do_not_depend_on_how_many_trials_follow():
    assert stages_below(14) == []
    assert stages_below(30) == [14, 18, 23, 29]
    assert stages_below(1000)[:4] == stages_below(30)


def test_the_search_sees_what_fails_with_other_replicas(tmp_path):
    best = scan(tmp_path / "with", trials=40, trainer=FailsElsewhere())
    scan(tmp_path / "without", trials=40, trainer=FailsElsewhere(), confirm=0)
    assert best["x"] >= 2
    assert points(tmp_path / "with")[:14] == points(tmp_path / "without")[:14]
    assert points(tmp_path / "with")[14:] != points(tmp_path / "without")[14:]


def test_before_a_stage_two_trials_are_fitted_again_with_the_same_new_replicas(tmp_path):
    scan(tmp_path)
    first, second, third, fourth = refits(tmp_path)[:4]
    assert first.replicas == second.replicas == (2, 3, 4, 5, 6)
    assert first.trial != second.trial
    assert max(first.trial, second.trial) < 14
    assert max(third.trial, fourth.trial) < 18
    had = {first.trial, second.trial}
    for refit in (third, fourth):
        assert refit.replicas == ((7, 8, 9, 10, 11) if refit.trial in had else (2, 3, 4, 5, 6))


def test_a_scan_that_is_asked_for_more_trials_equals_one_that_was_so_at_once(tmp_path):
    for trials in (12, 16, 25):
        scan(tmp_path / "later", trials=trials)
    scan(tmp_path / "at once", trials=25)
    assert points(tmp_path / "later") == points(tmp_path / "at once")


@pytest.mark.parametrize("kind", ["file", "sqlite", "postgres", "mongo"])
def test_a_scan_that_is_killed_while_it_fits_again_goes_on_where_it_was(tmp_path, servers, kind):
    url = servers.store_url(kind, tmp_path)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))}
    out = tmp_path / "killed"
    for number in (1, 0, 2, 3, -1):
        command = [sys.executable, str(SCRIPT), str(out), url, str(number), "gp"]
        done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=60)
        assert done.returncode == (0 if number == -1 else -signal.SIGKILL), done.stderr
    scan(tmp_path / "whole")
    assert points(out) == points(tmp_path / "whole")
    assert refits(out) == refits(tmp_path / "whole")


@pytest.mark.parametrize("other", [{"lag": 2}, {"engine": "hyperopt"}])
def test_scans_that_cannot_learn_from_it_fit_none_again(tmp_path, other):
    scan(tmp_path / "with", **other)
    scan(tmp_path / "without", confirm=0, **other)
    assert points(tmp_path / "with") == points(tmp_path / "without")


def test_what_a_scan_was_begun_with_holds(tmp_path):
    scan(tmp_path / "without", trials=5, confirm=0)
    scan(tmp_path / "without")
    scan(tmp_path / "never", confirm=0)
    assert points(tmp_path / "without") == points(tmp_path / "never")
    scan(tmp_path / "with", trials=5)
    scan(tmp_path / "with", confirm=0)
    scan(tmp_path / "always")
    assert points(tmp_path / "with") == points(tmp_path / "always") != points(tmp_path / "never")


def test_a_trainer_that_cannot_fit_again_does_not_go_on_with_such_a_scan(tmp_path):
    class Plain:
        def set_hyperopt(self, on, keys=None):
            pass

        def hyperparametrizable(self, params):
            return {"status": "ok", "loss": params["x"] ** 2}

    scan(tmp_path, trials=5)
    with pytest.raises(ScanError, match="begun with re-fits while it searches: the trainer has no method refit"):
        scan(tmp_path, trainer=Plain(), confirm=None)


def test_trials_with_many_replicas_show_by_themselves_how_often_they_fail(tmp_path):
    class Many(refitting.Trainer):
        def hyperparametrizable(self, params):
            losses = [refitting.loss_of(params["x"], replica) for replica in range(1, 6)]
            return {"status": "ok", "loss": float(np.mean(losses)), "kfold_meta": {"hyper_losses": [losses]}}

    scan(tmp_path / "with", trainer=Many())
    scan(tmp_path / "without", trainer=Many(), confirm=0)
    assert points(tmp_path / "with") == points(tmp_path / "without")
