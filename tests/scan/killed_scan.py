"""A scan that is killed at many moments, each time continued by a new process; run by test_hyper_scan.py.

    python killed_scan.py FOLDER

Every process is forked from this one, so that the libraries are loaded once. It kills itself, with SIGKILL, at the n-th
call of some function on the way of a trial: before and after the engine or the trainer are called, before a transaction
begins or ends, before and after the files of the store and `tries.json` are put in place or forced to disk. A few more
are killed by the parent after some milliseconds, wherever they are. Prints how many were killed and how many had to be,
then lets the last one end.
"""

from __future__ import annotations

import functools
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

import hyperparton.engines.hyperopt
import hyperparton.scan.executors
import hyperparton.trials.local
from hyperparton import HyperScanner, Rule, hyper_scan_wrapper

TRIALS = 24
CONFIG = {
    "stopping": {"min_epochs": 10, "max_epochs": 50},
    "optimizer": [
        {"optimizer_name": "Adam", "learning_rate": {"sampling": "log", "min": 1e-4, "max": 1e-2}},
        {"optimizer_name": "SGD", "learning_rate": {"min": 0.1, "max": 0.2}, "clipnorm": {"min": 1, "max": 2}},
    ],
}
RULE = Rule(warmup=6, chance=0.2)
PARAMETERS = {"epochs": 5, "optimizer": {"optimizer_name": "Adam"}, "seed": 3}


class Trainer:
    """Numbers of the parameters alone; now and then it raises, says fail, or has a loss that is no number.

    It can be pruned, and is.
    """

    report = None

    def set_hyperopt(self, on, keys=None):
        assert on
        assert set(keys) == {"epochs", "optimizer"}

    def hyperparametrizable(self, params):
        epochs, rate = params["epochs"], params["optimizer"]["learning_rate"]
        if epochs % 7 == 0:
            raise ValueError(f"no fit with {epochs} epochs")
        loss = math.nan if epochs % 7 == 1 else abs(epochs - 20) + math.log10(rate) ** 2
        status = "fail" if epochs % 7 == 2 else "ok"
        for part in (1, 2, 3):
            self.report(part, loss * 3 / part, epochs=4)
        return {"status": status, "loss": loss, "kfold_meta": {"hyper_losses": [[loss], [rate]]}}


def scan(folder: Path, trials: int = TRIALS) -> dict:
    return hyper_scan_wrapper(folder, Trainer(), HyperScanner(PARAMETERS, CONFIG), trials, seed=11, prune=RULE)


def killed_at(function, number: int, after: bool):
    """`function` that ends the process at its call `number`."""
    calls = 0

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def in_child(action) -> bool:
    """Whether the child that runs `action` was killed; any other end but success raises."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return ended_by_kill(child)


def ended_by_kill(child: int) -> bool:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def dying(folder: Path, owner, name: str, number: int, after: bool):
    def action():
        if owner is None:
            event.listen(Engine, name, killed_at(lambda *_: None, number, after))
        else:
            setattr(owner, name, killed_at(getattr(owner, name), number, after))
        scan(folder)

    return action


def interrupted(folder: Path, delay: float) -> bool:
    child = os.fork()
    if child == 0:
        scan(folder)
        os._exit(0)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return ended_by_kill(child)


def main(folder: Path) -> None:
    engine, executors = hyperparton.engines.hyperopt.HyperoptEngine, hyperparton.scan.executors
    # the first two leave a folder without a store, or with one that nothing was written to
    moments = [(os, "replace", 1, False), (os, "replace", 1, True), (engine, "suggest", 1, False)]
    moments += [(executors, "evaluate_asked", n, after) for n in (1, 3) for after in (False, True)]
    moments += [(None, name, n, False) for name in ("begin", "commit") for n in (3, 6)]
    moments += [(os, name, n, after) for name in ("replace", "fsync") for n in (1, 2) for after in (False, True)]
    killed = sum(in_child(dying(folder, *moment)) for moment in moments)
    delays = random.Random(5)
    killed += sum(interrupted(folder, delays.uniform(0.0, 0.15)) for _ in range(6))
    print(killed, len(moments), flush=True)
    assert not in_child(lambda: scan(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
