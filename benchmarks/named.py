"""How good the methodology is that a scan names: fitted again with 40 replicas that the scan has not used.

    python benchmarks/named.py scan --space dis --engine gp --trials 60 --seeds 0 4
    python benchmarks/named.py scan --space dis --engine hyperopt --trials 100 --seeds 0 4 --no-confirm
    python benchmarks/named.py judge        # fits what the scans named, where that was not done yet
    python benchmarks/named.py known        # looks for the best known methodology of each space among these
    python benchmarks/named.py show         # a table in Markdown
    python benchmarks/named.py show --record    # and the numbers for the manual, data/named.json

The measure of a scan is the share of failed fits among the 40 replicas (a replica's loss is above 1.5, in
own_trainer.yml's space above 1, which is no better than the mean of the data, and in that of dis_small.yml, whose short
fits to little data lie between 1 and 3.5, above 5), and the mean of the others less that of
the best known methodology of the space, replica by replica. The replicas are the same for all scans (numbers 1001 to
1040), other than those of trials and re-fits. Beside it stands what the scan spent, its re-fits included: seconds of
processor time, and replicas fitted. The lowest loss that the scan saw is shown too, since this is what scans are
usually judged by.

The best known methodologies are in data/best_known.json. `known` takes the 12 best of all that the scans in RESULTS
named, with the best known so far, fits each with 100 replicas more (2001 to 2100) and keeps the one with the lowest
mean of those of which no fit fails. So the 40 replicas that judge had no part in the choice.

Each scan is a file in RESULTS, by default data/named; a later call runs only those that are missing. A file says when
it was made and by which version: whoever changes how a scan searches or names, removes the files of the scans that
this concerns, and the table fills again over as many calls as it takes. `--keep` leaves the folders of the scans too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from make_trial_table import SCAN
from record import write_record

from hyperparton import Execution, HyperScanner, ScanSettings, read_trials, run_scan
from hyperparton.engines.coordinates import UnitCube
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.check import parse_runcard
from hyperparton.scan.trainer import load_trainer
from hyperparton.trials.refits import read_refits
from hyperparton.trials.verdict import verdicts
from hyperparton.workflow.cards import scanner_of

ROOT = Path(__file__).parent.parent

#: replicas by which methodologies are judged, in blocks that are fitted together
JUDGES = tuple(range(1001, 1041))

#: replicas by which the best known methodology is chosen, as many of the best by `JUDGES`, and where it is kept
CHOOSERS = tuple(range(2001, 2101))
MOST_CHOSEN_FROM = 12
BEST_KNOWN = Path(__file__).parent / "data" / "best_known.json"

#: where the results are kept
RESULTS = Path(__file__).parent / "data" / "named"

#: NNPDF's published space (its runcard renew_hyperopt.yml) with a tenth of the epochs: 20 scans take hours, not weeks
PUBLISHED: dict[str, Any] = {
    "stopping": {"min_epochs": 1500, "max_epochs": 4500, "min_patience": 0.1, "max_patience": 0.3},
    "positivity": {"min_initial": 1, "max_initial": 1000},
    "integrability": {"min_initial": 2, "max_initial": 50},
    "optimizer": [
        {
            "optimizer_name": name,
            "learning_rate": {"sampling": "log", "min": rates[0], "max": rates[1]},
            "clipnorm": {"sampling": "log", "min": clips[0], "max": clips[1]},
        }
        for name, rates, clips in (
            ("Adadelta", (0.1, 10.0), (1e-3, 1.0)),
            ("Amsgrad", (1e-4, 1e-2), (1e-7, 1e-4)),
            ("Nadam", (1e-4, 1e-2), (1e-7, 1e-4)),
            ("Adam", (1e-4, 1e-2), (1e-7, 1e-4)),
        )
    ],
    "architecture": {
        "initializers": ["glorot_normal", "glorot_uniform"],
        "max_drop": 0.5,
        "n_layers": [1, 2, 3, 4],
        "min_units": 10,
        "max_units": 45,
        "activations": ["tanh", "sigmoid"],
    },
}


@dataclass(frozen=True)
class Space:
    """A search space with the fits behind it."""

    card: str
    config: dict[str, Any] | None = None
    """the search space, where it is not that of the card"""
    replicas: int = 1
    """of each trial"""
    failed: float = 1.5
    """a replica with a larger loss has failed"""


SPACES = {
    "dis": Space("dis.yml"),
    "short": Space("dis.yml", SCAN),
    "dis_small": Space("dis_small.yml", replicas=2, failed=5.0),
    "own": Space("own_trainer.yml", failed=1.0),
    "published": Space("dis.yml", PUBLISHED),
}


@cache
def parts(name: str) -> tuple[Any, HyperScanner]:
    """The trainer and the scanner of a space."""
    space, path = SPACES[name], ROOT / "examples" / SPACES[name].card
    card = parse_runcard(path.read_text(), path)
    scanner = scanner_of(card) if space.config is None else HyperScanner(card.scan_parameters(), space.config)
    if not isinstance(card, Runcard):
        return load_trainer(card.trainer, card.raw, path.parent), scanner
    from hyperparton.data.load import load_fit_data
    from hyperparton.hyperloss.trainer import ModelTrainer

    return ModelTrainer.from_runcard(card, load_fit_data(card, None, None), range(1, space.replicas + 1)), scanner


def seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def scan(arguments: argparse.Namespace) -> None:
    """Scans that are not in RESULTS yet."""
    trainer, scanner = parts(arguments.space)
    begun = time.monotonic()
    arguments.results.mkdir(parents=True, exist_ok=True)
    for seed in range(*arguments.seeds):
        how = "" if arguments.confirm is None else f"_confirm{arguments.confirm}"
        how += "_prune" * arguments.prune
        file = arguments.results / f"{arguments.space}_{arguments.engine}_{arguments.trials}{how}_{seed}.json"
        if file.exists() or time.monotonic() - begun > arguments.seconds:
            continue
        kept = nullcontext(str(file.with_suffix("")))
        with kept if arguments.keep else tempfile.TemporaryDirectory() as folder:
            before = seconds()
            named = run_scan(
                folder, trainer, scanner, arguments.trials,
                settings=ScanSettings(engine=arguments.engine, seed=seed, prune=arguments.prune),
                execution=Execution(confirm=arguments.confirm),
            )  # fmt: skip
            spent = seconds() - before
            trials = read_trials(Path(folder) / "tries.json")
            refits = read_refits(Path(folder) / "tries.json", trials)
        best = min((trial for trial in trials if trial.ok), key=lambda trial: trial.loss or 0.0)
        found = verdicts(refits)
        number = found[0].trial if found else best.number
        assert scanner.space_eval(trials[number].vals) == named
        fits = len(trials) * SPACES[arguments.space].replicas + sum(len(refit.replicas) for refit in refits)
        file.write_text(json.dumps({
            "space": arguments.space, "engine": arguments.engine, "trials": arguments.trials,
            "confirm": arguments.confirm, "prune": arguments.prune, "seed": seed, "seconds": spent, "fits": fits,
            "best loss": best.loss, "named": number, "vals": dict(trials[number].vals),
            "repeats": repeats(scanner.as_dict(), trials),
            "date": f"{datetime.now(UTC):%Y-%m-%d}", "version": version(),
        }))  # fmt: skip
        print(f"{file.name}: {spent:.0f} s, {fits} fits, best loss {best.loss:.4f}, named trial {number}", flush=True)


@cache
def version() -> str:
    """The commit of this checkout."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def repeats(space: Any, trials: Any) -> int:
    """Trials of which every coordinate is within 2 % of its range, as the space samples it, of an earlier trial's."""
    points = UnitCube(space).points([trial.vals for trial in trials])
    near = [np.all(np.abs(points[:k] - points[k]) <= 0.02, axis=1).any() for k in range(1, len(points))]
    return int(np.sum(near))


