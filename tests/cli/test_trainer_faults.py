"""What a user is told when trainers fail, when processes die, and when a machine cannot run a scan at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hyperparton.trials.local import FileTrials

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = [sys.executable, "-P", "-c", "from hyperparton.cli import main; main()", "scan"]
MODULE = """
import os, signal, sys, time

if os.path.exists(os.path.join(os.path.dirname(__file__), "gone")):
    raise OSError(28, "No space left on device")


class Trainer:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        x, here = params["x"], os.path.dirname(__file__)
        if x < HABITS:
            with open(os.path.join(here, "tried"), "a") as file:
                file.write("x")
            act(here)
        return {"status": "ok", "loss": x**2}


def act(here):
    ACT


def make(card):
    return Trainer()
"""


@pytest.fixture
def card(tmp_path):
    """A function that writes a card whose trainer does `act` where x is below `habits`."""

    def write(act, habits=0):
        (tmp_path / "mine.py").write_text(MODULE.replace("ACT", act).replace("HABITS", str(habits)))
        path = tmp_path / "card.yml"
        path.write_text("trainer: mine:make\nparameters: {x: 0}\nhyperscan_config: {space: {x: {min: -5, max: 5}}}\n")
        return path

    return write


def results(folder):
    entries = json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())
    return {entry["tid"]: (entry["misc"]["vals"]["x"][0], entry["result"]) for entry in entries}


RANDOM = ["--engine", "random", "--trials"]


def test_the_traceback_of_a_failing_trainer_is_shown(hyperparton, card, tmp_path):
    folder = tmp_path / "out"
    code, _, err = hyperparton("scan", card("raise ValueError('no fit')"), *RANDOM, 6, "-o", folder, "-v")
    assert code == 0
    found = results(folder)
    failed = [number for number, (x, _) in found.items() if x < 0]
    assert 0 < len(failed) < 6
    place = f'mine.py", line {1 + MODULE.splitlines().index("    ACT")}, in act'
    assert err.count(place) == len(failed)
    code, out, _ = hyperparton("best", folder, "--failed")
    assert (code, out.count(place)) == (0, len(failed))
    assert out.startswith(f"{len(failed)} of 6 trials failed\n\ntrial {failed[-1]}: ValueError: no fit\n  Traceback")
    code, out, _ = hyperparton("best", folder, "--failed", "--format", "json", "--top", "1")
    (told,) = json.loads(out)
    assert (told["trial"], told["reason"], told["parameters"]) == (
        failed[-1], "ValueError: no fit", {"x": found[failed[-1]][0]},
    )  # fmt: skip
    assert place in told["traceback"]
    assert hyperparton("best", folder, "--failed", "--importances")[0] == 2
    assert hyperparton("report", folder, "-o", tmp_path / "page")[0] == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert f"ValueError: the last calls of trial {failed[0]}" in page
    assert "in act" in page


def test_without_failures(hyperparton, card, tmp_path):
    assert hyperparton("scan", card("pass"), *RANDOM, 2, "-o", tmp_path / "out")[0] == 0
    assert hyperparton("best", tmp_path / "out", "--failed")[1] == "0 of 2 trials failed\n"


@pytest.mark.parametrize("way", ["folder", "store"])
def test_deaths_count_across_starts_and_jobs(card, tmp_path, way):
    """Each start is killed as it tells of the first death: three deaths in all, whoever saw them, then it fails."""
    path, url = card("os.kill(os.getpid(), signal.SIGKILL)", habits=6), f"sqlite:///{tmp_path}/trials.sqlite"

    def job(number):
        folder = tmp_path / ("out" if way == "folder" else f"out{number}")
        command = [*COMMAND, path, *RANDOM, "1", "-o", folder]
        if way == "store":
            command += ["--store", url]
        return folder, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    for number in range(2):
        _, process = job(number)
        assert process.stderr is not None
        for line in process.stderr:
            if "runs again" in line:
                break
        process.send_signal(signal.SIGTERM)  # what runs is released: it was seen to die once, or twice
        process.communicate()
    folder, process = job(2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    failure = results(folder)[0][1]["failure"]
    assert failure["type"] == "ProcessDied"
    assert "died 3 times; the last time it was ended by signal 9" in failure["message"]
    assert 3 <= len((tmp_path / "tried").read_text()) <= 5


def test_a_job_that_is_killed_counts_nothing(card, tmp_path):
    path = card("os.path.exists(here + '/fast') or time.sleep(600)", habits=6)
    for number in range(1, 5):
        process = subprocess.Popen([*COMMAND, path, *RANDOM, "1", "-o", tmp_path / "out"], stderr=subprocess.DEVNULL)
        while not (tmp_path / "tried").exists() or len((tmp_path / "tried").read_text()) < number:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
    (tmp_path / "fast").touch()
    subprocess.run([*COMMAND, path, *RANDOM, "1", "-o", tmp_path / "out"], check=True, stdout=subprocess.DEVNULL)
    assert results(tmp_path / "out")[0][1]["status"] == "ok"


def test_a_machine_that_cannot_start_jax_books_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.sqlite"
    command = [*COMMAND, EXAMPLES / "dis_small.yml", *RANDOM, "20", "-o", tmp_path / "out", "--store", url]
    done = subprocess.run(command, env={**os.environ, "JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    assert done.returncode == 6, done.stderr
    assert "error: JAX does not start on this machine (JAX_PLATFORMS is cuda): " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "trials.sqlite").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_a_machine_that_changes_ends_the_job_and_fails_no_trial(hyperparton, card, tmp_path, workers):
    act = "open(here + '/gone', 'w').close(); os._exit(1)"
    code, _, err = hyperparton("scan", card(act), *RANDOM, 6, "-o", tmp_path / "out", *workers)
    assert code == 6
    assert "trainer mine:make: importing mine raised OSError: [Errno 28] No space left on device" in err
    with FileTrials(tmp_path / "out" / "nnfit" / "replica_1") as store:
        assert all(trial.ok for trial in store.trials())
        assert store.next_number() > len(store.trials())
    (tmp_path / "gone").unlink()
    card("pass")
    assert hyperparton("scan", tmp_path / "card.yml", *RANDOM, 6, "-o", tmp_path / "out")[0] == 0
    assert {result["status"] for _, result in results(tmp_path / "out").values()} == {"ok"}


@pytest.mark.parametrize(
    ("way", "code"), [([], "ENOSPC"), ([], "EROFS"), (["--workers", "2"], "EDQUOT"), (["--store"], "ESTALE")]
)
def test_a_disk_that_fails_a_trainer_ends_the_job_and_fails_no_trial(hyperparton, card, tmp_path, way, code):
    """As it would each trial, those of other machines too."""
    act = f"import errno; open(here + '/gone', 'w').close(); raise RuntimeError from OSError(errno.{code}, 'the disk')"
    store = [f"sqlite:///{tmp_path}/trials.sqlite"] if way == ["--store"] else []
    begin = (*RANDOM, 6, "-o", tmp_path / "out", *way, *store)
    done, _, err = hyperparton("scan", card(act), *begin)
    assert done == 6
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "so it is left to run again: RuntimeError: " in line
    card("pass")
    (tmp_path / "gone").unlink()
    assert hyperparton("scan", tmp_path / "card.yml", *begin)[0] == 0
    assert {result["status"] for _, result in results(tmp_path / "out").values()} == {"ok"}


def test_one_without_room_at_the_start(hyperparton, card, tmp_path):
    (tmp_path / "gone").touch()
    code, _, err = hyperparton("scan", card("pass"), *RANDOM, 6, "-o", tmp_path / "out")
    assert code == 6
    assert "No space left on device" in err
    assert not (tmp_path / "out").exists()


def test_standard_streams_that_are_closed(card, tmp_path):
    """As by `2>&-`: no file of the scan is opened in their place, and nobody is told."""
    path = card("os.write(2, b'in the place of a file')", habits=6)
    command = ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *COMMAND, path, *RANDOM, "2", "-o", tmp_path / "out"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("2 trials, 0 failed\n")
    assert {result["status"] for _, result in results(tmp_path / "out").values()} == {"ok"}


def test_nothing_is_left_of_a_scan_that_is_killed(card, tmp_path):
    """Neither what its trainer has put into the background, nor the worker, which is stopped and cannot help."""
    mark = f"1{os.getpid()}{time.monotonic_ns()}"
    path = card(f"os.system('setsid sleep {mark} &'); os.kill(os.getpid(), signal.SIGSTOP)", habits=6)

    def left():
        return [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or ())]

    process = subprocess.Popen([*COMMAND, path, *RANDOM, "1", "-o", tmp_path / "out"], stderr=subprocess.DEVNULL)
    until(left)
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) == 3  # one that waits, the worker, and sleep
    process.kill()
    process.wait()
    until(lambda: not any(each.is_running() for each in below))


def test_ctrl_c_again_and_again(card, tmp_path):
    """The second one changes nothing, the third ends it; what keeps the worker is stopped, so the first takes long."""
    path = card("os.kill(os.getppid(), signal.SIGSTOP); time.sleep(600)", habits=6)
    with (tmp_path / "err").open("w") as err:
        process = subprocess.Popen([*COMMAND, path, *RANDOM, "1", "-o", tmp_path / "out"], stderr=err)
    (keeper,) = until(lambda: (tmp_path / "tried").exists() and psutil.Process(process.pid).children())
    until(lambda: keeper.status() == psutil.STATUS_STOPPED)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)  # two signals at once may be one
    process.send_signal(signal.SIGINT)
    until(lambda: "once more ends it at once" in (tmp_path / "err").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    worker = keeper.children()
    keeper.resume()
    psutil.wait_procs([keeper, *worker], 10)
    assert not any(each.is_running() for each in (keeper, *worker))
    assert "Traceback" not in (tmp_path / "err").read_text()


def until(true):
    """What `true` gives once it is true."""
    end = time.monotonic() + 30
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found
