"""The machine that a process runs on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from hyperparton import host


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 8}, raising=False)
    assert host.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert host.cores() == 6


@pytest.mark.parametrize(("asked", "expected"), [("3", 3), ("0", 4), ("many", 4), (None, 4)])
def test_threads_are_those_that_nproc_asks_for(monkeypatch, asked, expected):
    monkeypatch.setattr(host, "cores", lambda: 4)
    monkeypatch.delenv("NPROC", raising=False)
    if asked is not None:
        monkeypatch.setenv("NPROC", asked)
    assert host.threads() == expected


def test_memory_and_life_of_a_process():
    hold = "import sys; held = bytearray(range(256)) * (1 << 18); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        assert 64 << 20 < host.resident_memory(process.pid) < 256 << 20
        assert host.is_alive(process.pid)
        process.kill()
        process.wait()
        assert not host.is_alive(process.pid)
        assert host.resident_memory(process.pid) == 0


def test_time_since_the_start():
    begun = time.time()
    script = "import time; time.sleep(1.5); from hyperparton.host import seconds_since_start as s; print(s())"
    told = float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert 1.4 < told < time.time() - begun + 1.1


def test_rare_collections_end_with_their_block():
    before = gc.get_threshold()

    def work():
        with host.rare_collections():
            assert gc.get_threshold()[0] > before[0]
            raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        work()
    assert gc.get_threshold() == before


def test_processes_that_do_not_end_when_asked_are_killed():
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    obeys = "import signal; print(flush=True); signal.pause()"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in (deaf, obeys)]
    for process in processes:
        process.stdout.readline()
    host.stop_processes(*processes, seconds=0.5)
    assert [process.returncode for process in processes] == [-signal.SIGKILL, -signal.SIGTERM]
    for process in processes:
        process.stdout.close()
