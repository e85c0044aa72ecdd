"""What n3fit 4.1.5 wrote, read by our commands: a sequential scan's arrays as text.

Its Mongo mode and older releases: tests/report/test_older_n3fit.py, which needs no n3fit.
"""

from __future__ import annotations

import json
import shutil

import optuna
import pytest

from hyperparton.report.scans import read_scan


def test_a_sequential_scan(home, theirs):
    raw = home.tries(theirs)
    assert isinstance(raw[0]["result"]["kfold_meta"]["hyper_losses_chi2"], str)  # as n3fit writes it
    rows = read_scan(home.path / theirs).trials
    assert [row.number for row in rows] == [0, 1]
    for row, trial in zip(rows, raw, strict=True):
        result = trial["result"]
        assert row.loss == pytest.approx(float(result["loss"]), rel=1e-15)
        for name, key in (("chi2", "hyper_losses_chi2"), ("logp", "hyper_losses_logp")):
            expected = [float(word) for word in result["kfold_meta"][key].strip("[]").split()]
            assert row.fold_losses[name] == expected
        assert row.values["epochs"] == trial["misc"]["space_vals"]["epochs"]
    told = home.run("hyperparton", "best", theirs, "--format", "table")
    assert told.splitlines()[0] == "2 trials, 0 failed"
    home.run("hyperparton", "report", theirs)
    assert (home.path / theirs / "report" / "index.html").stat().st_size > 10_000


def test_a_sequential_scan_as_a_study_of_optunas(home, theirs):
    home.run("hyperparton", "export", theirs, "--storage", f"sqlite:///{home.path / 'theirs.db'}")
    study = optuna.load_study(study_name=theirs, storage=f"sqlite:///{home.path / 'theirs.db'}")
    raw = home.tries(theirs)
    assert [trial.value for trial in study.trials] == [trial["result"]["loss"] for trial in raw]
    for trial, entry in zip(study.trials, raw, strict=True):
        chosen = entry["misc"]["space_vals"]
        name = chosen["optimizer"]["optimizer_name"]
        assert trial.params["optimizer"] == name
        assert trial.params[f"{name}_learning_rate"] == chosen["optimizer"]["learning_rate"]
        assert trial.params["nodes_per_layer"] == f"{len(chosen['nodes_per_layer']) - 1} layers"
        for label in ("epochs", "stopping_patience", "initializer"):
            assert trial.params[label] == chosen[label]


def confirmed(home, scan, *options):
    """What `confirm` told of a scan of n3fit's, and the trials with their replicas that are fitted again by now."""
    folder = home.path / scan
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "refits" not in path.parts}
    told = home.run("hyperparton", "confirm", scan, *options)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "refits" not in path.parts}
    assert after == before
    entries = json.loads((folder / "nnfit" / "replica_1" / "refits" / "tries.json").read_text())
    vals = [entry["misc"]["vals"] for entry in entries]
    return told, [(each["refit/trial"][0], each["refit/first"][0], each["refit/last"][0]) for each in vals]


def test_a_sequential_scan_is_confirmed_and_n3fit_goes_on_with_it(home):
    shutil.copy(home.path / "card.yml", home.path / "confirmed.yml")
    home.n3fit("confirmed.yml", "--hyperopt", 2)
    told, refits = confirmed(home, "confirmed", "--top", 2)
    assert "the 2 finished ones are taken" in told
    rounds = [(2, 6), (7, 11), (12, 21), (22, 41)]
    assert sorted(refits) == [(trial, *block) for trial in (0, 1) for block in rounds]
    best = json.loads(home.run("hyperparton", "best", "confirmed", "--format", "json"))
    assert f"trial {best[0]['trial']} is the best: mean loss" in told
    home.run("n3fit", "confirmed.yml", "1", "--no-net", "--hyperopt", 3)
    assert len(home.tries("confirmed")) == 3
    told, more = confirmed(home, "confirmed", "--top", 3)
    assert more[:8] == refits
    assert {trial for trial, *_ in more} == {0, 1, 2}
    assert "the 3 finished ones are taken" in told
    shutil.copytree(home.path / "confirmed", home.path / "theirs_again")
    with (home.path / "theirs_again" / "filter.yml").open("a") as card:
        card.write("trainer: n3fit\n")
    told = home.run("hyperparton", "confirm", "theirs_again", "--top", 3, check=False)
    assert told.strip().endswith("cannot be fitted again: the trainer has no method refit(params, replicas)")
