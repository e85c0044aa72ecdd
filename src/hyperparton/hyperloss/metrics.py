"""How well PDFs describe a set of measured points: chi2, phi2, -log p (arXiv:2410.16248, sec. 2.2).

    chi2    = r^T (C + C_pdf)^-1 r / N          r: mean PDF minus data
    chi2exp = r^T C^-1 r / N
    phi2    = sqrt(<r_k^T C^-1 r_k> - <r>^T C^-1 <r>) / sqrt(N), over the replicas k
    logp    = (N log 2 pi + log det(C + C_pdf) + chi2 N) / (2 N), with C + C_pdf divided by the data

C is the experimental covariance matrix and C_pdf the covariance of the replicas' predictions (zero for one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hyperparton.fit.chi2 import ReducedChi2, cholesky, reduce_rows, whitened

__all__ = ["Metrics", "ReducedMetrics"]


@dataclass(frozen=True)
class Metrics:
    """The four numbers of the module's docstring; `logp` is -log p per point."""

    chi2: float
    phi2: float
    logp: float
    chi2exp: float


@dataclass(frozen=True, eq=False)
class ReducedMetrics:
    """The metrics of one set of points from the features of PDFs, at a cost that the points do not enter.

    With the replicas' deviations U from their mean, divided by sqrt(rep - 1), C_pdf = U U^T has the rank of the
    replicas, so its inverse and determinant beside C are those of 1 + U^T C^-1 U (rep, rep).
    """

    experimental: ReducedChi2
    log_det: float
    """log det of C with its rows and columns divided by the data"""

    @classmethod
    def build(cls, matrix: np.ndarray, data: np.ndarray, covmat: np.ndarray, origin: np.ndarray) -> ReducedMetrics:
        """For predictions matrix @ features, matrix (dat, feature); data (dat,), covmat (dat, dat)."""
        factor = cholesky(covmat, "the points that judge a fit")
        rows = whitened(factor, np.column_stack([matrix, data]))
        log_det = 2.0 * float(np.sum(np.log(np.diag(factor))) - np.sum(np.log(np.abs(data))))
        return cls(reduce_rows(rows[:, :-1], rows[:, -1], origin, len(data)), log_det)

    def __call__(self, central: np.ndarray, features: np.ndarray) -> Metrics:
        """From the features (feature,) of the mean PDF and those of all replicas (rep, feature)."""
        form, ndata = self.experimental, self.experimental.ndata
        mean = features.mean(axis=0)
        alone, of_mean = form(np.stack([central, mean]))
        phi2 = np.mean(form(features)) - of_mean
        chi2, log_det = alone, self.log_det
        if len(features) > 1:
            deviations = (features - mean) / np.sqrt(len(features) - 1)
            spread = np.eye(len(features)) + deviations @ form.hessian @ deviations.T
            pull = deviations @ (form.hessian @ (central - form.origin) - form.pull)
            chi2 = alone - pull @ np.linalg.solve(spread, pull)
            log_det += float(np.linalg.slogdet(spread)[1])
        return Metrics(
            chi2=float(chi2) / ndata,
            # rounding can leave a tiny negative number when the replicas agree
            phi2=float(np.sqrt(max(phi2, 0.0) / ndata)),
            logp=float(0.5 * (np.log(2.0 * np.pi) + (log_det + chi2) / ndata)),
            chi2exp=float(alone) / ndata,
        )
