"""Monte Carlo replicas of the data, as n3fit makes them (arXiv:2109.02653, section 3.2; hep-ph/0204232).

replica = (measured + L r) m with L the Cholesky factor of the sampling covariance matrix (`covariances`) and r normal
numbers; m is 1, or, if multiplicative uncertainties are sampled apart, the product of (1 + uncertainty x normal number)
over them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from hyperparton.data.covmat import INTERNAL_TYPES
from hyperparton.data.masks import group_seed, grouped, replica_seeds
from hyperparton.data.types import DataSet, FitData, dataset_rows
from hyperparton.errors import DataError

__all__ = ["expect_drawable", "make_replicas"]

_MOST_TRIES = 1_000_000


def make_replicas(data: FitData, mcseed: int, replicas: Sequence[int]) -> np.ndarray:
    """(rep, dat) data replicas of replicas numbered from 1, the same numbers as n3fit's for the same seed and data.

    They are drawn with `data.sampling_covmat`, with multiplicative uncertainties as factors if
    `data.separate_multiplicative`.  With `data.resample_negative` a replica in which a cross section is negative is
    drawn again; asymmetries may be negative.  Raises `DataError` if that never succeeds, or where points have no
    uncertainty that is drawn.
    """
    samplers = _samplers(data)
    result = np.zeros((len(replicas), data.ndata))
    for row, seed in zip(result, replica_seeds(mcseed, replicas), strict=True):
        for sampler in samplers:
            row[sampler.points] = sampler.sample(int(seed))
    return result


def expect_drawable(data: FitData) -> None:
    """Raises `DataError` where `data.sampling_covmat` is no matrix that can be drawn with."""
    _samplers(data)


def _samplers(data: FitData) -> list[_GroupSampler]:
    samplers = []
    rows = list(data.slices().values())
    for places in grouped(data.datasets).values():
        points = np.concatenate([np.arange(rows[place].start, rows[place].stop) for place in places])
        samplers.append(_GroupSampler(data, places, points))
    return samplers


class _GroupSampler:
    """Data sets that are sampled together, from one generator."""

    def __init__(self, data: FitData, places: list[int], points: np.ndarray):
        self.points = points
        self._datasets = [data.datasets[place] for place in places]
        self._central = data.central[points]
        self._root = self._factor(data.sampling_covmat[np.ix_(points, points)])
        self._special = _special_columns(self._datasets) if data.separate_multiplicative else None
        watched = [np.full(d.ndata, data.resample_negative and _is_positive(d)) for d in self._datasets]
        self._positive = np.concatenate(watched)
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

    def _factor(self, covmat: np.ndarray) -> np.ndarray:
        """(dat, dat) lower Cholesky factor of the matrix that is drawn with."""
        rows = dataset_rows(self._datasets)
        empty = [name for name, points in rows.items() if not (np.diag(covmat)[points] > 0).all()]
        if empty:
            raise DataError(
                f"data replicas of {', '.join(empty)} cannot be drawn: points have no uncertainty in the covariance "
                "matrix; with separate_multiplicative it has the additive uncertainties alone"
            )
        try:
            return _cholesky_factor(covmat)
        except LinAlgError:
            raise DataError(
                "the covariance matrix that data replicas are drawn with is not positive definite: uncertainties of "
                f"{', '.join(rows)} are fully correlated"
            ) from None


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
