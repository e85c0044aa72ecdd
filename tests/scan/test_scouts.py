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
from hyperparton.scan.early_stop import EarlyStopping
from hyperparton.scan.scouts import stages_below
from hyperparton.trials.local import FileTrials
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


@pytest.mark.parametrize("lag", [1, 4])
def test_before_a_stage_two_trials_are_fitted_again_with_the_same_new_replicas(tmp_path, lag):
    """They are chosen among those up to number stage - lag."""
    scan(tmp_path, lag=lag)
    first, second, third, fourth = refits(tmp_path)[:4]
    assert first.replicas == second.replicas == (2, 3, 4, 5, 6)
    assert first.trial != second.trial
    assert max(first.trial, second.trial) <= 14 - lag
    assert max(third.trial, fourth.trial) <= 18 - lag
    had = {first.trial, second.trial}
    for refit in (third, fourth):
        assert refit.replicas == ((7, 8, 9, 10, 11) if refit.trial in had else (2, 3, 4, 5, 6))


@pytest.mark.parametrize("lag", [1, 4])
def test_trials_see_the_re_fits_from_a_number_on_that_the_lag_says(tmp_path, lag):
    scan(tmp_path / "with", lag=lag)
    scan(tmp_path / "without", confirm=0, lag=lag)
    alike = [one == other for one, other in zip(points(tmp_path / "with"), points(tmp_path / "without"), strict=True)]
    assert alike.index(False) == 14 + lag - 1


def test_a_stage_that_sees_few_trials_is_left_out(tmp_path):
    """With a lag of 16, stage 23 sees 8 trials and stage 29 the first 14."""
    scan(tmp_path, trials=30, lag=16, confirm=0)
    with FileTrials(tmp_path) as store:
        assert not [key for key in store.metadata() if key.startswith("scouts before")]
    scan(tmp_path / "with", trials=30, lag=16)
    first, second = refits(tmp_path / "with")[:2]
    assert max(first.trial, second.trial) < 14
    with FileTrials(tmp_path / "with") as store:
        assert [key for key in store.metadata() if key.startswith("scouts before")] == ["scouts before trial 29"]


def test_a_trial_is_not_fitted_again_before_its_last_re_fits_are_seen(tmp_path):
    """With a lag of 8, stage 29 does not see the re-fits of stage 23."""
    scan(tmp_path, trials=30, lag=8)
    first = refits(tmp_path)[:4]
    assert len({refit.trial for refit in first}) == 4
    assert {refit.replicas for refit in first} == {(2, 3, 4, 5, 6)}


@pytest.mark.parametrize("lag", [1, 4])
def test_a_scan_that_is_asked_for_more_trials_equals_one_that_was_so_at_once(tmp_path, lag):
    for trials in (12, 16, 25):
        scan(tmp_path / "later", trials=trials, lag=lag)
    scan(tmp_path / "at once", trials=25, lag=lag)
    assert points(tmp_path / "later") == points(tmp_path / "at once")


def start(folder, url, number, lag):
    """A scan in a process of its own that is killed in its re-fit of this number."""
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))}
    command = [sys.executable, str(SCRIPT), str(folder), url, str(number), "gp", str(lag)]
    return subprocess.Popen(command, env=path, stderr=subprocess.PIPE, text=True)


