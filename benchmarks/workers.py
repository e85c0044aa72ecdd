"""Trials per hour of one and of several workers on real fits.

    python benchmarks/workers.py examples/dis_small.yml [--trials 12] [--workers 1 2] [options of hyperparton scan]

The scans have the same lag, so their trials must be equal. The rate counts from the end of the first trial of each
worker, when its program is compiled, to the end of the last trial. Prints the load of the machine too: a busy one says
nothing of workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

MAY_DIFFER = ("book_time", "refresh_time", "owner")


def run(card: Path, trials: int, workers: int, lag: int, folder: Path, extra: list[str]) -> list[dict[str, Any]]:
    """The trials of one scan."""
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", str(card)]
    settings = ["--trials", str(trials), "--workers", str(workers), "--lag", str(lag), "--output", str(folder)]
    subprocess.run([*start, *settings, *extra], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())


def per_hour(trials: list[dict[str, Any]], workers: int) -> float:
    """The rate once every worker has done its first trial."""
    ends = sorted(datetime.fromisoformat(trial["refresh_time"]) for trial in trials)
    return 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1]).total_seconds()


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    arguments, extra = parser.parse_known_args()
    lag, first, rate = 2 * max(arguments.workers), None, 0.0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    for workers in arguments.workers:
        with tempfile.TemporaryDirectory() as name:
            trials = run(arguments.card, arguments.trials, workers, lag, Path(name) / "scan", extra)
        plain = [{key: value for key, value in trial.items() if key not in MAY_DIFFER} for trial in trials]
        now = per_hour(trials, workers)
        first, rate = first or plain, rate or now
        same = "equal trials" if plain == first else "DIFFERENT trials"
        load = os.getloadavg()[0]
        print(
            f"{workers} workers: {now:.0f} trials per hour, {now / rate:.2f} times, {same}, load {load:.1f}", flush=True
        )


if __name__ == "__main__":
    main()