def judge(arguments: argparse.Namespace) -> None:
    """Fit the methodologies that the scans named."""
    for file in sorted(arguments.results.glob("*.json")):
        held = json.loads(file.read_text())
        if "judged" in held:
            continue
        held["judged"] = losses_of(held["space"], held["vals"], JUDGES)
        file.write_text(json.dumps(held))
        print(f"{file.name}: {np.sum(failed(held['space'], held['judged']))} failed", flush=True)


def losses_of(space: str, vals: dict[str, Any], replicas: tuple[int, ...]) -> list[float]:
    """(replica,) the losses with the parameters of a point of a space; infinity where there is none."""
    trainer, scanner = parts(space)
    trainer.set_hyperopt(True, scanner.hyper_keys)
    found = []
    for first in range(0, len(replicas), len(JUDGES)):
        result = trainer.refit(scanner.space_eval(vals), replicas[first : first + len(JUDGES)])
        found += [float("inf") if loss is None else loss for loss in result["replica_losses"]]
    return found


def failed(space: str, losses: list[float]) -> np.ndarray:
    """(replica,) which fits failed."""
    return ~(np.array(losses) <= SPACES[space].failed)


def known(arguments: argparse.Namespace) -> None:
    """Look for a better methodology than the best known one of each space that has scans in RESULTS."""
    best = json.loads(BEST_KNOWN.read_text()) if BEST_KNOWN.exists() else {}
    runs = [json.loads(file.read_text()) for file in sorted(arguments.results.glob("*.json"))]
    for space in sorted({run["space"] for run in runs if "judged" in run}):
        those = [run for run in runs if run["space"] == space and not failed(space, run.get("judged", [np.inf])).any()]
        those.sort(key=lambda run: float(np.mean(run["judged"])))
        points = [best[space]["vals"]] if space in best else []
        points += [run["vals"] for run in those[:MOST_CHOSEN_FROM] if run["vals"] not in points]
        chosen = [losses_of(space, vals, CHOOSERS) for vals in points]
        stable = [k for k, losses in enumerate(chosen) if not failed(space, losses).any()]
        if not stable:
            print(f"{space}: none of {len(points)} methodologies is stable")
            continue
        k = min(stable, key=lambda k: float(np.mean(chosen[k])))
        judged = losses_of(space, points[k], JUDGES)
        best[space] = {"vals": points[k], "chosen": float(np.mean(chosen[k])), "judged": judged}
        BEST_KNOWN.write_text(json.dumps(best, indent=1) + "\n")
        print(f"{space}: {len(points)} tried, mean of {len(CHOOSERS)} replicas {np.mean(chosen[k]):.4f}, "
              f"of the {len(JUDGES)} that judge {np.mean(judged):.4f}", flush=True)  # fmt: skip


