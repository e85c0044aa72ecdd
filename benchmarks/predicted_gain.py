"""Is the gain that the report expects of further trials the one that they bring?

    python benchmarks/predicted_gain.py play RESULTS --problems branin hartmann1 tree --engines gp random --seeds 0 8
    python benchmarks/predicted_gain.py show RESULTS

Scans of the functions of `noisy_functions.py` are stopped at some numbers of trials, and the report's model is asked
what a quarter as many more would gain. Then these are suggested by `gp`, whatever engine was at work before, and the
gain is what the function without noise says of the methodologies that `gp` would name before and after.

The table has for each problem, engine and number of trials: scans; the mean of the gains that were expected, and of
those that came, with the errors of the means; the mean spread that was expected, and that of the gains that came around
what was expected; the mean distance from the best loss to the median. Each scan is a file in RESULTS; a later call runs
only those that are missing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from driven import driven, predicted_best
from noisy_functions import PROBLEMS, Problem

from hyperparton.engines import get_engine, trial_seed
from hyperparton.engines.gp import GaussianProcessEngine
from hyperparton.report.expected_gain import expected_gain
from hyperparton.report.hyperparameters import columns
from hyperparton.report.losses import Loss
from hyperparton.space.tree import evaluate
from hyperparton.trials.trial import Outcome, Trial

#: trials after which the report is asked
ASKED = (24, 48, 96)


def readable(value: Any) -> Any:
    """What stands in place of a list of widths: columns take lists as categories."""
    if isinstance(value, dict):
        return {str(key): readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return {"depth": f"{len(value)} layers", **{f"width_{i}": each for i, each in enumerate(value)}}
    return value


def trial_of(problem: Problem, outcome: Outcome) -> Trial:
    """The trial as a scan would have it."""
    values = (
        {label: held[0] for label, held in outcome.vals.items() if held}
        if problem.of_vals
        else readable(evaluate(problem.space, outcome.vals))
    )
    result = {"status": "ok", "loss": outcome.loss}
    return Trial(outcome.number, outcome.vals, values, 2, result=result)


def value(problem: Problem, history: list[Outcome]) -> float:
    """The function at what would be named."""
    best = predicted_best(problem.space, history)
    return problem.value(best.vals if problem.of_vals else evaluate(problem.space, best.vals))


def scan(name: str, problem: Problem, seed: int) -> dict[str, Any]:
    """One scan: its trials, and the gains that came."""
    engine, rng = get_engine(name, seed), np.random.default_rng(1000 + seed)
    history: list[Outcome] = []
    came = {}
    for history, _ in driven(engine, problem.space, seed, max(ASKED) + 1, lambda vals: problem.loss(vals, rng)):
        if (asked := len(history)) in ASKED:
            longer = continued(problem, history, asked // 4, seed)
            came[str(asked)] = value(problem, history) - value(problem, longer)
    return {"trials": [[outcome.vals, outcome.loss] for outcome in history], "came": came}


def expected(problem: Problem, run: dict[str, Any], asked: int) -> dict[str, float]:
    """What the report expects after so many of the trials."""
    history = [Outcome(number, vals, "ok", loss) for number, (vals, loss) in enumerate(run["trials"][:asked])]
    trials = [trial_of(problem, outcome) for outcome in history]
    gain = expected_gain(trials, columns(trials), Loss())
    assert gain is not None
    return {"mean": gain.mean, "spread": gain.spread, "scale": gain.scale}


def continued(problem: Problem, history: list[Outcome], count: int, seed: int) -> list[Outcome]:
    """The history with so many more trials, which `gp` suggests."""
    engine, rng, longer = GaussianProcessEngine(), np.random.default_rng(2000 + seed), list(history)
    for number in range(len(history), len(history) + count):
        vals = engine.suggest(problem.space, longer, trial_seed(seed, number), number)
        longer.append(Outcome(number, vals, "ok", problem.loss(vals, rng)))
    return longer


def play(arguments: argparse.Namespace) -> None:
    """Scans that are not in RESULTS yet."""
    arguments.results.mkdir(parents=True, exist_ok=True)
    for key, name, seed in itertools.product(arguments.problems, arguments.engines, range(*arguments.seeds)):
        file = arguments.results / f"{key}_{name}_{seed}.json"
        if not file.exists():
            file.write_text(json.dumps(scan(name, PROBLEMS[key](), seed)))


def show(arguments: argparse.Namespace) -> None:
    """A line for each problem, engine and number of trials."""
    for key in sorted({file.name.rpartition("_")[0] for file in arguments.results.glob("*.json")}):
        runs = [json.loads(file.read_text()) for file in sorted(arguments.results.glob(f"{key}_*.json"))]
        problem = PROBLEMS[key.partition("_")[0]]()
        for asked in ASKED:
            found = [{**expected(problem, run, asked), "came": run["came"][str(asked)]} for run in runs]
            of = {label: np.array([each[label] for each in found]) for label in found[0]}
            error, around = math.sqrt(len(runs)), (of["came"] - of["mean"]).std()
            cells = [
                key, str(asked), str(len(runs)), f"{of['mean'].mean():.3g} ± {of['mean'].std() / error:.2g}",
                f"{of['came'].mean():.3g} ± {of['came'].std() / error:.2g}", f"{of['spread'].mean():.3g}",
                f"{around:.3g}",
                f"{of['scale'].mean():.3g}",
            ]  # fmt: skip
            print("| " + " | ".join(cells) + " |")


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["play", "show"])
    parser.add_argument("results", type=Path)
    parser.add_argument("--problems", nargs="+", default=["branin", "hartmann", "hartmann0", "hartmann1", "tree"])
    parser.add_argument("--engines", nargs="+", default=["gp", "random"])
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 8), metavar=("FIRST", "STOP"))
    arguments = parser.parse_args()
    (play if arguments.what == "play" else show)(arguments)


if __name__ == "__main__":
    main()