def wait_for(process, code):
    _, told = process.communicate(timeout=120)
    assert process.returncode == code, told


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("kind", ["file", "sqlite", "postgres", "mongo"])
def test_a_scan_that_is_killed_while_it_fits_again_goes_on_where_it_was(tmp_path, servers, kind, lag):
    url = servers.store_url(kind, tmp_path)
    out = tmp_path / "killed"
    for number in (1, 0, 2, 3, -1):
        wait_for(start(out, url, number, lag), 0 if number == -1 else -signal.SIGKILL)
    scan(tmp_path / "whole", lag=lag)
    assert points(out) == points(tmp_path / "whole")
    assert refits(out) == refits(tmp_path / "whole")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The scan with a lag of 4, one trial after the other."""
    folder = tmp_path_factory.mktemp("calm")
    scan(folder, lag=4)
    return folder


def equals(folder, other):
    return points(folder) == points(other) and sorted(refits(folder), key=repr) == sorted(refits(other), key=repr)


@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 2}, {"workers": 4}, {"batch_trials": 3}])
def test_it_does_not_depend_on_how_many_run_at_once(tmp_path, calm, how):
    scan(tmp_path, trainer=refitting.recipe(), lag=4, **how)
    assert equals(tmp_path, calm)


def test_a_scan_that_early_stopping_ended_goes_on_as_if_it_had_not(tmp_path, calm):
    ending = EarlyStopping(patience=6)
    scan(tmp_path, trainer=refitting.recipe(), lag=4, workers=2, early_stopping=ending)
    assert 14 < len(points(tmp_path)) < refitting.TRIALS
    scan(tmp_path, lag=4)
    assert points(tmp_path) == points(calm)


def test_on_a_dask_cluster_it_is_the_same(tmp_path, calm):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster:
        scan(tmp_path, trainer=refitting.recipe(), lag=4, scheduler=cluster.scheduler_address)
    assert equals(tmp_path, calm)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mongo"])
def test_jobs_share_it_and_one_that_dies_leaves_its_re_fit_to_the_others(tmp_path, servers, calm, kind):
    url = servers.store_url(kind, tmp_path)
    wait_for(start(tmp_path / "doomed", url, 1, 4), -signal.SIGKILL)
    others = [start(tmp_path / name, url, -1, 4) for name in ("one", "other")]
    for job in others:
        wait_for(job, 0)
    for name in ("one", "other"):
        assert equals(tmp_path / name, calm)


def test_a_slow_re_fit_holds_up_no_trial_that_does_not_see_it(tmp_path):
    """The re-fits before trial 14 end when trials 0 to 16 have begun; trial 17 is the first that sees them."""
    begun = tmp_path / "begun"
    begun.mkdir()
    events = []
    trainer = refitting.recipe("make_waiting", folder=str(begun), trials=17)
    scan(tmp_path / "slow", trials=18, trainer=trainer, lag=4, workers=3, progress=events.append)
    kinds = [(event["event"], event.get("tid")) for event in events]
    ended = [place for place, (kind, _) in enumerate(kinds) if kind == "refit_finished"][:2]
    assert kinds.index(("trial_started", 16)) < ended[0]
    assert kinds.index(("trial_started", 17)) > ended[1]
    assert {refit.losses[0] for refit in refits(tmp_path / "slow")[:2]}.isdisjoint({None})


@pytest.mark.parametrize("workers", [None, 2])
def test_a_re_fit_whose_process_dies_runs_again(tmp_path, calm, workers):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    trainer = refitting.recipe("make_dying", folder=str(deaths))
    scan(tmp_path / "dying", trainer=trainer, lag=4, workers=workers)
    assert equals(tmp_path / "dying", calm)
    assert len(list(deaths.iterdir())) == len(refits(calm))
    with FileTrials(tmp_path / "dying" / "refits") as store:
        assert {entry.attempts for entry in store.trials()} == {2}


def test_a_re_fit_that_always_ends_its_process_has_failed(tmp_path):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    trainer = refitting.recipe("make_dying", folder=str(deaths), always=True)
    scan(tmp_path / "dying", trials=18, trainer=trainer, lag=2, workers=2, confirm=2)
    first, second = read_trials(tmp_path / "dying" / "refits" / "tries.json")[:2]
    assert first.failure == second.failure == "ProcessDied"
    assert len(points(tmp_path / "dying")) == 18


def test_scans_that_cannot_learn_from_it_fit_none_again(tmp_path):
    scan(tmp_path / "with", engine="hyperopt")
    scan(tmp_path / "without", confirm=0, engine="hyperopt")
    assert points(tmp_path / "with") == points(tmp_path / "without")


@pytest.mark.parametrize("lag", [1, 4])
def test_what_a_scan_was_begun_with_holds(tmp_path, lag):
    scan(tmp_path / "without", trials=5, confirm=0, lag=lag)
    scan(tmp_path / "without", lag=lag)
    scan(tmp_path / "never", confirm=0, lag=lag)
    assert points(tmp_path / "without") == points(tmp_path / "never")
    scan(tmp_path / "with", trials=5, lag=lag)
    scan(tmp_path / "with", confirm=0, lag=lag)
    scan(tmp_path / "always", lag=lag)
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
