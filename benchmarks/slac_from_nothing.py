"""Builds the FK table of SLAC p from nothing with the command line and compares it with the one that ships.

    python benchmarks/slac_from_nothing.py [--theory 40000000] [--jobs 2] [--stops] [--output DIR]

Needs the extra `theory`.  Nearly all of the time goes into evolution.  With --stops the build is stopped when a
quarter, half and three quarters of its pieces are done, by SIGINT to all its processes (Ctrl-C), by SIGTERM and by
SIGKILL to its first one, and continued by the same command.  What an earlier run left in DIR is used.  Exit code 0 if
every prediction of the PDF set that ships agrees to 1e-6 and nothing but the table, its card and its manifest is left,
1 if not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from hyperparton.data.theory_folder import TABLE_SUFFIX, find_theory
from hyperparton.files import checksum
from hyperparton.theory.check import check_theory, table_predictions

DATASET, TABLE = "SLAC_NC_NOTFIXED_P_EM-F2", "SLAC_NC_EM_P_F2"
#: the command with Ctrl-C as in a terminal, even where a shell started this in the background
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = (sys.executable, "-c", f"{INTERRUPTIBLE}; from hyperparton.cli import main; main()", "theory", "build")
#: signal -> the share of the pieces at which it is sent
STOPS = {signal.SIGINT: 0.25, signal.SIGTERM: 0.5, signal.SIGKILL: 0.75}


def processes_of(group: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def run(command: list[str], stop: signal.Signals | None) -> int:
    """Runs the build, stops it if told to, waits until all its processes have ended and gives its exit code."""
    share = 2.0 if stop is None else STOPS[stop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as build:
        assert build.stdout is not None
        for line in build.stdout:
            print(line, end="", flush=True)
            told = re.match(r"\[(\d+)/(\d+)\]", line)
            if stop is not None and told and int(told[1]) >= share * int(told[2]):
                print(f"sends {stop.name}", flush=True)
                (os.killpg if stop == signal.SIGINT else os.kill)(build.pid, stop)
                break
        code = build.wait()
    stopped = time.monotonic()
    while processes_of(build.pid):
        time.sleep(0.05)
    if stop is not None:
        print(f"exit code {code}, all its processes had ended {time.monotonic() - stopped:.1f} s later", flush=True)
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theory", default="40000000")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stops", action="store_true")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or Path(temporary)
        return build_and_compare(folder, arguments)


def build_and_compare(folder: Path, arguments: argparse.Namespace) -> int:
    command = [*COMMAND, arguments.theory, "-d", DATASET, "-o", str(folder), "-j", str(arguments.jobs)]
    started = time.monotonic()
    for stop in STOPS if arguments.stops else ():
        run(command, stop)
    if run(command, None) != 0:
        return 1
    print(f"built in {time.monotonic() - started:.0f} s")
    shipped, built = find_theory(int(arguments.theory)).source.path, folder / f"theory_{arguments.theory}"
    faults = [*check_theory(built).faults]
    expected = {"manifest.json", "theory_card.yaml", f"fastkernel/{TABLE}{TABLE_SUFFIX}"}
    left = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    if left != expected or [path.name for path in folder.iterdir()] != [built.name]:
        faults.append(f"the folder holds {sorted(left)}, expected {sorted(expected)}")
    for fault in faults:
        print(f"fault: {fault}")
    new, old = (table_predictions(path, TABLE) for path in (built, shipped))
    files = [path / "fastkernel" / f"{TABLE}{TABLE_SUFFIX}" for path in (built, shipped)]
    computed = old != 0
    difference = float(np.abs(new[computed] / old[computed] - 1).max())
    same = "" if checksum(files[0]) == checksum(files[1]) else "not "
    print(f"{int(computed.sum())} points, largest relative difference from the table that ships: {difference:.1e}")
    print(f"the files are {same}the same to the last byte")
    return int(bool(faults) or not difference < 1e-6)


if __name__ == "__main__":
    sys.exit(main())
