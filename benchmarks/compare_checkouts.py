"""Compares two checkouts of hyperparton: are their results the same to the last digit, and is one faster?

    python benchmarks/compare_checkouts.py BEFORE AFTER [--jobs hyperopt fit] [--keep DIR] [--fit-card FILE] [--speed]

BEFORE and AFTER are folders with `src`, `examples` and `pyproject.toml`. Each job runs in a process of its own, with
the interpreter of this script and the sources and cards of the checkout; only the command line and the files that it
writes are used. Every value in `tries.json`, in the files of a fit and in those beside them has to be the same; times,
owners and versions may differ. 1 and 1.0 are not the same. Exit code 0: equal. 1: different. 2: a job failed.

With `--keep` the results stay in DIR. They are used again while the checkout's path, its `src` and `examples`, the
interpreter and the installed packages are the same. Programs that JAX compiled stay there too, apart for each checkout.

`--speed` measures instead of comparing: both checkouts in turn, A B A B, with warm compile caches. The ratio of a
measure is the median over the rounds of after / before. The machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NoReturn

_SMALL = ["scan", "{examples}/dis_small.yml", "--trials", "20", "--replicas", "2", "--engine"]

#: name of a job -> its command line
JOBS = {
    "hyperopt": [*_SMALL, "hyperopt"],
    "optuna": [*_SMALL, "optuna"],
    "gp": [*_SMALL, "gp"],
    "random": [*_SMALL, "random"],
    "dis": ["scan", "{examples}/dis.yml", "--trials", "3"],
    "fit": ["fit", "{fit_card}", "--replicas", "2", "--t0pdfset", "HYPERPARTON_dis_t0"],
    "workers": ["scan", "{examples}/own_trainer.yml", "--trials", "20", "--workers", "2"],
}

#: keys of the files that may differ between two runs of the same job
_MAY_DIFFER = frozenset({"book_time", "refresh_time", "owner", "version"})

#: files that hold a copy of the card, what was asked for, or the state to continue from
_NOT_RESULTS = re.compile(r"filter\.yml|progress\.json|tries\.(sqlite|lock).*")

#: replicas and epochs of the two fits whose difference gives the time of an epoch
_REPLICAS, _SHORT, _LONG = 10, 500, 20_500


def give_up(why: str) -> NoReturn:
    print(why, file=sys.stderr)
    sys.exit(2)


class Checkout:
    """The command line of one checkout, and the folders of its results and of its compiled programs."""

    def __init__(self, path: Path, work: Path) -> None:
        self.path = path.resolve()
        self.examples = self.path / "examples"
        if not (project := self.path / "pyproject.toml").is_file():
            give_up(f"{self.path}: no checkout: it has no pyproject.toml")
        module, function = tomllib.loads(project.read_text())["project"]["scripts"]["hyperparton"].split(":")
        self._start = [sys.executable, "-c", f"from {module} import {function}; {function}()"]
        name = f"{self.path.name}-{hashlib.sha256(str(self.path).encode()).hexdigest()[:6]}"
        self.results = work / "results" / f"{name}-{self._digest()}"
        # no variable of the user's may lead to another theory, or to programs of the other checkout
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HYPERPARTON_")}
        cache = {"HYPERPARTON_CACHE": f"{work}/cache/{name}", "PYTHONPYCACHEPREFIX": f"{work}/cache/{name}/bytecode"}
        self._environment = {**kept, **cache, "PYTHONPATH": f"{self.path}/src"}
        imported = self._call([sys.executable, "-c", "import hyperparton; print(hyperparton.__file__)"]).stdout.strip()
        if not Path(imported).is_relative_to(self.path / "src"):
            give_up(f"{self.path}: the sources that are imported lie elsewhere: {imported}")

    def _digest(self) -> str:
        """A name for everything that results depend on."""
        told = hashlib.sha256(sys.version.encode())
        told.update(" ".join(sorted(f"{one.name}=={one.version}" for one in distributions())).encode())
        files = (file for part in ("src", "examples") for file in (self.path / part).rglob("*") if file.is_file())
        for file in sorted(file for file in files if "__pycache__" not in file.parts and file.suffix != ".pyc"):
            told.update(f"\0{file.relative_to(self.path)}\0".encode() + file.read_bytes())
        return told.hexdigest()[:12]

    def _call(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            give_up(f"{self.path}: {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done

    def run(self, arguments: list[str]) -> float:
        """Run the command line and give the seconds that it took; ends this script if it fails."""
        begun = time.perf_counter()
        self._call([*self._start, *arguments])
        return time.perf_counter() - begun

    def job(self, name: str, fit_card: Path | None) -> tuple[Path, float]:
        """Folder and seconds of a job, which runs if its results are not kept already."""
        text = fit_card.read_bytes() if name == "fit" and fit_card is not None else b""
        folder = self.results / (f"{name}-{hashlib.sha256(text).hexdigest()[:6]}" if text else name)
        done, output = folder / "seconds", folder / "output"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            card = fit_card or self.examples / "dis.yml"
            arguments = [part.format(examples=self.examples, fit_card=card) for part in JOBS[name]]
            done.write_text(str(self.run([*arguments, "--output", str(output)])))
        return output, float(done.read_text())


def values(output: Path) -> dict[str, str]:
    """Every value in the files of a job, as JSON writes it, by its file and its path in there."""
    found: dict[str, str] = {}
    for file in sorted(path for path in output.rglob("*") if path.is_file()):
        if _NOT_RESULTS.fullmatch(file.name):
            continue
        text, where = file.read_text(), str(file.relative_to(output))
        if file.suffix in (".json", ".log"):
            found |= {f"{where}: {path}": value for path, value in leaves(json.loads(text))}
        else:
            found |= {f"{where}: line [{k}]": line for k, line in enumerate(text.splitlines(), 1)}
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, value as text) of all that a JSON value holds but for what may differ."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            if key not in _MAY_DIFFER:
                yield from leaves(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for k, one in enumerate(value):
            yield from leaves(one, f"{path}[{k}]")
    else:
        yield path, json.dumps(value)


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """What differs, as lines to read; those whose paths have other numbers only, as trials have, are together.

    A file that one checkout does not write, as one without re-fits does not, is one line.
    """
    found: dict[str, list[str]] = {}
    files = [{path.partition(": ")[0] for path in values} for values in (before, after)]
    for file in sorted(files[0] ^ files[1]):
        found[file] = [f"{file}: is written {'before' if file in files[0] else 'after'} alone"]
    for path in [*before, *(path for path in after if path not in before)]:
        if path.partition(": ")[0] in found:
            continue
        one, other = before.get(path, "absent"), after.get(path, "absent")
        if one != other:
            found.setdefault(re.sub(r"\d+", "", path), []).append(f"{path}: {one[:60]} | {other[:60]}")
    return found


def compare(before: Checkout, after: Checkout, jobs: list[str], fit_card: Path | None) -> bool:
    """Print what each job gives in both checkouts; whether all is equal."""
    print(f"{'job':10s}{'values':>8s}{'differ':>8s}{'before':>10s}{'after':>10s}")
    equal = True
    for name in jobs:
        (one, seconds), (other, later) = (checkout.job(name, fit_card) for checkout in (before, after))
        known = values(one)
        found = differences(known, values(other))
        count, told = sum(map(len, found.values())), "DIFFERENT" if found else "equal"
        print(f"{name:10s}{len(known):8d}{count:8d}{seconds:8.1f} s{later:8.1f} s  {told}", flush=True)
        for lines in found.values():
            print(f"    {len(lines)} such as {lines[0]}", flush=True)
        equal = equal and not found
    return equal


def scan_seconds(checkout: Checkout, folder: Path) -> float:
    """A whole scan of dis_small.yml."""
    return checkout.run(["scan", f"{checkout.examples}/dis_small.yml", "--trials", "20", "--output", f"{folder}"])


def trial_seconds(checkout: Checkout, folder: Path) -> float:
    """The trials of a scan of dis.yml, by the scan's own record."""
    log = folder.with_suffix(".log")
    scan = ["scan", f"{checkout.examples}/dis.yml", "--trials", "3", "--output", f"{folder}", "--log-json", f"{log}"]
    checkout.run(scan)
    return sum(json.loads(line).get("seconds", 0.0) for line in log.read_text().splitlines())


