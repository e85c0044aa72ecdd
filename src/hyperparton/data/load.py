"""Loads the data, covariance matrices and FK tables that a runcard names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from hyperparton.data.commondata import CommonData, Metadata, find_metadata, load_commondata, operands_of
from hyperparton.data.covmat import covariance, keep_groups
from hyperparton.data.cuts import added_rule, kept_points
from hyperparton.data.filter_rules import FilterRule
from hyperparton.data.fktables import load_observable
from hyperparton.data.pdfsets import PDFSet, find_pdfset
from hyperparton.data.predictions import predict
from hyperparton.data.theory_folder import ENVIRONMENT, TheoryFolder, find_theory, missing_tables
from hyperparton.data.types import DataSet, FitData, Observable
from hyperparton.errors import DataError, HyperpartonError, PDFSetError, RuncardError, TheoryError
from hyperparton.runcard.card import DatasetInput, LagrangeSet, Runcard
from hyperparton.runcard.datacuts import DataCuts
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["DatasetLoader", "central_predictions", "load_fit_data"]

_Result = TypeVar("_Result")


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

    def raise_all(self, card: Runcard) -> None:
        """The error itself if all are of one kind, a `RuncardError` otherwise; nothing if there are none."""
        if not self.errors:
            return
        faults = [card.fault(path, str(error)) for path, error in self.errors]
        for kind in (DataError, TheoryError, PDFSetError):
            if all(type(error) is kind for _, error in self.errors):
                raise kind("\n".join(map(str, faults)))
        raise RuncardError(faults)


@dataclass(frozen=True)
class DatasetLoader:
    """Loads data sets after cuts, with their FK tables of one theory."""

    theory: TheoryFolder
    cuts: DataCuts = field(default_factory=DataCuts)
    rules: tuple[FilterRule, ...] = ()
    """cuts beside NNPDF's own"""
    by_experiment: bool = False
    """whether the groups of the data sets are experiments; else all are in one group"""

    def dataset(self, entry: DatasetInput, metadata: Metadata) -> DataSet:
        """The measured data set of an entry of `dataset_inputs` and its metadata; `DataError` if no point is left."""
        data = load_commondata(metadata)
        kept = self._kept(data)
        return DataSet(
            name=data.name,
            variant=data.variant,
            frac=entry.frac,
            observable=load_observable(data.name, data.theory, self.theory, entry.cfac, kept),
            central=data.central[kept],
            kept=kept,
            uncertainties=data.uncertainties.take(kept),
            process=data.process,
            group=data.experiment if self.by_experiment else "ALL",
            seedname=data.legacy_names[0] if data.legacy_names else data.name,
        )

    def lagrange_set(self, entry: LagrangeSet, metadata: Metadata) -> Observable:
        """The positivity or integrability set of an entry of `posdatasets` or `integdatasets` and its metadata."""
        data = load_commondata(metadata)
        kept = self._kept(data)
        return load_observable(data.name, data.theory, self.theory, kept=kept, maxlambda=entry.maxlambda)

    def _kept(self, data: CommonData) -> np.ndarray:
        """(dat,) indices of the points that pass the cuts; raises `DataError` if none does."""
        kept = kept_points(data, self.theory.card, self.cuts, self.rules)
        if not len(kept):
            raise DataError(f"{data.name}: no point passes the cuts; change them, or take the set out of the runcard")
        return kept


def load_fit_data(card: Runcard, theory: str | Path | None = None, t0pdfset: str | None = None) -> FitData:
    """The data, covariance matrices and FK tables of a runcard.

    `theory` is the user's folder of FK tables (before HYPERPARTON_THEORY and the tables that ship), `t0pdfset` the t0
    set in place of the card's.  Data sets, variants, tables, C-factors, the theory card, the t0 set and added rules
    are all checked before anything is read, and everything that is wrong is raised at once: as `DataError`,
    `TheoryError` or `PDFSetError` if it is of one kind, as `RuncardError` if it is not.
    """
    (measured, positivity, integrability), loader, t0 = _find_inputs(card, theory, t0pdfset)
    datasets = tuple(map(loader.dataset, card.dataset_inputs, measured))
    experimental = covariance(datasets)
    predictions = None if t0 is None else central_predictions(datasets, t0)
    covmat = experimental if predictions is None else covariance(datasets, predictions)
    return FitData(
        datasets=datasets,
        positivity=tuple(map(loader.lagrange_set, card.positivity, positivity)),
        integrability=tuple(map(loader.lagrange_set, card.integrability, integrability)),
        central=np.concatenate([dataset.central for dataset in datasets]) if datasets else np.zeros(0),
        covmat=keep_groups(covmat, datasets) if loader.by_experiment else covmat,
        experimental_covmat=experimental,
        group="experiment" if loader.by_experiment else "ALL",
        theory=loader.theory.source,
        t0pdfset=None if t0 is None else t0.name,
        t0_predictions=predictions,
    )


