"""Scans that an older version began and left unfinished: they are shown, and continue as that version would have.

`older_scans/make_older_scans.py` made them, and says how.
"""

import csv
import json
import shutil
from pathlib import Path

import optuna
import pytest

OLDER = Path(__file__).parent / "older_scans"

#: the folder in which progress.json of the joined scan says that it was begun
BEGUN_IN = "/data/scans"

NAMES = ["folder", "joined", "pruned"]


@pytest.fixture
def older(tmp_path):
    """A function that copies the scan of a name: its folder, and what `expected.json` holds."""

    def copied(name):
        folder = tmp_path / name
        shutil.copytree(OLDER / name, folder)
        progress = folder / "progress.json"
        progress.write_text(progress.read_text().replace(BEGUN_IN, str(tmp_path)))
        return folder, json.loads((folder / "expected.json").read_text())

    return copied


def tries_of(folder):
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())


def good_trials(folder):
    return [trial for trial in tries_of(folder) if trial["result"]["status"] == "ok"]


def files_of(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_it_continues(hyperparton, older, name):
    folder, expected = older(name)
    before, count = tries_of(folder), expected["trials"]
    options = [option.format(folder=folder) for option in expected["options"]]
    scan = ("scan", OLDER / expected["card"], "-o", folder, "--trials", count, *options)
    code, _, err = hyperparton(*scan)
    assert code == 0, err
    after = tries_of(folder)
    assert after[: len(before)] == before
    assert [trial["tid"] for trial in after] == list(range(count))
    for trial, wanted in zip(after[len(before) :], expected["new"], strict=True):
        # not to the last digit: processors round differently, which short fits of PDFs make per cents of
        assert trial["misc"]["vals"] == {label: pytest.approx(held, rel=1e-9) for label, held in wanted["vals"].items()}
        result = trial["result"]
        assert (trial["tid"], result["status"]) == (wanted["tid"], wanted["status"])
        assert result["loss"] == pytest.approx(wanted["loss"], rel=0.3 if name == "folder" else 1e-6)
        assert (result.get("pruned") or {}).get("epoch") == (wanted["pruned"] or {}).get("epoch")
    code, out, _ = hyperparton("status", folder)
    assert code == 0
    assert out.startswith(f"{name}: {count} of {count} trials done")
    # once more: there is nothing left to do
    assert hyperparton(*scan)[0] == 0
    assert tries_of(folder) == after


@pytest.mark.parametrize("name", NAMES)
def test_it_is_shown_and_exported(hyperparton, older, name, tmp_path):
    folder, expected = older(name)
    kept, trials = files_of(folder), tries_of(folder)
    good = good_trials(folder)
    best = min(good, key=lambda trial: trial["result"]["loss"])
    pruned = sum("pruned" in trial["result"] for trial in trials)
    failed = len(trials) - len(good) - pruned
    code, out, _ = hyperparton("status", folder)
    assert code == 0
    assert out.startswith(f"{name}: {len(trials)} of {expected['trials']} trials done, {failed} failed")
    assert (f", {pruned} pruned" in out) == (name == "pruned")
    # the trial that was killed
    assert "waiting to run again: 1" in out
    assert f"best: loss {best['result']['loss']:.4g}, trial {best['tid']}:" in out
    code, out, _ = hyperparton("best", folder, "--top", "1")
    assert code == 0
    assert out.startswith(f"{len(trials)} trials, {failed} failed")
    assert out.splitlines()[2].split()[:2] == [str(best["tid"]), f"{best['result']['loss']:.4g}"]
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    code, out, _ = hyperparton("export", folder, "--storage", url)
    assert (code, out) == (0, f"{url}: study {name}: {len(trials)} trials added\n")
    study = optuna.load_study(study_name=name, storage=url)
    assert (study.best_trial.number, study.best_value) == (best["tid"], best["result"]["loss"])
    assert kept.items() <= files_of(folder).items(), "looking at a scan changes none of its files"


@pytest.mark.parametrize("names", [["folder"], ["joined", "pruned"]])
def test_they_are_reported(hyperparton, older, names, tmp_path):
    folders = [older(name)[0] for name in names]
    target = tmp_path / "report"
    code, _, err = hyperparton("report", *folders, "-o", target)
    assert code == 0, err
    with (target / "tables" / "trials.csv").open() as file:
        losses = {(row.get("scan", names[0]), int(row["trial"])): float(row["loss"]) for row in csv.DictReader(file)}
    good = {folder.name: good_trials(folder) for folder in folders}
    assert losses == {(name, trial["tid"]): trial["result"]["loss"] for name in names for trial in good[name]}
    assert (target / "index.html").is_file()
