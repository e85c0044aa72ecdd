"""Random scans through every command that looks at one: each answers or refuses in a sentence, in time.

    python benchmarks/random_reports.py [--count 100] [--seed 1] [--minutes 5] [--only SEED]

The scans differ in the numbers of trials, failures and hyperparameters, in names and values that nobody chose with
care, and in the size of the losses. A traceback, a warning of Python and a hang are faults: each is
printed with its seed, which `--only` tries again, and the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperparton.cli import main as hyperparton

SECONDS = 120

NAMES = (
    "x", "loss", "status", "trial", "seconds", "optimizer", "optimizer.learning_rate", "parameter.loss", "layer_1",
    "nodes_per_layer", "number_of_layers", "epochs", "stopping_patience", "<b>", "$x^{$", "_hidden", "", " ", "a,b",
    "a\rb", "a\nb", "../up", "/", "CON", "X", "日本", "é" * 90, "\ud800", "\x00", "\u202e", "=1+1", "url(#", "a=b|c",
)  # fmt: skip
NUMBERS = (0.0, -0.0, 1.0, 5e-324, 1e-300, -1e-300, 1e300, -1e308, sys.float_info.max, 2**53, 2**70, -7)
WORDS = ("a", "", "nan", "inf", "1e3", "[1. 2.]", "[1. ... 2.]", "<script>", "\ud800", "w" * 300, "None", "\t")


def value_of(rng: random.Random, kind: int, place: float) -> Any:
    """A value of a hyperparameter of this kind."""
    if kind == 0:
        return rng.random()
    if kind == 1:
        return 10.0 ** rng.uniform(-300, 300)
    if kind == 2:
        return rng.randrange(1, 5)
    if kind == 3:
        return rng.choice(WORDS)
    if kind == 4:
        return rng.choice((True, False))
    if kind == 5:
        return [rng.randrange(1, 50) for _ in range(rng.randrange(5))]
    if kind == 6:
        return rng.choice(NUMBERS)
    return rng.choice((None, place, str(place), [None], {"deep": rng.choice(NUMBERS)}))


def result_of(rng: random.Random, losses: int, failing: float) -> dict[str, Any]:
    """A result with losses of one of four sizes, or a failure."""
    if rng.random() < failing:
        failure = {"type": rng.choice(WORDS), "message": rng.choice(WORDS), "traceback": rng.choice((None, "a\nb"))}
        return {"status": "fail", "loss": rng.choice((None, 1.0)), "failure": failure}
    loss = (1 + rng.random(), rng.choice(NUMBERS), 10.0 ** rng.uniform(-300, 300), 2.5)[losses]
    folds = [[rng.choice((loss, loss * (1 + 1e-9 * rng.random()))) for _ in range(2)] for _ in range(3)]
    meta = {"validation_losses": folds, "experimental_losses": folds, "hyper_losses_chi2": [loss] * 3}
    if rng.random() < 0.1:
        meta = rng.choice(({}, {"validation_losses": "[[1. 2.]]"}, {"validation_losses": [[None]]}))
    return {"status": "ok", "loss": loss, "validation_loss": rng.choice((loss, None)), "kfold_meta": meta}


def scan_of(rng: random.Random) -> list[dict[str, Any]]:
    """The entries of a random `tries.json`."""
    count, width = rng.choice((0, 1, 2, 3, 13, 25, 60)), rng.choice((0, 1, 2, 5, 30))
    names = rng.sample([*NAMES, *(f"p{i}" for i in range(60))], width)
    kinds = {name: rng.randrange(8) for name in names}
    losses, failing, applying = rng.randrange(4), rng.choice((0.0, 0.2, 0.9, 1.0)), rng.choice((1.0, 0.7))
    entries = []
    for number in range(count):
        values = {n: value_of(rng, kind, number / 7) for n, kind in kinds.items() if rng.random() < applying}
        vals = {
            name: [value] for name, value in values.items() if isinstance(value, int | float) and rng.random() < 0.9
        }
        done = rng.random() < 0.95
        begin = f"2026-01-01 00:{number % 60:02d}:00.000000"
        entries.append({
            "state": 2 if done else 1, "tid": number, "spec": None, "exp_key": None, "version": 0,
            "owner": rng.choice((None, "node:1", "\ud800:2", "")), "book_time": rng.choice((None, begin)),
            "refresh_time": rng.choice((None, begin, "2026-01-01 00:30:00.000000")),
            "result": result_of(rng, losses, failing) if done else {"status": "new"},
            "misc": {"tid": number, "vals": vals, "space_vals": values},
        })  # fmt: skip
    return entries


def ended_well(arguments: Sequence[str]) -> str | None:
    """What is wrong with how a command ended; None if nothing."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["hyperparton", *arguments]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            warnings.simplefilter("error")
            signal.alarm(SECONDS)
            hyperparton()
    except SystemExit as end:
        if end.code not in (0, None) and "error" not in err.getvalue().lower():
            return f"exit code {end.code} without a word"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    return err.getvalue() if "Traceback" in err.getvalue() else None


def _timed_out(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def faults_of(seed: int) -> list[str]:
    """What the commands make of the scan of a seed."""
    rng = random.Random(seed)
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "scan"
        replica = folder / "nnfit" / "replica_1"
        replica.mkdir(parents=True)
        (replica / "tries.json").write_text(json.dumps(scan_of(rng)))
        (folder / "filter.yml").write_text((Path(__file__).parent.parent / "examples" / "own_trainer.yml").read_text())
        scan = str(folder)
        more = rng.choice(([], ["--include-failures"], ["--loss", "chi2", "--statistic", "std"], ["--autofilter", "x"]))
        for command in (
            ["report", scan, *more], ["best", scan], ["best", scan, "--format", rng.choice(("json", "yaml", "table"))],
            ["best", scan, "--importances"], ["best", scan, "--failed"], ["status", scan], ["export", scan],
        ):  # fmt: skip
            fault = ended_well(command)
            if fault is not None:
                faults.append(f"seed {seed}: {' '.join(command)}: {fault}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no further scan after these")
    parser.add_argument("--only", type=int, metavar="SEED")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _timed_out)
    seeds = range(options.seed, options.seed + options.count) if options.only is None else [options.only]
    end, tried, found = time.monotonic() + 60 * options.minutes, 0, 0
    for seed in seeds:
        if time.monotonic() > end:
            break
        tried += 1
        for fault in faults_of(seed):
            found += 1
            print(fault, flush=True)
    print(f"{tried} scans, {found} faults")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
