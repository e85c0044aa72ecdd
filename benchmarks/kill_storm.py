"""Kills scans with SIGKILL at random moments, over and over, on every store and with one to four workers.

    python benchmarks/kill_storm.py [--kills 1000] [--minutes 20] [--stores file sqlite postgres mongo] [--drops]

Each scan has 24 trials of a cheap trainer and the engine hyperopt. On the folder's own store the script kills the scan
and starts it again until it has ended. On a shared store two jobs work at once; the script kills either and starts it
again. A kill hits the scan or, one time in three, one of its worker processes. With --drops the jobs reach PostgreSQL
and MongoDB through a relay, which before each kill ends their connections, loses an answer or takes no connection for
up to half a second. When the scan has ended, all its trials
must be there, each once, and equal those of an undisturbed scan value for value, except times and owners. Exit code 0
if they do.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import runpy
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

# everything that a job needs is loaded before the first one is forked
import distributed  # noqa: F401
import psutil

from hyperparton import hyper_scan_wrapper
from hyperparton.engines import get_engine
from hyperparton.trials.local import FileTrials  # noqa: F401
from hyperparton.trials.mongo.store import MongoStore  # noqa: F401
from hyperparton.trials.patient import PatientStore  # noqa: F401
from hyperparton.trials.postgres import connector  # noqa: F401
from hyperparton.trials.shared_folder import JoinedTrials  # noqa: F401
from hyperparton.trials.sql import SqlStore  # noqa: F401

ROOT = Path(__file__).parent.parent
TRIALS = 24
LAG = 4

#: seconds after which the trials of a killed job are another's
LEASE = 0.5

#: what may differ between two runs of the same scan
MAY_DIFFER = ("book_time", "refresh_time", "owner")

sys.path.insert(0, str(ROOT / "tests" / "scan"))


class Job:
    """A process of the scan: a fork of this one, so that the libraries are loaded once."""

    def __init__(self, folder: Path, url: str, workers: int, log: Any) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            try:
                work(folder, url, workers)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

    def poll(self, block: bool = False) -> int | None:
        """How it ended, as `subprocess` says it; None if it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self) -> int | None:
        """Wait until it ends."""
        return self.poll(block=True)

    def kill(self) -> None:
        """Kill it, as nothing can be prepared for."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()


def work(folder: Path, url: str, workers: int) -> None:
    """What a job does."""
    from cheap import Trainer, recipe, scanner

    trainer = recipe(sleep=0.05) if workers else Trainer(0.05)
    settings: dict[str, Any] = {"store": url or None, "workers": workers or None, "lag": LAG, "lease": LEASE}
    hyper_scan_wrapper(folder, trainer, scanner(), TRIALS, seed=7, **settings)


#: a trial whose process dies a third time fails, in whichever job: no scan loses more workers than that
MOST_DEATHS = 2


def tries(folder: Path) -> list[dict[str, Any]]:
    """The trials of a folder without what may differ."""
    trials = json.loads((folder / "tries.json").read_text())
    return [{key: value for key, value in trial.items() if key not in MAY_DIFFER} for trial in trials]


def descendants(pid: int) -> list[int]:
    """The workers of a scan."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


