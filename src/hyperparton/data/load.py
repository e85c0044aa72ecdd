"""Loads the data, covariance matrices and FK tables that a runcard names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hyperparton.data import filter_rules
from hyperparton.data.commondata import (
    CommonData,
    Metadata,
    check_name,
    find_metadata,
    load_commondata,
    operands_of,
)
from hyperparton.data.covmat import covariance, keep_groups
from hyperparton.data.cuts import added_rule, kept_points, what_cuts
from hyperparton.data.filter_rules import CutError, FilterRule
from hyperparton.data.fktables import load_observable
from hyperparton.data.pdfsets import PDFSet, find_pdfset
from hyperparton.data.predictions import predict
from hyperparton.data.theory_folder import ENVIRONMENT, TheoryFolder, find_theory, missing_tables
from hyperparton.data.trial_reading import expect_readable
from hyperparton.data.types import DataSet, FitData, Observable
from hyperparton.errors import DataError, Fault, HyperpartonError, PDFSetError, RuncardError, TheoryError
from hyperparton.runcard.card import DatasetInput, LagrangeSet, Runcard
from hyperparton.runcard.check import in_order
from hyperparton.runcard.datacuts import DataCuts
from hyperparton.runcard.yaml_positions import KeyPath
from hyperparton.text import counted

__all__ = ["DatasetLoader", "InputFaults", "central_predictions", "examine_fit_data", "examine_names", "load_fit_data"]

_Result = TypeVar("_Result")


@dataclass
class InputFaults:
    """What is wrong with the data, the theory and the PDF set of a card, collected to be told together."""

    card: Runcard
    errors: list[tuple[KeyPath, HyperpartonError]] = field(default_factory=list)
    idle: list[Fault] = field(default_factory=list)
    """added rules that apply to no set of the card"""

    def attempt(self, path: KeyPath, action: Callable[[], _Result]) -> _Result | None:
        try:
            return action()
        except HyperpartonError as error:
            self.add(path, error)
            return None

    def add(self, path: KeyPath, error: HyperpartonError) -> None:
        self.errors.append((path, error))

    @property
    def faults(self) -> list[Fault]:
        """The errors, each line one, with their places in the card, in their order there."""
        lines = [(path, line) for path, error in self.errors for line in str(error).splitlines()]
        return in_order([self.card.fault(path, line) for path, line in lines])

    def raise_all(self) -> None:
        """An error of one kind if all are of it, a `RuncardError` otherwise; nothing if there are none."""
        for kind in (DataError, TheoryError, PDFSetError):
            if self.errors and all(isinstance(error, kind) for _, error in self.errors):
                raised = kind("\n".join(map(str, self.faults)))
                raised.faults = tuple(self.faults)
                raise raised
        if self.errors:
            raise RuncardError(self.faults)


@dataclass(frozen=True)
class DatasetLoader:
    """Loads data sets after cuts, with their FK tables of one theory."""

    theory: TheoryFolder
    cuts: DataCuts = field(default_factory=DataCuts)
    rules: tuple[FilterRule, ...] = ()
    """cuts beside NNPDF's own"""
    by_experiment: bool = False
    """whether the groups of the data sets are experiments; else all are in one group"""
    applied: set[int] = field(default_factory=set)
    """the places of the rules that applied to a set so far"""

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
        self.applied.update(i for i, rule in enumerate(self.rules) if rule.applies(data, self.theory.card))
        kept = kept_points(data, self.theory.card, self.cuts, self.rules)
        if not len(kept):
            rules = what_cuts(data, self.theory.card, self.cuts, self.rules)
            raise DataError(
                f"{data.name}: no point passes the cuts; change them, or take the set out of the runcard: {rules}"
            )
        return kept


def load_fit_data(card: Runcard, theory: str | Path | None = None, t0pdfset: str | None = None) -> FitData:
    """The data, covariance matrices and FK tables of a runcard.

    `theory` is the user's folder of FK tables (before HYPERPARTON_THEORY and the tables that ship), `t0pdfset` the t0
    set in place of the card's.  Everything that is wrong with data sets, variants, tables, C-factors, the theory card,
    the t0 set, cuts and added rules is raised at once: as `DataError`, `TheoryError` or `PDFSetError` if it is of one
    kind, as `RuncardError` if it is not.
    """
    data, faults = examine_fit_data(card, theory, t0pdfset)
    faults.raise_all()
    assert data is not None
    return data


def examine_fit_data(
    card: Runcard, folder: str | Path | None = None, t0pdfset: str | None = None
) -> tuple[FitData | None, InputFaults]:
    """The data of `load_fit_data`, if nothing is wrong with them, and what is."""
    faults = InputFaults(card)
    wanted = _find_sets(card, faults)
    rules = _rules(card, faults)
    theory = faults.attempt(("theory", "theoryid"), lambda: find_theory(card.theoryid, folder))
    name = t0pdfset or card.datacuts.t0pdfset
    t0 = faults.attempt(_T0, lambda: find_pdfset(name)) if name else None
    if theory is None or not _expect_tables(wanted, theory, faults):
        return None, faults
    loader = DatasetLoader(theory, card.datacuts, tuple(rules.values()), by_experiment=not card.diagonal_basis)
    sections = [
        [_load(loader, place, entry, metadata, rules, faults) for place, entry, metadata in wanted if place[0] == name]
        for name in _SECTIONS
    ]
    faults.idle += [
        card.fault(path, "changes nothing: no data set of this card is of its name, process type, order or scheme")
        for i, path in enumerate(rules)
        if i not in loader.applied and not faults.errors
    ]
    datasets, positivity, integrability = (tuple(each for each in found if each is not None) for found in sections)
    predictions = faults.attempt(_T0, lambda: central_predictions(datasets, t0)) if t0 and datasets else None
    if faults.errors:
        return None, faults
    experimental = covariance(datasets)
    covmat = experimental if predictions is None else covariance(datasets, predictions)
    data = FitData(
        datasets=datasets,
        positivity=positivity,
        integrability=integrability,
        central=np.concatenate([dataset.central for dataset in datasets]) if datasets else np.zeros(0),
        covmat=keep_groups(covmat, datasets) if loader.by_experiment else covmat,
        experimental_covmat=experimental,
        group="experiment" if loader.by_experiment else "ALL",
        theory=theory.source,
        t0pdfset=None if t0 is None else t0.name,
        t0_predictions=predictions,
    )
    return data, faults


