"""Trials per hour of one and of several workers on real fits.

    python benchmarks/workers.py examples/dis_small.yml [--trials 12] [--workers 1/1 1/2 2/1] [options of the scan]

W/T is W workers with T threads each; W alone shares all cores. The scans have the same lag, so their trials must be
equal. A scan of the same trials goes before, which leaves its compiled programs on disk. The rate counts from the end
of the first trial of each worker, when its trainer is built, to the end of the last trial. Prints the load of the
machine and the processor time of the scans too: on a busy machine the rates say nothing about workers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

MAY_DIFFER = ("book_time", "refresh_time", "owner")


def run(
    card: Path, trials: int, workers: int, threads: int | None, lag: int, folder: Path, extra: list[str]
) -> tuple[list[dict[str, Any]], float]:
    """The trials of one scan, and the processor time of all its processes in seconds."""
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", str(card)]
    settings = ["--trials", str(trials), "--workers", str(workers), "--lag", str(lag), "--output", str(folder)]
    environment = os.environ if threads is None else {**os.environ, "NPROC": str(workers * threads)}
    before = used()
    subprocess.run(
        [*start, *settings, *extra],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text()), used() - before


def used() -> float:
    """Processor time of the processes that have ended, in seconds."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def per_hour(trials: list[dict[str, Any]], workers: int) -> float:
    """The rate once every worker has done its first trial."""
    ends = sorted(datetime.fromisoformat(trial["refresh_time"]) for trial in trials)
    return 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1]).total_seconds()


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--workers", nargs="+", default=["1/1", "1/2", "2/1"], metavar="W/T")
    arguments, extra = parser.parse_known_args()
    shapes = [[int(number) for number in text.split("/")] for text in arguments.workers]
    lag, first, rate = 2 * max(shape[0] for shape in shapes), None, 0.0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    with tempfile.TemporaryDirectory() as name:
        run(arguments.card, arguments.trials, 1, None, lag, Path(name) / "scan", extra)
    for workers, *rest in shapes:
        threads = rest[0] if rest else None
        with tempfile.TemporaryDirectory() as name:
            trials, seconds = run(arguments.card, arguments.trials, workers, threads, lag, Path(name) / "scan", extra)
        plain = [{key: value for key, value in trial.items() if key not in MAY_DIFFER} for trial in trials]
        now = per_hour(trials, workers)
        first, rate = first or plain, rate or now
        same = "equal trials" if plain == first else "DIFFERENT trials"
        shape = f"{workers} workers, {threads or 'all'} threads"
        told = f"{now:.0f} trials per hour, {now / rate:.2f} times, {same}, {seconds:.0f} s of processor time"
        print(f"{shape}: {told}, load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
