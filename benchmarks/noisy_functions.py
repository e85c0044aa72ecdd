"""Engines on functions with noise and with fits that fail: how good the trial is that a scan would name.

    python benchmarks/noisy_functions.py play RESULTS --engines gp optuna random --problems branin --seeds 0 10
    python benchmarks/noisy_functions.py play RESULTS --engines gp --problems branin --trials 200 --lag 16
    python benchmarks/noisy_functions.py show RESULTS

The trial that is named is the one with the best predicted mean for an engine that predicts one (`gp`), and the one with
the lowest loss for all others; it is judged by its regret: its value without noise, less the minimum. Where fits fail,
the regret counts a chance p to fail as p times `FAILING` standard deviations of the noise. Each scan is a file in
RESULTS; a later call runs only those that are missing.

Problems
--------
`branin`, `hartmann`: with noise, and with a chance to fail that grows along one coordinate.
`tree`: a space of choices, likewise. `branin0`, `hartmann0`, `tree0`: the same without noise and failures; `hartmann1`:
with noise alone. `dis`: the surrogate of `trial_table.py`; its regret is in normal scores and counted from -3, for its
minimum is not known. `replicas`: methodologies of `examples/dis.yml` as `replica_table.py` has them, with fits that
fail; its least value is that of many random points.

Branin and Hartmann's function in six dimensions: Dixon, Szegö, Towards Global Optimisation 2, 1978.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from driven import driven, lowest, predicted_best

from hyperparton.engines import get_engine
from hyperparton.space.samplers import Choice, hp_choice, hp_loguniform, hp_quniform, hp_uniform
from hyperparton.space.tree import evaluate, samplers_by_label

#: regret of a fit that fails, in units of the noise's standard deviation
FAILING = 10.0

#: after so many trials the named one is looked at
SHOWN = (20, 50, 100, 200, 500, 1000)

#: a trial repeats an earlier one if every coordinate is within this share of its range
_REPEATED = 0.02

#: the least mean of the surrogate among 20,000 random points whose chance to fail is at most 1 %
_LEAST_OF_REPLICAS = 1.2077

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """A function on a space, with noise."""

    space: Any
    value: Callable[[Any], float]
    """of the values of a point, or of its vals if `of_vals`: what noise is added to"""
    least: float = 0.0
    noise: float = 0.0
    """standard deviation"""
    failing: Callable[[Any], float] | None = None
    """chance that a fit fails, of the values of a point"""
    of_vals: bool = False

    def _at(self, vals: Values) -> Any:
        return vals if self.of_vals else evaluate(self.space, vals)

    def loss(self, vals: Values, rng: np.random.Generator) -> float:
        """One draw of the loss."""
        at = self._at(vals)
        jump = self.failing is not None and rng.random() < self.failing(at)
        tail = self.noise * rng.uniform(5.0, 60.0) if jump else 0.0
        return self.value(at) + self.noise * rng.standard_normal() + tail

    def regret(self, vals: Values) -> float:
        """What the point costs on average more than the minimum."""
        at = self._at(vals)
        chance = self.failing(at) if self.failing is not None else 0.0
        return self.value(at) - self.least + FAILING * self.noise * chance


def _branin(at: Values) -> float:
    a, b = at["a"], math.log10(at["b"])
    x, y = 15.0 * a - 5.0, 15.0 * (b + 4.0) / 3.0
    curve = y - 5.1 * x * x / (4.0 * math.pi**2) + 5.0 * x / math.pi - 6.0
    return curve * curve + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0 + 4.0 * at["c"]


_BRANIN = {"a": hp_uniform("a", 0, 1), "b": hp_loguniform("b", 1e-4, 1e-1), "c": hp_choice("c", [0, 1])}

_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_HARTMANN = {f"x{i}": hp_uniform(f"x{i}", 0, 1) for i in range(6)}


def _hartmann(at: Values) -> float:
    x = np.array([at[label] for label in _HARTMANN])
    return -float(np.exp(-np.sum(_A * (x - _P) ** 2, axis=1)) @ [1.0, 1.2, 3.0, 3.2])


_TREE = {
    "u": hp_uniform("u", -1, 1),
    "q": hp_quniform("q", 0, 1, steps=20),
    "c": hp_choice(
        "c",
        [
            {"name": "A", "rate": hp_loguniform("A rate", 1e-4, 1e-1), "clip": hp_loguniform("A clip", 1e-6, 1e-2)},
            {"name": "B", "rate": hp_loguniform("B rate", 1e-3, 1.0)},
        ],
    ),
    "d": hp_choice("d", [[hp_quniform(f"w{n}{i}", 5, 45, step_size=1) for i in range(n)] for n in (1, 2, 3)]),
}


def _tree(at: Values) -> float:
    rate = math.log10(at["c"]["rate"] / 4e-3)
    clip = 0.05 * (math.log10(at["c"]["clip"]) + 4.0) ** 2 if at["c"]["name"] == "A" else 0.1
    widths = at["d"]
    shape = sum(((width - 15.0 - 5.0 * i) / 40.0) ** 2 for i, width in enumerate(widths)) + 0.1 * (3 - len(widths))
    return 0.3 * rate * rate + clip + shape + (at["u"] - 0.3) ** 2 + (at["q"] - 0.7) ** 2


def _logistic(share: float, middle: float, width: float) -> float:
    return 1.0 / (1.0 + math.exp(-(share - middle) / width))


def _dis() -> Problem:
    # here: the other problems need no runcard, no table and no regression
    from trial_table import Surrogate, Table

    from engines import TABLE, space

    tree = space()
    surrogate = Surrogate(Table(TABLE, tree))
    return _Dis(tree, surrogate.smooth, least=-3.0, of_vals=True, surrogate=surrogate)


@dataclass(frozen=True)
class _Dis(Problem):
    surrogate: Any = None

    def loss(self, vals: Values, rng: np.random.Generator) -> float:
        """The surrogate's own, whose noise belongs to the point."""
        return self.surrogate(vals).loss


