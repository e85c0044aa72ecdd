"""Kills a scan with SIGKILL at random moments, continues it each time, and compares it with one never killed.

    python benchmarks/killed_scan.py examples/dis_small.yml --trials 20 --kills 10

The two `tries.json` must be equal but for times and owners. Moments are drawn evenly over the time that the undisturbed
scan took, so start-up, fits, writing and closing are all hit. Exit code 0 if they are equal, 1 if they are not.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

#: what may differ between two runs of the same scan
_MAY_DIFFER = ("book_time", "refresh_time", "owner")


def command(card: Path, trials: int, output: Path, extra: list[str]) -> list[str]:
    """The command line of a scan in a process of its own."""
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()"]
    return [*start, "scan", str(card), "--trials", str(trials), "--output", str(output), *extra]


def tries(output: Path) -> list[dict[str, Any]]:
    """The trials of a scan's folder without what may differ."""
    path = output / "nnfit" / "replica_1" / "tries.json"
    trials = json.loads(path.read_text()) if path.exists() else []
    return [{key: value for key, value in trial.items() if key not in _MAY_DIFFER} for trial in trials]


def run_killed(arguments: list[str], kills: int, seconds: float, rng: random.Random) -> list[float]:
    """Run the command until it ends by itself, after `kills` kills; gives the moments at which it was killed."""
    moments: list[float] = []
    while True:
        begun = time.monotonic()
        wait = rng.uniform(0.0, seconds) if len(moments) < kills else None
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, err = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            moments.append(time.monotonic() - begun)
            continue
        if process.returncode != 0:
            raise SystemExit(f"the scan failed with exit code {process.returncode}:\n{err.decode()}")
        if len(moments) == kills:
            return moments
        # it ended before its kill: what is left of the kills hits a scan that is done
        seconds = max(0.5 * seconds, 0.2)


def compare(card: Path, trials: int, kills: int, seed: int, extra: list[str]) -> tuple[bool, list[float], int]:
    """(whether both scans are equal, moments of the kills, trials) of one undisturbed and one killed scan."""
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        begun = time.monotonic()
        subprocess.run(command(card, trials, undisturbed, extra), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begun
        rng = random.Random(seed)
        moments = run_killed(command(card, trials, killed, extra), kills, seconds / 2, rng)
        one, other = tries(undisturbed), tries(killed)
        return one == other and len(one) == trials, moments, len(other)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments, extra = parser.parse_known_args()
    equal, moments, count = compare(arguments.card, arguments.trials, arguments.kills, arguments.seed, extra)
    told = ", ".join(f"{moment:.1f}" for moment in moments)
    print(f"{count} trials, killed {len(moments)} times after {told} s: {'equal' if equal else 'DIFFERENT'}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