def examine_names(card: Runcard) -> InputFaults:
    """What is wrong with the names and rules of a card alone: no theory, data or PDF set is looked at."""
    faults = InputFaults(card)
    _find_sets(card, faults)
    _rules(card, faults)
    return faults


_T0 = ("datacuts", "t0pdfset")

#: section of a card -> the key that holds its list in the file
_SECTIONS = {"dataset_inputs": (), "positivity": ("posdatasets",), "integrability": ("integdatasets",)}

_Entry = DatasetInput | LagrangeSet


def _find_sets(card: Runcard, faults: InputFaults) -> list[tuple[KeyPath, _Entry, Metadata]]:
    """The place, entry and metadata of each data set that is known; of one that is named twice, the first."""
    found = []
    for section, holder in _SECTIONS.items():
        names: set[str] = set()
        for i, entry in enumerate(getattr(card, section)):
            place: KeyPath = (section, *holder, i)
            metadata = faults.attempt(place, lambda entry=entry: find_metadata(entry.dataset, entry.variant))
            if metadata is not None and metadata.name not in names:
                found.append((place, entry, metadata))
                names.add(metadata.name)
    return found


def _rules(card: Runcard, faults: InputFaults) -> dict[KeyPath, FilterRule]:
    """The added rules that can be read, by their places."""
    rules = {}
    for i, entry in enumerate(card.added_filter_rules):
        place: KeyPath = ("added_filter_rules", i)
        rule = faults.attempt(place, lambda entry=entry: added_rule(entry))
        if entry.dataset is not None:
            faults.attempt((*place, "dataset"), lambda name=entry.dataset: check_name(name))
        if rule is not None:
            rules[place] = rule
    return rules


def _load(
    loader: DatasetLoader,
    place: KeyPath,
    entry: _Entry,
    metadata: Metadata,
    rules: Mapping[KeyPath, FilterRule],
    faults: InputFaults,
) -> Any:
    """The data set or the observable of an entry; None if there is something wrong with it or with a rule."""
    try:
        if isinstance(entry, DatasetInput):
            return loader.dataset(entry, metadata)
        return loader.lagrange_set(entry, metadata)
    except CutError as error:
        # the first set that a rule does not go with stands for all
        at = next((path for path, rule in rules.items() if rule is error.rule), None)
        if at is None:
            faults.add(place, DataError(f"{error}; it is one of NNPDF's own rules, in {filter_rules.__file__}"))
        elif all(path != (*at, "rule") for path, _ in faults.errors):
            faults.add((*at, "rule"), error)
    except HyperpartonError as error:
        faults.add(place, error)
    return None


def _expect_tables(
    wanted: Sequence[tuple[KeyPath, _Entry, Metadata]], theory: TheoryFolder, faults: InputFaults
) -> bool:
    """Whether all FK tables and C-factors of the entries are in the theory and are those that its manifest names."""
    name = f"theory {theory.source.theoryid} ({theory.source.origin})"
    before, absent = len(faults.errors), 0
    for place, entry, metadata in wanted:
        operands = operands_of(metadata)
        kinds = entry.cfac if isinstance(entry, DatasetInput) else ()
        for line in missing_tables(theory, [(metadata.name, operands, kinds)]):
            absent += 1
            faults.add(place, TheoryError(f"{name} lacks FK tables or C-factors of {line}"))
        there = [table for table in operands.names if theory.table(table).is_file()]
        for fault in filter(None, map(theory.fault_of, there)):
            faults.add(place, TheoryError(fault))
    if absent:
        folders = ", ".join(str(path / "fastkernel") for path in theory.searched)
        message = (
            f"{name} lacks FK tables or C-factors of {counted(absent, 'data set')}; searched: {folders}. Give a "
            f"folder that has them with --theory or {ENVIRONMENT} (NNPDF's own theory folders can be used as "
            "they are), build them, or take these sets out of the runcard"
        )
        faults.add(("theory", "theoryid"), TheoryError(message))
    elif theory.manifest is None:  # all tables at once, since a process is started for them
        names = [table for _, _, metadata in wanted for table in operands_of(metadata).names]
        faults.attempt(("theory", "theoryid"), lambda: expect_readable(map(theory.table, names)))
    return len(faults.errors) == before


def central_predictions(datasets: Sequence[DataSet], pdfset: PDFSet) -> np.ndarray:
    """(dat,) predictions of the central member of a PDF set for all points."""
    known: dict[tuple[bytes, float], np.ndarray] = {}

    def xf(x: np.ndarray, q: float) -> np.ndarray:
        key = x.tobytes(), q
        if key not in known:
            known[key] = pdfset.evolution_basis(x, q, members=[0])[0]
        return known[key]

    return np.concatenate([predict(dataset.observable, xf) for dataset in datasets])
