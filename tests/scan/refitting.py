"""A trainer that can fit again, without physics: the loss of a replica is a number of its own for each point.

Run as a script it is a scan that is killed in its re-fit of this number, or not for -1:
`python refitting.py FOLDER URL NUMBER ENGINE LAG`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from hyperparton import HyperScanner, Recipe, hyper_scan_wrapper

TRIALS = 20


def loss_of(x, replica):
    """The parabola of the scan, with the luck of this replica; far from its minimum some replicas fail."""
    luck = np.random.default_rng([replica, round(1e6 * (x + 5))]).standard_normal()
    common = np.random.default_rng(replica).standard_normal()
    failed = x < 2 and replica % 4 == 0
    return 4.0 if failed else 1.0 + 0.05 * (x - 2.0) ** 2 + 0.04 * common + 0.01 * luck


class Trainer:
    progress = None

    def __init__(self, die_in=-1):
        self.die_in, self.refits = die_in, 0

    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": loss_of(params["x"], 1)}

    def refit(self, params, replicas):
        if self.refits == self.die_in:
            os.kill(os.getpid(), 9)
        self.refits += 1
        if self.progress is not None:
            self.progress({"epoch": 1, "epochs": 2, "running": 3})
        if params["x"] > 4.9:
            raise ValueError("too far")
        losses = [loss_of(params["x"], replica) for replica in replicas]
        return {"status": "ok", "loss": float(np.mean(losses)), "replica_losses": losses}


def scanner():
    return HyperScanner({"x": 0.0}, {"space": {"x": {"min": -5, "max": 5}}})


def make():
    return Trainer(), scanner()


def recipe(builder="make", **arguments):
    return Recipe(f"refitting:{builder}", arguments, (str(Path(__file__).parent),))


class Dying(Trainer):
    """Its process dies once in each re-fit, or always in those of the first block; `folder` has a file for each."""

    def __init__(self, folder, always):
        super().__init__()
        self.folder, self.always = Path(folder), always

    def refit(self, params, replicas):
        mark = self.folder / f"{params['x']!r} {replicas[0]}"
        if (self.always and replicas[0] == 2) or not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return super().refit(params, replicas)


def make_dying(folder, always=False):
    return Dying(folder, always), scanner()


class Waiting(Trainer):
    """Its first re-fits end when so many trials have begun, each of which leaves a file in `folder`."""

    def __init__(self, folder, trials):
        super().__init__()
        self.folder, self.trials = Path(folder), trials

    def hyperparametrizable(self, params):
        (self.folder / repr(params["x"])).touch()
        return super().hyperparametrizable(params)

    def refit(self, params, replicas):
        end = time.monotonic() + 120
        while len(list(self.folder.iterdir())) < self.trials:
            if time.monotonic() > end:
                raise TimeoutError("trials wait for this re-fit")
            time.sleep(0.02)
        return super().refit(params, replicas)


def make_waiting(folder, trials):
    return Waiting(folder, trials), scanner()


if __name__ == "__main__":
    FOLDER, URL, NUMBER, ENGINE, LAG = sys.argv[1:]
    hyper_scan_wrapper(
        FOLDER,
        Trainer(int(NUMBER)),
        scanner(),
        TRIALS,
        engine=ENGINE,
        store=URL or None,
        lag=int(LAG),
        lease=1.0,
        confirm=4,
    )
