"""Makes the scans of this folder, which test_older_scans.py continues, with the version that began them.

    git worktree add ../older 8dc8e13
    .venv/bin/python tests/cli/older_scans/make_older_scans.py ../older [NAME ...]

Commit 8dc8e13 was the last before the trials, their stores and the loop of the scan were rebuilt. A scan is begun with
the sources of that checkout and ended in the middle of a trial: with SIGKILL, so that the trial stays leased, or with
SIGINT, so that it is handed back. What is left is kept in the folder NAME. Then a copy of it is continued with the same
sources; `expected.json` holds how the scan is called, and the vals, status and loss of the trials that were added.

The engine gp, which suggests the trials of `folder`, is another one since. So the expected trials of that scan after
the one that was killed are those of the version that brought the new engine.

The host is called node7 in these files, and no path of the machine that made them is left in them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

#: the command line, on a host of that name
START = """
import socket
socket.gethostname = lambda: "node7"
from hyperparton.cli import main
main()
"""

#: where progress.json says that the joined scan was begun
_PLACE = "/data/scans"


@dataclass(frozen=True)
class Scan:
    """A scan to begin; `{folder}` in its options stands for its folder."""

    card: str
    options: tuple[str, ...]
    finished: int
    """trials that are finished when it is ended"""
    trials: int
    """trials that it is to have"""
    end: int
    """the signal that ends it"""
    store: str
    """the SQLite file with its trials, in its folder"""


OWN = "nnfit/replica_1/tries.sqlite"
JOINED = ("--engine", "hyperopt", "--lag", "2", "--store", "sqlite:///{folder}/scan.sqlite")

SCANS = {
    # each has more trials than its engine draws at random; with a lag of 4 all the new ones follow from those kept
    "folder": Scan("dis.yml", ("--lag", "4"), 16, 20, signal.SIGKILL, OWN),
    "joined": Scan("diabetes.yml", JOINED, 24, 28, signal.SIGKILL, "scan.sqlite"),
    "pruned": Scan("diabetes.yml", ("--engine", "optuna", "--prune"), 22, 30, signal.SIGINT, OWN),
}


def command(scan: Scan, name: str) -> list[str]:
    """Its command line, to be run where the folder `name` lies; relative, so that no path gets into its files."""
    options = [option.format(folder=name) for option in scan.options]
    card = HERE / scan.card
    return [sys.executable, "-c", START, "scan", str(card), "-o", name, "--trials", str(scan.trials), *options]


def begin(scan: Scan, name: str, place: Path, environment: dict[str, str]) -> None:
    """Run the scan in the folder `place` until its first trial after the finished ones has started, and end it."""
    log = place / "events"
    (place / name).mkdir()
    process = subprocess.Popen([*command(scan, name), "--log-json", str(log)], cwd=place, env=environment)
    started = f'"trial_started", "tid": {scan.finished},'
    while not log.exists() or started not in log.read_text():
        time.sleep(0.002)
        if process.poll() is not None:
            sys.exit(f"{name}: the scan ended by itself")
    process.send_signal(scan.end)
    process.wait()
    close(place / name / scan.store, scan.finished)
    hide_place(place / name / "progress.json", place)


def close(file: Path, finished: int) -> None:
    """Let SQLite write its log into the file; the trials have to be as they were to be."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        states = [row[0] for row in connection.execute("SELECT state FROM trials ORDER BY number")]
        connection.execute("VACUUM")
    connection.close()
    print(file, states)
    assert states[:-1] == [2] * finished
    assert states[-1] in (0, 1)


def hide_place(progress: Path, place: Path) -> None:
    progress.write_text(progress.read_text().replace(str(place.resolve()), _PLACE))


def tries(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())


def continued(scan: Scan, name: str, place: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What comes of a copy that is continued: how it was called, and its new trials."""
    before = tries(place / name)
    subprocess.run(command(scan, name), cwd=place, env=environment, check=True)
    after = tries(place / name)
    assert after[: scan.finished] == before
    assert len(after) == scan.trials
    new = [
        {
            "tid": trial["tid"],
            "vals": trial["misc"]["vals"],
            **{key: trial["result"].get(key) for key in ("status", "loss", "pruned")},
        }
        for trial in after[scan.finished :]
    ]
    called = {key: value for key, value in asdict(scan).items() if key in ("card", "options", "trials")}
    return {**called, "new": new}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("names", nargs="*", default=list(SCANS))
    arguments = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(arguments.checkout.resolve() / "src")}
    for name in arguments.names:
        scan = SCANS[name]
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            begin(scan, name, place, environment)
            shutil.rmtree(HERE / name, ignore_errors=True)
            shutil.copytree(place / name, HERE / name)
            expected = continued(scan, name, place, environment)
            (HERE / name / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
