"""What n3fit wrote in other versions and with MongoDB: read as it is, and what it lacks shown as missing.

The results are built as the `hyperparametrizable` of these releases returns them, of numpy's arrays and numbers, and
written as their FileTrials does it: json.dumps with `default=str`.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hyperparton.cli import group
from hyperparton.report.losses import Loss
from hyperparton.report.scans import read_scan, read_scans
from hyperparton.report.summary import summarise

VALIDATION, EXPERIMENTAL = np.array([[1.25], [1.5]], np.float32), np.array([[1.75], [2.25]])


def pre_4_0():
    """Release 4.0.0 (2021): lists of numbers, a list per fold, the training losses too."""
    meta = {
        "training_losses": [np.float32(1.0), np.float32(1.125)],
        "validation_losses": [np.float32(1.25), np.float32(1.5)],
        "experimental_losses": [1.75, 2.25],
        "hyper_losses": [1.75, 2.25],
    }
    return {"training_loss": np.float32(1.0625), "kfold_meta": meta}


def release_4_0_9():
    """Releases 4.0.6 to 4.0.9 (2023, 2024): numbers of numpy in lists."""
    meta = {
        "validation_losses": [np.float64(1.25), np.float64(1.5)],
        "experimental_losses": [np.float64(1.75), np.float64(2.25)],
        "hyper_losses": [np.float64(1.75), np.float64(2.25)],
    }
    return {"kfold_meta": meta}


def release_4_1_0():
    """Release 4.1.0 (2025): arrays, phi2 under the name phi, no chi2 and no logp."""
    meta = {
        "validation_losses": VALIDATION,
        "trvl_losses_phi": np.array([0.1, 0.2]),
        "experimental_losses": EXPERIMENTAL,
        "hyper_losses": EXPERIMENTAL,
        "hyper_losses_phi": np.array([0.5, 0.25]),
        "penalties": {"saturation": np.array([[0.5], [0.75]])},
    }
    return {"kfold_meta": meta}


def release_4_1_2():
    """Releases 4.1.1 and 4.1.2 (2025): no chi2exp of the fitted data beside the experimental covariance matrix."""
    meta = release_4_1_0()["kfold_meta"]
    del meta["hyper_losses_phi"], meta["trvl_losses_phi"]
    for name in ("chi2", "phi2", "logp"):
        meta |= {f"hyper_losses_{name}": np.array([1.5, 2.0]), f"trvl_losses_{name}": np.array([1.0, 1.25])}
    return {"kfold_meta": meta}


RELEASES = {"4.0.0": pre_4_0, "4.0.9": release_4_0_9, "4.1.0": release_4_1_0, "4.1.2": release_4_1_2}

#: the fold metrics that each release wrote
WRITTEN = {"4.0.0": {}, "4.0.9": {}, "4.1.0": {"phi2": [0.5, 0.25]}}
WRITTEN["4.1.2"] = {name: [1.5, 2.0] for name in ("chi2", "phi2", "logp")}


def entry(number, loss, result, **changes):
    values = {
        "optimizer": {"optimizer_name": "Adam" if number else "RMSprop", "learning_rate": 1e-3 * (number + 1)},
        "nodes_per_layer": [10 + number, 8], "activation_per_layer": "tanh", "initializer": "glorot_normal",
        "epochs": 100.0 + number, "stopping_patience": 0.1, "positivity": {"multiplier": 1.05, "initial": None},
        "layer_type": "dense", "dropout": 0.0,
    }  # fmt: skip
    common = {"status": "ok", "loss": loss, "validation_loss": np.float32(1.375), "experimental_loss": 2.0}
    misc = {"tid": number, "cmd": ["domain_attachment", "FMinIter_Domain"], "workdir": None, "idxs": {}, "vals": {}}
    moment = f"2021-03-11 12:0{number}:00.000000"
    return {
        "state": 2, "tid": number, "spec": None, "result": common | result, "misc": misc | {"space_vals": values},
        "exp_key": None, "owner": None, "version": 0, "book_time": moment, "refresh_time": moment,
    } | changes  # fmt: skip


def written(folder, entries):
    """A scan's folder as n3fit leaves it."""
    path = folder / "scan" / "nnfit" / "replica_1"
    path.mkdir(parents=True)
    (path / "tries.json").write_text(json.dumps(entries, default=str))
    return folder / "scan"