def epoch_seconds(checkout: Checkout, folder: Path) -> float:
    """An epoch of a fit of dis.yml, from two fits of which one has more epochs."""
    folder.mkdir()
    spent, text = [], (checkout.examples / "dis.yml").read_text()
    for epochs in (_SHORT, _LONG):
        card, output = folder / f"{epochs}.yml", folder / "fit"
        card.write_text(re.sub(r"(?m)^  epochs: .*", f"  epochs: {epochs}", text))
        spent.append(checkout.run(["fit", f"{card}", "--replicas", f"{_REPLICAS}", "--output", f"{output}"]))
        stops = [json.loads(file.read_text())["stop_epoch"] for file in output.rglob("fit.json")]
        if stops != [epochs - 1] * _REPLICAS:
            give_up(f"dis.yml: its replicas were to run all {epochs} epochs, they stopped at {stops}")
    return (spent[1] - spent[0]) / (_LONG - _SHORT)


#: what is measured, and how often in one round
MEASURES: dict[str, tuple[int, Callable[[Checkout, Path], float]]] = {
    "--help": (10, lambda checkout, _: checkout.run(["--help"])),
    "check dis.yml": (5, lambda checkout, _: checkout.run(["check", f"{checkout.examples}/dis.yml"])),
    "scan of dis_small.yml": (1, scan_seconds),
    "trials of dis.yml": (1, trial_seconds),
    "an epoch of dis.yml": (1, epoch_seconds),
}


def measure(checkouts: tuple[Checkout, Checkout], rounds: int, work: Path) -> None:
    """Print the medians of seconds and of their ratios, each round with both checkouts; a first one warms up."""
    print(f"load of the machine before: {os.getloadavg()[0]:.2f}; {rounds} rounds")
    print(f"{'':24s}{'before':>12s}{'after':>12s}{'ratio':>8s}   least to largest ratio")
    for name, (times, call) in MEASURES.items():
        spent: tuple[list[float], list[float]] = ([], [])
        for _ in range(times * rounds + 1):
            for checkout, seconds in zip(checkouts, spent, strict=True):
                with tempfile.TemporaryDirectory(dir=work) as folder:
                    seconds.append(call(checkout, Path(folder) / "output"))
        pairs = list(zip(*spent, strict=True))[1:]
        before, after = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
        ratios = sorted(later / earlier for earlier, later in pairs)
        shown = f"{statistics.median(ratios):8.3f}   {ratios[0]:.3f} to {ratios[-1]:.3f}"
        print(f"{name:24s}{before:9.5g} ms{after:9.5g} ms{shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--fit-card", type=Path, metavar="FILE", help="the card to fit; default: each one's dis.yml")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where results and compiled programs stay")
    parser.add_argument("--speed", action="store_true", help="measure instead of comparing")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of --speed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = (arguments.keep or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        checkouts = Checkout(arguments.before, work), Checkout(arguments.after, work)
        if arguments.speed:
            measure(checkouts, arguments.rounds, work)
            return
        equal = compare(*checkouts, arguments.jobs, arguments.fit_card)
    print("equal to the last digit" if equal else "DIFFERENT")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
