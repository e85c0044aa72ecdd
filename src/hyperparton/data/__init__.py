"""Measured data, covariance matrices, FK tables, masks and data replicas of a fit; see `load_fit_data`.

What is named here is loaded when it is asked for: checking the names of data sets needs none of the libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperparton.lazy import lazy_names

if TYPE_CHECKING:
    from hyperparton.data.known_sets import check_dataset_names
    from hyperparton.data.load import load_fit_data
    from hyperparton.data.pdfsets import SHIPPED_SET, PDFSet, find_pdfset
    from hyperparton.data.predictions import chi2, chi2_by_dataset, predict
    from hyperparton.data.types import (
        EVOLUTION_BASIS,
        DataSet,
        FitData,
        FKTable,
        Observable,
        TheorySource,
        Uncertainties,
    )

__all__ = [
    "EVOLUTION_BASIS",
    "SHIPPED_SET",
    "DataSet",
    "FKTable",
    "FitData",
    "Observable",
    "PDFSet",
    "TheorySource",
    "Uncertainties",
    "check_dataset_names",
    "chi2",
    "chi2_by_dataset",
    "find_pdfset",
    "load_fit_data",
    "predict",
]

_HOMES = {
    "types": ("EVOLUTION_BASIS", "DataSet", "FKTable", "FitData", "Observable", "TheorySource", "Uncertainties"),
    "load": ("load_fit_data",),
    "known_sets": ("check_dataset_names",),
    "pdfsets": ("SHIPPED_SET", "PDFSet", "find_pdfset"),
    "predictions": ("chi2", "chi2_by_dataset", "predict"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


__getattr__ = lazy_names(__name__, _HOME)
