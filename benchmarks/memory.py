"""The memory of a scan's processes while it runs.

    python benchmarks/memory.py CARD|cheap --trials N [--at 10] [options of hyperparton scan]

Runs the scan in a process of its own and measures four times a second the resident memory of the scan's process and of
the largest process below it (a worker, with --workers). Prints it for `--at` moments, evenly spaced in trials, in MiB.
With `cheap` in place of a card the trials cost nothing, with results as large as those of fits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from hyperparton.host import resident_memory

#: a trainer whose result is as large as that of fits with 4 folds and 10 replicas
_IDLE = """
class Idle:
    def __init__(self):
        losses = [[1.0 + 0.001 * k * r for r in range(10)] for k in range(4)]
        self.meta = {f"quantity_{i}": losses for i in range(14)}

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": sum(params.values()), "kfold_meta": self.meta}


def make(card):
    return Idle()
"""
_LABELS = [f"p{i}" for i in range(12)]
_CARD = f"""\
trainer: idle:make
parameters: {{{", ".join(f"{label}: 0.5" for label in _LABELS)}}}
hyperscan_config:
  space: {{{", ".join(f"{label}: {{min: 0, max: 1}}" for label in _LABELS)}}}
"""


def write_cheap(folder: Path) -> Path:
    """Write a card whose trials cost nothing, and its trainer."""
    (folder / "idle.py").write_text(_IDLE)
    card = folder / "card.yml"
    card.write_text(_CARD)
    return card


def below(pid: int) -> list[int]:
    """The processes that a process started, and theirs."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def watch(command: list[str], log: Path) -> list[tuple[int, int, int]]:
    """(trials done, bytes of the driver, bytes of the largest worker) for as long as the command runs."""
    seen: list[tuple[int, int, int]] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.25)
            done = log.read_bytes().count(b'"trial_finished"') if log.exists() else 0
            seen.append((done, resident_memory(process.pid), max(map(resident_memory, below(process.pid)), default=0)))
    if process.returncode != 0:
        raise SystemExit(f"the scan failed with exit code {process.returncode}")
    return [entry for entry in seen if entry[1]]


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", help="or `cheap`")
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--at", type=int, default=10)
    arguments, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder, card = Path(name), arguments.card
        if card == "cheap":
            card = str(write_cheap(folder))
        start = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", card]
        log = folder / "log.json"
        settings = ["--trials", str(arguments.trials), "--output", str(folder / "scan"), "--log-json", str(log)]
        begun = time.monotonic()
        seen = watch([*start, *settings, *extra], log)
    print(f"{arguments.trials} trials in {time.monotonic() - begun:.0f} s\ntrials   driver   largest worker, MiB")
    for i in range(1, arguments.at + 1):
        target = arguments.trials * i // arguments.at
        done, driver, worker = min(seen, key=lambda entry: abs(entry[0] - target))
        print(f"{done:6d} {driver / 2**20:8.1f} {worker / 2**20:8.1f}")
    print(f"most   {max(s[1] for s in seen) / 2**20:8.1f} {max(s[2] for s in seen) / 2**20:8.1f}")


if __name__ == "__main__":
    main()
