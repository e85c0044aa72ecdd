"""Damaged folders, by `benchmarks/damaged_folders.py`, which says what is done to them; that runs far more of them."""

import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "benchmarks" / "damaged_folders.py"))


def test_no_command_ends_in_a_traceback(script, tmp_path):
    assert script["damaged_entries"](8, 7, 16, tmp_path) == []


def test_a_damaged_file_is_mended_by_the_others_or_refused(script, tmp_path):
    assert script["damaged_files"](30, 7, tmp_path) == []


CARD = "trainer: parabola:make\nparameters: {x: 0.0}\nhyperscan_config:\n  space: {x: {min: -5, max: 5}}\n"

TRAINER = """
import time


class Parabola:
    count = 0

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        self.count += 1
        if self.count > 6:
            time.sleep(60)
        return {"status": "ok", "loss": (params["x"] - 2.0) ** 2}


def make(card):
    return Parabola()
"""


def test_a_folder_that_was_copied_without_its_log(hyperparton, tmp_path):
    """The copy of a killed scan: what status shows, and what scan refuses, are the trials that tries.json names."""
    (tmp_path / "parabola.py").write_text(TRAINER)
    (tmp_path / "card.yml").write_text(CARD)
    scan = ("scan", tmp_path / "card.yml", "--engine", "random", "--trials", 20, "-o")
    program = [sys.executable, "-c", "from hyperparton.cli import main; main()"]
    command = [*program, *map(str, (*scan, tmp_path / "one"))]
    tries = tmp_path / "one" / "nnfit" / "replica_1" / "tries.json"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 120
    while not tries.exists() or tries.read_text().count('"tid"') < 12:  # twice in each entry
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    copy = tmp_path / "two" / "nnfit" / "replica_1"
    copy.mkdir(parents=True)
    shutil.copy(tmp_path / "one" / "filter.yml", tmp_path / "two")
    for name in ("tries.json", "tries.sqlite"):
        shutil.copy(tmp_path / "one" / "nnfit" / "replica_1" / name, copy)
    before = {path: path.read_bytes() for path in (tmp_path / "two").rglob("*") if path.is_file()}
    code, out, err = hyperparton("status", tmp_path / "two")
    assert (code, err) == (0, "")
    assert out.startswith("two: 6 trials done, 0 failed; nobody is at work on it")
    assert "tries.json names 6 finished trials, the store has 0" in out
    code, _, err = hyperparton(*scan, tmp_path / "two")
    assert code == 1
    assert "tries.json: trial 0 is not in the store" in err
    assert {path: path.read_bytes() for path in (tmp_path / "two").rglob("*") if path.is_file()} == before
