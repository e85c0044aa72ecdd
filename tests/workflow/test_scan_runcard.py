"""`scan_runcard`: a card's scan from Python is that of the command line, with the same events and files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hyperparton import Execution, Limits, ScanSettings, read_tries, scan_runcard
from hyperparton.errors import RuncardError, ScanError, StoreError
from hyperparton.report.status import status_of
from hyperparton.runcard.check import read_runcard
from hyperparton.trials.local import FileTrials

EXAMPLES = Path(__file__).parents[2] / "examples"
CARD = """
trainer: line:make
parameters: {x: 0.0, other: 1}
hyperscan_config:
  space:
    x: {min: -5, max: 5}
"""
MODULE = """
class Line:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": abs(params["x"] - 1.0)}


def make(card):
    return Line()
"""
SETTINGS = ScanSettings(engine="random", seed=7)


@pytest.fixture
def card(tmp_path):
    (tmp_path / "line.py").write_text(MODULE)
    path = tmp_path / "card.yml"
    path.write_text(CARD)
    return path


def test_a_spread_of_one_replica_is_no_loss(tmp_path):
    """It is zero, and the loss of the trial is its reciprocal."""
    text = (EXAMPLES / "dis_small.yml").read_text(encoding="utf-8")
    (tmp_path / "spread.yml").write_text(text.replace("loss_type: chi2", "loss_type: phi2"))
    with pytest.raises(RuncardError, match=r"35:14: kfold.loss_type: phi2 is the spread .* given 1 per fold"):
        scan_runcard(tmp_path / "spread.yml", tmp_path / "out", 1, settings=SETTINGS)


def vals(folder):
    return [entry["misc"]["vals"] for entry in read_tries(folder / "nnfit" / "replica_1" / "tries.json")]


def test_it_is_the_scan_of_the_command_line(card, tmp_path, monkeypatch):
    from hyperparton.cli import main

    best = scan_runcard(card, tmp_path / "python", 4, settings=SETTINGS)
    command = ["scan", card, "--trials", 4, "-o", tmp_path / "command", "--engine", "random", "--seed", 7]
    monkeypatch.setattr("sys.argv", ["hyperparton", *map(str, command)])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert vals(tmp_path / "python") == vals(tmp_path / "command")
    assert best["other"] == 1
    assert best["x"] in [held["x"][0] for held in vals(tmp_path / "python")]
    kept = []
    for name in ("python", "command"):
        with FileTrials(tmp_path / name / "nnfit" / "replica_1") as trials:
            kept.append(trials.metadata()["scan"])
    assert kept[0] == kept[1]
    assert {key for key in kept[0]["metadata"] if key != "notes"} == {"runcard: trainer", "runcard: parameters"}


def test_a_card_that_was_read_and_a_default_folder(card, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = []
    scan_runcard(read_runcard(card), trials=2, settings=SETTINGS, progress=events.append)
    assert [event["event"] for event in events] == [*["trial_started", "trial_finished"] * 2, "confirm_skipped"]
    assert (tmp_path / "card" / "filter.yml").read_text() == CARD
    progress = tmp_path / "card" / "progress.json"
    before = json.loads(progress.read_text())
    assert before["trials"] == 2
    scan_runcard(card, trials=3, settings=replace(SETTINGS, lag=1))  # continues, and the lag is what it was
    assert len(vals(tmp_path / "card")) == 3
    assert json.loads(progress.read_text()) == {"trials": 3, "scan": before["scan"]}


def test_what_was_asked_for_in_another_scan_is_not_shown(card, tmp_path):
    """Its progress.json was copied here: the number of its trials would be taken for that of this scan."""
    scan_runcard(card, tmp_path / "scan", 2, settings=SETTINGS)
    scan_runcard(card, tmp_path / "other", 5, settings=replace(SETTINGS, seed=8))
    status = status_of(tmp_path / "scan", now=0.0)
    assert (status.total, status.notes) == (2, ())
    shutil.copy(tmp_path / "other" / "progress.json", tmp_path / "scan" / "progress.json")
    status = status_of(tmp_path / "scan", now=0.0)
    assert (status.finished, status.total, status.left) == (2, None, None)
    assert status.notes[0].startswith("progress.json is of another scan")
    scan_runcard(card, tmp_path / "scan", 3, settings=SETTINGS)
    status = status_of(tmp_path / "scan", now=0.0)
    assert (status.finished, status.total, status.notes) == (3, 3, ())


def test_a_card_that_was_read_gets_another_trainer(card, tmp_path):
    with pytest.raises(ScanError, match="line has no function 'far'"):
        scan_runcard(read_runcard(card), tmp_path / "scan", 1, settings=SETTINGS, trainer="line:far")


@pytest.mark.parametrize("option", [{"replicas": 2}, {"theory": "folder"}, {"t0pdfset": "set"}])
def test_what_only_fits_of_pdfs_have_is_not_ignored(card, tmp_path, option):
    (name,) = option
    with pytest.raises(RuncardError, match=f"card.yml:2:10: trainer: .*--{name}"):
        scan_runcard(card, tmp_path / "scan", 1, settings=SETTINGS, **option)
    assert not (tmp_path / "scan").exists()


def test_the_same_with_limits_in_a_process_beside_this_one(card, tmp_path):
    scan_runcard(card, tmp_path / "here", 3, settings=SETTINGS)
    execution = Execution(limits=Limits(trial_timeout=60, walltime=600))
    scan_runcard(card, tmp_path / "beside", 3, settings=SETTINGS, execution=execution)
    assert vals(tmp_path / "here") == vals(tmp_path / "beside")


def test_what_else_is_kept_must_be_the_same(card, tmp_path):
    folder = tmp_path / "scan"
    scan_runcard(card, folder, 1, settings=ScanSettings(engine="random", metadata={"site": "a"}))
    with pytest.raises(StoreError, match="another site"):
        scan_runcard(card, folder, 2, settings=ScanSettings(engine="random", metadata={"site": "b"}))
    card.write_text(CARD.replace("other: 1", "other: 2"))
    with pytest.raises(StoreError, match=r"another search space .*another runcard: parameters"):
        scan_runcard(card, folder, 2, settings=ScanSettings(engine="random", metadata={"site": "a"}))


def test_a_card_that_describes_no_scan(card, tmp_path):
    card.write_text("trainer: line:make\nparameters: {x: 0.0}\n")
    with pytest.raises(RuncardError, match="hyperscan_config"):
        scan_runcard(card, tmp_path / "scan", 2)
    assert not (tmp_path / "scan").exists()
