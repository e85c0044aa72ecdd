"""What the fast path for data of two protons saves and costs: accuracy of trained fits, gradients, seconds an epoch.

    python benchmarks/fast_path.py CARD --theory DIR [--t0pdfset SET] [--fits 50] [--epochs 1000] [--record]

CARD has hadronic data and `kfold`.  Prints, for the card's own parameters and for the accuracy that it names (1e-5
where it names none):

    rows        how many mixed rows hold the hadronic predictions, and how long it took to find them
    chi2        of `--fits` fits of all data: by how much training and validation chi2 of the fast path in their best
                epoch differ from those of the full tables, relatively, before any fit is repeated
    gradients   of the training loss at the weights of these fits, by both paths: the norm of the difference relative to
                the norm; `fresh` where the fast path expands, `stale` some epochs later
    epoch       seconds of an epoch, and of processor time, compiling not counted, by both paths: of fits of all data
                (`--fits-of`, numbers of replicas) and of all folds (`--folds-of`)
    memory      the largest that the process had before and after the full path

The machine should have nothing else to do; processor times say something on others too.  With `--record` the numbers go
to `benchmarks/data/fast_path.json`, from which the manual takes them.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from record import write_record

from hyperparton.data.load import load_fit_data
from hyperparton.fit import losses, train
from hyperparton.fit.folds import Fold
from hyperparton.fit.methodology import Methodology
from hyperparton.fit.program_arrays import FitState
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.check import read_runcard

#: epochs of the two runs whose difference gives the time of an epoch
SHORT, LONG = 100, 500
#: of so many fits, since the full forms are large
GRADIENTS = 10
#: epochs after which gradients of an old expansion are compared
STALE = 4


def gradients(batch: Any, state: FitState, moving: Any) -> np.ndarray:
    """Of the training loss of all models of a batch, (model, weight), at the parameters of `state`."""
    key, problem, models = batch.key, batch.runner._problem, jax.tree.map(np.asarray, batch.models)
    constants = losses.constants_of(key, problem, models, state.epoch)
    of_models = partial(losses.losses, key, problem, batch.data.chi2_arrays, models, constants, moving, state.epoch)
    found = jax.jit(jax.grad(lambda parameters: of_models(parameters)[0]))(state.parameters)
    return np.concatenate([np.asarray(a, float).reshape(len(a), -1) for a in jax.tree.leaves(found)], axis=1)


def expanded(batch: Any, state: FitState) -> Any:
    key, problem, models = batch.key, batch.runner._problem, jax.tree.map(np.asarray, batch.models)
    constants = losses.constants_of(key, problem, models, state.epoch)
    plain, _ = losses.pdfs(key, problem, models, constants, state.parameters, None)
    return problem.projection.expanded(plain)


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
    few = np.arange(min(GRADIENTS, len(data.seeds)))
    other = train._Batch(batch.jobs, *data.full(few.tolist()))
    told: dict[str, Any] = {"chi2": fits.difference.tolist(), "linearisations": last.pace.count.tolist()}
    full = gradients(other, jax.tree.map(lambda a: a[few] if np.ndim(a) else a, last), None)
    # weights of a few epochs before, between those of the last two calls
    part = STALE / 100
    old = last._replace(
        parameters=jax.tree.map(lambda a, b: part * a + (1 - part) * b, before.parameters, last.parameters)
    )
    for name, at in (("fresh", last), ("stale", old)):
        fast = gradients(batch, last, expanded(batch, at))[few]
        told[name] = (np.linalg.norm(fast - full, axis=1) / np.linalg.norm(full, axis=1)).tolist()
    return told


def seconds(setup: FitSetup, methodology: Methodology, folds: Sequence[Fold]) -> tuple[float, float]:
    """Of an epoch, and of processor time, from runs of two lengths; the first compiles."""
    times = []
    for epochs in (SHORT, SHORT, LONG):
        begin = time.perf_counter(), time.process_time()
        setup.train(replace(methodology, epochs=epochs, patience=epochs), folds, None)
        times.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    wall, processor = ((long - short) / (LONG - SHORT) for short, long in zip(*times[1:], strict=True))
    return wall, processor


def epochs(
    setup: FitSetup, fast: bool, methodology: Methodology, fits: Sequence[int], folds: Sequence[int]
) -> dict[str, list[float]]:
    """Milliseconds of an epoch and of processor time, by what is trained."""
    card = setup.card if fast else setup.card.model_copy(update={"hadronic_accuracy": 0.0})
    found = {}
    for name, replicas in [*(("fit", r) for r in fits), *(("folds", r) for r in folds)]:
        own = FitSetup(card, setup.data, range(1, replicas + 1))
        if fast:
            setup.sharing(own)
        told = [1e3 * t for t in seconds(own, methodology, [own.full_fit] if name == "fit" else own.folds)]
        found[f"{name}_{replicas}"] = told
        print(
            f"epoch, {name}, {replicas} replicas, {'fast' if fast else 'full'}: {told[0]:.2f} ms, "
            f"processor {told[1]:.2f} ms", flush=True,
        )  # fmt: skip
    return found


def memory() -> float:
    """MB, the largest so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def quantiles(values: Sequence[float]) -> str:
    return f"median {np.nanmedian(values):.1e}, 90 % {np.nanquantile(values, 0.9):.1e}, largest {np.nanmax(values):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--theory", type=Path)
    parser.add_argument("--t0pdfset")
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--fits-of", type=int, nargs="*", default=[1, 4, 10])
    parser.add_argument("--folds-of", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    card = read_runcard(arguments.card)
    data = load_fit_data(card, arguments.theory, arguments.t0pdfset)
    fast = card.model_copy(update={"hadronic_accuracy": card.hadronic_accuracy or 1e-5})
    methodology = Methodology.from_parameters(card.parameters)
    setup = FitSetup(fast, data, range(1, arguments.fits + 1))
    begin = time.perf_counter(), time.process_time()
    condensed = setup.condensed
    result: dict[str, Any] = {
        "rows_seconds": time.perf_counter() - begin[0], "rows_processor": time.process_time() - begin[1]
    }  # fmt: skip
    if condensed is None:
        raise SystemExit("the fast path does not serve this card")
    result["rows"], result["ratio_rows"] = condensed.count, len(condensed.tables.values) - condensed.count
    print(
        f"rows: {result['rows']} of the chi2, {result['ratio_rows']} of ratios, {result['rows_seconds']:.1f} s, "
        f"processor {result['rows_processor']:.1f} s", flush=True,
    )  # fmt: skip
    sizes = arguments.fits_of, arguments.folds_of
    result["fast"] = epochs(setup, True, methodology, *sizes)
    result["fast_memory"] = memory()
    if arguments.fits:
        quick = replace(methodology, epochs=arguments.epochs, patience=arguments.epochs)
        for name, values in accuracy(setup, quick).items():
            result[name] = {"median": float(np.nanmedian(values)), "most": float(np.nanmax(values))}
            print(f"{name}: {quantiles(values)}", flush=True)
    result["full"] = epochs(setup, False, methodology, *sizes)
    result["full_memory"] = memory()
    print(f"peak memory {result['fast_memory']:.0f} MB, with the full path {result['full_memory']:.0f} MB")
    if arguments.record:
        write_record("fast_path", result)


if __name__ == "__main__":
    main()
