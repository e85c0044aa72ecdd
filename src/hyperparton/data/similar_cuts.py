"""The points of which two theories or two PDF sets predict nearly the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hyperparton.data.covmat import absolute_uncertainties
from hyperparton.data.fktables import load_observable
from hyperparton.data.pdfsets import PDFSet
from hyperparton.data.t0 import central_predictions
from hyperparton.data.theory_folder import TheoryFolder
from hyperparton.errors import DataError

if TYPE_CHECKING:
    from hyperparton.data.commondata import CommonData

__all__ = ["Side", "SimilarCuts"]


class _Cuts(Protocol):
    def kept(self, data: CommonData) -> np.ndarray: ...

    def why(self, data: CommonData) -> str: ...


@dataclass(frozen=True)
class Side:
    """What one of the two predictions is made with."""

    theory: TheoryFolder
    pdfset: PDFSet
    cfac: Mapping[str, Sequence[str]]
    """data set -> kinds of its C-factors"""


@dataclass(frozen=True)
class SimilarCuts:
    """The points that pass `both` and of which the predictions differ by less than `threshold` uncertainties.

    The uncertainty of a point is the square root of its experimental variance.  The data sets `exempt` have the cuts
    `own`.
    """

    both: _Cuts
    own: _Cuts
    sides: tuple[Side, ...]
    threshold: float
    exempt: Sequence[str] = ()

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) their indices; raises `DataError` where a prediction cannot be made."""
        if not {data.name, *data.legacy_names}.isdisjoint(self.exempt):
            return self.own.kept(data)
        matched = self.both.kept(data)
        return matched[self._ratio(data, matched) < self.threshold]

    def why(self, data: CommonData) -> str:
        """What the rules leave."""
        return f"predictions that are similar are asked for, and {self.both.why(data)}"

    def _ratio(self, data: CommonData, matched: np.ndarray) -> np.ndarray:
        """(dat,) difference of the predictions of the points in units of their uncertainties."""
        predicted = []
        for side in self.sides:
            if data.name not in side.cfac:
                raise DataError(f"dataset_inputs of an entry of cuts_intersection_spec lack {data.name}")
            observable = load_observable(data.name, data.theory, side.theory, side.cfac[data.name], matched)
            predicted.append(central_predictions([observable], side.pdfset))
        uncertainties = data.uncertainties.take(matched)
        columns, _ = absolute_uncertainties(uncertainties, data.central[matched])
        variance = uncertainties.stat**2 + np.sum(columns**2, axis=1)
        return np.abs(predicted[0] - predicted[1]) / np.sqrt(variance)
