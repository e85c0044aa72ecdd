"""Which points train, which points validate, which points a fold hides; the same draws as n3fit for the same seeds.

In the basis of the data a fraction of each data set trains.  In the diagonal basis, where the residuals are rotated so
that their covariance matrix is diagonal, a fraction of all eigenmodes does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from hyperparton.data.covmat import correlations
from hyperparton.data.types import DataSet, FitData
from hyperparton.errors import DataError, nearest
from hyperparton.files import checksum
from hyperparton.runcard.card import Runcard

__all__ = [
    "Diagonalisation",
    "diagonal_mask",
    "diagonalise",
    "group_seed",
    "grouped",
    "kfold_masks",
    "replica_seeds",
    "split_seeds",
    "training_masks",
]

_SEEDS = 2**31
_NAME_SEEDS = 10**8


def replica_seeds(seed: int, replicas: Sequence[int]) -> np.ndarray:
    """(rep,) seeds of replicas numbered from 1: the n-th integer below 2^31 of NumPy's generator of that seed.

    The rule for `trvlseed`, `nnseed` and `mcseed` alike.  Raises `DataError` for a replica below 1.
    """
    if len(replicas) == 0:
        return np.zeros(0, dtype=np.int64)
    if min(replicas) < 1:
        raise DataError(f"replicas are numbered from 1, given {min(replicas)}")
    drawn = np.random.RandomState(seed).randint(0, _SEEDS, size=max(replicas), dtype=np.int64)
    return drawn[np.asarray(replicas) - 1]


def split_seeds(card: Runcard, replicas: Sequence[int]) -> list[int]:
    """The seed of each replica's split into training and validation; replicas are numbered from 1."""
    return replica_seeds(card.trvlseed, [1] * len(replicas) if card.same_trvl_per_replica else replicas).tolist()


def group_seed(name: str) -> int:
    """What a name adds to a seed."""
    return int(checksum(name), 16) % _NAME_SEEDS


def grouped(datasets: Sequence[DataSet]) -> dict[str, list[int]]:
    """Group -> places of its data sets, in the order in which the groups first come."""
    groups: dict[str, list[int]] = {}
    for place, dataset in enumerate(datasets):
        groups.setdefault(dataset.group, []).append(place)
    return groups


def training_masks(data: FitData, seeds: Sequence[int]) -> np.ndarray:
    """(rep, dat) True where a point trains, for the seed of each replica; the other points validate.

    A data set with a fraction too small for one point gets one with that probability.
    """
    return np.array([_standard_mask(data, seed) for seed in seeds], dtype=bool).reshape(len(seeds), data.ndata)


def diagonal_mask(ndata: int, seed: int, fraction: float, group: str = "ALL") -> np.ndarray:
    """(mode,) of one replica with the seed `seed`: True for the fraction of `ndata` eigenmodes that trains.

    Eigenmodes are numbered by increasing eigenvalue, as `diagonalise` orders them; `group` is the name of the group
    that all data are in.
    """
    rng = np.random.Generator(np.random.PCG64(group_seed(group) + seed))
    return _shuffled(rng, ndata, int(ndata * fraction))


def _standard_mask(data: FitData, seed: int) -> np.ndarray:
    """(dat,) of one replica: one generator per group, which goes through the group's data sets."""
    mask = np.zeros(data.ndata, dtype=bool)
    rows = list(data.slices().values())
    for name, places in grouped(data.datasets).items():
        rng = np.random.Generator(np.random.PCG64(group_seed(name) + seed))
        for place in places:
            dataset = data.datasets[place]
            if dataset.ndata:
                chosen = int(dataset.ndata * dataset.frac) or int(rng.random() < dataset.frac)
                mask[rows[place]] = _shuffled(rng, dataset.ndata, chosen)
    return mask


def _shuffled(rng: np.random.Generator, size: int, chosen: int) -> np.ndarray:
    mask = np.arange(size) < chosen
    rng.shuffle(mask)
    return mask


def kfold_masks(data: FitData, hidden: Sequence[Iterable[str]]) -> np.ndarray:
    """(fold, dat) False for the points of the data sets that the fold hides: `hidden` has their names for each fold.

    Raises `DataError` for a name that is not among the data sets.
    """
    slices = data.named_slices()
    masks = np.ones((len(hidden), data.ndata), dtype=bool)
    for mask, names in zip(masks, hidden, strict=True):
        for name in names:
            if name not in slices:
                raise DataError(f"a fold hides the data set {name!r}, which is not fitted{nearest(name, slices)}")
            mask[slices[name]] = False
    return masks


@dataclass(frozen=True, eq=False)
class Diagonalisation:
    """Rotated residuals ``rotation @ (prediction - data)`` have the diagonal covariance matrix `eigenvalues`."""

    eigenvalues: np.ndarray
    """(mode,) of the correlation matrix, increasing"""
    rotation: np.ndarray
    """(mode, dat) in units of one over the data"""


def diagonalise(covmat: np.ndarray) -> Diagonalisation:
    """The diagonal basis of a covariance matrix (dat, dat): the eigenvectors of its correlation matrix.

    Data that are correlated with no others outside their block are treated block by block, which is exact.  The sign of
    an eigenvector, and the choice among those of equal eigenvalues, are arbitrary.
    """
    sigma, correlated = correlations(covmat)
    count, labels = connected_components(correlated != 0.0, directed=False)
    eigenvalues, vectors = np.zeros(len(sigma)), np.zeros_like(correlated)
    at = 0
    for label in range(count):
        rows = np.flatnonzero(labels == label)
        modes = slice(at, at + len(rows))
        eigenvalues[modes], block = np.linalg.eigh(correlated[np.ix_(rows, rows)])
        vectors[modes, rows] = block.T
        at += len(rows)
    order = np.argsort(eigenvalues, kind="stable")
    return Diagonalisation(eigenvalues[order], vectors[order] / sigma)