def _replicas() -> Problem:
    # here: the other problems need neither a runcard nor a table
    from named import parts
    from replica_table import TABLE, Replicas

    space = parts("dis")[1].as_dict()
    table = Replicas(TABLE, space)
    return Problem(space, table.mean, _LEAST_OF_REPLICAS, table.spread, table.chance, of_vals=True)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "branin": lambda: Problem(_BRANIN, _branin, 0.397887, 2.0, lambda at: _logistic(math.log10(at["b"]), -1.7, 0.15)),
    "hartmann": lambda: Problem(_HARTMANN, _hartmann, -3.32237, 0.3, lambda at: _logistic(at["x0"], 0.35, 0.07)),
    "branin0": lambda: Problem(_BRANIN, _branin, 0.397887),
    "hartmann0": lambda: Problem(_HARTMANN, _hartmann, -3.32237),
    "hartmann1": lambda: Problem(_HARTMANN, _hartmann, -3.32237, 0.3),
    "tree0": lambda: Problem(_TREE, _tree),
    "tree": lambda: Problem(_TREE, _tree, 0.0, 0.1, lambda at: _logistic(math.log10(at["c"]["rate"]), -2.0, 0.15)),
    "dis": _dis,
    "replicas": _replicas,
}


def _shares(samplers: Mapping[str, Any], vals: Values) -> np.ndarray:
    """(label,) where the values lie in their ranges; options of a choice are as far apart as the ends of a range."""
    return np.array(
        [
            -1.0
            if not held
            else float(held[0])
            if isinstance(samplers[label], Choice)
            else samplers[label].share(held[0])
            for label, held in sorted(vals.items())
        ]
    )


def scan(name: str, problem: Problem, seed: int, trials: int, lag: int) -> dict[str, Any]:
    """One scan: regrets of the named trials, what repeats, what lies at an end of its range, and the engine's cost."""
    engine, rng = get_engine(name, seed), np.random.default_rng(1000 + seed)
    samplers = samplers_by_label(problem.space)
    points: list[np.ndarray] = []
    regrets: dict[str, float] = {}
    spent, repeats, ends = 0.0, 0, []
    for history, seconds in driven(engine, problem.space, seed, trials, lambda vals: problem.loss(vals, rng), lag):
        count, vals = len(history), history[-1].vals
        spent += seconds
        point = _shares(samplers, vals)
        repeats += bool(points) and bool(np.any(np.all(np.abs(np.array(points) - point) < _REPEATED, axis=1)))
        numbers = [samplers[k].share(v[0]) for k, v in vals.items() if v and not isinstance(samplers[k], Choice)]
        ends += [min(share, 1.0 - share) < _REPEATED for share in numbers]
        points.append(point)
        if count in SHOWN or count == trials:
            named = predicted_best(problem.space, history) if name == "gp" and count > 1 else lowest(history)
            regrets[str(count)] = problem.regret(named.vals)
    shares = {"repeats": repeats / trials, "ends": float(np.mean(ends))}
    return {"regrets": regrets, **shares, "seconds": spent / trials}


def play(arguments: argparse.Namespace) -> None:
    """Scans that are not in RESULTS yet."""
    arguments.results.mkdir(parents=True, exist_ok=True)
    for key in arguments.problems:
        problem = PROBLEMS[key]()
        for name, seed in itertools.product(arguments.engines, range(*arguments.seeds)):
            file = arguments.results / f"{key}_{name}_{arguments.trials}_{arguments.lag}_{seed}.json"
            if not file.exists():
                file.write_text(json.dumps(scan(name, problem, seed, arguments.trials, arguments.lag)))


def show(arguments: argparse.Namespace) -> None:
    """A line for each problem, engine, number of trials and lag: mean regrets with their errors."""
    for key in sorted({file.name.rpartition("_")[0] for file in arguments.results.glob("*.json")}):
        runs = [json.loads(file.read_text()) for file in arguments.results.glob(f"{key}_*.json")]
        told = []
        for at in runs[0]["regrets"]:
            regrets = np.array([run["regrets"][at] for run in runs])
            told.append(f"{at}: {np.mean(regrets):.3f} ± {np.std(regrets) / math.sqrt(len(runs)):.3f}")
        repeats, ends, seconds = (np.mean([run[name] for run in runs]) for name in ("repeats", "ends", "seconds"))
        cells = [key, str(len(runs)), ", ".join(told), f"{repeats:.1%}", f"{ends:.1%}", f"{1e3 * seconds:.0f} ms"]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["play", "show"])
    parser.add_argument("results", type=Path)
    parser.add_argument("--engines", nargs="+", default=["gp", "optuna", "random"])
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 10), metavar=("FIRST", "STOP"))
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--lag", type=int, default=1)
    arguments = parser.parse_args()
    (play if arguments.what == "play" else show)(arguments)


if __name__ == "__main__":
    main()
