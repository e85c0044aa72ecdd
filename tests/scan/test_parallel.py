"""Trials at once: the same trials whoever is faster, limits that hold, workers that die, jobs that join."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cheap import Trainer, recipe, scanner

from hyperparton import hyper_scan_wrapper, read_tries
from hyperparton.errors import ScanError, StoreError, TooManyFailuresError, WalltimeError
from hyperparton.scan.limits import Limits
from hyperparton.trials.local import FileTrials
from hyperparton.trials.shared_folder import open_store

HERE = Path(__file__).parent


def scan(folder, trainer, trials=12, **settings):
    return hyper_scan_wrapper(folder, trainer, scanner(), trials, **{"engine": "random", **settings})


def entries(folder):
    """tries.json without times and owner, which no two scans share."""
    kept = read_tries(folder / "tries.json")
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in kept]


def failures(folder):
    found = [(entry["misc"]["vals"]["x"][0], entry["result"].get("failure")) for entry in entries(folder)]
    return {x: (failure or {"type": None})["type"] for x, failure in found}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The scan of 26 trials with a lag of 4, one after the other."""
    folder = tmp_path_factory.mktemp("calm")
    best = scan(folder, Trainer(), 26, engine="hyperopt", lag=4)
    return best, entries(folder)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_trials_do_not_depend_on_who_is_faster(tmp_path, calm, workers):
    best = scan(tmp_path, recipe(sleep=0.05), 26, engine="hyperopt", lag=4, workers=workers)
    assert (best, entries(tmp_path)) == calm
    assert {entry["result"]["status"] for entry in calm[1]} == {"ok", "fail"}


def test_another_lag_is_another_scan(tmp_path, calm):
    scan(tmp_path, Trainer(), 26, engine="hyperopt", lag=1)
    # from the trial on that TPE suggests from the twenty before it
    assert entries(tmp_path)[:20] == calm[1][:20]
    assert entries(tmp_path)[20:] != calm[1][20:]
    with pytest.raises(StoreError, match=r"another lag \(1, asked for 4\)"):
        scan(tmp_path, Trainer(), 26, engine="hyperopt", lag=4)
    # not asked for, it is that of the scan
    scan(tmp_path, recipe(), 27, engine="hyperopt", workers=2)
    assert len(entries(tmp_path)) == 27


def test_many_at_once_and_no_port(tmp_path):
    before, events, ports = listening(), [], set()

    def progress(event):
        events.append(event)
        ports.update(listening() - before)

    begun = time.monotonic()
    scan(tmp_path, recipe(sleep=0.5), 16, workers=4, progress=progress)
    assert time.monotonic() - begun < 60
    running = most = 0
    for event in events:
        running += {"trial_started": 1, "trial_finished": -1}.get(event["event"], 0)
        most = max(most, running)
    assert most == 4
    assert [e["done"] for e in events if e["event"] == "trial_finished"] == list(range(1, 17))
    assert ports == set()


