"""Predictions of the t0 set, which multiplicative uncertainties are fractions of (arXiv:0912.2276)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hyperparton.data.commondata import Metadata, operands_of
from hyperparton.data.fktables import load_observable
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.pdfsets import PDFSet
from hyperparton.data.predictions import predict
from hyperparton.data.theory_folder import TheoryFolder, find_other_theory
from hyperparton.data.types import DataSet, Observable
from hyperparton.data.wanted import WantedSet, expect_tables
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["central_predictions", "t0_observables", "t0_theory"]

_PLACE: KeyPath = ("theory", "t0theoryid")


def t0_theory(
    card: Runcard, folder: str | Path | None, wanted: Sequence[WantedSet], faults: InputFaults
) -> TheoryFolder | None:
    """The theory of `t0theoryid` with tables of all data sets; None where it is that of the fit, or with a fault."""
    theoryid = card.theory.t0theoryid
    if theoryid is None or theoryid == card.theoryid:
        return None
    theory = faults.attempt(_PLACE, lambda: find_other_theory(theoryid, folder))
    measured = [each for each in wanted if isinstance(each[1], DatasetInput)]
    return theory if theory is not None and expect_tables(measured, theory, faults, _PLACE) else None


def t0_observables(
    datasets: Sequence[DataSet], wanted: Sequence[WantedSet], theory: TheoryFolder, faults: InputFaults
) -> list[Observable]:
    """The observables of the data sets with the tables of another theory, for the points that passed the cuts."""
    entries: dict[str, tuple[KeyPath, DatasetInput, Metadata]] = {
        metadata.name: (place, entry, metadata) for place, entry, metadata in wanted if isinstance(entry, DatasetInput)
    }
    found = []
    for dataset in datasets:
        place, entry, metadata = entries[dataset.name]
        tables = operands_of(metadata)
        found.append(
            faults.attempt(
                place,
                lambda: load_observable(dataset.name, tables, theory, entry.cfac, dataset.kept),  # noqa: B023
            )
        )
    return [each for each in found if each is not None]


def central_predictions(observables: Sequence[Observable], pdfset: PDFSet) -> np.ndarray:
    """(dat,) predictions of the central member of a PDF set for all points."""
    known: dict[tuple[bytes, float], np.ndarray] = {}

    def xf(x: np.ndarray, q: float) -> np.ndarray:
        key = x.tobytes(), q
        if key not in known:
            known[key] = pdfset.evolution_basis(x, q, members=[0])[0]
        return known[key]

    return np.concatenate([predict(observable, xf) for observable in observables])
