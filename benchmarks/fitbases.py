"""How long an epoch takes with one fitting basis and with another: nine elements cost how much more than eight?

    python benchmarks/fitbases.py [--bases EVOL CCBAR_ASYMM] [--replicas 10] [--folds 4] [--rounds 5]

Trials of the card `tests/data/dis_scan.yml` (3,089 points), each fitting basis in turn, A B A B, with feature scaling,
data replicas and `--replicas` replicas in each fold.  The time of an epoch is that of a long fit less that of a short
one.  The ratio is the median over the rounds, each with the first basis of its own round.  The machine should have
nothing else to do; where it has, the ratio of the least times of all rounds is the better one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hyperparton.catalogue import FITBASES
from hyperparton.data.load import load_fit_data
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.parameters import Parameters

ROOT = Path(__file__).parents[1]
_SHORT, _LONG = 200, 1000


def card_of(fitbasis: str, folds: int) -> Any:
    """The card with this basis, its exponents those of the elements that it has in EVOL, else those of v."""
    content = YAML(typ="safe").load(ROOT / "tests/data/dis_scan.yml")
    ranges = {element["fl"]: element["smallx"] for element in content["fitting"]["basis"]}
    elements = [{"fl": fl, "smallx": ranges.get(fl, ranges["v"]), "trainable": False} for fl in FITBASES[fitbasis]]
    content["fitting"] = {"fitbasis": fitbasis, "basis": elements}
    content["kfold"]["partitions"] = content["kfold"]["partitions"][:folds]
    content["genrep"] = True
    content["parameters"] |= {"nodes_per_layer": [25, 20, len(elements)], "feature_scaling_points": 5}
    content.pop("hyperscan_config")
    return parse_runcard(json.dumps(content))


class Measured:
    """Fits of all folds and replicas with one basis."""

    def __init__(self, fitbasis: str, replicas: int, folds: int):
        card = card_of(fitbasis, folds)
        self.setup = FitSetup(card, load_fit_data(card), range(1, replicas + 1))
        self.parameters = {**card.parameters.as_written(), "threshold_chi2": 1e-9}
        self.seconds(_SHORT)  # compiles

    def seconds(self, epochs: int) -> float:
        """Of a fit of so many epochs, none of which is the best."""
        methodology = Methodology.from_parameters(Parameters.model_validate({**self.parameters, "epochs": epochs}))
        begun = time.perf_counter()
        self.setup.train(methodology, self.setup.folds, None)
        return time.perf_counter() - begun

    def fits(self) -> tuple[float, float]:
        """Seconds of a short fit and of a long one."""
        return self.seconds(_SHORT), self.seconds(_LONG)


def epoch(short: float, long: float) -> float:
    """Seconds of an epoch."""
    return (long - short) / (_LONG - _SHORT)


def least(fits: Sequence[tuple[float, float]]) -> float:
    """Seconds of an epoch by the shortest times of all rounds."""
    return epoch(*(min(times) for times in zip(*fits, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", nargs="+", choices=list(FITBASES), default=["EVOL", "CCBAR_ASYMM"])
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    measured = {name: Measured(name, arguments.replicas, arguments.folds) for name in arguments.bases}
    for name, each in measured.items():
        features = int(each.setup.predictions.kept.sum())
        print(f"{name}: {len(each.setup.grid)} x, {len(each.setup.working)} PDFs, {features} features in training")
    rounds = [{name: each.fits() for name, each in measured.items()} for _ in range(arguments.rounds)]
    fits = {name: [each[name] for each in rounds] for name in arguments.bases}
    first = arguments.bases[0]
    for name in arguments.bases:
        times = [1e3 * epoch(*each) for each in fits[name]]
        ratio = statistics.median(epoch(*each[name]) / epoch(*each[first]) for each in rounds)
        spread = f"from {min(times):.2f} to {max(times):.2f}"
        print(f"{name}: {statistics.median(times):.2f} ms an epoch, {spread}; {ratio:.3f} times {first}")
        print(
            f"  by the least times {1e3 * least(fits[name]):.2f} ms, {least(fits[name]) / least(fits[first]):.3f} times"
        )


if __name__ == "__main__":
    main()
