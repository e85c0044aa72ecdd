"""Hyperparameters that are called as a trial's own numbers, through every command."""

import csv
import json

TRAINER = """
class Trainer:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        penalty = {"hinge": 0.0, "log_loss": 100.0}[params["loss"]]
        return {"status": "ok", "loss": penalty + params["trial"] ** 2 + abs(params["tid"])}


def make(card):
    return Trainer()
"""

CARD = """
trainer: named:make
parameters: {loss: hinge, status: new, trial: 0.0, tid: 0.0}
hyperscan_config:
  space:
    loss: {choice: [hinge, log_loss]}
    status: {choice: [new, old]}
    trial: {min: -5, max: 5}
    tid: {min: -1, max: 1}
"""


def test_they_are_told_from_the_trials_own(hyperparton, tmp_path):
    (tmp_path / "named.py").write_text(TRAINER)
    (tmp_path / "card.yml").write_text(CARD)
    folder = tmp_path / "out"
    assert hyperparton("scan", tmp_path / "card.yml", "--trials", 12, "--engine", "random", "-o", folder)[0] == 0
    entries = json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())
    drawn = {entry["tid"]: entry["misc"]["space_vals"] for entry in entries}
    losses = {entry["tid"]: entry["result"]["loss"] for entry in entries}
    assert {values["loss"] for values in drawn.values()} == {"hinge", "log_loss"}

    assert hyperparton("report", folder)[0] == 0
    with (folder / "report" / "tables" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == sorted(losses, key=losses.get)
    for row in rows:
        number = int(row["trial"])
        assert float(row["loss"]) == losses[number]
        assert {name: row[f"parameter.{name}"] for name in ("loss", "status")} == {
            name: drawn[number][name] for name in ("loss", "status")
        }
        assert float(row["parameter.trial"]) == drawn[number]["trial"]
        assert float(row["tid" if "tid" in row else "parameter.tid"]) == drawn[number]["tid"]

    kept = {
        "parameter.loss=hinge": [n for n in drawn if drawn[n]["loss"] == "hinge"],
        "loss<50": [n for n in drawn if losses[n] < 50],
        "parameter.status=old": [n for n in drawn if drawn[n]["status"] == "old"],
        "parameter.trial>0": [n for n in drawn if drawn[n]["trial"] > 0],
    }
    for text, numbers in kept.items():
        assert hyperparton("report", folder, "--filter", text)[0] == 0
        with (folder / "report" / "tables" / "trials.csv").open(newline="") as file:
            assert sorted(int(row["trial"]) for row in csv.DictReader(file)) == sorted(numbers), text
