"""What the fast path for data of two protons saves and costs: accuracy of trained fits, gradients, seconds an epoch.

    python benchmarks/fast_path.py CARD --theory DIR [--t0pdfset SET] [--fits 50] [--epochs 1000] [--json FILE]

CARD has hadronic data and `kfold`.  Prints, for the card's own parameters and for the accuracy that it names (1e-5
where it names none):

    rows        how many mixed rows hold the hadronic predictions, and how long it took to find them
    chi2        of `--fits` fits of all data: by how much training and validation chi2 of the fast path in their best
                epoch differ from those of the full tables, relatively, before any fit is repeated
    gradients   of the training loss at the weights of these fits, by both paths: the norm of the difference relative to
                the norm; `fresh` where the fast path linearises, `stale` some epochs later
    epoch       seconds of an epoch of one and ten replicas in all folds, both paths, compiling not counted

The machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hyperparton.data.load import load_fit_data
from hyperparton.fit import losses, train
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.program_arrays import FitState
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import read_runcard

#: epochs of the two runs whose difference gives the time of an epoch
SHORT, LONG = 100, 500
#: epochs after which gradients of an old linearisation are compared
STALE = 4


def gradients(batch: Any, state: FitState, moving: Any) -> np.ndarray:
    """Of the training loss of all models of a batch, (model, weight), at the parameters of `state`."""
    key, problem, models = batch.key, batch.runner._problem, jax.tree.map(np.asarray, batch.models)
    constants = losses.constants_of(key, problem, models, state.epoch)
    of_models = partial(losses.losses, key, problem, batch.data.chi2_arrays, models, constants, moving, state.epoch)
    found = jax.jit(jax.grad(lambda parameters: of_models(parameters)[0]))(state.parameters)
    return np.concatenate([np.asarray(a, float).reshape(len(a), -1) for a in jax.tree.leaves(found)], axis=1)


def linearised(batch: Any, state: FitState) -> Any:
    key, problem, models = batch.key, batch.runner._problem, jax.tree.map(np.asarray, batch.models)
    constants = losses.constants_of(key, problem, models, state.epoch)
    plain, _ = losses.pdfs(key, problem, models, constants, state.parameters, None)
    return problem.projection.linearised(plain)


def accuracy(setup: FitSetup, methodology: Methodology) -> dict[str, Any]:
    """chi2 and gradients of fits of all data, one for each replica."""
    data = setup.batch_data([setup.full_fit])
    batch = train._Batch([train.FitJob(setup.model(methodology), methodology)], data, setup.predictions)
    before = None
    for epoch in range(0, methodology.epochs, 100):
        before = jax.tree.map(np.copy, batch.runner.states())
        batch.advance(epoch)
    last = batch.runner.states()
    fits = batch.collect(0, last)
    assert data.full is not None
    assert before is not None
    other = train._Batch(batch.jobs, *data.full(range(len(data.seeds))))
    told: dict[str, Any] = {"chi2": fits.difference.tolist(), "linearisations": last.pace.count.tolist()}
    full = gradients(other, last, None)
    # weights of a few epochs before, between those of the last two calls
    part = STALE / 100
    old = last._replace(
        parameters=jax.tree.map(lambda a, b: part * a + (1 - part) * b, before.parameters, last.parameters)
    )
    for name, at in (("fresh", last), ("stale", old)):
        fast = gradients(batch, last, linearised(batch, at))
        told[name] = (np.linalg.norm(fast - full, axis=1) / np.linalg.norm(full, axis=1)).tolist()
    return told


def seconds(setup: FitSetup, methodology: Methodology) -> float:
    """Of an epoch of all folds, from runs of two lengths; the first compiles."""
    times = []
    for epochs in (SHORT, SHORT, LONG):
        begin = time.perf_counter()
        setup.train(replace(methodology, epochs=epochs, patience=epochs), setup.folds, None)
        times.append(time.perf_counter() - begin)
    return (times[2] - times[1]) / (LONG - SHORT)


def quantiles(values: Sequence[float]) -> str:
    return f"median {np.nanmedian(values):.1e}, 90 % {np.nanquantile(values, 0.9):.1e}, largest {np.nanmax(values):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--theory", type=Path)
    parser.add_argument("--t0pdfset")
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    card = read_runcard(arguments.card)
    data = load_fit_data(card, arguments.theory, arguments.t0pdfset)
    fast = card.model_copy(update={"hadronic_accuracy": card.hadronic_accuracy or 1e-5})
    methodology = Methodology.from_parameters(card.parameters)
    setup = FitSetup(fast, data, range(1, arguments.fits + 1))
    begin = time.perf_counter()
    condensed = setup.condensed
    result: dict[str, Any] = {"seconds of the rows": time.perf_counter() - begin}
    if condensed is None:
        raise SystemExit("the fast path does not serve this card")
    result["rows"] = [condensed.count, len(condensed.tables.values) - condensed.count]
    print(f"rows: {result['rows']} (of the chi2, of ratios), {result['seconds of the rows']:.1f} s", flush=True)
    quick = replace(methodology, epochs=arguments.epochs, patience=arguments.epochs)
    result["accuracy"] = accuracy(setup, quick)
    for name, values in result["accuracy"].items():
        print(f"{name}: {quantiles(values)}", flush=True)
    result["epoch"] = {}
    for replicas in arguments.replicas:
        for name, each in (("fast", fast), ("full", card.model_copy(update={"hadronic_accuracy": 0.0}))):
            own = FitSetup(each, data, range(1, replicas + 1))
            if name == "fast":
                setup.sharing(own)
            result["epoch"][f"{replicas} {name}"] = taken = seconds(own, methodology)
            print(f"epoch, {replicas} replicas, {name}: {taken * 1e3:.2f} ms", flush=True)
    result["memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {result['memory MB']:.0f} MB")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
