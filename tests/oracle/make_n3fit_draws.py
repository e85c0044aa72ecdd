"""What n3fit's HyperScanner and hyperopt's fmin draw for 35 configurations, 60 trials each: ``data/n3fit_draws.json``.

Run in an environment that has n3fit 4.1.5:

    python tests/oracle/make_n3fit_draws.py [FILE]

The configurations are drawn from a seed: sections and their bounds, grids that are multiples of their step and
others, ALL initializers, integrability, which n3fit does not sample.  The first 20 trials of each are random draws;
for the others TPE looks at the losses, which are numbers made of the drawn ones.  (Equal bounds n3fit refuses.)
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
from n3fit.hyper_optimization.hyper_scan import HyperScanner

TARGET = Path(__file__).parent / "data" / "n3fit_draws.json"
CONFIGURATIONS, TRIALS = 35, 60
PARAMETERS = {
    "nodes_per_layer": [25, 20, 8],
    "activation_per_layer": ["tanh", "tanh", "linear"],
    "initializer": "glorot_normal",
    "optimizer": {"optimizer_name": "Nadam", "learning_rate": 2.6e-3, "clipnorm": 6e-6},
    "epochs": 1000,
    "stopping_patience": 0.1,
    "layer_type": "dense",
    "dropout": 0.0,
    "positivity": {"initial": 184.8, "multiplier": 1.2, "threshold": 1e-5},
    "integrability": {"initial": 10.0, "multiplier": 1.1},
}


def loss_of(vals: dict[str, list[float]]) -> float:
    """A number made of the values that were drawn, each with its own period."""
    return float(sum(np.cos((i + 1) * np.float64(v[0]) ** 0.5) for i, (_, v) in enumerate(sorted(vals.items())) if v))


def ends(rng: np.random.Generator, low: float, high: float, digits: int) -> tuple[float, float]:
    one, two = sorted(round(float(value), digits) for value in rng.uniform(low, high, 2))
    return one, two + 10.0**-digits


def argument(rng: np.random.Generator, low: float, high: float) -> Any:
    """A number, a range or a logarithmic range of an optimizer."""
    one, two = sorted(float(f"{10 ** rng.uniform(np.log10(low), np.log10(high)):.3g}") for _ in range(2))
    kind = rng.integers(4)
    return one if kind == 0 else {"min": one, "max": two, "sampling": "uniform" if kind == 1 else "log"}


def configuration(rng: np.random.Generator) -> dict[str, Any]:
    """One hyperscan_config."""
    config: dict[str, Any] = {}
    if rng.random() < 0.8:
        low, high = (int(value) for value in sorted(rng.integers(100, 5000, 2)))
        config["stopping"] = {"min_epochs": low, "max_epochs": high + 1}
        if rng.random() < 0.8:
            low, high = ends(rng, 0.01, 0.99, 2)
            config["stopping"] |= {"min_patience": low} if rng.random() < 0.7 else {}
            config["stopping"] |= {"max_patience": high if high > low else 1.0}
    if rng.random() < 0.8:
        names = rng.permutation(["Nadam", "Adam", "Amsgrad", "RMSprop", "Adadelta"])[: rng.integers(1, 4)].tolist()
        config["optimizer"] = []
        for name in names:
            entry = {"optimizer_name": name}
            if rng.random() < 0.5:
                entry["clipnorm"] = argument(rng, 1e-7, 1e-1)
            entry["learning_rate"] = argument(rng, 1e-4, 1e-1)
            config["optimizer"].append(entry)
    if rng.random() < 0.6:
        low, high = ends(rng, 1.0, 1.3, 3)
        config["positivity"] = {"min_multiplier": low, "max_multiplier": high}
        if rng.random() < 0.7:
            low, high = ends(rng, 1.0, 1000.0, 1)
            config["positivity"] |= {"min_initial": low, "max_initial": high}
    if rng.random() < 0.4:
        config["integrability"] = {"min_initial": 1.0, "max_initial": 100.0}
    if rng.random() < 0.9 or not config:
        low, high = (int(value) for value in sorted(rng.integers(5, 60, 2)))
        config["architecture"] = {
            "n_layers": sorted(rng.permutation([1, 2, 3, 4])[: rng.integers(1, 4)].tolist()),
            "min_units": low,
            "max_units": high + 1,
            "activations": ["tanh", "sigmoid"] if rng.random() < 0.8 else ["tanh"],
        }
        if rng.random() < 0.7:
            config["architecture"]["initializers"] = (
                "ALL" if rng.random() < 0.4 else ["glorot_normal", "glorot_uniform"]
            )
        if rng.random() < 0.7:
            config["architecture"]["max_drop"] = round(float(rng.uniform(0.01, 0.5)), 2)
        if rng.random() < 0.3:
            config["architecture"]["layer_types"] = ["dense", "dense_per_flavour"]
    return config


def draws(config: dict[str, Any], seed: int) -> dict[str, Any]:
    """Labels, hyper keys and what was drawn, trial by trial, and what the first trial gives a fit."""
    scanner = HyperScanner(copy.deepcopy(PARAMETERS), copy.deepcopy(config))
    trials, given = hyperopt.Trials(), []

    def objective(params: dict[str, Any]) -> dict[str, Any]:
        given.append(params)
        return {"status": "ok", "loss": loss_of(trials.trials[-1]["misc"]["vals"])}

    hyperopt.fmin(
        fn=objective,
        space=scanner.as_dict(),
        algo=hyperopt.tpe.suggest,
        max_evals=TRIALS,
        trials=trials,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
    )
    vals = [trial["misc"]["vals"] for trial in trials.trials]
    labels = sorted(vals[0])
    table = [[vals[n][label][0] if vals[n][label] else None for label in labels] for n in range(TRIALS)]
    return {
        "config": config,
        "seed": seed,
        "labels": labels,
        "hyper_keys": sorted(scanner.hyper_keys),
        "vals": table,
        "losses": [trial["result"]["loss"] for trial in trials.trials],
        "first": {key: str(value) for key, value in given[0].items() if key in scanner.hyper_keys},
    }


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    rng = np.random.default_rng(2607)
    cases = [draws(configuration(rng), 40 + k) for k in range(CONFIGURATIONS)]
    plain = json.dumps(
        {"parameters": PARAMETERS, "cases": cases},
        default=lambda value: value.item() if hasattr(value, "item") else str(value),
    )
    target.write_text(plain + "\n", encoding="utf-8")
    print(len(cases), sum(len(case["vals"]) for case in cases))


if __name__ == "__main__":
    main()
