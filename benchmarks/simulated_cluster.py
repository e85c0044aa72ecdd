"""How many workers one scan can keep busy: a cluster simulated with a virtual clock and measured costs.

    python benchmarks/simulated_cluster.py [--workers 10 100 1000 3000] [--seconds 60] [--spread 0.3]

The driver does one thing at a time. Each trial costs it a suggestion and its bookkeeping; both are measured first, on
this machine, with the real engine and store at `--history` finished trials. Trials take `--seconds` on average, with
lognormal spread; trial n may begin once all trials up to n - lag are finished. Busy is the time that workers spent on
trials over the time that they were there, after the first wave. It is printed for a lag of one, two and four times
the workers, for the engine of hyperopt and for one that costs nothing. (Jobs that join by `--store` suggest by
themselves, side by side; that is not simulated here.)
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import tempfile
import time
from typing import Any

import numpy as np

from hyperparton.engines import get_engine, trial_seed
from hyperparton.scan import HyperScanner
from hyperparton.trials import FileTrials, Outcome

CONFIG = {"space": {f"p{i}": {"min": 0, "max": 1} for i in range(12)}}


def measured_costs(history: int) -> tuple[float, float]:
    """(seconds of one suggestion, seconds of the bookkeeping of one trial) at so many finished trials."""
    scanner = HyperScanner(dict.fromkeys(CONFIG["space"], 0.0), CONFIG)
    rng = np.random.default_rng(1)
    past = [
        Outcome(n, {label: [float(rng.uniform())] for label in CONFIG["space"]}, "ok", float(rng.uniform()))
        for n in range(history)
    ]
    engine = get_engine("hyperopt")
    engine.suggest(scanner.as_dict(), past, trial_seed(1, history))
    suggesting, keeping = [], []
    losses = [[1.0 + 0.001 * k * r for r in range(10)] for k in range(4)]
    result = {"status": "ok", "loss": 1.0, "kfold_meta": {f"quantity_{i}": losses for i in range(14)}}
    with tempfile.TemporaryDirectory() as folder, FileTrials(folder) as store:
        for n in range(30):
            begun = time.perf_counter()
            vals = engine.suggest(scanner.as_dict(), past, trial_seed(1, history + n))
            suggested = time.perf_counter()
            store.lease("me")
            store.book(store.next_number(), vals, "me", space_vals=scanner.space_vals(vals))
            store.complete(n, "me", result)
            suggesting.append(suggested - begun)
            keeping.append(time.perf_counter() - suggested)
    return statistics.median(suggesting), statistics.median(keeping)


def simulate(workers: int, lag: int, cost: float, seconds: float, spread: float, waves: int = 12) -> float:
    """The fraction of the workers' time that trials took, from the end of the first wave on."""
    rng = random.Random(workers * lag)
    mean = np.log(seconds) - spread**2 / 2
    total, driver, number, below = waves * workers, 0.0, 0, 0
    idle = workers
    finished = [False] * total
    running: list[tuple[float, int, float]] = []
    busy, begun, last = 0.0, None, 0.0
    while below < total:
        while idle and number < total and number - lag < below:
            driver += cost
            length = rng.lognormvariate(mean, spread)
            heapq.heappush(running, (driver + length, number, length))
            number, idle = number + 1, idle - 1
            if running and running[0][0] <= driver:
                break
        end, done, length = heapq.heappop(running)
        if begun is None and number >= 2 * workers:
            begun = end
        if begun is not None:
            busy += min(length, end - begun)
            last = end
        driver = max(driver, end)
        finished[done], idle = True, idle + 1
        while below < total and finished[below]:
            below += 1
        if number == total:  # the last wave runs out; what it leaves idle says nothing of a scan that goes on
            break
    assert begun is not None
    for end, _, length in running:
        busy += max(0.0, length - (end - last)) if end > last else length
    return busy / (workers * (last - begun))


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="+", type=int, default=[10, 100, 300, 1000, 3000])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--spread", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--history", type=int, default=1000)
    arguments = parser.parse_args()
    suggestion, keeping = measured_costs(arguments.history)
    told = f"suggestion {1000 * suggestion:.1f} ms, bookkeeping {1000 * keeping:.1f} ms"
    print(f"measured at {arguments.history} trials: {told}")
    engines: dict[str, Any] = {"hyperopt": suggestion + keeping, "free": keeping}
    for name, cost in engines.items():
        print(f"engine {name}: at most {arguments.seconds / cost:.0f} workers with {arguments.seconds:g}-second trials")
        for spread in arguments.spread:
            for workers in arguments.workers:
                busy = [simulate(workers, factor * workers, cost, arguments.seconds, spread) for factor in (1, 2, 4)]
                told = ", ".join(f"lag {f} x workers: {100 * b:.1f} %" for f, b in zip((1, 2, 4), busy, strict=True))
                print(f"  {workers} workers, spread {spread:g}: busy {told}")


if __name__ == "__main__":
    main()
