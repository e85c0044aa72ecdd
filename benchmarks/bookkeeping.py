"""What a scan costs per trial beside the fits and the engine, at 100 and at 10,000 finished trials.

    python benchmarks/bookkeeping.py [--trials 10000] [--stores file sqlite postgres mongo]

A trainer that does nothing and an engine that always says the same, so that all the time is the scan's own: booking,
completing, seeds, readable parameters, `tries.json`. Results are as large as those of a scan with 4 folds and 10
replicas. Beside it, for as many documents, hyperopt's own `Trials.refresh()` and the export of all trials to JSON after
each one, which is what a scan on hyperopt's classes does. Times are milliseconds per trial over a window of trials: the
median and the mean of the time that passed, and the mean of the time that this process computed, which a busy machine
and a slow disk leave alone (a database server's own time is not in it).
"""

from __future__ import annotations

import argparse
import json
import resource
import runpy
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import hyperopt.base

from hyperparton.scan import HyperScanner
from hyperparton.scan import wrapper as scan_module

LABELS = [f"p{i}" for i in range(12)]
CONFIG = {"space": {label: {"min": 0, "max": 1} for label in LABELS}}


class Idle:
    """A trainer whose result is as large as that of PDF fits."""

    def __init__(self) -> None:
        losses = [[1.0 + 0.001 * k * r for r in range(10)] for k in range(4)]
        meta = {f"quantity_{i}": losses for i in range(14)}
        self.result = {"status": "ok", "loss": 1.0, "kfold_meta": meta}

    def set_hyperopt(self, on: bool, keys: Any = None) -> None:
        """Nothing to set."""

    def hyperparametrizable(self, params: Any) -> dict[str, Any]:
        """The same result each time."""
        return self.result


class Constant:
    """An engine that costs nothing."""

    name = "random"

    def suggest(self, space: Any, history: Any, seed: int) -> dict[str, list[float]]:
        """The same vals each time."""
        return {label: [0.5] for label in LABELS}


def measure(folder: Path, store: str | None, trials: int) -> list[tuple[float, float]]:
    """Seconds that passed and that were computed between the ends of consecutive trials of one scan."""
    ends: list[tuple[float, float]] = []

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "trial_finished":
            ends.append((time.perf_counter(), time.process_time()))

    scanner = HyperScanner(dict.fromkeys(LABELS, 0.0), CONFIG)
    scan_module.hyper_scan_wrapper(
        folder, Idle(), scanner, trials, engine="random", store=store, lag=1, progress=progress
    )
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(ends)]


def hyperopt_refresh(counts: list[int]) -> dict[int, tuple[float, float]]:
    """(seconds of Trials.refresh, of writing all trials as JSON) at so many documents in hyperopt's own Trials."""
    result = Idle().result
    found = {}
    for count in counts:
        trials = hyperopt.base.Trials()
        docs = []
        for tid in range(count):
            misc = {"tid": tid, "cmd": None, "idxs": {k: [tid] for k in LABELS}, "vals": {k: [0.5] for k in LABELS}}
            docs += trials.new_trial_docs([tid], [None], [result], [misc])
            docs[-1]["state"] = hyperopt.base.JOB_STATE_DONE
        trials.insert_trial_docs(docs)
        refreshing, writing = [], []
        for _ in range(5):
            begun = time.perf_counter()
            trials.refresh()
            refreshing.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            json.dumps(trials.trials, default=str)
            writing.append(time.perf_counter() - begun)
        found[count] = (statistics.median(refreshing), statistics.median(writing))
    return found


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--window", type=int, default=200)
    parser.add_argument("--stores", nargs="+", default=["file", "sqlite", "postgres", "mongo"])
    arguments = parser.parse_args()
    servers = runpy.run_path(str(Path(__file__).parent / "servers.py"))["Servers"]
    scan_module.get_engine = lambda name: Constant()
    early, late = 100, arguments.trials
    print(f"ms per trial at {early} and at {late} trials, and their ratio")
    print(f"{'store':10s}{'passed, median':>24s}{'passed, mean':>24s}{'computed, mean':>24s}")
    for name in arguments.stores:
        with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as running:
            store = None
            if name == "sqlite":
                store = f"sqlite:///{folder}/shared.sqlite"
            elif name == "postgres":
                store = running.postgres("scan")
            elif name == "mongo":
                host, port, database = running.mongo("scan")
                store = f"mongodb://{host}:{port}/{database}"
            seconds = measure(Path(folder) / "scan", store, late)
        half = arguments.window // 2
        windows = (seconds[early - half : early + half], seconds[-arguments.window :])
        told = ""
        for part, average in ((0, statistics.median), (0, statistics.fmean), (1, statistics.fmean)):
            one, other = (1000 * average([seconds[part] for seconds in window]) for window in windows)
            told += f"{one:8.2f} {other:8.2f} {other / one:6.2f}"
        print(f"{name:10s}{told}", flush=True)
    for count, (refresh, write) in hyperopt_refresh([early, late]).items():
        print(f"hyperopt   at {count}: refresh {1000 * refresh:.2f} ms, all trials as JSON {1000 * write:.1f} ms")
    print(f"memory of this process at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
