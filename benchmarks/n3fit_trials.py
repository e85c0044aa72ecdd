"""What a scan of n3fit costs per trial beside fits and engine: hyperopt's `fmin` on n3fit's `FileTrials`.

    PYTHON benchmarks/n3fit_trials.py [--trials 100 10000] [--window 3]

It runs in the Python of an environment with n3fit; `bookkeeping.py --n3fit PYTHON` starts it beside hyperparton's
stores. It inserts all trials at once, as large as those of `bookkeeping.py`, and then adds some as n3fit's
`hyper_scan_wrapper` does: `fmin` with `FileTrials` and a pickle of all trials after each one. The engine always
suggests the same point. One line per size: trials, elapsed seconds per trial, processor seconds per trial, seconds of
one `refresh()`, all as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hyperopt
from n3fit.hyper_optimization.filetrials import FileTrials

LABELS = [f"p{i}" for i in range(12)]
SPACE = {label: hyperopt.hp.uniform(label, 0, 1) for label in LABELS}
LOSSES = [[1.0 + 0.001 * k * r for r in range(10)] for k in range(4)]
RESULT = {"status": "ok", "loss": 1.0, "kfold_meta": {f"quantity_{i}": LOSSES for i in range(14)}}


def documents(trials: Any, tids: list[int], results: list[Any]) -> list[dict[str, Any]]:
    """New documents with the same vals each time."""
    miscs = [
        {
            "tid": tid,
            "cmd": ("domain_attachment", "FMinIter_Domain"),
            "workdir": None,
            "idxs": {label: [tid] for label in LABELS},
            "vals": {label: [0.5] for label in LABELS},
        }
        for tid in tids
    ]
    return trials.new_trial_docs(tids, [None] * len(tids), results, miscs)


def constant(new_ids: list[int], domain: Any, trials: Any, seed: int) -> list[dict[str, Any]]:
    """An engine that costs nothing."""
    return documents(trials, new_ids, [domain.new_result() for _ in new_ids])


def measure(count: int, window: int) -> tuple[float, float, float]:
    """(seconds passed per trial, seconds computed per trial, seconds of a refresh) at `count` finished trials."""
    with tempfile.TemporaryDirectory() as name:
        trials = FileTrials(Path(name), parameters=SPACE)
        found = documents(trials, list(range(count)), [RESULT] * count)
        for document in found:
            document["state"] = hyperopt.base.JOB_STATE_DONE
        trials._insert_trial_docs(found)
        trials._ids.update(range(count))
        trials._store_trial = False
        trials.refresh()
        trials._store_trial = True
        before, begun = time.process_time(), time.perf_counter()
        hyperopt.fmin(
            lambda params: RESULT,
            SPACE,
            algo=constant,
            max_evals=count + window,
            trials=trials,
            trials_save_file=str(trials.pkl_file),
            show_progressbar=False,
        )
        passed, computed = time.perf_counter() - begun, time.process_time() - before
        assert len(trials.trials) == count + window
        begun = time.perf_counter()
        trials.refresh()
        return passed / window, computed / window, time.perf_counter() - begun


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", nargs="+", type=int, default=[100, 10_000])
    parser.add_argument("--window", type=int, default=3)
    arguments = parser.parse_args()
    for count in arguments.trials:
        print(json.dumps([count, *measure(count, arguments.window)]), flush=True)


if __name__ == "__main__":
    main()
