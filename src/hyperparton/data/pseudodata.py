"""Monte Carlo replicas of the data, as n3fit makes them (arXiv:2109.02653, section 3.2; hep-ph/0204232).

replica = (measured + L r) m with L the Cholesky factor of the covariance matrix and r normal numbers; m is 1, or, if
multiplicative uncertainties are sampled apart, the product of (1 + uncertainty x normal number) over them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cholesky

from hyperparton.data.covmat import INTERNAL_TYPES, covariance
from hyperparton.data.masks import group_seed, grouped, replica_seeds
from hyperparton.data.types import DataSet, FitData
from hyperparton.errors import DataError

__all__ = ["make_replicas"]

_MOST_TRIES = 1_000_000


def make_replicas(
    data: FitData,
    mcseed: int,
    replicas: Sequence[int],
    *,
    separate_multiplicative: bool = False,
    resample_negative: bool = False,
) -> np.ndarray:
    """(rep, dat) data replicas of replicas numbered from 1, the same numbers as n3fit's for the same seed and data.

    They are drawn with the covariance matrix of the fit, t0 if there is a t0 set.  With `separate_multiplicative` only
    the additive uncertainties are in it and the multiplicative ones are factors.  With `resample_negative` a replica
    in which a cross section is negative is drawn again; asymmetries may be negative.  Raises `DataError` if that never
    succeeds.
    """
    samplers = []
    rows = list(data.slices().values())
    for places in grouped(data.datasets).values():
        points = np.concatenate([np.arange(rows[place].start, rows[place].stop) for place in places])
        samplers.append(_GroupSampler(data, places, points, separate_multiplicative, resample_negative))
    result = np.zeros((len(replicas), data.ndata))
    for row, seed in zip(result, replica_seeds(mcseed, replicas), strict=True):
        for sampler in samplers:
            row[sampler.points] = sampler.sample(int(seed))
    return result


class _GroupSampler:
    """Data sets that are sampled together, from one generator."""

    def __init__(self, data: FitData, places: list[int], points: np.ndarray, separate: bool, resample: bool):
        self.points = points
        self._datasets = [data.datasets[place] for place in places]
        self._central = data.central[points]
        covmat = data.covmat[np.ix_(points, points)]
        if separate:
            covmat = covariance(self._datasets, additive_only=True)
        self._root = _cholesky_factor(covmat)
        self._special = _special_columns(self._datasets) if separate else None
        self._positive = np.concatenate([np.full(d.ndata, resample and _is_positive(d)) for d in self._datasets])
        self._name_seed = group_seed("-".join(dataset.seedname for dataset in self._datasets))

    def sample(self, seed: int) -> np.ndarray:
        """(dat,) one replica."""
        rng = np.random.default_rng(self._name_seed + seed)
        for _ in range(_MOST_TRIES):
            factors = [] if self._special is None else [_factors(rng, dataset) for dataset in self._datasets]
            sample = self._central + self._root @ rng.normal(size=len(self._central))
            if self._special is not None:
                common = 1 + self._special * rng.normal(size=(1, self._special.shape[1])) / 100
                sample = sample * (np.concatenate(factors) * common.prod(axis=1))
            if np.all(sample[self._positive] >= 0):
                return sample
        raise DataError(
            f"no replica without negative cross sections among {_MOST_TRIES} of "
            f"{', '.join(dataset.name for dataset in self._datasets)}"
        )


def _cholesky_factor(covmat: np.ndarray) -> np.ndarray:
    """(dat, dat) lower Cholesky factor, by way of the correlations: the variances differ by orders of magnitude."""
    if covmat.size == 0:
        return covmat
    sigma = np.sqrt(np.diag(covmat))
    return (cholesky(covmat / sigma[:, None] / sigma) * sigma).T


def _factors(rng: np.random.Generator, dataset: DataSet) -> np.ndarray:
    """(dat,) factor of the multiplicative uncertainties that are not shared with other sets."""
    alone, common = (_columns(dataset, kind) for kind in ("UNCORR", "CORR"))
    factor = (1 + alone * rng.normal(size=alone.shape) / 100).prod(axis=1)
    return factor * (1 + common * rng.normal(size=(1, common.shape[1])) / 100).prod(axis=1)


def _columns(dataset: DataSet, kind: str) -> np.ndarray:
    """(dat, unc) multiplicative uncertainties of this type."""
    chosen = [each == kind for each in dataset.uncertainties.multiplicative_types]
    return dataset.uncertainties.multiplicative[:, np.array(chosen, dtype=bool)]


def _special_columns(datasets: Sequence[DataSet]) -> np.ndarray:
    """(dat, unc) multiplicative uncertainties shared between sets, in the order of their names."""
    names = sorted({kind for d in datasets for kind in d.uncertainties.multiplicative_types} - INTERNAL_TYPES)
    blocks = []
    for dataset in datasets:
        block = np.zeros((dataset.ndata, len(names)))
        for place, kind in enumerate(dataset.uncertainties.multiplicative_types):
            if kind not in INTERNAL_TYPES:
                block[:, names.index(kind)] = dataset.uncertainties.multiplicative[:, place]
        blocks.append(block)
    return np.concatenate(blocks)


def _is_positive(dataset: DataSet) -> bool:
    return not ("ASY" in dataset.process or dataset.process.endswith("_POL"))
