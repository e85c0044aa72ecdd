"""Covariance matrices of the data from their uncertainties (hep-ph/0501067, eq. 2; t0: arXiv:0912.2276).

C_ij = δ_ij (stat² + uncorrelated²) + Σ correlated_i correlated_j, where the multiplicative uncertainties are fractions
of the measured values in the experimental matrix and of predictions in the t0 matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hyperparton.data.types import DataSet, Uncertainties, dataset_rows

__all__ = [
    "INTERNAL_TYPES",
    "UNCORRELATED_TYPES",
    "absolute_uncertainties",
    "correlations",
    "covariance",
    "keep_groups",
    "regularised",
    "uncorrelated_variances",
]

UNCORRELATED_TYPES = frozenset({"UNCORR", "THEORYUNCORR"})
INTERNAL_TYPES = UNCORRELATED_TYPES | {"CORR", "THEORYCORR"}
"""types that are not correlated with other data sets"""


def covariance(
    datasets: Sequence[DataSet], reference: np.ndarray | None = None, additive_only: bool = False
) -> np.ndarray:
    """(dat, dat) covariance of all sets, correlated across them by the names of the uncertainties' types.

    `reference` (dat,) is what multiplicative uncertainties are fractions of: predictions for the t0 matrix, the
    measured values if None.  `additive_only` leaves them out (to sample them apart).
    """
    slices = list(dataset_rows(datasets).values())
    total = np.zeros([sum(dataset.ndata for dataset in datasets)] * 2)
    special: list[tuple[dict[tuple[str, int], int], np.ndarray]] = []
    for dataset, rows in zip(datasets, slices, strict=True):
        values = dataset.central if reference is None else reference[rows]
        columns, types = absolute_uncertainties(dataset.uncertainties, values, additive_only)
        internal = np.array([kind in INTERNAL_TYPES for kind in types], dtype=bool)
        total[rows, rows] = _internal(dataset.uncertainties.stat, columns[:, internal], types, internal)
        special.append((_numbered(types, ~internal), columns[:, ~internal]))
    for one, (names, left) in enumerate(special):
        total[slices[one], slices[one]] += left @ left.T
        for two, (others, right) in enumerate(special[:one]):
            common = [name for name in names if name in others]
            shared = left[:, [names[name] for name in common]] @ right[:, [others[name] for name in common]].T
            total[slices[one], slices[two]] += shared
            total[slices[two], slices[one]] += shared.T
    return total


def uncorrelated_variances(datasets: Sequence[DataSet], reference: np.ndarray | None = None) -> np.ndarray:
    """(dat,) the part of `covariance` that is independent from point to point; `reference` as there."""
    parts = []
    for dataset, rows in zip(datasets, dataset_rows(datasets).values(), strict=True):
        values = dataset.central if reference is None else reference[rows]
        columns, types = absolute_uncertainties(dataset.uncertainties, values)
        alone = columns[:, np.array([kind in UNCORRELATED_TYPES for kind in types], dtype=bool)]
        parts.append(dataset.uncertainties.stat**2 + np.sum(alone**2, axis=1))
    return np.concatenate(parts)


def absolute_uncertainties(
    uncertainties: Uncertainties, values: np.ndarray, additive_only: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Uncertainties (dat, unc) in the units of the data, and their types; `values` (dat,) are what fractions are of."""
    if additive_only:
        return uncertainties.additive, uncertainties.additive_types
    scaled = uncertainties.multiplicative * values[:, None] / 100
    types = uncertainties.additive_types + uncertainties.multiplicative_types
    return np.concatenate([uncertainties.additive, scaled], axis=1), types


def _internal(stat: np.ndarray, columns: np.ndarray, types: Sequence[str], internal: np.ndarray) -> np.ndarray:
    """(dat, dat) block of one set, from what is not correlated with other sets; `columns` are (dat, unc)."""
    kinds = [kind for kind, inside in zip(types, internal, strict=True) if inside]
    alone = np.array([kind in UNCORRELATED_TYPES for kind in kinds], dtype=bool)
    correlated = columns[:, ~alone]
    return np.diag(stat**2 + np.sum(columns[:, alone] ** 2, axis=1)) + correlated @ correlated.T


def _numbered(types: Sequence[str], special: np.ndarray) -> dict[tuple[str, int], int]:
    """(name, how often it came before) -> its column among the special ones."""
    seen: dict[str, int] = {}
    columns: dict[tuple[str, int], int] = {}
    for kind in (kind for kind, chosen in zip(types, special, strict=True) if chosen):
        columns[kind, seen.get(kind, 0)] = len(columns)
        seen[kind] = seen.get(kind, 0) + 1
    return columns


def correlations(covmat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dat,) standard deviations and (dat, dat) correlations: the entries of `covmat` differ by orders of magnitude."""
    sigma = np.sqrt(np.diag(covmat))
    return sigma, covmat / np.multiply.outer(sigma, sigma)


def keep_groups(covmat: np.ndarray, datasets: Sequence[DataSet]) -> np.ndarray:
    """`covmat` (dat, dat) with zeros between data sets of different groups."""
    names = np.repeat([dataset.group for dataset in datasets], [dataset.ndata for dataset in datasets])
    return np.where(names[:, None] == names[None, :], covmat, 0.0)


def regularised(covmat: np.ndarray, norm_threshold: float) -> np.ndarray:
    """`covmat` (dat, dat) with the eigenvalues of its correlations raised to at least 1/n², n being `norm_threshold`.

    The inverse of the square root of the correlations then has at most the norm n.  A matrix that keeps to this is
    returned as it is.
    """
    sigma, correlated = correlations(covmat)
    eigenvalues, vectors = np.linalg.eigh(correlated)
    least = norm_threshold**-2.0
    if not len(eigenvalues) or eigenvalues[0] > least:
        return covmat
    raised = (vectors * np.maximum(eigenvalues, least)) @ vectors.T
    return (raised + raised.T) / 2 * np.multiply.outer(sigma, sigma)
