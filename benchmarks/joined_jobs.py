"""Four jobs join one scan of 200 cheap trials; two of them are killed on the way.

    python benchmarks/joined_jobs.py [--trials 200] [--stores postgres mongo]

The scan must have exactly that many trials, each once, equal value for value to those of an undisturbed scan, except
times and owners. Exit code 0 if it does.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hyperparton.trials.shared_folder import open_store
from hyperparton.trials.store import TrialStore
from hyperparton.trials.trial import RUNNING

ROOT = Path(__file__).parent.parent
LAG = 16

#: seconds after which the trials of a killed job are another's
LEASE = 2.0

MAY_DIFFER = ("book_time", "refresh_time", "owner")


def start(folder: Path, url: str, trials: int) -> subprocess.Popen[bytes]:
    """A job, a process of its own; each trial takes up to 0.5 s."""
    script = ROOT / "tests" / "scan" / "cheap.py"
    command = [sys.executable, script, folder, url, str(trials), "0.5", str(LAG), str(LEASE)]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, env=dict(os.environ))


def tries(folder: Path) -> list[dict[str, Any]]:
    """The trials of a folder without what may differ."""
    trials = json.loads((folder / "tries.json").read_text())
    return [{key: value for key, value in trial.items() if key not in MAY_DIFFER} for trial in trials]


def works(store: TrialStore, pid: int) -> bool:
    """Whether that process runs a trial just now."""
    last = store.next_number()
    recent = [store.get(number) for number in range(max(0, last - LAG), last)]
    return any(trial.state == RUNNING and str(trial.owner).split(":")[1] == str(pid) for trial in recent)


def run(folder: Path, url: str, trials: int) -> tuple[list[dict[str, Any]], dict[str, int], float]:
    """(the trials, how many each job finished, seconds) of one scan."""
    begun = time.monotonic()
    jobs = [start(folder / f"job{j}", url, trials) for j in range(4)]
    with open_store(url) as store:
        for j, share in ((0, 0.2), (1, 0.5)):  # killed when so much of the scan is done, in the middle of a trial
            while (done := len(store.history())) < share * trials or not works(store, jobs[j].pid):
                if done == trials:
                    raise SystemExit("the scan was over before the job was seen at work")
                time.sleep(0.01)
            jobs[j].send_signal(signal.SIGKILL)
            jobs[j].wait()
        if any(job.wait() != 0 for job in jobs[2:]):
            raise SystemExit("a job that was not killed failed")
        seconds = time.monotonic() - begun
        done = store.trials()
        assert store.next_number() == len(done)
    shares = {str(job.pid): 0 for job in jobs}
    for trial in done:
        shares[str(trial.owner).split(":")[1]] += 1
    shares["run twice"] = sum(trial.attempts > 1 for trial in done)
    found = tries(folder / "job3")
    assert found == tries(folder / "job2")
    return found, shares, seconds


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--stores", nargs="+", default=["postgres", "mongo"])
    arguments = parser.parse_args()
    servers = runpy.run_path(str(ROOT / "benchmarks" / "servers.py"))["Servers"]
    good = True
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as running:
        calm = start(Path(name) / "calm", f"sqlite:///{name}/calm.sqlite", arguments.trials)
        assert calm.wait() == 0
        expected = tries(Path(name) / "calm")
        for kind in arguments.stores:
            if kind == "postgres":
                url = running.postgres("jobs")
            else:
                host, port, database = running.mongo("jobs")
                url = f"mongodb://{host}:{port}/{database}"
            found, shares, seconds = run(Path(name) / kind, url, arguments.trials)
            equal = found == expected and [trial["tid"] for trial in found] == list(range(arguments.trials))
            good = good and equal
            told = ", ".join(f"{owner}: {count}" for owner, count in shares.items())
            verdict = "equal" if equal else "DIFFERENT"
            print(f"{kind}: {len(found)} trials in {seconds:.0f} s, {verdict}; by process {told}", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
