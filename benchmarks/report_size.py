"""How long `hyperparton report` takes, how much memory it needs and how large its page is, by the number of trials.

    python benchmarks/report_size.py [TRIALS ...] [--record]

The scans are those of `big_scan.py`. `--record` writes `benchmarks/data/report.json` for the manual. The processor time
is that of one process; on a busy machine it is up to twice as long as on an idle one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from record import write_record

HERE = Path(__file__).parent
REPORT = "from hyperparton.cli import main; main()"


def measured(trials: int, folder: Path) -> dict[str, float]:
    """The numbers of one report."""
    subprocess.run([sys.executable, HERE / "big_scan.py", folder / "scan", str(trials)], check=True)
    command = [sys.executable, "-c", REPORT, "report", str(folder / "scan"), "-o", str(folder / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the report of {trials} trials ended with {status}")
    size = (folder / "out" / "index.html").stat().st_size
    return {
        "trials": trials,
        "seconds": round(used.ru_utime + used.ru_stime, 1),
        "memory": round(used.ru_maxrss / 1024),
        "page": round(size / 1e6, 1),
    }


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", type=int, default=[1000, 5000])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--note", default="", help="such as that the machine was busy")
    arguments = parser.parse_args()
    found = {}
    for trials in arguments.trials:
        with tempfile.TemporaryDirectory() as folder:
            found[f"of_{trials}"] = numbers = measured(trials, Path(folder))
            used = f"{numbers['seconds']} s of processor time, {numbers['memory']} MB"
            print(f"{trials} trials: {used}, page of {numbers['page']} MB", flush=True)
    if arguments.record:
        print(write_record("report", found, note=arguments.note))


if __name__ == "__main__":
    main()
