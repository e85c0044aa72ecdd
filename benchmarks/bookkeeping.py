"""What a scan costs per trial beside the fits and the engine, at 100 and at 10,000 finished trials.

    python benchmarks/bookkeeping.py [--trials 10000] [--stores file sqlite postgres mongo] [--n3fit PYTHON]

The trainer does nothing and the engine always suggests the same point, so all the time is the scan's own: booking and
completing trials, seeds, readable parameters, `tries.json`. Results are as large as those of a scan with 4 folds and 10
replicas. The script measures a scan of some hundred trials, copies its trials within the store until there are nearly
as many as asked for, and continues and measures the scan again. It also prints the time of this last start, which
writes `tries.json` anew. For comparison it measures hyperopt's own `Trials.refresh()` and the writing of all trials as
JSON for as many documents, and, with the Python of an environment that has n3fit, a scan of n3fit (`n3fit_trials.py`).

Times are milliseconds per trial over a window of trials: the median and the mean of the elapsed time, and the mean
processor time of this process, which does not depend on a busy machine or a slow disk (nor include a database server's
own time).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import runpy
import statistics
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import hyperopt.base
import pymongo
import sqlalchemy as sa

from hyperparton import Engine, Execution, HyperScanner, ScanSettings
from hyperparton.scan import run as scan_module

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


class Constant(Engine):
    """An engine that costs nothing."""

    name, start = "random", 0

    def suggest(
        self, space: Any, history: Any, seed: int, number: int | None = None, pending: Any = ()
    ) -> dict[str, list[float]]:
        """The same vals each time."""
        return {label: [0.5] for label in LABELS}


def measure(folder: Path, store: str | None, trials: int) -> list[tuple[float, float]]:
    """Seconds that passed and that were computed until the end of each trial of a scan, from the one before or the
    start.
    """
    ends = [(time.perf_counter(), time.process_time())]

    def progress(event: dict[str, Any]) -> None:
        if event["event"] == "trial_finished":
            ends.append((time.perf_counter(), time.process_time()))

    scanner = HyperScanner(dict.fromkeys(LABELS, 0.0), CONFIG)
    settings, execution = ScanSettings("random", lag=1), Execution(store=store)
    scan_module.run_scan(folder, Idle(), scanner, trials, settings=settings, execution=execution, progress=progress)
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(ends)]


def fill(folder: Path, store: str | None, trials: int) -> None:
    """Copy the trials of a scan in its store, under the numbers that follow, until there are so many."""
    if store is not None and store.startswith("mongodb"):
        fill_mongo(store, trials)
        return
    url = sa.make_url(store or f"sqlite:///{folder}/tries.sqlite")
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url)
    with engine.begin() as connection:
        table = sa.Table("trials", sa.MetaData(), autoload_with=connection)
        others = [column for column in table.columns if column.name != "number"]
        while (there := connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0) < trials:
            rows = sa.select((table.c.number + there).label("number"), *others).where(table.c.number < trials - there)
            connection.execute(sa.insert(table).from_select(["number", *(c.name for c in others)], rows))
    engine.dispose()


def fill_mongo(store: str, trials: int) -> None:
    """The same in a MongoDB."""
    with pymongo.MongoClient(store) as client:
        table = client.get_default_database()["trials"]
        documents = list(table.find({}).sort("_id"))
        for start in range(len(documents), trials, len(documents)):
            copies = zip(range(start, trials), documents, strict=False)
            table.insert_many([{**document, "_id": number, "number": number} for number, document in copies])


def n3fit_scan(python: Path, counts: list[int]) -> None:
    """Print what `n3fit_trials.py` finds at so many trials."""
    script = Path(__file__).with_name("n3fit_trials.py")
    command = [str(python), str(script), "--trials", *map(str, counts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    for line in done.stdout.splitlines():
        if line.startswith("["):
            count, passed, computed, refresh = json.loads(line)
            told = f"{1000 * passed:.0f} ms per trial, {1000 * computed:.0f} ms computed, of which one refresh"
            print(f"n3fit      at {count}: {told} {1000 * refresh:.0f} ms", flush=True)


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
    parser.add_argument("--stores", nargs="*", default=["file", "sqlite", "postgres", "mongo"])
    parser.add_argument("--n3fit", type=Path, metavar="PYTHON", help="of an environment that has n3fit")
    arguments = parser.parse_args()
    servers = runpy.run_path(str(Path(__file__).parent / "servers.py"))["Servers"]
    scan_module.get_engine = lambda name, seed: Constant()
    early, late, half = 100, arguments.trials, arguments.window // 2
    print(f"ms per trial at {early} and at {late} trials, and their ratio")
    print(f"{'store':10s}{'passed, median':>24s}{'passed, mean':>24s}{'computed, mean':>24s}")
    for name in arguments.stores:
        with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as running:
            store = running.store_url(name, Path(folder)) or None
            scan = Path(folder) / "scan"
            first = measure(scan, store, early + half)[max(early - half, 1) :]
            fill(scan, store, late - arguments.window - 1)
            start, *last = measure(scan, store, late)
        told = ""
        for part, average in ((0, statistics.median), (0, statistics.fmean), (1, statistics.fmean)):
            one, other = (1000 * average([seconds[part] for seconds in window]) for window in (first, last))
            told += f"{one:8.2f} {other:8.2f} {other / one:6.2f}"
        print(f"{name:10s}{told}   start at {late}: {start[0]:.1f} s", flush=True)
    for count, (refresh, write) in hyperopt_refresh([early, late]).items():
        print(f"hyperopt   at {count}: refresh {1000 * refresh:.2f} ms, all trials as JSON {1000 * write:.1f} ms")
    if arguments.n3fit:
        n3fit_scan(arguments.n3fit, [early, late])
    print(f"memory of this process at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
