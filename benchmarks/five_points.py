"""What each of the five sources of speed brings: the same trial with it and without it, in one run.

    python benchmarks/five_points.py [--replicas 10] [--epochs 400] [--repeat 3] [--record]

The card, data and trial are those of `against_n3fit.py`. Without each source:

1. a whole fit in one program: Python calls the program once for each epoch and checks which models run;
2. folds and replicas as a batch: each model is trained by a program call of its own, on the same cores;
3. padding: each network of a scan has its own widths and needs its own program (the compile cache apart);
4. compression: residuals of all points, whitened with their covariance matrix, in place of a quadratic form;
5. minimal quadrature: 1,996 points for the sum rules in place of those of the tables and 13 more.

The script switches them off from outside the code, and compares the losses with and without after 20 epochs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from against_n3fit import CARD, trial
from jax.experimental.compilation_cache import compilation_cache
from record import write_record
from scaling import least, network

from hyperparton import ModelTrainer, load_fit_data, read_runcard
from hyperparton.fit import batches, compile_cache, parallel
from hyperparton.fit.chi2 import reduce_points
from hyperparton.fit.chi2 import stack as stacked
from hyperparton.fit.methodology import Methodology
from hyperparton.pdf import batched
from hyperparton.pdf.model import PDFModel
from hyperparton.pdf.sum_rules import Quadrature, quadrature
from hyperparton.runcard.parameters import trial_parameters

#: nodes of each panel of the sum rules, about 2,000 in all as in n3fit
_MANY = {"small": 400, "large": 398}
#: epochs after which losses are compared
_COMPARED = 20
#: networks of the scan in which programs are counted
_NETWORKS = 8


@contextmanager
def switched(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    compile_cache._PROGRAMS.clear()
    try:
        yield
    finally:
        setattr(owner, name, before)
        compile_cache._PROGRAMS.clear()


#: the lines of the table, each a list of texts
ROWS: list[list[str]] = []


def losses(result: Any) -> np.ndarray:
    return np.ravel(result["kfold_meta"]["validation_losses"])


def tell(what: str, on: float, off: float, difference: float | None, unit: str = "s") -> None:
    apart = "" if difference is None else f"{difference:.1e}"
    ROWS.append([what, f"{on:.3g} {unit}", f"{off:.3g} {unit}", f"{off / on:.1f}", apart])
    print(f"| {' | '.join(ROWS[-1])} |", flush=True)


def many_points(_: PDFModel, grid: np.ndarray) -> Quadrature:
    return batched.beside(grid, quadrature(**_MANY))


def trials(trainer: ModelTrainer, params: dict[str, Any], repeat: int) -> None:
    """Points 1, 2 and 5: a trial with and without; losses are compared after few epochs, before rounding has grown."""
    # masks of dropout depend on the number of points
    short = {**params, "epochs": _COMPARED, "dropout": 0.0}
    on, _ = least(lambda: trainer.hyperparametrizable(params), repeat)
    known = losses(trainer.hyperparametrizable(short))
    whole = batches.BatchRunner.advance

    def each_epoch(self: Any, coefficients: np.ndarray) -> np.ndarray:
        left = np.arange(0)
        for k in range(len(coefficients)):
            left = whole(self, coefficients[k : k + 1])
        return left

    cases = {
        "a whole fit in one program; without: a call for each epoch": (batches.BatchRunner, "advance", each_epoch),
        "folds and replicas as a batch; without: each model alone": (parallel, "chunk_size", lambda models, folds=1: 1),
        "sum rules with 64 points; without: 1,996": (batched, "_rule", many_points),
    }
    for what, (owner, name, value) in cases.items():
        with switched(owner, name, value):
            off, _ = least(lambda: trainer.hyperparametrizable(params), repeat)
            without = losses(trainer.hyperparametrizable(short))
        tell(what, on, off, float(np.max(np.abs(without / known - 1.0))))


def programs(trainer: ModelTrainer, epochs: int) -> None:
    """Point 3: trials whose networks differ, nothing compiled before, then once more from programs on disk."""
    rng = np.random.default_rng(0)
    nets = []
    for _ in range(_NETWORKS):
        depth = int(rng.integers(2, 4))
        nets.append({**trial(epochs), **network(rng.integers(10, 46, depth).tolist())})

    def scan() -> float:
        compile_cache._PROGRAMS.clear()
        jax.clear_caches()
        begin = time.perf_counter()
        for params in nets:
            trainer.hyperparametrizable(params)
        return time.perf_counter() - begin

    padded, count = scan(), len(compile_cache._PROGRAMS)
    with switched(batched, "_widths", lambda architecture: [out for _, out in architecture.shapes()]):
        exact, own = scan(), len(compile_cache._PROGRAMS)
    tell(f"few programs: {_NETWORKS} networks share {count}; without: {own}, not padded", padded, exact, None)
    with TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        compilation_cache.reset_cache()
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        scan()
        tell(f"compile cache on disk, in the next scan of these {_NETWORKS}", scan(), padded, None)
        jax.config.update("jax_compilation_cache_dir", None)


def chi2(trainer: ModelTrainer, params: dict[str, Any], models: int, repeat: int) -> None:
    """Point 4: chi2 of all data and its gradient by the PDF values, of a chunk of trained models."""
    setup = trainer.setup
    trained = setup.train(Methodology.from_parameters(trial_parameters(params)), setup.folds, None)
    xf = trained.model.evaluate(trained.select(slice(0, models)), setup.grid)
    data, full, small = setup.data, setup.convolution, setup.compressed
    used = np.ones(data.ndata, bool)
    form = reduce_points(small.matrix, data.central, data.covmat, used, used, setup.folds[0].training[0].origin)
    hessian, pull, constant = (jnp.asarray(each[0]) for each in stacked([form], setup.predictions.kept))
    kept = np.flatnonzero(setup.predictions.kept[: small.basis.shape[1]])
    basis = jnp.asarray(small.basis[:, kept], jnp.float32)
    start = jnp.asarray(form.origin[setup.predictions.kept], jnp.float32)
    factor = np.linalg.cholesky(data.covmat)
    rows, target = np.linalg.solve(factor, full.matrix), np.linalg.solve(factor, data.central)
    rows32, target32 = jnp.asarray(rows, jnp.float32), jnp.asarray(target, jnp.float32)
    values = full.features(xf)
    size = len(small.basis)

    def by_points(phi: Any) -> Any:
        return jnp.sum((phi @ rows32.T - target32) ** 2, axis=1)

    def by_form(phi: Any) -> Any:
        e = jnp.concatenate([phi[:, :size] @ basis, phi[:, size:]], axis=1) - start
        return jnp.sum((e @ hessian - 2.0 * pull) * e, axis=1) + constant

    exact = np.sum((values @ rows.T - target) ** 2, axis=1)
    found = {}
    for function in (by_form, by_points):
        both = jax.jit(lambda phi, f=function: (f(phi), jax.grad(lambda u: jnp.sum(f(u)))(phi)))
        phi = jnp.asarray(values, jnp.float32)
        seconds, (result, _) = least(lambda both=both, phi=phi: jax.block_until_ready(both(phi)), 200 * repeat)
        found[function] = 1e6 * seconds, float(np.max(np.abs(np.asarray(result) / exact - 1.0)))
    (on, difference), (off, plain) = found[by_form], found[by_points]
    tell(f"compressed χ² and gradient of {models} models; without: residuals of all points", on, off, difference, "µs")
    print(f"  difference of the residuals of all points in single precision: {plain:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write the table for the manual")
    arguments = parser.parse_args()
    os.environ["HYPERPARTON_CACHE"] = "off"
    card = read_runcard(CARD)
    trainer = ModelTrainer.from_runcard(card, load_fit_data(card), range(1, arguments.replicas + 1))
    trainer.set_hyperopt(True, [])
    print("| | with | without | ratio | largest difference of losses |\n|---|---|---|---|---|")
    trials(trainer, trial(arguments.epochs), arguments.repeat)
    chi2(trainer, trial(arguments.epochs), 5, arguments.repeat)
    programs(trainer, arguments.epochs)
    if arguments.record:
        print(write_record("five_points", {"rows": ROWS}))


if __name__ == "__main__":
    main()