def run(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("release", RELEASES)
def test_a_scan_of_a_release(tmp_path, release):
    make = RELEASES[release]
    failed = entry(2, np.float32(np.nan), make() | {"status": "fail"})
    scan = written(tmp_path, [entry(0, np.float64(2.0), make()), entry(1, np.float32(1.5), make()), failed])
    first, second, third = read_scan(scan).trials
    assert [row.status for row in (first, second, third)] == ["ok", "ok", "fail"]
    assert (first.loss, second.loss, third.loss) == (2.0, 1.5, None)
    assert first.validation_loss == 1.375
    assert first.replica_losses["validation"] == [[1.25], [1.5]]
    assert first.replica_losses["experimental"] == [[1.75], [2.25]]
    assert first.fold_losses == WRITTEN[release]
    for measure in ("chi2", "phi2", "logp"):
        assert (Loss(measure)(first) is None) == (measure not in WRITTEN[release])
    assert run("best", scan, "--format", "table").splitlines()[0] == "3 trials, 1 failed"
    best = json.loads(run("best", scan, "--format", "json"))
    assert [(trial["trial"], trial["loss"]) for trial in best] == [(1, 1.5), (0, 2.0)]
    assert summarise(read_scans([scan])).best.number == 1


def test_the_report_of_the_oldest(tmp_path):
    scan = written(tmp_path, [entry(0, np.float64(2.0), pre_4_0()), entry(1, np.float32(1.5), pre_4_0())])
    run("report", scan)
    assert len((scan / "report" / "tables" / "trials.csv").read_text().splitlines()) == 3  # with a heading


def mongo(number, result, **changes):
    """A trial of n3fit's Mongo mode: arrays of BSON, `_id`, the worker's name in a list."""
    plain = json.loads(json.dumps(result, default=lambda value: np.asarray(value).tolist()))
    changes = {"_id": f"66f0c2ab{number:016x}", "owner": [f"node{number}:4711"], "version": 2} | changes
    return entry(number, 2.0 - number, plain, **changes)


def test_a_scan_on_a_mongodb_with_trials_at_work(tmp_path):
    waiting = mongo(2, {}, state=0, owner=None, book_time=None, refresh_time=None) | {"result": {"status": "new"}}
    running = mongo(3, {}, state=1) | {"result": {"status": "new"}}
    scan = written(tmp_path, [mongo(0, release_4_1_2()), mongo(1, release_4_1_2()), waiting, running])
    rows = read_scan(scan).trials
    assert [(row.status, row.owner) for row in rows] == [
        ("ok", "node0:4711"), ("ok", "node1:4711"), ("waiting", None), ("running", "node3:4711"),
    ]  # fmt: skip
    assert rows[1].fold_losses["logp"] == [1.5, 2.0]
    assert run("best", scan, "--format", "table").splitlines()[0] == "4 trials, 0 failed, 2 unfinished"
    run("report", scan)
    assert "node1:4711" in (scan / "report" / "index.html").read_text()


def test_infinity_and_nan_as_python_writes_them(tmp_path):
    bad = entry(0, float("inf"), release_4_0_9())
    worse = entry(1, float("nan"), release_4_1_0())
    scan = written(tmp_path, [bad, worse, entry(2, 3.0, release_4_0_9())])
    assert "Infinity" in (scan / "nnfit" / "replica_1" / "tries.json").read_text()
    assert [(row.status, row.loss) for row in read_scan(scan).trials] == [("fail", None), ("fail", None), ("ok", 3.0)]
    assert run("best", scan, "--format", "table").splitlines()[0] == "3 trials, 2 failed"
