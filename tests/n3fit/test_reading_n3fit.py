"""What n3fit 4.1.5 wrote, read by our commands: a sequential scan's arrays as text, a scan on a MongoDB."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest

from hyperparton.report import read_scan
from hyperparton.trials.mongod import MongodRunner

SERVERS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "servers.py"))


def test_a_sequential_scan(home, theirs):
    raw = home.tries(theirs)
    assert isinstance(raw[0]["result"]["kfold_meta"]["hyper_losses_chi2"], str)  # as n3fit writes it
    rows = read_scan(home.path / theirs).rows
    assert [row.number for row in rows] == [0, 1]
    for row, trial in zip(rows, raw, strict=True):
        result = trial["result"]
        assert row.loss == pytest.approx(float(result["loss"]), rel=1e-15)
        for name, key in (("chi2", "hyper_losses_chi2"), ("logp", "hyper_losses_logp")):
            expected = [float(word) for word in result["kfold_meta"][key].strip("[]").split()]
            assert row.folds[name] == expected
        assert row.values["epochs"] == trial["misc"]["space_vals"]["epochs"]
    told = home.run("hyperparton", "best", theirs, "--format", "table")
    assert told.splitlines()[0] == "2 trials, 0 failed"
    home.run("hyperparton", "report", theirs)
    assert (home.path / theirs / "report" / "index.html").stat().st_size > 10_000


def test_a_scan_on_a_mongodb(home):
    """n3fit's own Mongo mode on a server on loopback: its worker, its `tries.json`."""
    pytest.importorskip("pymongo")
    program = shutil.which("mongod", path=home.environment["PATH"])
    if program is None:
        pytest.importorskip("nx_27017", reason="neither mongod nor nx-27017, which speaks its protocol, is here")
        program = str(SERVERS["write_stand_in"](home.path / "stand-in"))
    shutil.copy(home.path / "card.yml", home.path / "mongo.yml")
    home.run("vp-setupfit", "mongo.yml", "--no-eko-download", "--no-net")
    with MongodRunner("served", SERVERS["free_port"](), home.path / "served", executable=program, seconds=30) as runner:
        home.run(
            "n3fit", "mongo.yml", "1", "--no-net", "--hyperopt", 2, "--parallel-hyperopt",
            "--db-host", "127.0.0.1", "--db-port", runner.db_port, "--db-name", "theirs",
        )  # fmt: skip
    raw = home.tries("mongo")
    assert all("_id" in trial for trial in raw)
    rows = read_scan(home.path / "mongo").rows
    done = [row for row in rows if row.finished]
    assert done
    for row in done:
        assert row.ok
        assert ":" in row.owner
        assert len(row.folds["chi2"]) == 2
    (best,) = json.loads(home.run("hyperparton", "best", "mongo", "--top", 1, "--format", "json"))
    assert best["loss"] == min(row.loss for row in done)
    home.run("hyperparton", "report", "mongo")
