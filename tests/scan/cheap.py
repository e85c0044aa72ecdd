"""A scan without physics for processes of their own: `make` is the builder of its recipe.

Run as a script it is a process of a scan that many join: `python cheap.py FOLDER URL TRIALS SLEEP LAG LEASE`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from hyperparton import HyperScanner, Recipe, hyper_scan_wrapper
from hyperparton.scan.pruning import Pruner

CONFIG = {"space": {"x": {"min": -5, "max": 5}, "n": {"min": 1, "max": 9, "make_int": True}}}


def thresholds(past, rule, space, vals):
    """What a pruner sets after these finished trials, in the order of their numbers."""
    pruner = Pruner(rule, space)
    for curve in past:
        pruner.add(curve)
    return pruner.thresholds(vals)


class Trainer:
    """Numbers of the parameters alone, after a while that differs from run to run; odd ways to end by `habit`.

    With `n` small its loss comes down early, with `n` large late. Where it `says` how far it is, its validation is `x`.
    """

    report = progress = None

    def __init__(self, sleep=0.0, habit=None, folder=None, says=False):
        self.sleep, self.habit, self.folder, self.says = sleep, habit, folder, says

    def set_hyperopt(self, on, keys=None):
        assert on
        assert set(keys) == {"x", "n"}

    def hyperparametrizable(self, params):
        time.sleep(random.SystemRandom().uniform(0, self.sleep))
        x = params["x"]
        if self.says and self.progress is not None:
            self.progress({"epoch": 100, "epochs": 1000, "running": 1, "validation": x})
            time.sleep(0.5 if x > 3 else 0.0)  # some run long enough for a report to be heard
        if x < 0 and self.habit:
            self.misbehave(x)
        print("what a trainer prints is no answer")
        if params["n"] == 3:
            raise ValueError(f"no fit with {params['n']}")
        loss = (x - 2) ** 2
        for epoch in range(100, 1100, 100) if self.report else ():
            far = 1 + 50 * 2 ** (-epoch / (20 * params["n"]))
            self.report(epoch, loss * far, [loss, loss * (2 * far - 1)], 1000)
        return {"status": "ok", "loss": loss, "kfold_meta": {"hyper_losses": [[x], [float("nan")]]}}

    def misbehave(self, x):
        if self.habit == "once":  # dies at its first try of this trial
            tried = Path(self.folder) / f"{x!r}"
            if tried.exists():
                return
            tried.touch()
        if self.habit in ("dies", "once"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.habit == "hangs":
            while True:
                time.sleep(60)
        if self.habit == "grows":
            held = bytearray(300 << 20)
            held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
            time.sleep(60)
        if self.habit == "child grows":
            code = "held = bytearray(300 << 20); held[::4096] = b'x' * len(held[::4096]); import time; time.sleep(60)"
            subprocess.run([sys.executable, "-c", code], check=True)
        if self.habit == "raises":
            raise RuntimeError("told to")


def make(**settings):
    return Trainer(**settings), scanner()


def broken(**settings):
    raise RuntimeError("no data here")


def slow(folder):
    (Path(folder) / "building").touch()
    time.sleep(600)


def silent(**settings):
    trainer, space = make(**settings)
    return Silent(trainer), space


class Silent:
    """A trainer that does not report."""

    def __init__(self, trainer):
        self.set_hyperopt, self.hyperparametrizable = trainer.set_hyperopt, trainer.hyperparametrizable


def scanner():
    return HyperScanner({"x": 0.0, "n": 1}, CONFIG)


def recipe(builder="make", **settings):
    return Recipe(f"cheap:{builder}", settings, (str(Path(__file__).parent),))


def main(folder, url, trials, sleep, lag, lease):
    hyper_scan_wrapper(
        folder, Trainer(float(sleep)), scanner(), int(trials), store=url, lag=int(lag), lease=float(lease)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
