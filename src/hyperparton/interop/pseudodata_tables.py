"""The data replicas of a fit, divided into training and validation data, as the tables that n3fit saves of them.

validphys' tools for pseudodata read them: `datacuts_theory_fitting_<kind>.csv` beside each replica, its columns divided
by tabs.  With points split, a row is a point by group, data set and number; with eigenmodes split, the rotated data, a
row for each mode.  (The sign of a mode is arbitrary.)  Modes below `threshold` stand in the table of all data alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyperparton.data.masks import diagonal_mask, diagonalise, grouped, training_masks
from hyperparton.data.types import FitData
from hyperparton.fit.setup import FitSetup
from hyperparton.runcard.card import Runcard

__all__ = ["FILES", "pseudodata_tables"]

#: the files: all data, those that train, those that validate
FILES = tuple(
    f"datacuts_theory_fitting_{kind}.csv"
    for kind in ("pseudodata_table", "training_pseudodata", "validation_pseudodata")
)


def pseudodata_tables(card: Runcard, data: FitData, replicas: Sequence[int]) -> dict[int, dict[str, str]]:
    """Number of a replica -> file -> its text; without `genrep` the data of all are those that were measured."""
    setup = FitSetup(card, data, replicas)
    values = np.tile(data.central, (len(replicas), 1)) if setup.pseudodata is None else setup.pseudodata
    if card.diagonal_basis:
        found = diagonalise(data.covmat)
        used, group = found.eigenvalues >= card.threshold, data.datasets[0].group
        masks = [diagonal_mask(len(used), seed, card.diagonal_frac, group) for seed in setup.split_seeds]
        head, rows, order = "", [f"eigenmode {i}" for i in range(len(used))], slice(None)
        values = [found.rotation @ row for row in values]  # each by itself: the same numbers, whatever the others
    else:
        used, masks = np.ones(data.ndata, bool), training_masks(data, setup.split_seeds)
        head, rows, order = "group\tdataset\tid", *_points(data)
    tables = {}
    for number, row, mask in zip(replicas, values, masks, strict=True):
        lines, trains = (
            [f"{name}\t{value!r}" for name, value in zip(rows, row[order].tolist(), strict=True)],
            mask[order],
        )
        chosen = (np.ones(len(lines), bool), trains & used[order], ~trains & used[order])
        first = f"{head}\treplica {number}"
        tables[number] = {
            name: "\n".join([first, *(lines[i] for i in np.flatnonzero(kept)), ""])
            for name, kept in zip(FILES, chosen, strict=True)
        }
    return tables


def _points(data: FitData) -> tuple[list[str], np.ndarray]:
    """The rows' names, group after group, and the place (dat,) of each among the points of `data`."""
    rows, order, slices = [], [], list(data.slices().values())
    for group, places in grouped(data.datasets).items():
        for place in places:
            dataset = data.datasets[place]
            rows += [f"{group}\t{dataset.name}\t{number}" for number in dataset.kept.tolist()]
            order.append(np.arange(slices[place].start, slices[place].stop))
    return rows, np.concatenate(order)
