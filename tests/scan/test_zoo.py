"""What a trainer may do to a scan: nothing. Every beast of the zoo in every way to run trials, one scan for each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import zoo

from hyperparton import read_tries

HERE = Path(__file__).parent
SPACE = {"space": {"x": {"min": -5, "max": 5}}}
COMMAND = [sys.executable, "-P", "-c", "from hyperparton.cli import main; main()", "scan"]


@pytest.fixture
def expedition(tmp_path):
    """A function that scans these beasts by the command line, its output in a pipe, and gives what came of each."""
    mark = f"1{os.getpid()}{time.monotonic_ns()}"
    for name in ("places", "elsewhere"):
        (tmp_path / name).mkdir()

    def scan(beasts, *options):
        # the processes of joblib look for modules in the current folder first, whoever starts them
        folder = tmp_path / "elsewhere" if "joblib" in beasts else tmp_path
        content = {
            "trainer": "zoo:make", "parameters": {"x": 0.0}, "hyperscan_config": SPACE, "beasts": beasts,
            "places": str(tmp_path / "places"), "mark": mark,
        }  # fmt: skip
        (tmp_path / "card.yml").write_text(json.dumps(content))
        (tmp_path / "queue.py").write_text("raise SystemExit('the folder of a scan is no place for libraries')")
        command = [
            *COMMAND,
            os.path.relpath(tmp_path / "card.yml", folder),
            "-o",
            os.path.relpath(tmp_path / "out", folder),
        ]
        command += ["--trials", str(len(beasts)), "--engine", "random", *options]
        paths = [str(HERE), *(str(Path(path).resolve()) for path in sys.path if path)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # until everything that holds the pipe has ended
        done = subprocess.run(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240
        )
        assert done.returncode == 0, done.stdout
        assert not re.search(r"[\x1b\x07\x9b]", done.stdout)  # what would steer a terminal
        assert not any(mark in " ".join(running.info["cmdline"] or ()) for running in psutil.process_iter(["cmdline"]))
        return tmp_path / "out" / "nnfit" / "replica_1" / "tries.json"

    return scan


def check(tries, beasts, places):
    assert sorted(map(int, os.listdir(places))) == list(range(len(beasts)))
    came = {os.readlink(places / str(number)): name for number, name in enumerate(beasts)}
    entries = read_tries(tries)
    assert [entry["tid"] for entry in entries] == list(range(len(beasts)))
    for entry in entries:
        x, result = entry["misc"]["vals"]["x"][0], entry["result"]
        name = came.pop(repr(x))
        _, kind, words = zoo.BEASTS[name]
        if kind is None:
            assert (result["status"], result["loss"], result.get("beast")) == ("ok", x**2, name), (name, result)
            assert "child" not in result
        else:
            failure = result["failure"]
            assert (result["status"], result["loss"]) == ("fail", None), (name, result)
            assert failure["type"] == kind, (name, failure)
            assert words in str(failure.get("message")), (name, failure)
    assert not came


WAYS = {"plain": [], "workers": ["--workers", "2"], "store": ["--store", "sqlite:///shared.sqlite"]}


#: they take long, three deaths each, or must not find queue.py in the current folder
APART = (*zoo.DEADLY[1:], "joblib")


@pytest.mark.parametrize("way", WAYS)
def test_the_zoo(expedition, tmp_path, way):
    beasts = [name for name in zoo.BEASTS if way == "plain" or name not in APART]
    check(expedition(beasts, *WAYS[way]), beasts, tmp_path / "places")


@pytest.mark.parametrize("way", ["workers", "store"])
def test_the_beasts_apart(expedition, tmp_path, way):
    check(expedition(APART, *WAYS[way]), APART, tmp_path / "places")


def test_the_zoo_on_a_cluster(expedition, tmp_path):
    from distributed import LocalCluster

    beasts = list(zoo.BEASTS)
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0") as cluster:
        check(expedition(beasts, "--scheduler", cluster.scheduler_address), beasts, tmp_path / "places")


# a process that has not used JAX before: what forks beside JAX's threads is warned of, and may hang
OWN_PROCESS = """
import json, os, sys
from pathlib import Path
import zoo
from hyperparton import HyperScanner, hyper_scan_wrapper
folder, space, beasts = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
here, process = os.getcwd(), os.getpid()
trainer = zoo.Trainer(beasts, folder / "places", "0")
hyper_scan_wrapper(folder / "out", trainer, HyperScanner({"x": 0.0}, space), len(beasts), engine="random")
assert (os.getcwd(), os.getpid()) == (here, process)
"""


def test_the_zoo_in_the_scans_own_process(tmp_path):
    beasts = [name for name in zoo.BEASTS if name not in zoo.NOT_HERE]
    (tmp_path / "places").mkdir()
    command = [sys.executable, "-P", "-c", OWN_PROCESS, str(tmp_path), json.dumps(SPACE), *beasts]
    paths = [str(HERE), *(str(Path(path).resolve()) for path in sys.path if path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", timeout=240)
    assert done.returncode == 0, done.stderr
    check(tmp_path / "out" / "tries.json", beasts, tmp_path / "places")
