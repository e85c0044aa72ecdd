"""The best trials are fitted again at the end of a scan: the same re-fits however it is run, and the best is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import refitting
import sqlalchemy as sa
from pymongo import MongoClient

from hyperparton import hyper_scan_wrapper, read_tries
from hyperparton.errors import ScanError, StoreError
from hyperparton.scan.racers import Racers
from hyperparton.trials.refits import Refit, read_refits
from hyperparton.trials.tries_read import read_trials
from hyperparton.trials.verdict import plain, verdicts

SCRIPT = Path(refitting.__file__)


def scan(folder, trials=refitting.TRIALS, trainer=None, **options):
    return hyper_scan_wrapper(
        folder, trainer or refitting.Trainer(), refitting.scanner(), trials, **{"engine": "random", "lag": 1, **options}
    )


def refits(folder):
    return read_refits(folder / "tries.json", read_trials(folder / "tries.json"))


def expected_order(folder):
    """The trials as the scan saw them, best first."""
    entries = read_tries(folder / "tries.json")
    return [entry["tid"] for entry in sorted(entries, key=lambda entry: entry["result"]["loss"])]


def test_the_named_methodology_is_the_best_of_those_that_do_not_fail(tmp_path):
    best = scan(tmp_path, confirm=6)
    lucky = min(read_tries(tmp_path / "tries.json"), key=lambda entry: entry["result"]["loss"])
    found = verdicts(refits(tmp_path))
    first = refits(tmp_path)[:6]
    assert {refit.replicas for refit in first} == {(2, 3, 4, 5, 6)}
    assert len({refit.trial for refit in first}) == 6
    assert best["x"] >= 2
    assert lucky["misc"]["vals"]["x"][0] < 2
    named = read_trials(tmp_path / "tries.json")[found[0].trial]
    assert best["x"] == named.vals["x"][0]
    losses = [refitting.loss_of(best["x"], replica) for replica in range(2, 42)]
    assert (found[0].replicas, found[0].failed) == (40, 0)
    assert found[0].mean == pytest.approx(np.mean(losses))


def test_all_that_take_part_have_the_same_replicas_which_the_scan_has_not_used(tmp_path):
    scan(tmp_path, confirm=4)
    asked = {}
    for refit in refits(tmp_path):
        asked.setdefault(refit.trial, []).extend(refit.replicas)
        x = read_trials(tmp_path / "tries.json")[refit.trial].vals["x"][0]
        assert list(refit.losses) == [refitting.loss_of(x, replica) for replica in refit.replicas]
    assert expected_order(tmp_path)[0] in asked
    assert [len(replicas) for replicas in asked.values()].count(40) >= 2
    assert all(replicas == list(range(2, 2 + len(replicas))) for replicas in asked.values())


class NoisyTrainer(refitting.Trainer):
    """Its trials have more luck than the parabola has height near its minimum, at 2."""

    def hyperparametrizable(self, params):
        luck = np.random.default_rng(round(1e6 * (params["x"] + 5))).standard_normal()
        return {"status": "ok", "loss": 1.0 + 0.05 * (params["x"] - 2.0) ** 2 + 0.5 * luck}


def test_those_take_part_that_all_trials_tell_to_be_the_best_and_the_luckiest(tmp_path):
    scan(tmp_path, trials=60, trainer=NoisyTrainer(), confirm=5)
    away = [abs(trial.vals["x"][0] - 2.0) for trial in read_trials(tmp_path / "tries.json")]
    racing, lucky = {refit.trial for refit in refits(tmp_path)[:5]}, expected_order(tmp_path)[:5]
    assert lucky[0] in racing
    assert np.mean([away[number] for number in racing - {lucky[0]}]) < 1.5
    assert max(away[number] for number in lucky) > 2.0


def test_by_default_it_takes_at_most_twice_the_fits_of_the_scan(tmp_path):
    scan(tmp_path)
    fits = sum(len(refit.replicas) for refit in refits(tmp_path))
    assert 10 <= fits <= 2 * refitting.TRIALS


@pytest.mark.parametrize("options", [{"confirm": 0}, {"trials": 5}])
def test_without_it_the_best_trial_is_that_of_the_lowest_loss(tmp_path, options):
    best = scan(tmp_path, **options)
    lucky = min(read_tries(tmp_path / "tries.json"), key=lambda entry: entry["result"]["loss"])
    assert best["x"] == lucky["misc"]["vals"]["x"][0]
    assert not (tmp_path / "refits").exists()


def as_kept(folder):
    entries = read_tries(folder / "refits" / "tries.json")
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in entries]


@pytest.mark.parametrize("how", [{}, {"workers": 2}, {"workers": 3}])
def test_the_re_fits_are_the_same_in_processes_of_their_own(tmp_path, how):
    scan(tmp_path / "here", confirm=5)
    scan(tmp_path / "there", confirm=5, trainer=refitting.recipe(), **how)
    assert sorted(refits(tmp_path / "there"), key=repr) == sorted(refits(tmp_path / "here"), key=repr)


@pytest.mark.parametrize("kind", ["file", "sqlite", "postgres", "mongo"])
def test_a_scan_that_is_killed_while_it_confirms_goes_on_where_it_was(tmp_path, servers, kind):
    url = servers.store_url(kind, tmp_path)
    before = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))}
    out = tmp_path / "killed"
    for number in (3, 0, 2, -1):
        command = [sys.executable, str(SCRIPT), str(out), url, str(number), "random", "1"]
        done = subprocess.run(command, env=before, capture_output=True, text=True, timeout=60)
        assert done.returncode == (0 if number == -1 else -signal.SIGKILL), done.stderr
    scan(tmp_path / "whole", confirm=4)
    assert as_kept(out) == as_kept(tmp_path / "whole")
    assert len(as_kept(out)) > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mongo"])
def test_several_jobs_confirm_together(tmp_path, servers, kind):
    url = servers.store_url(kind, tmp_path)
    best = {}

    def job(name):
        best[name] = scan(tmp_path / name, store=url, confirm=5)

    jobs = [threading.Thread(target=job, args=(name,)) for name in ("one", "two")]
    for each in jobs:
        each.start()
    for each in jobs:
        each.join(60)
    scan(tmp_path / "alone", confirm=5)
    assert best["one"] == best["two"]
    for name in best:
        assert sorted(refits(tmp_path / name), key=repr) == sorted(refits(tmp_path / "alone"), key=repr)


def test_more_trials_later_are_confirmed_with_what_is_there(tmp_path):
    scan(tmp_path, confirm=3)
    first = as_kept(tmp_path)
    scan(tmp_path, trials=40, confirm=4)
    assert as_kept(tmp_path)[: len(first)] == first
    assert len({refit.trial for refit in refits(tmp_path)}) >= 4
    pairs = [(refit.trial, replica) for refit in refits(tmp_path) for replica in refit.replicas]
    assert len(pairs) == len(set(pairs))


class Plain:
    """A trainer that cannot fit again."""

    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": params["x"]}


def test_a_trainer_that_cannot_fit_again_is_told(tmp_path):
    events = []
    scan(tmp_path / "by default", trainer=Plain(), progress=events.append)
    assert "refit(params, replicas)" in events[-1]["reason"]
    assert not (tmp_path / "by default" / "refits").exists()
    with pytest.raises(ScanError, match=r"no method refit"):
        scan(tmp_path / "asked for", trainer=Plain(), confirm=3)
    assert not (tmp_path / "asked for").exists()


@pytest.mark.parametrize("given", [1, -2, 2.5, "all"])
def test_what_is_no_number_of_trials_is_refused(tmp_path, given):
    with pytest.raises(ScanError, match="confirm must be"):
        scan(tmp_path, confirm=given)


@pytest.mark.parametrize(
    "told", [{"x": [0.5]}, {"x": "much"}, ["x"], {"x": [0.5, None]}, {"x": [0.5, float("nan"), 1, 2, 3]}]
)
def test_what_re_fits_say_of_their_needs_is_examined(tmp_path, told):
    """Anything but a number for each replica makes the re-fit a failed one."""

    class Needy(refitting.Trainer):
        def refit(self, params, replicas):
            return {**super().refit(params, replicas), "replica_fails_below": told}

    hyper_scan_wrapper(tmp_path, Needy(), refitting.scanner(), 12, engine="gp", lag=1, confirm=2)
    entries = [entry for entry in read_trials(tmp_path / "refits" / "tries.json") if entry.finished]
    assert entries
    for entry in entries:
        assert entry.status == "fail"
        assert "replica_fails_below must be a dictionary of lists with a finite number for each" in entry.reason


def test_the_needs_of_re_fits_reach_the_engine(tmp_path):
    class Needy(refitting.Trainer):
        def refit(self, params, replicas):
            needs = {"x": [float(replica) for replica in replicas]}
            return {**super().refit(params, replicas), "replica_fails_below": needs}

    hyper_scan_wrapper(tmp_path, Needy(), refitting.scanner(), 20, engine="gp", lag=1, confirm=4)
    trials = read_trials(tmp_path / "tries.json")
    found = [refit for refit in read_refits(tmp_path / "tries.json", trials) if refit.losses[0] is not None]
    assert found
    for refit in found:
        assert refit.fails_below == tuple({"x": float(replica)} for replica in refit.replicas)
    scouts = [refit for refit in found if refit.replicas[0] == 2][:2]
    told = Racers(refitting.scanner().as_dict(), [t.outcome for t in trials], scouts).as_trials()
    assert [each.fails_below for each in told[scouts[0].trial, scouts[0].replicas]] == list(scouts[0].fails_below)


def test_re_fits_that_raise_have_failed(tmp_path):
    class Broken(refitting.Trainer):
        def refit(self, params, replicas):
            if params["x"] > 2:
                raise ValueError("no fit here")
            return super().refit(params, replicas)

    scan(tmp_path, trainer=Broken(), confirm=8)
    found = {verdict.trial: verdict for verdict in verdicts(refits(tmp_path))}
    trials = read_trials(tmp_path / "tries.json")
    broken = {number for number in found if trials[number].vals["x"][0] > 2}
    assert broken
    assert broken <= {trial for trial in found if found[trial].share == 1.0}
    assert found[next(iter(found))].trial not in broken


@pytest.mark.parametrize("kind", ["file", "sqlite", "postgres", "mongo"])
def test_damaged_re_fits_are_told_before_a_trial_is_run(tmp_path, servers, kind):
    url = servers.store_url(kind, tmp_path) or None
    scan(tmp_path / "scan", confirm=3, store=url)
    damage(kind, tmp_path, url)
    before = [entry["tid"] for entry in read_tries(tmp_path / "scan" / "tries.json")]
    with pytest.raises(StoreError, match=r"(damaged|not as it was written).*re-fits of the best.*--confirm 0"):
        scan(tmp_path / "scan", refitting.TRIALS + 5, confirm=3, store=url)
    assert [entry["tid"] for entry in read_tries(tmp_path / "scan" / "tries.json")] == before
    scan(tmp_path / "scan", refitting.TRIALS + 5, confirm=0, store=url)


def damage(kind, folder, url):
    """Lose the second of the re-fits."""
    if kind == "mongo":
        with MongoClient(url) as client:
            client[f"{url.rpartition('/')[2]}_refits"]["trials"].delete_one({"_id": 1})
        return
    places = {"file": folder / "scan" / "refits" / "tries.sqlite", "sqlite": folder / "shared.sqlite-refits"}
    at = f"sqlite:///{places[kind]}" if kind in places else url.replace("postgresql:", "postgresql+psycopg:")
    schema = "" if kind in places else f"{url.rpartition('%3D')[2]}_refits."
    engine = sa.create_engine(at)
    with engine.begin() as connection:
        assert connection.execute(sa.text(f"DELETE FROM {schema}trials WHERE number = 1")).rowcount == 1
    engine.dispose()


def test_a_user_who_may_make_no_schema_is_told_before_a_trial_is_run(tmp_path, servers):
    """The database's administrator has made the schema of the scan, and that of the re-fits is another."""
    url = servers.postgres(str(tmp_path))
    schema, user = url.rpartition("%3D")[2], "scanner_" + url.rpartition("%3D")[2]
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE ROLE {user} LOGIN"))
        connection.execute(sa.text(f"GRANT ALL ON SCHEMA {schema} TO {user}"))
    theirs = url.replace("postgres:@", f"{user}@")
    assert theirs != url
    with pytest.raises(StoreError, match=r"permission denied for database postgres.*re-fits of the best.*--confirm 0"):
        scan(tmp_path / "scan", confirm=3, store=theirs)
    assert not (tmp_path / "scan").exists()
    with engine.begin() as connection:
        assert not sa.inspect(connection).get_table_names(schema=schema), "nothing was begun"
        connection.execute(sa.text(f"CREATE SCHEMA {schema}_refits AUTHORIZATION {user}"))
    engine.dispose()
    scan(tmp_path / "scan", confirm=3, store=theirs)
    assert refits(tmp_path / "scan")


