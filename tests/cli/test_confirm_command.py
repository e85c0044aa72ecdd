"""`scan --confirm`, `confirm DIR`, and who takes the methodology that they name."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from hyperparton.cli import group
from hyperparton.errors import HyperpartonError
from hyperparton.trials.refits import read_refits
from hyperparton.trials.tries_read import read_trials
from hyperparton.trials.verdict import verdicts

TRAINER = """
import random

class Trainer:
    def set_hyperopt(self, on, keys=None):
        pass

    def loss(self, x, replica):
        # below 0.5 the best of luck, and a fit that fails in every fifth replica
        luck = random.Random(f"{replica}").gauss(0, 0.02) + random.Random(f"{replica} {x}").gauss(0, 0.005)
        if x < 0.5:
            return 5.0 if replica % 5 == 0 else 1.0 + luck
        return 1.05 + 0.1 * (x - 0.7) ** 2 + luck

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": self.loss(params["x"], 1)}

    def refit(self, params, replicas):
        losses = [self.loss(params["x"], replica) for replica in replicas]
        return {"status": "ok", "loss": sum(losses) / len(losses), "replica_losses": losses}

def make(card):
    return Trainer()
"""
CARD = """
trainer: lucky:make
parameters: {x: 0.5}
hyperscan_config: {space: {x: {min: 0, max: 1}}}
"""


def run(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, HyperpartonError), done.output
    return done


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A scan that was not confirmed, and its card."""
    folder = tmp_path_factory.mktemp("confirm")
    (folder / "lucky.py").write_text(TRAINER)
    (folder / "card.yml").write_text(CARD)
    arguments = ["scan", folder / "card.yml", "--trials", 20, "-o", folder / "scan", "--engine", "random"]
    assert run(*arguments, "--no-confirm").exit_code == 0
    return folder


@pytest.fixture
def folder(scanned, tmp_path):
    shutil.copytree(scanned, tmp_path / "copy")
    return tmp_path / "copy"


def found(folder):
    tries = folder / "scan" / "nnfit" / "replica_1" / "tries.json"
    trials = read_trials(tries)
    return verdicts(read_refits(tries, trials)), trials


def test_confirm_names_what_does_not_fail(folder):
    assert found(folder)[0] == []
    done = run("confirm", folder / "scan", "--top", 20, "--runcard", folder / "card.yml")
    assert done.exit_code == 0, done.output
    (best, *others), trials = found(folder)
    lucky = min(trials, key=lambda trial: trial.loss)
    assert lucky.values["x"] < 0.5 <= trials[best.trial].values["x"]
    assert (best.failed, best.replicas) == (0, 40)
    assert f"trial {best.trial} is the best: mean loss" in done.output
    assert f"x: {trials[best.trial].values['x']!r}" in done.output
    assert {verdict.failed for verdict in others if trials[verdict.trial].values["x"] < 0.5} <= {1, 2, 4, 8}


def test_it_is_what_the_scan_does_at_its_end(folder):
    assert run("confirm", folder / "scan", "--top", 6, "--runcard", folder / "card.yml").exit_code == 0
    arguments = ["scan", folder / "card.yml", "--trials", 20, "-o", folder / "other", "--engine", "random"]
    done = run(*arguments, "--confirm", 6)
    assert done.exit_code == 0, done.output
    kept = [folder / name / "nnfit" / "replica_1" / "refits" / "tries.json" for name in ("scan", "other")]
    one, other = ([(e.vals, e.result) for e in read_trials(path)] for path in kept)
    assert one == other


def test_again_with_nothing_left_it_says_the_same(folder):
    arguments = ["confirm", folder / "scan", "--top", 4, "--runcard", folder / "card.yml"]
    first, again = run(*arguments), run(*arguments)
    assert again.exit_code == 0
    assert first.stdout == again.stdout


def test_best_puts_those_first_that_were_fitted_again(folder):
    run("confirm", folder / "scan", "--top", 20, "--runcard", folder / "card.yml")
    (named, *_), trials = found(folder)
    shown = json.loads(run("best", folder / "scan", "--format", "json").output)
    assert shown[0]["trial"] == named.trial
    assert shown[0]["refits"]["mean"] == named.mean
    assert (shown[0]["refits"]["failed"], shown[0]["refits"]["replicas"]) == (0, 40)
    block = run("best", folder / "scan", "--format", "yaml").output
    assert f"x: {trials[named.trial].values['x']!r}" in block
    text = run("best", folder / "scan").output
    assert f"the parameters of trial {named.trial}" in text


def test_the_report_names_it_too(folder):
    run("confirm", folder / "scan", "--top", 20, "--runcard", folder / "card.yml")
    (named, *_), _ = found(folder)
    assert run("report", folder / "scan", "-o", folder / "page").exit_code == 0
    page = (folder / "page" / "index.html").read_text()
    assert f"Fitted again with {named.replicas} other replicas, trial {named.trial} is the best" in page
    assert "on the 40 replicas that both have" in page
    assert "Other replicas would change the best trial" not in page
    lines = (folder / "page" / "tables" / "fitted_again.csv").read_text().splitlines()
    assert lines[1].startswith(f"{named.trial},40,0,{named.mean!r}")
    assert len(lines) == 21


def test_a_scan_that_is_not_done_is_refused(folder):
    progress = folder / "scan" / "progress.json"
    progress.write_text(progress.read_text().replace('"trials": 20', '"trials": 30'))
    before = sorted(folder.rglob("*"))
    done = run("confirm", folder / "scan", "--runcard", folder / "card.yml")
    assert "20 of 30 trials finished" in str(done.exception)
    assert sorted(folder.rglob("*")) == before


def test_a_scan_of_ours_without_its_store_is_refused(folder):
    """Its store may be ahead of `tries.json`, and knows what it was begun with."""
    scan = folder / "scan"
    (scan / "nnfit" / "replica_1" / "tries.sqlite").unlink()
    told = "confirming needs the store of a scan that hyperparton ran: "
    done = run("confirm", scan)
    assert str(done.exception).endswith(f"{told}tries.sqlite beside the trials")
    (scan / "progress.json").write_text('{"trials": 20, "store": "postgresql://there/scan"}')
    done = run("confirm", scan)
    assert str(done.exception).endswith(f"{told}--store postgresql://there/scan")
    assert not (scan / "nnfit" / "replica_1" / "refits").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--confirm", "1"], "1 is not in the range x>=2"),
        (["--confirm", "3", "--no-confirm"], "exclude each other"),
    ],
)
def test_wrong_usage(folder, options, words):
    done = CliRunner().invoke(group, ["scan", str(folder / "card.yml"), "--trials", "3", *options])
    assert done.exit_code == 2
    assert words in done.output


def test_a_report_shows_the_trials_where_the_re_fits_cannot_be_read(folder):
    run("confirm", folder / "scan", "--top", 4, "--runcard", folder / "card.yml")
    (folder / "scan" / "nnfit" / "replica_1" / "refits" / "tries.json").write_text("[{]")
    assert run("report", folder / "scan", "-o", folder / "page").exit_code == 0
    page = (folder / "page" / "index.html").read_text()
    assert "the re-fits are not shown: " in page
    lucky = min(read_trials(folder / "scan"), key=lambda trial: trial.loss)
    assert f"Trial {lucky.number}, with a loss of" in page
