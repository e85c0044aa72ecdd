"""Engines compared: the best loss against the computing that was spent, over many seeds.

    python benchmarks/engines.py play RESULTS --engines hyperopt optuna random --seeds 0 20       # on the table
    python benchmarks/engines.py play RESULTS --engines hyperopt gp --prune chance=0.02 --objective surrogate
    python benchmarks/engines.py play RESULTS --engines hyperopt optuna --objective live          # real fits
    python benchmarks/engines.py show RESULTS                              # tables in Markdown
    python benchmarks/engines.py draw RESULTS docs/images/engines.svg
    python benchmarks/engines.py rules                                     # pruning, replayed on the table
    python benchmarks/engines.py quality                                   # how good the surrogate is
    python benchmarks/engines.py bound                                     # how soon its target could be reached at all

Each scan is a file in RESULTS; a later call runs only those that are missing. Computing is counted in epochs of a trial
with all folds: 100 epochs of a trial in which one fold of four still runs count 25, and a stopped trial counts with the
epochs that it ran.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from make_trial_table import CARD, SCAN, scan_parts
from record import write_record
from trial_table import Pool, Surrogate, Table, TrialCurve, curve_of

from hyperparton.engines import get_engine, trial_seed
from hyperparton.runcard.check import parse_runcard
from hyperparton.scan.evaluate import evaluate_trial
from hyperparton.scan.learning_curve import LearningCurve
from hyperparton.scan.pruning import Pruner, Rule, reason_to_prune
from hyperparton.scan.scanner import HyperScanner
from hyperparton.trials.trial import Outcome

TABLE = Path(__file__).parent / "data" / "dis_trials.npz"

#: the figure shows losses up to so many times the aim
SHOWN = 1.05

OF_TABLE = {"pool": Pool, "surrogate": Surrogate}

#: trials of the scan that sets the aim, and its engine
AIM_ENGINE, AIM_TRIALS = "hyperopt", 200


def space() -> Any:
    """The space of the table."""
    card = parse_runcard(CARD.read_text(), CARD)
    return HyperScanner(card.scan_parameters(), SCAN).as_dict()


def scan(engine: Any, ask: Callable[[Any], TrialCurve], tree: Any, seed: int, trials: int, rule: Rule | None) -> Any:
    """One scan as plain data; with `rule`, trials are stopped, and what they would have become is kept."""
    history: list[Outcome] = []
    pruner = Pruner(rule or Rule(), tree)
    spent, seconds = 0.0, 0.0
    told: dict[str, list[Any]] = {"spent": [], "loss": [], "pruned": [], "would": []}
    for number in range(trials):
        begun = time.perf_counter()
        vals = engine.suggest(tree, history, trial_seed(seed, number), number)
        seconds += time.perf_counter() - begun
        curve = ask(vals)
        stop = _stop(curve, pruner) if rule else None
        good = stop is None and curve.status == "ok"
        loss = curve.loss if stop is None else curve.losses[stop]
        spent += curve.cost if stop is None else curve.costs[stop]
        history.append(Outcome(number, curve.vals, "ok" if good else "fail", loss))
        pruner.add(_reported(curve, stop))
        told["spent"].append(round(spent, 1))
        told["loss"].append(round(loss, 6) if good else None)
        told["pruned"].append(stop is not None)
        told["would"].append(round(curve.loss, 6) if curve.status == "ok" else None)
    return {**told, "seconds of the engine": round(seconds, 2)}


def _stop(curve: TrialCurve, pruner: Pruner) -> int | None:
    """The checkpoint at which the rule stops the trial."""
    thresholds = pruner.thresholds(curve.vals)
    for k, (epoch, loss) in enumerate(zip(curve.epochs, curve.losses, strict=True)):
        if reason_to_prune(thresholds, epoch, loss) is not None:
            return k
    return None


def _reported(curve: TrialCurve, stop: int | None) -> LearningCurve:
    shown = len(curve.epochs) if stop is None else stop + 1
    final = None if stop is not None else curve.loss if curve.status == "ok" else math.inf
    return LearningCurve(curve.epochs[:shown], curve.losses[:shown], final, curve.vals)


def play(arguments: argparse.Namespace) -> None:
    """Scans that are not in RESULTS yet."""
    tree = space()
    objective = Live() if arguments.objective == "live" else OF_TABLE[arguments.objective](Table(arguments.table, tree))
    rule = None if arguments.prune is None else Rule(**arguments.prune)
    begun = time.monotonic()
    for seed in range(*arguments.seeds):
        for name in arguments.engines:
            label = name + _told(rule)
            told = label.replace(":", "-").replace(" ", "-")
            file = arguments.results / f"{objective.name}_{told}_{arguments.trials}_{seed}.json"
            if file.exists() or time.monotonic() - begun > arguments.seconds:
                continue
            objective.start()
            found = scan(get_engine(name, seed), objective, tree, seed, arguments.trials, rule)
            head = {"objective": objective.name, "engine": label, "seed": seed, "trials": arguments.trials}
            _write(file, {**head, **found})


def _told(rule: Rule | None) -> str:
    """How a scan that prunes is named: with the numbers of its rule, so that other defaults rename nothing."""
    return "" if rule is None else f"+prune {rule.share:g} {rule.chance:g}"


def _write(file: Path, found: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found))
    best = min((loss for loss in found["loss"] if loss is not None), default=None)
    stopped = sum(found["pruned"])
    print(f"{file.name}: best {best}, {found['spent'][-1]:.0f} epochs, {stopped} stopped", flush=True)


def read(results: Path) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """All scans by objective, engine and number of trials."""
    found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for file in sorted(results.glob("*.json")):
        held = json.loads(file.read_text())
        found.setdefault((held["objective"], held["engine"], held["trials"]), []).append(held)
    return found


def best_at(run: dict[str, Any], spent: Sequence[float]) -> np.ndarray:
    """(spent,) the best loss of a scan when so much was spent; infinite before the first good trial."""
    losses = np.minimum.accumulate([math.inf if loss is None else loss for loss in run["loss"]])
    place = np.searchsorted(run["spent"], spent, side="right") - 1
    return np.where(place >= 0, losses[np.maximum(place, 0)], math.inf)


def reached(run: dict[str, Any], aim: float) -> float:
    """What was spent when the aim was reached; infinite if it was not."""
    hits = [spent for spent, loss in zip(run["spent"], run["loss"], strict=True) if loss is not None and loss <= aim]
    return hits[0] if hits else math.inf


def computing_to(runs: Sequence[dict[str, Any]], aim: float) -> float:
    """The least computing after which the median over scans of the best loss is at or below the aim."""
    return float(np.median([reached(run, aim) for run in runs]))


def band(runs: Sequence[dict[str, Any]], aim: float, draws: int = 2000) -> tuple[float, float]:
    """90 % of `computing_to` over bootstrap draws of the scans."""
    spent = np.array([reached(run, aim) for run in runs])
    rng = np.random.default_rng(0)
    medians = np.median(spent[rng.integers(len(spent), size=(draws, len(spent)))], axis=1)
    return tuple(np.quantile(medians, [0.05, 0.95], method="nearest"))


def false_prunes(runs: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """(trials stopped, of them those that would have been in the best tenth of their scan, trials)."""
    stopped = false = trials = 0
    for run in runs:
        would = np.array([math.inf if loss is None else loss for loss in run["would"]])
        among = would <= np.sort(would)[max(math.ceil(0.1 * len(would)) - 1, 0)]
        pruned = np.array(run["pruned"])
        stopped, false, trials = stopped + pruned.sum(), false + (pruned & among).sum(), trials + len(would)
    return int(stopped), int(false), trials


def target(found: dict[tuple[str, str, int], list[dict[str, Any]]], objective: str) -> tuple[float, float]:
    """The median best loss of the scans with which the others are compared, and their median cost in epochs."""
    runs = found[objective, AIM_ENGINE, AIM_TRIALS]
    aim = np.median([best_at(run, [math.inf])[0] for run in runs])
    return float(aim), float(np.median([run["spent"][-1] for run in runs]))


def rows(found: dict[tuple[str, str, int], list[dict[str, Any]]], objective: str) -> Iterator[list[str]]:
    """The table of one objective."""
    if (objective, AIM_ENGINE, AIM_TRIALS) not in found:
        return
    aim, whole = target(found, objective)
    yield [f"{objective}: aim {aim:.5f}, the median best of {AIM_TRIALS} trials of {AIM_ENGINE}, {whole:.0f} epochs"]
    for (kind, name, trials), runs in sorted(found.items()):
        if kind != objective:
            continue
        need, (low, high) = computing_to(runs, aim), band(runs, aim)
        quarter = np.quantile([best_at(run, [whole / 4])[0] for run in runs], [0.25, 0.5, 0.75])
        stopped, false, of = false_prunes(runs)
        yield [
            name, f"{trials}", f"{len(runs)}", f"{need / whole:.2f} ({low / whole:.2f} to {high / whole:.2f})",
            " ".join(f"{value:.4f}" for value in quarter), f"{stopped / of:.0%}",
            f"{false}/{stopped} = {false / max(stopped, 1):.1%}",
            f"{np.mean([run['spent'][-1] / trials for run in runs]):.0f}",
            f"{1e3 * np.mean([run['seconds of the engine'] / trials for run in runs]):.0f}",
        ]  # fmt: skip


def show(arguments: argparse.Namespace) -> None:
    """Tables of what is there."""
    found = read(arguments.results)
    objectives = sorted({kind for kind, _, _ in found})
    for objective in objectives:
        for row in rows(found, objective):
            print("| " + " | ".join(row) + " |" if len(row) > 1 else row[0])
    if arguments.record:
        numbers = {objective: numbers_of(found, objective) for objective in objectives}
        print(write_record("engines", numbers, date=arguments.date, on="the cost is counted in epochs"))


def numbers_of(found: dict[tuple[str, str, int], list[dict[str, Any]]], objective: str) -> dict[str, Any]:
    """The table of one objective as the manual takes it."""
    aim, whole = target(found, objective)
    held: dict[str, Any] = {"aim": aim, "epochs": round(whole)}
    _, *table = rows(found, objective)
    for name, trials, scans, cost, quarter, stopped, false, epochs, milliseconds in table:
        of_target = (name, int(trials)) == (AIM_ENGINE, AIM_TRIALS)
        told = cost.replace("inf", "not reached").replace("not reached (not reached to not reached)", "not reached")
        held[name.replace("+", "_").replace(" ", "_").replace(".", "")] = {
            "scans": f"{scans} of {trials} trials",
            "cost": f"1 ({told.partition(' (')[2]}" if of_target else told,
            "quarter": quarter, "stopped": stopped, "false": false, "epochs": int(epochs), "ms": int(milliseconds),
        }  # fmt: skip
    return held


class Live:
    """Real fits, each one whole: pruning is replayed, so that what a stopped trial would have become is known."""

    name = "live"

    def __init__(self) -> None:
        self._trainer, self._scanner = scan_parts()
        self._trainer.set_hyperopt(True, self._scanner.hyper_keys)

    def start(self) -> None:
        """Nothing to forget."""

    def __call__(self, vals: Any) -> TrialCurve:
        """The fits of a trial."""
        result = evaluate_trial(self._trainer, self._scanner.space_eval(vals))
        epochs = int(self._scanner.space_vals(vals)["epochs"])
        return curve_of(vals, result["status"], result["loss"], epochs, result["curves"])


def draw(arguments: argparse.Namespace) -> None:
    """The median best loss against computing, with the quartiles, one panel for each objective."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hyperparton"
    import matplotlib.pyplot as plt

    found = read(arguments.results)
    kinds = sorted({kind for kind, _, _ in found if not arguments.objectives or kind in arguments.objectives})
    figure, panels = plt.subplots(1, len(kinds), figsize=(5 * len(kinds), 4), squeeze=False, layout="constrained")
    for panel, kind in zip(panels[0], kinds, strict=True):
        whole = np.median([run["spent"][-1] for run in found[kind, AIM_ENGINE, AIM_TRIALS]])
        shown = [key for key in found if key[0] == kind and (not arguments.engines or key[1] in arguments.engines)]
        for key in sorted(shown, key=lambda key: key[1]):
            end = np.median([run["spent"][-1] for run in found[key]])
            spent = np.linspace(0.02, 1.0, 60) * end
            low, middle, high = np.quantile([best_at(run, spent) for run in found[key]], [0.25, 0.5, 0.75], axis=0)
            (line,) = panel.plot(spent / whole, middle, label=key[1], linewidth=1.2)
            panel.fill_between(spent / whole, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
        best = np.median([best_at(run, [math.inf])[0] for run in found[kind, AIM_ENGINE, AIM_TRIALS]])
        panel.axhline(best, color="gray", linewidth=0.6)
        unit = f"{AIM_TRIALS} trials of {AIM_ENGINE}"
        panel.set(title=kind, xlabel=f"computing / {unit}", ylabel="best loss", xlim=(0, 1))
        panel.set_ylim(best - 0.2 * (SHOWN - 1) * best, SHOWN * best)
        panel.legend(fontsize="small")
    figure.savefig(arguments.file, metadata={"Date": None})


def sequence(table: Table, trials: int, seed: int) -> list[int]:
    """Rows as a scan that learns might draw them: 20 by chance, then six of ten from the best fifth of the table."""
    rng = np.random.default_rng(seed)
    good = np.argsort(table.order)[: len(table) // 5]
    drawn = rng.permutation(len(table))[:20].tolist()
    while len(drawn) < trials:
        row = int(rng.choice(good) if rng.random() < 0.6 else rng.integers(len(table)))
        if row not in drawn:
            drawn.append(row)
    return drawn


def rules(arguments: argparse.Namespace) -> None:
    """Pruning rules replayed on the curves of the table: what they save and whom they stop."""
    tree = space()
    table = Table(arguments.table, tree)
    orders = [sequence(table, arguments.trials, seed) for seed in range(*arguments.seeds)]
    whole = sum(table.curve(row).cost for rows in orders for row in rows)
    for share, chance in itertools.product(arguments.shares, arguments.chances):
        rule, spent, runs = Rule(share=share, chance=chance), 0.0, []
        for rows in orders:
            pruner = Pruner(rule, tree)
            told: dict[str, list[Any]] = {"pruned": [], "would": []}
            for curve in map(table.curve, rows):
                stop = _stop(curve, pruner)
                pruner.add(_reported(curve, stop))
                spent += curve.cost if stop is None else curve.costs[stop]
                told["pruned"].append(stop is not None)
                told["would"].append(curve.loss if curve.status == "ok" else None)
            runs.append(told)
        stopped, false, trials = false_prunes(runs)
        print(
            f"| {share:g} | {chance:g} | {stopped / trials:.0%} | {false}/{stopped} = {false / max(stopped, 1):.2%} "
            f"| {false / (0.1 * trials):.1%} | {spent / whole:.2f} |",
            flush=True,
        )


def quality(arguments: argparse.Namespace) -> None:
    """The surrogate on rows that it was not fitted to."""
    table = Table(arguments.table, space())
    print(f"{len(table)} rows, {table.ok.mean():.0%} ok, best {table.order.min():.4f}")
    for name, value in Surrogate(table).quality.items():
        print(f"{name}: {value:.3f}")


def bound(arguments: argparse.Namespace) -> None:
    """How many trials reach `--aim` by even chance: with the surrogate's best point known, and with rows known."""
    tree = space()
    table = Table(arguments.table, tree)
    surrogate, rng = Surrogate(table), np.random.default_rng(0)
    known = [
        Outcome(i, table.vals(i), "ok" if table.ok[i] else "fail", float(table.order[i])) for i in range(len(table))
    ]
    _tell_bound("the best point of the surrogate", surrogate, [_best_smooth(surrogate, tree)], arguments.aim)
    for name, rows in itertools.product(arguments.engines, arguments.rows):
        found = []
        for each in range(30):
            history = [known[i] for i in rng.permutation(len(known))[:rows]]
            found.append(surrogate.smooth(get_engine(name, each).suggest(tree, history, trial_seed(each, rows), rows)))
        _tell_bound(f"`{name}`, {rows} rows known", surrogate, found, arguments.aim)


def _best_smooth(surrogate: Surrogate, tree: Any) -> float:
    """The least score without noise that a `gp` which is told these scores finds in a search from the best rows."""
    engine, table = get_engine("gp", 0), surrogate.table
    rows = np.argsort(table.order)[:50].tolist()
    history = [Outcome(i, table.vals(row), "ok", surrogate.smooth(table.vals(row))) for i, row in enumerate(rows)]
    for number in range(len(rows), 300):
        vals = engine.suggest(tree, history, trial_seed(0, number), number)
        history.append(Outcome(number, vals, "ok", surrogate.smooth(vals)))
    return min(outcome.loss for outcome in history if outcome.loss is not None)


def _tell_bound(what: str, surrogate: Surrogate, smooth: Sequence[float], aim: float) -> None:
    chance = float(np.mean(surrogate.chance(np.array(smooth), aim)))
    trials = math.log(0.5) / math.log1p(-chance) if 0.0 < chance < 1.0 else math.inf if chance == 0.0 else 1.0
    print(f"| {what} | {np.mean(smooth):.2f} | {chance:.1%} | {trials:.0f} |", flush=True)


class _Numbers(argparse.Action):
    """KEY=NUMBER ... as a dictionary."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        pairs = [value.partition("=") for value in values]
        held = {key: float(number) if "." in number else int(number) for key, _, number in pairs}
        setattr(namespace, self.dest, held)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    functions = {"play": play, "show": show, "draw": draw, "rules": rules, "quality": quality, "bound": bound}
    for name, function in functions.items():
        command = commands.add_parser(name)
        command.set_defaults(run=function)
        if name in ("play", "show", "draw"):
            command.add_argument("results", type=Path)
        if name == "show":
            command.add_argument("--record", action="store_true", help="write benchmarks/data/engines.json too")
            command.add_argument("--date", help="of the scans, YYYY-MM-DD; by default today")
        if name == "draw":
            command.add_argument("file", type=Path)
            command.add_argument("--engines", nargs="+", help="those to show, by default all")
            command.add_argument("--objectives", nargs="+", help="those to show, by default all")
        if name == "bound":
            command.add_argument("--engines", nargs="+", default=["gp", "optuna"])
            command.add_argument("--rows", nargs="+", type=int, default=[50, 100, 200])
            command.add_argument("--aim", type=float, default=1.18261, help="loss")
        if name in ("play", "quality", "rules", "bound"):
            command.add_argument("--table", type=Path, default=TABLE)
        if name == "rules":
            command.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.15])
            command.add_argument("--chances", nargs="+", type=float, default=[0.01, 0.02, 0.04, 0.08])
        if name in ("play", "rules"):
            command.add_argument("--seeds", nargs=2, type=int, default=(0, 20), metavar=("FIRST", "STOP"))
            command.add_argument("--trials", type=int, default=AIM_TRIALS)
        if name == "play":
            command.add_argument("--objective", choices=[*OF_TABLE, "live"], default="pool")
            command.add_argument("--engines", nargs="+", default=["hyperopt", "optuna", "random"])
            command.add_argument(
                "--prune",
                nargs="*",
                action=_Numbers,
                metavar="KEY=NUMBER",
                help="prune by the rule with these numbers",
            )
            command.add_argument("--seconds", type=float, default=400.0, help="begin no scan after this time")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