class Storm:
    """One scan under fire."""

    def __init__(
        self, folder: Path, url: str, workers: int, jobs: int, rng: random.Random, log: Any, relay: Any = None
    ) -> None:
        self._folders = [folder / f"job{j}" for j in range(jobs)]
        self._url, self._workers, self._rng, self._log, self._relay = url, workers, rng, log, relay
        self.killed = {"scan": 0, "worker": 0}
        self.broken = 0

    def _break_connections(self) -> None:
        """Do one of the things that happen to connections."""
        if self._relay is None:
            return
        what = self._rng.choice(["drop", "lose", "lose", "refuse"])
        self._relay.tell(what)
        if what == "refuse":
            time.sleep(self._rng.uniform(0.0, 0.5))
            self._relay.tell("go")
        self.broken += 1

    def run(self, kills: int, seconds: float) -> None:
        """Start the jobs and kill them `kills` times, at moments up to `seconds` apart, then let them end."""
        jobs = [Job(folder, self._url, self._workers, self._log) for folder in self._folders]
        while sum(self.killed.values()) < kills:
            self._break_connections()
            time.sleep(self._rng.uniform(0.0, seconds))
            j = self._rng.randrange(len(jobs))
            workers = descendants(jobs[j].pid) if self.killed["worker"] < MOST_DEATHS else []
            if workers and self._rng.random() < 1 / 3:
                try:
                    os.kill(self._rng.choice(workers), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.killed["worker"] += 1
                continue
            if jobs[j].poll() is None:
                jobs[j].kill()
                self.killed["scan"] += 1
            elif jobs[j].returncode != 0:
                raise SystemExit(f"a job failed with exit code {jobs[j].returncode}")
            else:
                break  # the scan is done; the rest of the kills goes to the next one
            jobs[j] = Job(self._folders[j], self._url, self._workers, self._log)
        for j, job in enumerate(jobs):
            if job.wait() != 0:
                raise SystemExit(f"job {j} failed with exit code {job.returncode}")

    def check(self, expected: list[dict[str, Any]]) -> None:
        """All trials, each once, and as they were in the undisturbed scan."""
        for folder in self._folders:
            found = tries(folder)
            if found != expected:
                raise SystemExit(f"{folder}: DIFFERENT: {len(found)} trials, {len(expected)} expected")


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60.0, help="end after that, and say how many kills there were")
    parser.add_argument("--per-scan", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.6, help="kills are up to so many seconds apart")
    parser.add_argument("--stores", nargs="+", default=["file", "sqlite", "postgres", "mongo"])
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2, 4], help="0 is the scan's own process")
    parser.add_argument("--drops", action="store_true", help="break connections to the servers too")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    servers = runpy.run_path(str(ROOT / "benchmarks" / "servers.py"))["Servers"]
    relay_of = runpy.run_path(str(ROOT / "benchmarks" / "relay.py"))["Relay"]
    get_engine("hyperopt")
    rng, end = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes
    broken = 0
    done: dict[str, dict[str, int]] = {kind: {"scan": 0, "worker": 0, "scans": 0} for kind in arguments.stores}
    place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # a server may still be writing when it is stopped
    with place as name, servers(Path(name)) as running, (Path(name) / "log").open("wb") as log:
        calm = Storm(Path(name) / "calm", "", 0, 1, rng, log)
        calm.run(0, 0)
        expected = tries(Path(name) / "calm" / "job0")
        assert [trial["tid"] for trial in expected] == list(range(TRIALS))
        for turn, (workers, kind) in enumerate(itertools.cycle(itertools.product(arguments.workers, arguments.stores))):
            killed = sum(count["scan"] + count["worker"] for count in done.values())
            if killed >= arguments.kills or time.monotonic() > end:
                break
            folder = Path(name) / f"scan{turn}"
            folder.mkdir()
            relayed = arguments.drops and kind in ("postgres", "mongo")
            url, relay = running.relayed(kind, folder, relay_of) if relayed else (running.store_url(kind, folder), None)
            storm = Storm(folder, url, workers, 1 if kind == "file" else 2, rng, log, relay)
            try:
                with relay or contextlib.nullcontext():
                    storm.run(min(arguments.per_scan, arguments.kills - killed), arguments.seconds)
                storm.check(expected)
            except SystemExit:
                log.flush()
                lines = (Path(name) / "log").read_text().splitlines()
                print("\n".join([line for line in lines if "is no answer" not in line][-60:]), file=sys.stderr)
                raise
            for what, count in storm.killed.items():
                done[kind][what] += count
            done[kind]["scans"] += 1
            broken += storm.broken
            print(
                f"{kind}, {workers} workers: {storm.killed}, connections broken {storm.broken} times, equal", flush=True
            )
    for kind, count in done.items():
        print(
            f"{kind}: {count['scans']} scans, {count['scan']} kills of a scan, {count['worker']} of a worker: all equal"
        )
    kills = sum(count["scan"] + count["worker"] for count in done.values())
    print(f"{kills} kills, connections broken {broken} times, nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
