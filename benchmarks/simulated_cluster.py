"""How many workers one scan can keep busy: a cluster simulated with a virtual clock and measured costs.

    python benchmarks/simulated_cluster.py [--workers 10 100 1000 3000] [--seconds 60] [--spread 0.3]
        [--engines hyperopt optuna] [--suggestion MS ...] [--bookkeeping MS]

The scan's process does one thing at a time. Each trial costs it a suggestion and its bookkeeping, in elapsed time. The
script first measures a suggestion on this machine, with the real engines at `--history` finished trials, unless you
give it in milliseconds, one for each engine. It measures the bookkeeping as `bookkeeping.py` does, by a whole scan on
the folder's own store at so many trials, unless you give it. Trials take `--seconds` on average, with lognormal spread;
trial n may begin once all trials up to n - lag are finished. Busy is the time that workers spent on trials over the
time that they were there, after the first wave. It is printed for a lag of one, two and four times the workers, for
each engine and for one that costs nothing. (Jobs that join by `--store` suggest by themselves, side by side; that is
not simulated.)
"""

from __future__ import annotations

import argparse
import heapq
import random
import runpy
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from hyperparton.engines import get_engine, trial_seed
from hyperparton.scan import run as scan_module
from hyperparton.scan.scanner import HyperScanner
from hyperparton.trials.trial import Outcome

CONFIG = {"space": {f"p{i}": {"min": 0, "max": 1} for i in range(12)}}


def suggestion_cost(name: str, history: int) -> float:
    """Seconds of one suggestion at so many finished trials, each from one more trial than the last."""
    scanner = HyperScanner(dict.fromkeys(CONFIG["space"], 0.0), CONFIG)
    rng = np.random.default_rng(1)
    past = [
        Outcome(n, {label: [float(rng.uniform())] for label in CONFIG["space"]}, "ok", float(rng.uniform()))
        for n in range(history + 30)
    ]
    engine = get_engine(name)
    engine.suggest(scanner.as_dict(), past[:history], trial_seed(1, history), history)
    taken = []
    for n in range(history, history + 30):
        begun = time.perf_counter()
        engine.suggest(scanner.as_dict(), past[:n], trial_seed(1, n), n)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def bookkeeping_cost(history: int) -> float:
    """Seconds of a scan's own work per trial at so many finished trials, on the store of its folder: the mean."""
    script = runpy.run_path(str(Path(__file__).with_name("bookkeeping.py")))
    genuine, scan_module.get_engine = scan_module.get_engine, lambda name, seed: script["Constant"]()
    try:
        with tempfile.TemporaryDirectory() as folder:
            script["measure"](Path(folder), None, min(100, history))
            script["fill"](Path(folder), None, history)
            _start, *window = script["measure"](Path(folder), None, history + 100)
    finally:
        scan_module.get_engine = genuine
    return statistics.fmean([passed for passed, _ in window])


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
    parser.add_argument("--engines", nargs="+", default=["hyperopt", "optuna"])
    parser.add_argument("--suggestion", nargs="+", type=float, metavar="MS", help="one for each engine")
    parser.add_argument("--bookkeeping", type=float, metavar="MS")
    arguments = parser.parse_args()
    told = arguments.suggestion or [1000 * suggestion_cost(name, arguments.history) for name in arguments.engines]
    suggestions = {**dict(zip(arguments.engines, told, strict=True)), "that costs nothing": 0.0}
    keeping = arguments.bookkeeping
    if keeping is None:
        keeping = 1000 * bookkeeping_cost(arguments.history)
    for name, suggestion in suggestions.items():
        cost = (suggestion + keeping) / 1000
        print(f"engine {name}: suggestion {suggestion:.1f} ms, bookkeeping {keeping:.1f} ms, ", end="")
        print(f"at most {arguments.seconds / cost:.0f} workers with {arguments.seconds:g}-second trials")
        for spread in arguments.spread:
            for workers in arguments.workers:
                busy = [simulate(workers, factor * workers, cost, arguments.seconds, spread) for factor in (1, 2, 4)]
                told = ", ".join(f"lag {f} x workers: {100 * b:.1f} %" for f, b in zip((1, 2, 4), busy, strict=True))
                print(f"  {workers} workers, spread {spread:g}: busy {told}")


if __name__ == "__main__":
    main()
