"""A scan on a disk that really fills up, and on one that is read-only: it says so, loses nothing and continues.

    sudo python benchmarks/full_disk.py [--size 2] [--trials 300] [--kind file|sqlite]

Mounts a small file system in memory, so it needs root. A scan of cheap trials with large results runs in it until it is
full. Three more starts follow while it is full, one while it is read-only, and a last one when it has become larger.
Each of the others must end with a message (exit code 6), and the trials must be those of a scan elsewhere.
"""

from __future__ import annotations

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_MAY_DIFFER = ("book_time", "refresh_time", "owner")


def scan(card: Path, folder: Path, trials: int, kind: str) -> tuple[int, str]:
    """(exit code, last line of what was told) of a scan whose folder, and store if it has one, is in `folder`."""
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", str(card), "--engine", "random"]
    settings = ["--trials", str(trials), "--output", str(folder / "scan")]
    settings += ["--store", f"sqlite:///{folder}/shared.sqlite", "--lag", "1"] if kind == "sqlite" else []
    done = subprocess.run([*start, *settings], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).rstrip().rpartition("\n")[2]


def tries(folder: Path) -> list[dict[str, Any]]:
    """The trials without what may differ."""
    found = json.loads((folder / "scan" / "nnfit" / "replica_1" / "tries.json").read_text())
    return [{key: value for key, value in trial.items() if key not in _MAY_DIFFER} for trial in found]


def mount(folder: Path, options: str, first: bool = False) -> None:
    """Mount a file system in memory, or change it."""
    options = options if first else f"remount,{options}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2, help="MiB")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--kind", choices=["file", "sqlite"], default="file")
    arguments = parser.parse_args()
    cheap = runpy.run_path(str(Path(__file__).with_name("memory.py")))["write_cheap"]
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        card, small, large = cheap(Path(name)), Path(name) / "small", Path(name) / "large"
        small.mkdir()
        large.mkdir()
        mount(small, f"size={arguments.size}m", first=True)
        try:
            for moment in ("filling", "full", "full", "full", "read-only"):
                if moment == "read-only":
                    mount(small, "ro")
                code, told = scan(card, small, arguments.trials, arguments.kind)
                print(f"{moment}: exit code {code}: {told}; {len(tries(small))} trials in tries.json", flush=True)
                faults += code != 6 or not told.startswith("error: ")
            mount(small, f"rw,size={arguments.size + 64}m")
            code, _ = scan(card, small, arguments.trials, arguments.kind)
            scan(card, large, arguments.trials, arguments.kind)
            same = tries(small) == tries(large)
            print(f"with room again: exit code {code}, {len(tries(small))} trials, {'equal' if same else 'DIFFERENT'}")
            faults += code != 0 or not same
        finally:
            subprocess.run(["umount", str(small)], check=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