def _find_inputs(
    card: Runcard, folder: str | Path | None, t0pdfset: str | None
) -> tuple[list[tuple[Metadata, ...]], DatasetLoader, PDFSet | None]:
    """The metadata of the measured, positivity and integrability sets, theory and cuts, and the t0 set of a card.

    Raises everything that is wrong with the card.
    """
    faults = _Faults()
    entries: dict[KeyPath, Sequence[DatasetInput | LagrangeSet]] = {
        ("dataset_inputs",): card.dataset_inputs,
        ("positivity", "posdatasets"): card.positivity,
        ("integrability", "integdatasets"): card.integrability,
    }
    metadata = {
        path: tuple(
            faults.attempt((*path, place), lambda entry=entry: find_metadata(entry.dataset, entry.variant))
            for place, entry in enumerate(listed)
        )
        for path, listed in entries.items()
    }
    theory = faults.attempt(("theory", "theoryid"), lambda: find_theory(card.theoryid, folder))
    if theory is not None:
        pairs = [pair for path in entries for pair in zip(entries[path], metadata[path], strict=True)]
        known = [(entry, each) for entry, each in pairs if each is not None]
        faults.attempt(("theory",), lambda: _expect_tables(known, theory))
    name = t0pdfset or card.datacuts.t0pdfset
    t0 = faults.attempt(("datacuts", "t0pdfset"), lambda: find_pdfset(name)) if name else None
    rules = [
        faults.attempt(("added_filter_rules", place), lambda rule=rule: added_rule(rule))
        for place, rule in enumerate(card.added_filter_rules)
    ]
    faults.raise_all(card)
    assert theory is not None
    loader = DatasetLoader(theory, card.datacuts, tuple(filter(None, rules)), by_experiment=not card.diagonal_basis)
    return [tuple(filter(None, found)) for found in metadata.values()], loader, t0


def _expect_tables(wanted: Sequence[tuple[DatasetInput | LagrangeSet, Metadata]], theory: TheoryFolder) -> None:
    """Raises `TheoryError` if FK tables or C-factors of the entries, each with its metadata, are missing or damaged."""
    files = [
        (metadata.name, operands_of(metadata), entry.cfac if isinstance(entry, DatasetInput) else ())
        for entry, metadata in wanted
    ]
    absent = missing_tables(theory, files)
    names = dict.fromkeys(name for _, operands, _ in files for name in operands.names)
    damaged = [] if absent else list(filter(None, map(theory.fault_of, names)))
    if damaged:
        raise TheoryError("\n".join(damaged))
    if absent:
        folders = ", ".join(str(path / "fastkernel") for path in theory.searched)
        raise TheoryError(
            f"theory {theory.source.theoryid} ({theory.source.origin}) lacks FK tables or C-factors of {len(absent)} "
            "data sets:\n  " + "\n  ".join(absent) + f"\nsearched: {folders}\nGive a folder that has them with "
            f"--theory or {ENVIRONMENT} (NNPDF's own theory folders can be used as they are), build them, or take "
            "these sets out of the runcard"
        )


def central_predictions(datasets: Sequence[DataSet], pdfset: PDFSet) -> np.ndarray:
    """(dat,) predictions of the central member of a PDF set for all points."""
    known: dict[tuple[bytes, float], np.ndarray] = {}

    def xf(x: np.ndarray, q: float) -> np.ndarray:
        key = x.tobytes(), q
        if key not in known:
            known[key] = pdfset.evolution_basis(x, q, members=[0])[0]
        return known[key]

    return np.concatenate([predict(dataset.observable, xf) for dataset in datasets])
