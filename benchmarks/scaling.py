"""Time of an epoch as points, replicas, folds and the network's width and depth grow.

    python benchmarks/scaling.py [--epochs 400] [--repeat 3] [--record]

It starts from `tests/data/dis_scan.yml` with its 19 data sets and four folds, ten replicas and the network of
`against_n3fit.py`, and changes one of these at a time. Each row is the least of `--repeat` trials, after one trial that
compiles: microseconds of an epoch of the whole trial and of one model (a replica of a fold). `--record` writes the
table for the manual.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from against_n3fit import card as dis_card
from against_n3fit import trial
from record import write_record

from hyperparton import ModelTrainer, load_fit_data
from hyperparton.runcard.check import parse_runcard

REPLICAS = 10


def card(sets: int | None = None, folds: int = 4) -> Any:
    """The card with its first `sets` data sets, of which each of `folds` folds hides one or a few."""
    base = dis_card()
    base["dataset_inputs"] = base["dataset_inputs"][:sets]
    names = [entry["dataset"] for entry in base["dataset_inputs"]]
    base["kfold"]["partitions"] = [{"datasets": names[k::folds]} for k in range(folds)]
    return parse_runcard(json.dumps(base))


def measure(runcard: Any, replicas: int, epochs: int, repeat: int, **changes: Any) -> tuple[int, int, float]:
    """Points, models and the least seconds of a trial."""
    data = load_fit_data(runcard)
    trainer = ModelTrainer.from_runcard(runcard, data, range(1, replicas + 1))
    trainer.set_hyperopt(True, [])
    params = {**trial(epochs), **changes}
    seconds, _ = least(lambda: trainer.hyperparametrizable(params), repeat)
    return data.ndata, replicas * len(runcard.kfold.partitions), seconds


def least(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Seconds of the fastest of so many calls after a first one, and what it gave."""
    result, times = call(), []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times), result


def network(widths: Sequence[int]) -> dict[str, Any]:
    return {
        "nodes_per_layer": [*widths, 8],
        "activation_per_layer": ["tanh"] * len(widths) + ["linear"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    rows: list[tuple[str, Any, int, dict[str, Any]]] = []
    for sets in (4, 10, 19):
        rows.append((f"{sets} data sets", card(sets), REPLICAS, {}))
    for replicas in (1, 2, 5, 20):
        rows.append((f"{replicas} replicas", card(), replicas, {}))
    for folds in (2, 8):
        rows.append((f"{folds} folds", card(folds=folds), REPLICAS, {}))
    for width in (16, 32, 64, 128):
        rows.append((f"3 layers of {width}", card(), REPLICAS, network([width] * 3)))
    for depth in (2, 4):
        rows.append((f"{depth} layers of 32", card(), REPLICAS, network([32] * depth)))
    rows.append(("without dropout", card(), REPLICAS, {"dropout": 0.0}))
    print("| | points | models | an epoch | of a model |\n|---|---|---|---|---|")
    table = []
    for name, runcard, replicas, changes in rows:
        points, models, seconds = measure(runcard, replicas, arguments.epochs, arguments.repeat, **changes)
        each = seconds / arguments.epochs * 1e6
        table.append([name, f"{points:,}", str(models), f"{each:,.0f} µs", f"{each / models:.0f} µs"])
        print(f"| {' | '.join(table[-1])} |", flush=True)
    if arguments.record:
        print(write_record("scaling", {"rows": table}))


if __name__ == "__main__":
    main()
