"""A scan of many trials whose loss has a closed form, to try a large report.

    python benchmarks/big_scan.py FOLDER [TRIALS]

The space is that of examples/dis.yml and the `random` engine draws from it; the loss knows the learning rate, the depth
and the activation, and every seventeenth trial fails. With it, `hyperparton report FOLDER` shows how reports do at a
scan's full size: with 1,000 trials in FOLDER/nnfit/replica_1/tries.json.
"""

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hyperparton import HyperScanner, get_engine, read_runcard
from hyperparton.engines import trial_seed
from hyperparton.space.tree import evaluate, readable

CARD = Path(__file__).parent.parent / "examples" / "dis.yml"


def loss_of(parameters):
    """1 at the best point; quadratic in the logarithm of the learning rate, linear in depth."""
    rate = parameters["optimizer"].get("learning_rate", 1e-3)
    depth = len(parameters["nodes_per_layer"]) - 1
    activation = str(parameters["activation_per_layer"])
    return 1.0 + 0.3 * math.log10(rate / 3e-3) ** 2 + 0.05 * abs(depth - 2) + (0.2 if "sigmoid" in activation else 0.0)


def entry(number, vals, parameters, begin):
    """The trial as a line of tries.json, with four folds of two replicas."""
    loss = loss_of(parameters)
    folds = [[loss + 0.01 * k, loss - 0.01 * k] for k in range(4)]
    meta = {"validation_losses": folds, "experimental_losses": folds, "hyper_losses": folds}
    meta |= {"hyper_losses_chi2": [loss] * 4, "hyper_losses_phi2": [0.5] * 4, "hyper_losses_logp": [-loss] * 4}
    meta |= {"trvl_losses_chi2exp": [1.0] * 4}
    result = {"status": "ok", "loss": loss, "validation_loss": loss, "experimental_loss": loss, "kfold_meta": meta}
    if number % 17 == 16:
        failure = {"type": "NaNLoss", "message": "the loss must be a finite number, given nan", "traceback": None}
        result = {"status": "fail", "loss": None, "failure": failure}
    moment = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=begin)
    times = [(moment + timedelta(seconds=s)).isoformat(" ", "milliseconds") + "000" for s in (0, 55)]
    return {
        "state": 2, "tid": number, "spec": None, "result": result, "exp_key": None, "owner": f"node{number % 4}:100",
        "misc": {"tid": number, "vals": vals, "space_vals": readable(parameters)}, "version": 0,
        "book_time": times[0], "refresh_time": times[1],
    }  # fmt: skip


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    card = read_runcard(CARD)
    space = HyperScanner(card.scan_parameters(), card.scan_config()).as_dict()
    engine = get_engine("random")
    entries = []
    for number in range(count):
        vals = engine.suggest(space, [], trial_seed(42, number))
        entries.append(entry(number, vals, evaluate(space, vals), 15.0 * number))
    path = folder / "nnfit" / "replica_1" / "tries.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(trial) for trial in entries) + "\n]\n")
    (folder / "filter.yml").write_text(CARD.read_text())
    print(f"{count} trials: {path}")


if __name__ == "__main__":
    main()