def test_re_fits_of_another_scan_are_refused(tmp_path):
    scan(tmp_path / "one", confirm=3)
    scan(tmp_path / "other", confirm=0, seed=7)
    (tmp_path / "one" / "refits").rename(tmp_path / "other" / "refits")
    with pytest.raises(StoreError, match="another scan"):
        refits(tmp_path / "other")
    before = (tmp_path / "other" / "refits" / "tries.json").read_bytes()
    with pytest.raises(StoreError, match="another scan"):
        scan(tmp_path / "other", confirm=20, seed=7)
    assert (tmp_path / "other" / "refits" / "tries.json").read_bytes() == before


def test_events_say_what_is_fitted_again(tmp_path):
    events = []
    scan(tmp_path, progress=events.append, confirm=4)
    kinds = [event["event"] for event in events if event["event"] not in ("trial_started", "trial_finished")]
    fits = len(refits(tmp_path))
    assert kinds == ["confirm_started", *["refit_started", "refit_finished"] * fits, "confirmed"]
    assert events[-1]["verdicts"][0]["trial"] == verdicts(refits(tmp_path))[0].trial
    json.dumps(events, allow_nan=False)


def test_what_a_trainer_reports_of_re_fits_names_the_trial(tmp_path):
    events = []
    scan(tmp_path, progress=events.append, confirm=2, trainer=refitting.recipe())
    assert not [event for event in events if event["event"] == "trial_progress"]
    told = [event for event in events if event["event"] in ("refit_started", "refit_progress")]
    begun = {event["tid"] for event in told if event["event"] == "refit_started"}
    reported = [event for event in told if event["event"] == "refit_progress"]
    assert reported[0] == {"event": "refit_progress", "tid": told[0]["tid"], "epoch": 1, "epochs": 2, "running": 3}
    assert {event["tid"] for event in reported} <= begun
    assert begun >= set(expected_order(tmp_path)[:2])


@pytest.mark.parametrize(
    "change",
    [
        {"refit/last": [10**9]},
        {"refit/first": [-3]},
        {"refit/first": [0.5]},
        {"refit/first": []},
        {"refit/trial": []},
        {"refit/trial": [10**6]},
        {"refit/first": [9], "refit/last": [3]},
    ],
)
def test_hostile_entries_are_told(tmp_path, change):
    scan(tmp_path, confirm=3)
    path = tmp_path / "refits" / "tries.json"
    entries = json.loads(path.read_text())
    entries[1]["misc"]["vals"].update(change)
    path.write_text(json.dumps(entries))
    with pytest.raises(StoreError, match=r"entry 1 |1000000"):
        refits(tmp_path)


@pytest.mark.parametrize("losses", [[1e308, 1.7e308, None], [5e-324, 0.0, 1e-310], [-1e308, 1e308, 0.0]])
def test_losses_of_any_size_have_a_verdict(losses):
    found = verdicts([Refit(1, (1, 2, 3), tuple(losses)), Refit(2, (1, 2, 3), (1.0, 1.1, 0.9))])
    assert sorted(verdict.trial for verdict in found) == [1, 2]
    json.dumps([plain(verdict) for verdict in found], allow_nan=False)
