"""`scan` with workers, stores and limits, as a user calls it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hyperparton.host import seconds_since_start
from hyperparton.trials.refits import read_refits
from hyperparton.trials.tries_read import read_trials

MODULE = """
import time

class Trainer:
    def __init__(self, card):
        self.sleep, self.fails = card["sleep"], card["fails"]

    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        time.sleep(self.sleep)
        if self.fails:
            raise ValueError("told to fail")
        return {"status": "ok", "loss": (params["x"] - 2) ** 2}


class Refitting(Trainer):
    def refit(self, params, replicas):
        losses = [9.0 if params["x"] < 2 and not r % 3 else (params["x"] - 2) ** 2 + 0.01 * r for r in replicas]
        return {"status": "ok", "loss": sum(losses) / len(losses), "replica_losses": losses}
"""


@pytest.fixture
def card(tmp_path):
    def write(sleep=0.0, fails=False, trainer="Trainer"):
        (tmp_path / "sleepy.py").write_text(MODULE)
        path = tmp_path / "card.yml"
        path.write_text(
            f"trainer: sleepy:{trainer}\nsleep: {sleep}\nfails: {str(fails).lower()}\nparameters: {{x: 0}}\n"
            "hyperscan_config: {space: {x: {min: -5, max: 5}}}\n"
        )
        return path

    return write


def tries_of(folder):
    entries = json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in entries]


def test_workers_and_stores_give_the_same_trials(hyperparton, card, tmp_path):
    ways = {
        "serial": [],
        "workers": ["--workers", "2"],
        "process": ["--trial-timeout", "1min", "--worker-memory", "4G"],
        "joined": ["--store", f"sqlite:///{tmp_path}/shared.sqlite"],
    }
    for name, options in ways.items():
        lag = [] if name == "workers" else ["--lag", "2"]
        code, _, err = hyperparton("scan", card(), "--trials", 23, "-o", tmp_path / name, *lag, *options)
        assert code == 0, err
        assert tries_of(tmp_path / name) == tries_of(tmp_path / "serial")
        assert (tmp_path / name / "filter.yml").read_text() == card().read_text()
    assert [trial["tid"] for trial in tries_of(tmp_path / "serial")] == list(range(23))
    # one more folder for the same scan, when all is done
    code, _, err = hyperparton("scan", card(), "--trials", 23, "-o", tmp_path / "late", *ways["joined"])
    assert code == 0, err
    assert tries_of(tmp_path / "late") == tries_of(tmp_path / "serial")


def refits_of(folder):
    """The re-fits of a scan: trial, replicas, losses."""
    tries = folder / "nnfit" / "replica_1" / "tries.json"
    return read_refits(tries, read_trials(tries))


def test_trials_learn_from_the_same_re_fits_however_many_run_at_once(hyperparton, card, tmp_path):
    ways = {"serial": ["--lag", 3], "workers": ["--workers", 3], "batches": ["--batch-trials", 3], "without": []}
    for name, options in ways.items():
        options = options or ["--lag", 3, "--no-confirm"]
        command = ("scan", card(trainer="Refitting"), "--trials", 20, "-o", tmp_path / name, *options)
        code, _, err = hyperparton(*command)
        assert code == 0, err
    for name in ("workers", "batches"):
        assert tries_of(tmp_path / name) == tries_of(tmp_path / "serial")
        assert sorted(map(repr, refits_of(tmp_path / name))) == sorted(map(repr, refits_of(tmp_path / "serial")))
    assert tries_of(tmp_path / "serial")[:16] == tries_of(tmp_path / "without")[:16]
    assert tries_of(tmp_path / "serial")[16] != tries_of(tmp_path / "without")[16]


def test_exit_codes_of_limits(hyperparton, card, tmp_path):
    code, _, err = hyperparton(
        "scan", card(fails=True), "--trials", 9, "--max-consecutive-failures", 3, "-o", tmp_path / "a"
    )
    assert code == 5
    assert "3 trials failed one after the other, the last with ValueError: told to fail" in err
    assert len(tries_of(tmp_path / "a")) == 3
    since = seconds_since_start()
    code, _, err = hyperparton(
        "scan", card(sleep=1.0), "--trials", 99, "--walltime", f"{since + 3:.1f}s", "-o", tmp_path / "b"
    )
    assert code == 4
    assert "trials are left; the same command continues" in err
    # where the machine is so busy that no trial was begun, nothing is left
    assert not (tmp_path / "b").exists() or len(tries_of(tmp_path / "b")) < 4
    code, _, err = hyperparton("scan", card(sleep=30), "--trials", 1, "--trial-timeout", "0.2s", "-o", tmp_path / "c")
    assert code == 3
    assert "TrialTimeout: it took longer than 0.2 s; its process was ended" in err


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--walltime", "soon", "'soon' is no time; accepted: 90, 90s, 5min"),
        ("--walltime", "0", "must be above 0"),
        ("--worker-memory", "much", "'much' is no size; accepted: 800M"),
        ("--workers", "0", "--workers"),
        ("--lag", "0", "--lag"),
    ],
)
def test_wrong_values(hyperparton, card, tmp_path, option, value, told):
    code, _, err = hyperparton("scan", card(), "--trials", 1, "-o", tmp_path / "x", option, value)
    assert code == 2
    assert told in err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite://", "names no file, and trials in memory would be lost"),
        ("sqlite:///:memory:", "names no file, and trials in memory would be lost"),
        ("postgresql://h:notaport/db", "the port of a host must be a number"),
        ("postgresql://u:SEC/RET@h/db", "written as %2F"),
        ("mysql://h/db", "a store is sqlite:///FILE, postgresql://… or mongodb://…, given mysql://…"),
    ],
)
def test_wrong_stores(hyperparton, card, tmp_path, monkeypatch, url, told):
    path = card()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    code, out, err = hyperparton("scan", path, "--trials", 1, "-o", "x/y", "--store", url)
    assert code == 2
    assert told in err
    assert "SEC" not in err + out
    assert list(Path().iterdir()) == []


def test_a_password_is_warned_about_and_never_shown(hyperparton, card, tmp_path):
    out = tmp_path / "out"
    code, said, err = hyperparton(
        *("scan", card(), "--trials", 1, "-o", out, "--store-timeout", "0"),
        *("--store", "postgresql://me:SECRETWORD@127.0.0.1:1/db"),
    )
    assert code == 1
    assert "warning: everyone on this machine can see the password in --store" in err
    assert "postgresql://me@127.0.0.1:1/db: the trial store failed: " in err
    assert "SECRETWORD" not in err + said
    assert not out.exists()


def test_times_and_sizes():
    from hyperparton.cli.options import DURATION, MEMORY

    times = {"90": 90, "1.5h": 5400, "5min": 300, "2d": 172800, "30:00": 1800, "2:00:00": 7200, "1-12:00": 129600}
    assert {text: DURATION.convert(text, None, None) for text in times} == times
    assert DURATION.convert("1-12:30:05", None, None) == 86400 + 12 * 3600 + 1805
    assert [MEMORY.convert(text, None, None) for text in ("800M", "4G", "4GiB", "1024")] == [
        800 << 20, 4 << 30, 4 << 30, 1024]  # fmt: skip


def test_sigterm_hands_everything_back(card, tmp_path):
    command = [
        sys.executable,
        "-c",
        "from hyperparton.cli import main; main()",
        "scan",
        card(sleep=0.3),
        "--trials",
        "60",
    ]
    command += ["--workers", "3", "--output", tmp_path / "out"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    tries = tmp_path / "out" / "nnfit" / "replica_1" / "tries.json"
    end = time.monotonic() + 60
    while not tries.exists() and time.monotonic() < end:
        time.sleep(0.05)
    for _ in range(3):  # batch systems send several
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err
    from hyperparton.trials.local import FileTrials

    with FileTrials(tries.parent) as trials:
        booked, done = trials.next_number(), len(trials.history())
    assert 1 <= done < 60
    assert booked - done <= 3
