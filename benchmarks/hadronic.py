"""What hadronic observables cost: the bilinear convolution, as written down and as fits do it.

    python benchmarks/hadronic.py [--models 1 2 4 10 40] [--scale 1.0] [--json FILE]

Made-up tables with the shapes of a global fit's: 1,500 of about 4,600 points are hadronic (the others are linear and
are compressed, see `fit.chi2`), in sets of 15 to 100 points, with 20 to 40 x and the channels of Drell-Yan, jets and
top pairs: pairs of flavours in both orders, some of them empty, with values where x1 x2 is large enough.  Prints the
size of the tables and the time of predictions and their gradient for a batch of models, in single precision, one kind
after the other in one run:

    as they are     table by table
    folded          both orders of a pair of flavours are one channel, and empty channels are left out
    with a vector   the same; for one model a product with a vector, since one with a single row takes a slow routine
    merged          the same, and tables are joined where that is cheaper: this is what a fit does
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hyperparton.data.types import FKTable
from hyperparton.fit.hadronic import Bilinear, bilinear_prediction, merged
from hyperparton.fit.observables import prepare_table
from hyperparton.pdf.bases import working_to_evolution

#: sets: (number of sets, points of each, x of a table, flavours that interact, least x1 x2)
KINDS = {
    "Drell-Yan": (30, 30, 40, (1, 2, 3, 4, 5, 9, 10, 11), 1e-5),
    "jets": (5, 100, 25, (1, 2, 3, 4, 5, 9, 10, 11), 1e-3),
    "top pairs": (7, 15, 20, (1, 2, 3, 9), 1e-2),
}
GRID = np.concatenate([np.geomspace(2e-7, 0.1, 30, endpoint=False), np.linspace(0.1, 1.0, 20)])


def made_up(scale: float) -> list[FKTable]:
    """Tables of random values, in the order of `KINDS`."""
    rng = np.random.default_rng(1)
    tables = []
    for kind, (sets, points, size, flavours, least) in KINDS.items():
        x = GRID[-size:]
        pairs = np.array([(a, b) for a in flavours for b in flavours])
        allowed = np.multiply.outer(x, x) > least
        for _ in range(max(1, round(sets * scale))):
            values = rng.normal(size=(points, len(pairs), size, size)).astype(np.float32) * allowed
            values[:, rng.random(len(pairs)) < 0.2] = 0.0
            tables.append(FKTable(kind, 1.65, x, True, pairs, values))
    return tables


def as_they_are(table: FKTable) -> Bilinear:
    basis = working_to_evolution()
    left, right = basis[table.channels[:, 0]], basis[table.channels[:, 1]]
    places = np.searchsorted(GRID, table.xgrid)
    return Bilinear(places, left, right, table.values.reshape(len(table.values), -1))


def written_down(table: Bilinear, xf: Any) -> Any:
    """The predictions of `bilinear_prediction` by a product with as many rows as there are models."""
    on_table = xf[:, :, table.x]
    left = jnp.einsum("mwx,cw->mcx", on_table, table.left)
    right = jnp.einsum("mwx,cw->mcx", on_table, table.right)
    return jnp.reshape(left[:, :, :, None] * right[:, :, None, :], (len(xf), -1)) @ table.values.T


def single(tables: list[Bilinear]) -> list[Bilinear]:
    def convert(a: Any) -> Any:
        a = np.asarray(a)
        return jnp.asarray(a, jnp.float32 if a.dtype.kind == "f" else jnp.int32)

    return [jax.tree.map(convert, table) for table in tables]


def seconds(tables: list[Bilinear], models: int, predict: Callable[..., Any]) -> tuple[float, np.ndarray]:
    """Least time of predictions with gradient for so many models, and the predictions of all points."""

    @jax.jit
    def step(tables: list[Bilinear], xf: Any) -> Any:
        def total(xf: Any) -> Any:
            predictions = jnp.concatenate([predict(table, xf) for table in tables], axis=1)
            return jnp.sum(predictions**2), predictions

        return jax.value_and_grad(total, has_aux=True)(xf)

    xf = jnp.asarray(np.random.default_rng(2).normal(size=(models, 8, len(GRID))), jnp.float32)
    (_, predictions), _ = jax.block_until_ready(step(tables, xf))
    best = np.inf
    for _ in range(5):
        begin = time.perf_counter()
        jax.block_until_ready(step(tables, xf))
        best = min(best, time.perf_counter() - begin)
    return best, np.asarray(predictions)


def _rows(tables: list[Bilinear]) -> list[np.ndarray]:
    """The places of each table's rows among those of all."""
    counts = [len(table.values) for table in tables]
    return np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, nargs="+", default=[1, 2, 4, 10, 40])
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of sets")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tables = made_up(arguments.scale)
    points = sum(len(table.values) for table in tables)
    rows: list[dict[str, Any]] = []
    folded = [prepare_table(table, GRID) for table in tables]
    together = merged(folded)
    order = np.concatenate([_rows(folded)[number] for _, members in together for number in members])
    kinds = {
        "as they are": (single([as_they_are(table) for table in tables]), written_down),
        "folded": (single(folded), written_down),
        "with a vector": (single(folded), bilinear_prediction),
        "merged": (single([table for table, _ in together]), bilinear_prediction),
    }
    del tables, folded, together
    seen: dict[int, np.ndarray] = {}
    for name, (device, predict) in kinds.items():
        size = sum(table.values.nbytes for table in device)
        print(f"{name}: {points} points in {len(device)} tables, {size / 1e6:.0f} MB in single precision")
        for models in arguments.models:
            time_of, predictions = seconds(device, models, predict)
            if name == "merged":
                predictions = predictions[:, np.argsort(order)]
            # outputs of all are sums of the same products in another order
            same = seen.setdefault(models, predictions)
            spread = float(np.max(np.abs(predictions - same)) / np.abs(same).max())
            each = f"{time_of / models * 1e3:.2f} a model"
            print(f"  {models} models: {time_of * 1e3:.1f} ms, {each}; differs by {spread:.0e}")
            rows.append({"tables": name, "models": models, "seconds": time_of, "MB": size / 1e6, "differs": spread})
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
