"""Loads the data, covariance matrices and FK tables that a runcard names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hyperparton.data.commondata import CommonData, find_metadata, load_commondata, operands_of
from hyperparton.data.covmat import covariance, keep_groups
from hyperparton.data.cuts import CutRule, CutSettings, added_rules, kept_points
from hyperparton.data.fktables import load_observable
from hyperparton.data.pdfsets import PDFSet, find_pdfset
from hyperparton.data.predictions import predict
from hyperparton.data.theory_folder import ENVIRONMENT, TheoryFolder, find_theory, missing_tables
from hyperparton.data.types import DataSet, FitData, Observable
from hyperparton.errors import DataError, Fault, HyperpartonError, PDFSetError, RuncardError, TheoryError
from hyperparton.runcard import KeyPath, dotted

__all__ = ["load_fit_data"]

_Result = TypeVar("_Result")

#: attribute of a card that lists data sets -> where the list stands in the file
_SECTIONS: Mapping[str, KeyPath] = {
    "dataset_inputs": ("dataset_inputs",),
    "positivity": ("positivity", "posdatasets"),
    "integrability": ("integrability", "integdatasets"),
}


@dataclass(frozen=True)
class _Inputs:
    """What the names of a runcard stand for: metadata of the data sets, theory, t0 set and cuts."""

    datasets: tuple[Any, ...]
    positivity: tuple[Any, ...]
    integrability: tuple[Any, ...]
    theory: TheoryFolder
    t0: PDFSet | None
    cuts: CutSettings
    rules: tuple[CutRule, ...]


class _Faults:
    """Collects errors, to raise them together."""

    def __init__(self) -> None:
        self.errors: list[tuple[KeyPath, HyperpartonError]] = []

    def attempt(self, path: KeyPath, action: Callable[[], _Result]) -> _Result | None:
        try:
            return action()
        except HyperpartonError as error:
            self.errors.append((path, error))
            return None

    def add(self, path: KeyPath, error: HyperpartonError) -> None:
        self.errors.append((path, error))

    def raise_all(self, card: Any) -> None:
        """The error itself if all are of one kind, a `RuncardError` otherwise; nothing if there are none."""
        if not self.errors:
            return
        faults = [_fault(card, path, str(error)) for path, error in self.errors]
        for kind in (DataError, TheoryError, PDFSetError):
            if all(type(error) is kind for _, error in self.errors):
                raise kind("\n".join(map(str, faults)))
        raise RuncardError(faults)


def _fault(card: Any, path: KeyPath, message: str) -> Fault:
    """With its place where the card knows it: cards made in Python have none."""
    if hasattr(card, "fault"):
        return card.fault(path, message)
    return Fault(message, path=dotted(path))


def load_fit_data(card: Any, theory: str | Path | None = None, t0pdfset: str | None = None) -> FitData:
    """The data, covariance matrices and FK tables of a runcard.

    `theory` is the user's folder of FK tables (before HYPERPARTON_THEORY and the tables that ship), `t0pdfset` the t0
    set in place of the card's.  Data sets, variants, tables, C-factors, the theory card, the t0 set and added rules
    are all checked before anything is read, and everything that is wrong is raised at once: as `DataError`,
    `TheoryError` or `PDFSetError` if it is of one kind, as `RuncardError` if it is not.
    """
    inputs = _check(card, theory, t0pdfset)
    diagonal = bool(getattr(card, "diagonal_basis", True))
    datasets = tuple(
        _dataset(entry, metadata, inputs, diagonal)
        for entry, metadata in zip(card.dataset_inputs, inputs.datasets, strict=True)
    )
    experimental = covariance(datasets)
    predictions = None if inputs.t0 is None else _t0_predictions(datasets, inputs.t0)
    covmat = experimental if predictions is None else covariance(datasets, predictions)
    return FitData(
        datasets=datasets,
        positivity=_lagrange_sets(card.positivity, inputs.positivity, inputs),
        integrability=_lagrange_sets(card.integrability, inputs.integrability, inputs),
        central=np.concatenate([dataset.central for dataset in datasets]) if datasets else np.zeros(0),
        covmat=covmat if diagonal else keep_groups(covmat, datasets),
        experimental_covmat=experimental,
        group="ALL" if diagonal else "experiment",
        theory=inputs.theory.source,
        t0pdfset=None if inputs.t0 is None else inputs.t0.name,
        t0_predictions=predictions,
    )


def _check(card: Any, folder: str | Path | None, t0pdfset: str | None) -> _Inputs:
    """Finds everything that the card names, or raises everything that is wrong with it."""
    faults = _Faults()
    metadata: dict[str, list[Any]] = {}
    for section in _SECTIONS:
        metadata[section] = [
            faults.attempt(
                (*_SECTIONS[section], place),
                lambda entry=entry: find_metadata(entry.dataset, getattr(entry, "variant", None)),
            )
            for place, entry in enumerate(getattr(card, section) or ())
        ]
    theory = faults.attempt(("theory", "theoryid"), lambda: find_theory(int(card.theoryid), folder))
    if theory is not None:
        _check_tables(card, metadata, theory, faults)
    name = t0pdfset or card.datacuts.t0pdfset
    t0 = faults.attempt(("datacuts", "t0pdfset"), lambda: find_pdfset(name)) if name else None
    rules = faults.attempt(("added_filter_rules",), lambda: added_rules(card.added_filter_rules))
    faults.raise_all(card)
    assert theory is not None
    assert rules is not None
    return _Inputs(
        datasets=tuple(metadata["dataset_inputs"]),
        positivity=tuple(metadata["positivity"]),
        integrability=tuple(metadata["integrability"]),
        theory=theory,
        t0=t0,
        cuts=_cut_settings(card.datacuts),
        rules=rules,
    )


def _check_tables(card: Any, metadata: dict[str, list[Any]], theory: TheoryFolder, faults: _Faults) -> None:
    wanted = [
        (each.name, operands_of(each), tuple(getattr(entry, "cfac", None) or ()))
        for section, sets in metadata.items()
        for entry, each in zip(getattr(card, section) or (), sets, strict=True)
        if each is not None
    ]
    absent = missing_tables(theory, wanted)
    if absent:
        folders = ", ".join(str(path / "fastkernel") for path in theory.searched)
        message = (
            f"theory {theory.source.theoryid} ({theory.source.origin}) lacks FK tables or C-factors of {len(absent)} "
            "data sets:\n  " + "\n  ".join(absent) + f"\nsearched: {folders}\nGive a folder that has them with "
            f"--theory or {ENVIRONMENT} (NNPDF's own theory folders can be used as they are), build them, or take "
            "these sets out of the runcard"
        )
        faults.add(("theory",), TheoryError(message))


def _cut_settings(datacuts: Any) -> CutSettings:
    values = {name: getattr(datacuts, name, None) for name in ("q2min", "w2min", "maxTau")}
    return CutSettings(**{name: float(value) for name, value in values.items() if value is not None})


def _dataset(entry: Any, metadata: Any, inputs: _Inputs, diagonal: bool) -> DataSet:
    data = load_commondata(metadata)
    kept = kept_points(data, inputs.theory.card, inputs.cuts, inputs.rules)
    cfactors = tuple(getattr(entry, "cfac", None) or ())
    return DataSet(
        name=data.name,
        variant=data.variant,
        frac=float(entry.frac),
        observable=load_observable(data.name, data.theory, inputs.theory, cfactors, kept),
        central=data.central[kept],
        kept=kept,
        uncertainties=data.uncertainties.take(kept),
        process=data.process,
        group="ALL" if diagonal else data.experiment,
        seedname=data.legacy_names[0] if data.legacy_names else data.name,
    )


def _lagrange_sets(entries: Sequence[Any] | None, metadata: Sequence[Any], inputs: _Inputs) -> tuple[Observable, ...]:
    """Positivity or integrability sets."""
    observables = []
    for entry, each in zip(entries or (), metadata, strict=True):
        data: CommonData = load_commondata(each)
        kept = kept_points(data, inputs.theory.card, inputs.cuts, inputs.rules)
        maxlambda = float(entry.maxlambda)
        observables.append(load_observable(data.name, data.theory, inputs.theory, kept=kept, maxlambda=maxlambda))
    return tuple(observables)


def _t0_predictions(datasets: Sequence[DataSet], t0: PDFSet) -> np.ndarray:
    """(dat,) predictions of the set's central member."""
    known: dict[tuple[bytes, float], np.ndarray] = {}

    def xf(x: np.ndarray, q: float) -> np.ndarray:
        key = x.tobytes(), q
        if key not in known:
            known[key] = t0.evolution_basis(x, q, members=[0])[0]
        return known[key]

    return np.concatenate([predict(dataset.observable, xf) for dataset in datasets])
