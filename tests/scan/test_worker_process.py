"""Processes that run trials: ended before, while and after they start, and those that cannot be started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time

import psutil
import pytest
from cheap import recipe, scanner

from hyperparton import Execution, run_scan
from hyperparton.errors import ScanError
from hyperparton.scan.cluster import close_processes, run_task
from hyperparton.scan.worker_process import TrainerProcess, TrainerProcesses

TRIAL = {"vals": {"n": [1], "x": [-1.0]}, "pruning": None}


@pytest.fixture
def slow(tmp_path):
    """The recipe of a trainer that is not built in our time, and a function that waits until it is being built."""

    def building():
        end = time.monotonic() + 60
        while not (tmp_path / "building").exists():
            assert time.monotonic() < end
            time.sleep(0.02)

    return recipe("slow", folder=str(tmp_path)).text(), building


@pytest.fixture
def left():
    """A function that gives the processes begun in this test that are left; other tests may leave those of Dask."""
    before = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - before


def in_thread(function, *arguments):
    """A function that gives what `function` returned in a thread, which must end soon."""
    returned = []
    thread = threading.Thread(target=lambda: returned.append(function(*arguments)), daemon=True)
    thread.start()

    def result():
        thread.join(20)
        return returned.pop()

    return result


def test_a_process_that_is_ended_before_it_starts_never_starts(left):
    process = TrainerProcess(recipe().text())
    process.kill()
    assert process.ask([TRIAL]) == {"died": "the scan ended before it began", "starting": True}
    assert left() == set()


def test_a_process_that_is_ended_while_it_starts(slow, left):
    text, building = slow
    process = TrainerProcess(text)
    answer = in_thread(process.ask, [TRIAL])
    building()
    process.kill()
    assert answer() == {"died": "it was ended by signal 9", "starting": True}
    assert left() == set()
    assert process.ask([TRIAL])["died"] == "the scan ended before it began"


def test_processes_that_are_closed_end_and_run_nothing_more(slow, left):
    text, building = slow
    processes = TrainerProcesses(text)
    answer = in_thread(processes.run, [TRIAL], None, None)
    building()
    processes.close()
    assert answer() == {"died": "it was ended by signal 9", "starting": True}
    assert processes.run([TRIAL], None, None) == {"died": "the scan ended before it began"}
    assert left() == set()


@pytest.mark.parametrize("workers", [None, 2])
def test_a_process_that_cannot_be_started_ends_the_scan(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(ScanError, match=r"no process can be started for trials: .*No such file"):
        run_scan(tmp_path, recipe(), scanner(), 4, execution=Execution(workers=workers))


def test_what_a_thread_of_the_pool_raises_ends_the_scan(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("no answer")

    monkeypatch.setattr(TrainerProcess, "ask", broken)
    with pytest.raises(ScanError, match="the workers cannot run trials: ValueError: no answer"):
        run_scan(tmp_path, recipe(), scanner(), 4, execution=Execution(workers=2))


def test_a_scan_that_is_interrupted_as_trials_begin_leaves_no_process(tmp_path, left):
    def interrupt(event):
        if event["event"] == "trial_started" and event["tid"] == 1:
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_scan(tmp_path, recipe(sleep=600.0), scanner(), 4, execution=Execution(workers=2), progress=interrupt)
    assert time.monotonic() - begun < 20
    assert left() == set()


@pytest.mark.parametrize("workers", [None, 2])
def test_a_scan_that_is_interrupted_while_it_builds_leaves_no_process(tmp_path, slow, left, workers):
    _, building = slow

    def interrupt():
        building()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_scan(
            tmp_path / "scan", recipe("slow", folder=str(tmp_path)), scanner(), 4, execution=Execution(workers=workers)
        )
    thread.join()
    assert left() == set()
    assert not (tmp_path / "scan").exists()


def test_memory_of_what_a_trainer_starts_counts(tmp_path):
    settings = {"habit": "child grows"}
    with contextlib.closing(TrainerProcess(recipe(**settings).text())) as process:
        (result,) = process.ask([TRIAL], memory=250 << 20, seconds=60)["results"]
    assert result["failure"]["type"] == "MemoryLimit"


def test_a_task_that_comes_late_to_a_worker_of_a_cluster_starts_nothing(left):
    from distributed import Client

    text = recipe().text()
    late = {"died": "the scan ended before it began"}
    with Client(processes=False, n_workers=1, dashboard_address=None) as client:
        (worker,) = client.nthreads()

        def run(scan):
            answer = client.submit(run_task, scan, text, 1, [TRIAL], None, None, pure=False).result()
            assert (answer.pop("worker"), answer.pop("host")) == (worker, socket.gethostname())
            return answer

        assert run("scan")["results"][0]["status"] == "ok"
        assert len(left()) == 1
        client.run(close_processes, "scan", text)
        assert left() == set()
        assert run("scan") == late
        client.run(close_processes, "never began", text)
        assert run("never began") == late
    assert left() == set()


def test_processes_without_work_end_and_others_start(left):
    processes = TrainerProcesses(recipe().text(), idle=0.1)
    for _ in range(2):
        assert processes.run([TRIAL], None, None)["results"][0]["status"] == "ok"
        end = time.monotonic() + 30
        while left():
            assert time.monotonic() < end
            time.sleep(0.02)
    processes.close()
