"""n3fit's fits under hyperparton's scan: its trainer in our commands, our function in its command."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hyperparton.trials import read_tries

#: n3fit fits in single precision and on any number of threads; its own repetitions agree this well
SAME = 1e-4


def trials(home, name):
    return read_tries(home.path / name / "nnfit" / "replica_1" / "tries.json")


def assert_same_trials(found, expected, fits=None):
    """The same draws, and the same fits for the first `fits` trials, by default for all.

    n3fit's trainer keeps state from one trial to the next: its second trial is another fit in a process of its own.
    """
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one["tid"] == other["tid"]
        assert one["misc"]["vals"].keys() == other["misc"]["vals"].keys()
        for label, value in other["misc"]["vals"].items():
            assert one["misc"]["vals"][label] == pytest.approx(value, rel=1e-12), label
        assert one["result"]["status"] == other["result"]["status"]
        if fits is not None and one["tid"] >= fits:
            continue
        assert one["result"]["loss"] == pytest.approx(other["result"]["loss"], rel=SAME)
        for key, values in other["result"]["kfold_meta"].items():
            if key == "penalties":
                assert one["result"]["kfold_meta"][key].keys() == values.keys()
            else:
                assert flat(one["result"]["kfold_meta"][key]) == pytest.approx(flat(values), rel=SAME, abs=1e-6), key


#: n3fit's fits with n3fit's engine, so that trials can be compared
SCAN = ("hyperparton", "scan", "card.yml", "--trainer", "n3fit", "--engine", "hyperopt")


def flat(values):
    return [entry for value in values for entry in (flat(value) if isinstance(value, list) else [value])]


@pytest.fixture(scope="session")
def scanned(home):
    """Two trials of n3fit's fits by `hyperparton scan`, without interruption."""
    home.run(*SCAN, "--trials", 2, "--output", "scanned")
    return "scanned"


def test_the_trials_are_n3fits(home, scanned, theirs):
    assert_same_trials(trials(home, scanned), trials(home, theirs))


def test_a_scan_that_was_killed_and_continued(home, scanned):
    text = (home.path / "card.yml").read_text() + "trainer: n3fit\n"
    (home.path / "killed.yml").write_text(text)
    command = ["hyperparton", "scan", "killed.yml", "--trials", "2", "--engine", "hyperopt"]
    first = subprocess.Popen(
        command, cwd=home.path, env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    tries = home.path / "killed" / "nnfit" / "replica_1" / "tries.json"
    end = time.monotonic() + 300
    while not tries.exists():
        assert first.poll() is None, "the scan ended before its first trial was written"
        assert time.monotonic() < end, "no trial in 300 s"
        time.sleep(0.2)
    time.sleep(1.0)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert len(read_tries(tries)) == 1
    told = home.run(*command)
    assert "trial 1" in told
    assert "trial 0:" not in told
    assert_same_trials(trials(home, "killed"), trials(home, scanned), fits=1)


def test_workers_with_a_trainer_each(home, scanned):
    home.run(*SCAN, "--trials", 2, "--workers", 2, "--output", "parallel")
    # with two workers the second trial is suggested without the first, as random trials are anyway
    assert_same_trials(trials(home, "parallel"), trials(home, scanned), fits=1)


def test_replicas(home):
    home.run(*SCAN, "--trials", 1, "--replicas", 2, "--output", "reps")
    (trial,) = trials(home, "reps")
    meta = trial["result"]["kfold_meta"]
    assert [len(fold) for fold in meta["validation_losses"]] == [2, 2]
    assert set(meta["penalties"]) == {"saturation", "patience", "integrability"}


def test_a_card_that_n3fit_refuses(home):
    home.card("refused.yml", sum_rules="none of them")
    told = home.run("hyperparton", "scan", "refused.yml", "--trainer", "n3fit", "--trials", 1, check=False)
    assert "vp-setupfit refuses the card" in told
    assert "none of them" in told
    assert not (home.path / "refused").exists()


def test_our_function_in_n3fits_place(home, theirs):
    shutil.copy(home.path / "card.yml", home.path / "dropin.yml")
    home.run("vp-setupfit", "dropin.yml", "--no-eko-download", "--no-net")
    script = Path(__file__).with_name("with_our_wrapper.py")
    command = [sys.executable, script, "dropin.yml", "1", "--no-net", "--hyperopt"]
    home.run(*command, 1)
    assert len(trials(home, "dropin")) == 1
    home.run(*command, 2)  # continues
    assert_same_trials(trials(home, "dropin"), trials(home, theirs), fits=1)
    assert (home.path / "dropin" / "nnfit" / "replica_1" / "tries.sqlite").exists()


def test_the_space_of_n3fits_scanner_is_ours(home):
    from n3fit.hyper_optimization.hyper_scan import HyperScanner as Theirs
    from ruamel.yaml import YAML

    from hyperparton import HyperScanner
    from hyperparton.scan.foreign import as_scanner
    from hyperparton.space import describe, fingerprint

    card = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())
    ours = HyperScanner(card["parameters"], card["hyperscan_config"])
    theirs = as_scanner(Theirs(card["parameters"], card["hyperscan_config"]))
    # n3fit drops what `parameters: positivity` declares beside the scanned entries, here the empty multiplier
    assert ours.as_dict()["positivity"].pop("multiplier") is None
    assert describe(theirs.as_dict()) == describe(ours.as_dict())
    assert fingerprint(theirs.as_dict()) == fingerprint(ours.as_dict())
    assert theirs.hyper_keys == ours.hyper_keys
