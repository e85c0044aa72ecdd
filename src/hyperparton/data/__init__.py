"""Measured data, covariance matrices, FK tables, masks and data replicas of a fit; see `load_fit_data`."""

from __future__ import annotations

from hyperparton.data.contents import (
    EVOLUTION_BASIS,
    DataSet,
    FitData,
    FKTable,
    Observable,
    TheorySource,
    Uncertainties,
)
from hyperparton.data.load import load_fit_data
from hyperparton.data.pdfsets import SHIPPED_SET, PDFSet, find_pdfset
from hyperparton.data.predictions import chi2, chi2_by_dataset, predict

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
    "chi2",
    "chi2_by_dataset",
    "find_pdfset",
    "load_fit_data",
    "predict",
]
