"""What n3fit's HyperScanner and hyperopt's fmin draw for two runcards; run in an environment that has n3fit 4.1.5.

    python tests/oracle/make_n3fit_scan.py dis_scan.yml Basic_hyperopt.yml

writes tests/oracle/data/n3fit_scan.json: per case the runcard's two dictionaries, n3fit's labels and hyper keys, and
trials with vals, space_vals and the loss that each was given. The case `aligned` is the first card with a patience
range whose ends n3fit can draw, so that all labels can be compared also once TPE looks at the history.
"""

import copy
import json
import sys
from pathlib import Path

import hyperopt
import numpy as np
from n3fit.hyper_optimization.filetrials import space_eval_trial
from n3fit.hyper_optimization.hyper_scan import HYPEROPT_SEED, HyperScanner
from ruamel.yaml import YAML

TARGET = Path(__file__).parent / "data" / "n3fit_scan.json"


def loss_of(params):
    """Any smooth number of the parameters; the test reads it back, it does not know it."""
    rate = np.log10(params["optimizer"]["learning_rate"])
    return float(
        (rate + 2.5) ** 2
        + 5 * params["dropout"]
        + abs(params["epochs"] - 1500) / 500
        + sum(params["nodes_per_layer"]) / 100
    )


def case_of(parameters, config, evaluations):
    scanner = HyperScanner(copy.deepcopy(parameters), copy.deepcopy(config))
    trials = hyperopt.Trials()
    hyperopt.fmin(
        fn=lambda params: {"status": "ok", "loss": loss_of(params)},
        space=scanner.as_dict(),
        algo=hyperopt.tpe.suggest,
        max_evals=evaluations,
        trials=trials,
        rstate=np.random.default_rng(HYPEROPT_SEED),
        show_progressbar=False,
    )
    kept = [
        {
            "vals": trial["misc"]["vals"],
            "space_vals": space_eval_trial(scanner.as_dict(), trial),
            "loss": trial["result"]["loss"],
        }
        for trial in trials.trials
    ]
    return {
        "parameters": parameters,
        "hyperscan_config": config,
        "seed": HYPEROPT_SEED,
        "hyper_keys": sorted(scanner.hyper_keys),
        "trials": json.loads(json.dumps(kept, default=lambda x: x.item() if hasattr(x, "item") else str(x))),
    }


def main(paths):
    cases = {}
    for path in map(Path, paths):
        card = YAML(typ="safe", pure=True).load(path)
        cases[path.stem] = case_of(card["parameters"], card["hyperscan_config"], 20)
    card = YAML(typ="safe", pure=True).load(Path(paths[0]))
    card["hyperscan_config"]["stopping"].update(min_patience=0.1, max_patience=0.6)
    cases["aligned"] = case_of(card["parameters"], card["hyperscan_config"], 40)
    TARGET.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
