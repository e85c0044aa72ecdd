"""Damages the folders of scans at random and shows them to every command: an error in a line, never a traceback.

    python benchmarks/damaged_folders.py [--count 600] [--seed 1] [--kind entries files] [--report-each 10]

`entries`: one to three values in the entries of a `tries.json`, ours and n3fit's, become values of other types, or go.
Status, best, report, export, the dashboard's page, a warm start, the choice of a fit's methodology and that of trials
to confirm each look at the folder. `files`: a file of a folder at rest (of a scan that was killed, or closed) is cut,
emptied, removed, has bits flipped or becomes that of another scan. Then the same scan is started again: it goes on with
all trials that the folder knew, or it is refused and no file has changed. Exit code 0 if all of that holds.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from hyperparton.errors import HyperpartonError, StoreError

ROOT = Path(__file__).parent.parent
SCANS = ROOT / "tests" / "cli"

#: what stands in the place of a value
OTHERS = (
    None, True, False, 0, -1, 3, 2.5, -1e308, 1e308, 10**30, 10**400, float("nan"), "", "text", "\ud83d", "3", "nan",
    "[1. 2", "[1. 2.]", "é\n", [], [[]], [None], [1, "a"], ["a"], [[1.0], 2], {}, {"a": 1}, {"type": 3},
    {"epochs": 1}, [{}], {"a": {"b": []}},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a JSON document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*path, key))
    elif isinstance(value, list):
        for i, entry in enumerate(value[:3]):
            yield from places(entry, (*path, i))


def hostile(entries: list[Any], rng: random.Random) -> list[Any]:
    """The entries with one to three values replaced or removed."""
    entries = copy.deepcopy(entries)
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(len(entries))
        found = list(places(entries[number]))
        if not found:
            continue
        # as many in the upper levels as in the long lists below
        depth = rng.randint(1, 5)
        *above, last = rng.choice([path for path in found if len(path) <= depth])
        target = entries[number]
        for key in above:
            target = target[key]
        if rng.random() < 0.15:
            del target[last]
        else:
            target[last] = copy.deepcopy(rng.choice(OTHERS))
    if rng.random() < 0.05:
        entries.append(copy.deepcopy(rng.choice(entries)))
    return entries


def commands(folder: Path, report: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What looks at a scan's folder, by name."""
    from hyperparton.cli import group
    from hyperparton.cli.dashboard import LivePage
    from hyperparton.report.options import Options
    from hyperparton.report.scans import read_scans
    from hyperparton.report.summary import summarise

    def command(*words: object) -> Callable[[], Any]:
        return lambda: group.main([str(word) for word in words], "hyperparton", standalone_mode=False)

    yield "status", command("status", folder)
    for form in ("table", "json", "yaml"):
        yield f"best --format {form}", command("best", folder, "--format", form)
    yield "best --widen", command("best", folder, "--widen")
    yield "best --importances", command("best", folder, "--importances")
    yield "export", command("export", folder, "--storage", "sqlite://")
    yield "summary", lambda: summarise(read_scans([folder]), Options(filters=("loss<1e300",)))
    yield "warm start", lambda: warm_start(folder)
    yield "fit --from", lambda: methodologies(folder)
    yield "confirm", lambda: confirmed(folder)
    if report:
        yield "report", command("report", folder, "-o", folder / "report")
        yield "dashboard", lambda: LivePage((folder,), Options()).look()


def warm_start(folder: Path) -> None:
    """The trials as the history of a scan in the space of the folder's card."""
    from hyperparton.runcard.check import parse_runcard
    from hyperparton.scan.warm_start import parameter_sets, read_prior
    from hyperparton.workflow.cards import scanner_of

    parameter_sets([folder])
    scanner = scanner_of(parse_runcard((folder / "filter.yml").read_text(), folder / "filter.yml", "n3fit"))
    assert scanner is not None
    read_prior([folder], scanner.as_dict())


def methodologies(folder: Path) -> None:
    """The parameters that a fit would take from the best trials."""
    from hyperparton.runcard.parameters import trial_parameters
    from hyperparton.scan.best_trials import best_trials, methodology
    from hyperparton.trials.tries_read import read_trials

    for trial in best_trials(read_trials(folder), 2):
        override = {"learning_rate": 0.1, "initial": 2.0, "optimizer": "Adam"}
        trial_parameters(methodology(trial.space_vals, {"epochs": 10}, override))


def confirmed(folder: Path) -> None:
    """The trials that would be fitted again of a scan without a store, and with what."""
    from hyperparton.engines.gp import GaussianProcessEngine
    from hyperparton.runcard.check import parse_runcard
    from hyperparton.runcard.parameters import trial_parameters
    from hyperparton.scan.confirm_recorded import RecordedTrials
    from hyperparton.trials.tries_read import read_trials
    from hyperparton.workflow.cards import scanner_of

    space = scanner_of(parse_runcard((folder / "filter.yml").read_text(), folder / "filter.yml", "n3fit")).as_dict()
    trials = RecordedTrials.in_space(folder, read_trials(folder), space)
    assert trials.best().replicas is None or trials.best().replicas > 0
    for number in GaussianProcessEngine().ranked(space, trials.history()):
        trial_parameters(trials.get(number).parameters)


def tracebacks(folder: Path, report: bool) -> list[str]:
    """What came of it where it was no error of hyperparton: the command, and the traceback."""
    faults = []
    for name, look in commands(folder, report):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                look()
            except (HyperpartonError, click.ClickException):
                pass
            except Exception:
                faults.append(f"{name}:\n{traceback.format_exc()}")
    return faults