def listening():
    """Ports on which this process listens over TCP."""
    mine = {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and f"socket:[{parts[9]}]" in mine:
                found.add(int(parts[1].split(":")[1], 16))
    return found


@pytest.mark.parametrize("workers", [None, 2])
def test_a_worker_that_dies_is_replaced_and_its_trial_runs_again(tmp_path, workers):
    died = tmp_path / "died"
    died.mkdir()
    scan(tmp_path / "a", recipe(habit="once", folder=str(died)), workers=workers, lag=2)
    scan(tmp_path / "b", Trainer(), lag=2)
    assert len(list(died.iterdir())) > 3
    assert entries(tmp_path / "a") == entries(tmp_path / "b")
    with FileTrials(tmp_path / "a") as store:
        assert {trial.attempts for trial in store.trials()} == {1, 2}


@pytest.mark.parametrize(
    ("habit", "limits", "kind"),
    [
        ("dies", {}, "ProcessDied"),
        ("hangs", {"trial_timeout": 0.4}, "TrialTimeout"),
        ("grows", {"worker_memory": 250 << 20}, "MemoryLimit"),
    ],
)
def test_what_a_trial_may_not_do_makes_it_a_failed_one(tmp_path, habit, limits, kind):
    scan(tmp_path, recipe(habit=habit), 6, workers=2, limits=Limits(**limits))
    found = failures(tmp_path)
    assert len(found) == 6
    assert {failure for x, failure in found.items() if x < 0} == {kind}
    assert {failure for x, failure in found.items() if x >= 0} <= {None, "ValueError"}


def test_a_trial_in_this_process_is_interrupted(tmp_path):
    scan(tmp_path, Trainer(habit="hangs"), 6, limits=Limits(trial_timeout=0.2))
    assert {failure for x, failure in failures(tmp_path).items() if x < 0} == {"TrialTimeout"}
    with pytest.raises(ScanError, match="give a Recipe"):
        scan(tmp_path, Trainer(), 7, limits=Limits(worker_memory=1 << 30))
    raised = []

    def elsewhere():
        with pytest.raises(ScanError, match="needs the main thread"):
            scan(tmp_path, Trainer(), 8, limits=Limits(trial_timeout=1))
        raised.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert raised


@pytest.mark.parametrize("trainer", [Trainer(habit="raises"), recipe(habit="raises")])
def test_too_many_failures_in_a_row_end_the_scan(tmp_path, trainer):
    with pytest.raises(TooManyFailuresError, match="2 trials failed one after the other, the last with RuntimeError"):
        scan(tmp_path, trainer, 40, limits=Limits(max_consecutive_failures=2))
    statuses = [entry["result"]["status"] for entry in entries(tmp_path)]
    assert statuses[-2:] == ["fail", "fail"]
    assert "fail, fail" not in ", ".join(statuses[:-1])
    with FileTrials(tmp_path) as store:
        assert store.next_number() == len(statuses)


@pytest.mark.parametrize(
    ("trainer", "workers"), [(Trainer(3.0), None), (recipe(sleep=3.0), None), (recipe(sleep=3.0), 2)]
)
def test_the_scan_ends_in_time(tmp_path, trainer, workers):
    begun = time.monotonic()
    with pytest.raises(WalltimeError, match="walltime of 2 s"):
        scan(tmp_path, trainer, 40, workers=workers, limits=Limits(walltime=2))
    assert time.monotonic() - begun < 20
    with FileTrials(tmp_path) as store:
        done = len(store.trials())
        assert done < 5
        # what was running is kept under its number
        assert store.next_number() - done <= (workers or 1)
    scan(tmp_path, Trainer(), done + 2)
    assert len(entries(tmp_path)) == done + 2


def test_no_trial_is_begun_that_would_not_be_done(tmp_path):
    class Steady(Trainer):
        def hyperparametrizable(self, params):
            time.sleep(0.4)
            return super().hyperparametrizable(params)

    with pytest.raises(WalltimeError):
        scan(tmp_path, Steady(), 40, limits=Limits(walltime=1.1))
    with FileTrials(tmp_path) as store:
        assert store.next_number() == len(store.trials()) in (1, 2)


def test_trainers_that_cannot_be_built(tmp_path):
    for builder, message in (("broken", "RuntimeError: no data here"), ("absent", "has no attribute 'absent'")):
        with pytest.raises(ScanError, match=message):
            scan(tmp_path, recipe(builder), workers=2)
    with FileTrials(tmp_path) as store:
        assert store.trials() == []
    with pytest.raises(ScanError, match="give a Recipe, not a trainer"):
        scan(tmp_path, Trainer(), workers=2)
    with pytest.raises(ScanError, match="no Dask scheduler at"):
        scan(tmp_path, recipe(), scheduler="nonsense://x")


def test_a_dask_cluster_of_the_user(tmp_path, calm):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0") as cluster:
        where, events = cluster.scheduler_address, []
        trainer = recipe(sleep=0.05, says=True)
        best = scan(tmp_path, trainer, 26, engine="hyperopt", scheduler=where, progress=events.append)
    assert (best, entries(tmp_path)) == calm
    assert reported(events)


def reported(events):
    """The numbers of the trials whose trainers reported; each says the x of its own trial, and before its end."""
    x, finished, told = {}, set(), set()
    for event in events:
        number = event.get("tid")
        if event["event"] == "trial_started":
            x[number] = event["params"]["x"]
        elif event["event"] == "trial_finished":
            finished.add(number)
        elif event["event"] == "trial_progress":
            assert (event["validation"], event["epoch"], event["total"]) == (x[number], 100, 26)
            assert number not in finished
            told.add(number)
    return told


def test_workers_say_how_far_their_trials_are(tmp_path, calm):
    events = []
    scan(tmp_path, recipe(sleep=0.05, says=True), 26, engine="hyperopt", lag=4, workers=2, progress=events.append)
    assert entries(tmp_path) == calm[1]
    assert 0 in reported(events)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mongo"])
def test_jobs_join_a_scan_and_one_of_them_dies(tmp_path, servers, calm, kind):
    url = servers.store_url(kind, tmp_path)

    def job(name):
        command = [sys.executable, HERE / "cheap.py", tmp_path / name, url, "26", "0.1", "4", "1.5"]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )

    doomed, last = job("doomed"), job("last")
    end = time.monotonic() + 60
    with open_store(url) as store:
        while f":{doomed.pid}:" not in "".join(str(trial.owner) for trial in store.trials()):
            assert doomed.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    scan(tmp_path / "here", Trainer(), 26, engine="hyperopt", store=url, lease=1.5)
    assert last.wait(60) == 0
    assert entries(tmp_path / "here") == entries(tmp_path / "last") == calm[1]
    owners = {entry["owner"].split(":")[1] for entry in read_tries(tmp_path / "here" / "tries.json")}
    assert str(doomed.pid) in owners


def test_a_result_whose_lease_was_lost_is_dropped(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.sqlite"
    results = []

    class Slow(Trainer):
        def hyperparametrizable(self, params):
            if not results:
                results.append(params)
                with open_store(url) as store:  # as if this process had slept until its lease ended
                    held = store.get(0)
                    assert store.release(0, held.owner)
                    assert store.lease("another").number == 0
                    assert store.complete(0, "another", {"status": "ok", "loss": 123.0})
            return super().hyperparametrizable(params)

    scan(tmp_path / "a", Slow(), 3, store=url)
    assert [entry["tid"] for entry in entries(tmp_path / "a")] == [0, 1, 2]
    assert entries(tmp_path / "a")[0]["result"] == {"status": "ok", "loss": 123.0}


def test_joined_scans_of_another_space_are_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.sqlite"
    scan(tmp_path / "a", Trainer(), 2, store=url)
    with pytest.raises(StoreError, match=r"shared\.sqlite: holds a scan with another seed .* another database"):
        scan(tmp_path / "b", Trainer(), 2, store=url, seed=5)


def test_the_recorded_settings(tmp_path):
    scan(tmp_path, recipe(), 3, workers=2)
    with FileTrials(tmp_path) as store:
        settings = store.metadata()["scan"]["settings"]
    assert (settings["lag"], settings["seed"], settings["engine"]) == (2, 42, "random")
    assert json.loads(json.dumps(settings)) == settings
