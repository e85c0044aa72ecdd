"""Options of `scan` that change what is tried and when it ends, with a trainer of one's own."""

import json
import re

import pytest

from hyperparton import Execution, ScanSettings

TRAINER = """
class Trainer:
    report = None

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        loss = (params["x"] - 2) ** 2 + 1
        if self.report is not None:
            for epoch in range(5, 30, 5):
                self.report(epoch, loss * 1.1 ** (30 - epoch), epochs=30)
        return {"status": "ok", "loss": loss}


def make(card):
    return Trainer()
"""
CARD = """
trainer: halfway:make
parameters: {x: 0.0}
hyperscan_config:
  RUN
  space:
    x: {min: LOW, max: 5}
"""


@pytest.fixture
def write_card(tmp_path):
    def write(run="prune: false", low=-5, name="card"):
        (tmp_path / "halfway.py").write_text(TRAINER)
        path = tmp_path / f"{name}.yml"
        path.write_text(CARD.replace("RUN", run).replace("LOW", str(low)))
        return path

    return write


def test_the_help_shows_the_defaults_of_the_settings(hyperparton):
    code, out, _ = hyperparton("scan", "--help")
    assert code == 0
    shown = dict(re.findall(r"--(engine|seed|batch-trials) [^[]*\[default: (\w+)", out))
    assert shown == {
        "engine": ScanSettings().engine,
        "seed": str(ScanSettings().seed),
        "batch-trials": str(Execution().batch_trials),
    }


def tries_of(folder):
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())


def test_pruned_trials_are_shown_as_such(hyperparton, write_card, tmp_path):
    """As in the card, or as the command line has it; neither failures nor among the best."""
    for name, run, options, expected in (
        ("card", "prune: true", (), True),
        ("option", "prune: false", ("--prune",), True),
        ("not", "prune: true", ("--no-prune",), False),
        ("default", "db_port: 27017", (), False),
    ):
        folder = tmp_path / name
        code, out, err = hyperparton(
            "scan", write_card(run), "--trials", 40, "--engine", "random", "--output", folder, *options
        )
        assert code == 0, err
        pruned = [trial["tid"] for trial in tries_of(folder) if "pruned" in trial["result"]]
        assert bool(pruned) == expected
        told = f", {len(pruned)} pruned" if expected else ""
        assert out.splitlines()[0] == f"40 trials, 0 failed{told}"
        assert hyperparton("status", folder)[1].startswith(f"{name}: 40 of 40 trials done, 0 failed{told}; all done")
        if expected:
            assert f"trial {pruned[0]}: loss" in err
            assert "pruned at epoch 5 of 30: loss" in err
            assert "failed" not in err
        if name == "card":
            assert hyperparton("report", folder, "-o", tmp_path / f"{name}-report")[0] == 0
            text = (tmp_path / f"{name}-report" / "index.html").read_text()
            saved = sum(trial["result"].get("pruned", {}).get("epochs_saved", 0) for trial in tries_of(folder))
            assert f"{len(pruned)} trials were stopped before the end, which saved at most {saved} epochs." in text
            assert "None of 40 trials failed." in text


def test_a_scan_goes_on_from_another(hyperparton, write_card, tmp_path):
    earlier = tmp_path / "earlier"
    assert hyperparton("scan", write_card(), "--trials", 25, "--output", earlier)[0] == 0
    outside = sum(trial["misc"]["space_vals"]["x"] < 0 for trial in tries_of(earlier))
    code, _, err = hyperparton(
        "scan", write_card(low=0, name="new"), "--trials", 3, "--from", earlier, "--output", tmp_path / "new"
    )
    assert code == 0, err
    assert f"{25 - outside} of 25 trials taken as history; outside of this space {outside}: {outside} in x" in err
    assert "accepted: 0 to 5" in err
    # the card may name it, by a path beside it, and processes of their own know of it
    named = write_card("use_tries_from: earlier", low=0, name="named")
    code, _, err = hyperparton("scan", named, "--trials", 3, "--output", tmp_path / "named", "--trial-timeout", "5min")
    assert code == 0, err
    found = [[trial["misc"]["vals"] for trial in tries_of(tmp_path / name)] for name in ("new", "named")]
    assert found[0] == found[1]
    assert hyperparton("check", named)[0] == 0


def test_what_matters_is_told(hyperparton, write_card, tmp_path):
    """The loss is least at x = 2, which the range from -5 to 5 does not have in its middle."""
    folder = tmp_path / "out"
    assert hyperparton("scan", write_card(), "--trials", 40, "--engine", "random", "--output", folder)[0] == 0
    code, out, err = hyperparton("best", folder, "--importances")
    assert code == 0, err
    head, line = out.splitlines()
    assert head.split()[:3] == ["hyperparameter", "trials", "divergence"]
    assert line.split()[:2] == ["x", "40"]
    (found,) = json.loads(hyperparton("best", folder, "--importances", "--format", "json")[1])
    assert found["divergence"] > found["95 % of chance"]
    low, high = map(float, found["best"].split(" to "))
    assert 0.5 < low < 2 < high < 3.5
    assert hyperparton("best", folder, "--importances", "--format", "yaml")[0] == 2


def test_a_scan_ends_early_and_goes_on(hyperparton, write_card, tmp_path):
    folder = tmp_path / "out"
    code, out, err = hyperparton("scan", write_card(), "--trials", 99, "--target-loss", 1.5, "--output", folder)
    assert code == 0, err
    assert "the scan ends: the best loss is 1." in err
    assert "at most 1.5 was asked for; it can be continued" in err
    ended = len(tries_of(folder))
    assert ended < 99
    assert out.splitlines()[0] == f"{ended} trials, 0 failed"
    code, _, err = hyperparton("scan", write_card(), "--trials", 99, "--patience", 5, "--output", folder)
    assert code == 0, err
    assert "5 trials brought nothing better; it can be continued" in err
    assert ended < len(tries_of(folder)) < 99
    code, _, err = hyperparton(
        "scan",
        write_card(),
        "--trials",
        99,
        "--min-improvement",
        1,
        "--output",
        folder.with_name("other"),
        "--engine",
        "optuna",
    )
    assert code == 1
    assert "the engine optuna cannot tell what improvement it expects" in err