def damaged_entries(count: int, seed: int, report_each: int, work: Path) -> list[str]:
    """`count` hostile files of entries, and what commands made of them that they must not."""
    sources = [*SCANS.glob("older_scans/*/nnfit/replica_1/tries.json"), SCANS / "data" / "n3fit_tries.json"]
    sources.append(ROOT / "tests" / "oracle" / "data" / "n3fit_folder" / "nnfit" / "replica_1" / "tries.json")
    known = [(path, json.loads(path.read_text())[-6:]) for path in sorted(sources)]
    faults = []
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        path, entries = known[number % len(known)]
        folder = work / f"scan{number}"
        (folder / "nnfit" / "replica_1").mkdir(parents=True)
        card = path.parents[2] / "filter.yml" if path.name == "tries.json" else SCANS / "older_scans/folder/filter.yml"
        shutil.copy(card, folder / "filter.yml")
        tries = folder / "nnfit" / "replica_1" / "tries.json"
        tries.write_text(json.dumps(hostile(entries, rng)))
        found = tracebacks(folder, number % report_each == report_each - 1)
        print("".join(f"entries, file {number}: {fault}" for fault in found), end="", flush=True)
        faults += [f"entries, file {number} ({path.parent.parent.parent.name}): {fault}" for fault in found]
        if not found:
            shutil.rmtree(folder)
    return faults


#: a scan that is killed, or closed, after so many trials
SCAN = """
import os, sqlite3, sys
from hyperparton.trials.local import FileTrials
folder, count, checkpoint, factor, end = sys.argv[1], *map(float, sys.argv[2:5]), sys.argv[5]
store = FileTrials(folder)
store.attach_first("scan", {"seed": factor})
for number in range(int(count)):
    store.book(number, {"x": [number * factor]}, "me", space_vals={"x": number * factor})
    store.complete(number, "me", {"status": "ok", "loss": number * factor, "more": [0.5] * 50})
    if number + 1 == checkpoint:
        other = sqlite3.connect(folder + "/tries.sqlite")
        other.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        other.close()
store.book(int(count), {"x": [count * factor]}, "me")
if end == "killed":
    os.kill(os.getpid(), 9)
store.close()
"""


def made(folder: Path, count: int, checkpoint: int, factor: float, end: str) -> Path:
    """The folder of a scan at rest."""
    words = [str(word) for word in (folder, count, checkpoint, factor, end)]
    subprocess.run([sys.executable, "-c", SCAN, *words], check=end == "closed")
    return folder


def damage(path: Path, other: Path, rng: random.Random) -> str:
    """Damage a file in some way; how."""
    content = bytearray(path.read_bytes())
    kinds = ["removed", "emptied", "another scan's"] + (["cut", "bit", "bits", "zeros", "tail"] if content else [])
    kind = rng.choice([*kinds, "bit", "bit", "bit"] if content else kinds)
    if kind == "removed" or (kind == "another scan's" and not (other / path.name).exists()):
        path.unlink()
        return f"{path.name} removed"
    if kind == "another scan's":
        shutil.copy(other / path.name, path)
        return f"{path.name} of another scan"
    if kind in ("bit", "bits"):
        for _ in range(1 if kind == "bit" else rng.randint(2, 40)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        start = rng.randrange(len(content))
        end = min(len(content), start + rng.randint(1, 4096))
        content[start:end] = bytes(end - start)
    elif kind == "cut":
        del content[rng.randrange(len(content)) :]
    elif kind == "tail":
        content += rng.randbytes(rng.randint(1, 4096))
    else:
        content.clear()
    path.write_bytes(content)
    return f"{path.name}: {kind}"


def files_of(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def started_again(folder: Path, whole: list[Any]) -> str | None:
    """What is wrong with a start in a damaged folder whose trials were `whole`; None if nothing is."""
    from hyperparton.trials.local import FileTrials

    before = files_of(folder)
    try:
        with FileTrials(folder) as trials:
            trials.lease("again")
            trials.metadata()
            held = [(trial.number, dict(trial.vals), trial.loss) for trial in trials.trials()]
    except StoreError:
        return None if files_of(folder) == before else "it is refused, and files have changed"
    except Exception:
        return traceback.format_exc()
    written = [
        (e["tid"], e["misc"]["vals"], e["result"]["loss"]) for e in json.loads((folder / "tries.json").read_text())
    ]
    return None if held == whole == written else f"it goes on with {len(held)} trials of {len(whole)}, or with others"


def damaged_files(count: int, seed: int, work: Path) -> list[str]:
    """`count` folders with a damaged file, and which of them are neither continued in whole nor refused in peace."""
    scans = {end: made(work / end, 11, 5, 1.0, end) for end in ("killed", "closed")}
    others = {end: made(work / f"other-{end}", 14, 6, 1.5, end) for end in scans}
    whole = [(number, {"x": [float(number)]}, float(number)) for number in range(11)]
    faults = []
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        end = rng.choice(sorted(scans))
        folder = shutil.copytree(scans[end], work / "damaged")
        names = sorted(path.name for path in folder.iterdir())
        how = damage(folder / rng.choice(names), others[end], rng)
        wrong = started_again(folder, whole)
        if wrong is not None:
            faults.append(f"files, folder {number} ({end}, {how}): {wrong}")
            print(faults[-1], flush=True)
        shutil.rmtree(folder)
    return faults


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", nargs="+", choices=["entries", "files"], default=["entries", "files"])
    parser.add_argument("--report-each", type=int, default=10, help="report and dashboard look at every so many files")
    arguments = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "entries" in arguments.kind:
            faults += damaged_entries(arguments.count, arguments.seed, arguments.report_each, Path(name))
        if "files" in arguments.kind:
            faults += damaged_files(arguments.count, arguments.seed, Path(name))
    print(f"{arguments.count} of each kind ({', '.join(arguments.kind)}), {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
