"""What a scan says of the runcard's own methodology, its first trial: what is gained over it."""

from pathlib import Path

import pytest

from hyperparton.report.verdicts import margin_sentence
from hyperparton.trials.refits import Refit
from hyperparton.trials.verdict import verdicts

TRAINER = """
import numpy as np

def make_trainer(card):
    return Trainer()

class Trainer:
    def set_hyperopt(self, on, keys=None):
        pass

    def loss(self, x, replica):
        return 1.0 + 0.04 * (x - 2.0) ** 2 + 0.01 * np.random.default_rng([replica, int(1e6 * x)]).standard_normal()

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": self.loss(params["x"], 1)}

    def refit(self, params, replicas):
        losses = [self.loss(params["x"], replica) for replica in replicas]
        return {"status": "ok", "loss": float(np.mean(losses)), "replica_losses": losses}
"""

CARD = """trainer: a_function:make_trainer
parameters: {{x: {own}}}
hyperscan_config:
  space:
    x: {{min: 1.5, max: 3}}
"""


@pytest.fixture
def scan_of(hyperparton, tmp_path, monkeypatch):
    """A function that scans the function with a card whose own x is `own`, and gives the output."""
    monkeypatch.chdir(tmp_path)
    Path("a_function.py").write_text(TRAINER)

    def scan(own, *options):
        Path("card.yml").write_text(CARD.format(own=own))
        code, out, err = hyperparton("scan", "card.yml", "--trials", 20, "-o", "first", *options)
        assert code == 0, err
        return out

    return scan


def test_scan_best_and_report_say_what_is_gained_over_it(hyperparton, scan_of):
    """x = 0 is below the range, so its nearest is 1.5, whose loss is larger by 0.01 than the least."""
    said = "The runcard's own methodology, trial 0, failed in "
    scanned = scan_of(0)
    for out in (scanned, hyperparton("best", "first")[1], hyperparton("report", "first")[1]):
        assert said in out
        told = " ".join(out[out.index(said) :].split())
        assert told.startswith(f"{said}0 of 5 fits, and the mean loss of the others is larger by 0.0"), told


def test_of_the_best_it_says_that_nothing_is_gained():
    replicas = tuple(range(2, 42))
    losses = {0: tuple(1.0 + 0.01 * (n % 3) for n in replicas), 7: tuple(1.02 + 0.01 * (n % 4) for n in replicas)}
    found = verdicts(Refit(trial, replicas, each) for trial, each in losses.items())
    own = "Trial 0 is the runcard's own methodology, as near as the search space has it."
    assert margin_sentence(found, 0).endswith(own)
    failed = (
        "The runcard's own methodology, trial 7, failed in 0 of 40 fits, and the mean loss of the others is larger by"
    )
    assert failed in margin_sentence(found, 7)
    far = verdicts(Refit(trial, replicas, tuple(trial + loss for loss in losses[0])) for trial in (0, 7))
    assert margin_sentence(far, 7).endswith(
        "failed in 40 of 40 fits, which have no loss or one far above those of trial 0."
    )
    assert "runcard" not in margin_sentence(found) + margin_sentence(found, 5)


def test_an_engine_that_does_not_begin_with_it_says_nothing_of_it(scan_of):
    assert "own methodology" not in scan_of(0, "--engine", "random")