def beyond_known(space: str, judged: list[float]) -> float:
    """Mean difference to the best known methodology, over the replicas that failed with neither."""
    if not BEST_KNOWN.exists() or space not in (best := json.loads(BEST_KNOWN.read_text())):
        return float("nan")
    both = ~(failed(space, judged) | failed(space, best[space]["judged"]))
    return float(np.mean(np.subtract(judged, best[space]["judged"])[both])) if both.any() else float("nan")


def _signed(function: Callable[[list[float]], Any], numbers: list[float]) -> str:
    """Of those that are numbers; a dash where there is none, since no methodology of the space is known."""
    return "-" if np.isnan(numbers).all() else f"{function(numbers):+.4f}"


def show(arguments: argparse.Namespace) -> None:
    """A table: one line for each space, engine, number of trials and way to confirm."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for file in sorted(arguments.results.glob("*.json")):
        held = json.loads(file.read_text())
        if "judged" in held:
            key = (
                held["space"],
                held["engine"],
                held["trials"],
                str(held["confirm"]) + ", pruned" * held.get("prune", False),
            )
            groups.setdefault(key, []).append(held)
    head = ("space", "engine", "trials", "confirm", "scans", "best loss", "failed of 40", "mean of the others")
    head = (*head, "less the best known's: median", "worst", "seconds", "fits", "repeats", "versions")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for key, runs in sorted(groups.items()):
        space = key[0]
        failures = [failed(space, run["judged"]) for run in runs]
        means = [
            float(np.mean(np.array(run["judged"])[~those])) if not those.all() else float("nan")
            for run, those in zip(runs, failures, strict=True)
        ]
        beyond = [beyond_known(space, run["judged"]) for run in runs]
        median: Callable[[str], float] = lambda name, runs=runs: float(np.median([run[name] for run in runs]))  # noqa: E731
        print(
            f"| {' | '.join(map(str, key))} | {len(runs)} | {median('best loss'):.4f} | "
            f"{', '.join(str(those.sum()) for those in failures)} | {np.nanmedian(means):.4f} | "
            f"{_signed(np.nanmedian, beyond)} | {_signed(np.nanmax, beyond)} | {median('seconds'):.0f} | "
            f"{median('fits'):.0f} | {median('repeats'):.0f} | {', '.join(sorted({run['version'] for run in runs}))} |"
        )
    if arguments.record:
        numbers = {
            "_".join(map(str, key[:3])) + "_pruned" * key[3].endswith("pruned"): numbers_of(runs)
            for key, runs in sorted(groups.items())
        }
        print(write_record("named", numbers, note=arguments.note))


def numbers_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the manual says of scans of one kind, in words where it lists scans."""
    failures = [failed(run["space"], run["judged"]) for run in runs]
    counts = sorted(int(those.sum()) for those in failures)
    means = [
        float(np.mean(np.array(run["judged"])[~those]))
        for run, those in zip(runs, failures, strict=True)
        if not those.all()
    ]
    return {
        "scans": len(runs),
        "fits": _span([run["fits"] for run in runs]),
        "seconds": _span([round(run["seconds"]) for run in runs]),
        "failed": " ".join(map(str, counts)),
        "stable": counts.count(0),
        "mean": float(np.median(means)),
        "versions": ", ".join(sorted({run["version"] for run in runs})),
    }


def _span(numbers: list[int]) -> str:
    """The least and the largest."""
    return f"{min(numbers)} to {max(numbers)}" if min(numbers) < max(numbers) else f"{min(numbers)}"


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function in (scan, judge, known, show):
        command = commands.add_parser(function.__name__)
        command.set_defaults(run=function)
        command.add_argument("results", type=Path, nargs="?", default=RESULTS)
        if function is scan:
            command.add_argument("--space", choices=SPACES, default="dis")
            command.add_argument("--engine", default="gp")
            command.add_argument("--trials", type=int, default=60)
            command.add_argument("--seeds", nargs=2, type=int, default=(0, 4), metavar=("FIRST", "STOP"))
            command.add_argument("--confirm", type=int, help="trials that are fitted again; by default as `scan` does")
            command.add_argument("--no-confirm", dest="confirm", action="store_const", const=0)
            command.add_argument("--prune", action="store_true", help="stop trials that look hopeless")
            command.add_argument("--keep", action="store_true", help="keep the folders of the scans")
            command.add_argument("--seconds", type=float, default=3000.0, help="begin no scan after this time")
        if function is show:
            command.add_argument("--record", action="store_true", help="keep the numbers for the manual")
            command.add_argument("--note", default="", help="what a reader should know of them")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
