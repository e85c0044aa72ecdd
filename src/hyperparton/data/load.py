"""Loads the data, covariance matrices and FK tables that a runcard names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.data import filter_rules
from hyperparton.data.commondata import CommonData, Metadata, load_commondata
from hyperparton.data.covariances import covariances
from hyperparton.data.cut_policies import CardCuts, PointCuts, card_cuts, examine_rules
from hyperparton.data.filter_rules import CutError
from hyperparton.data.fktables import load_observable
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.masks import grouped
from hyperparton.data.pdfsets import PDFSet, find_pdfset
from hyperparton.data.t0 import central_predictions, t0_observables, t0_theory
from hyperparton.data.theory_folder import TheoryFolder, find_theory
from hyperparton.data.types import DataSet, FitData, Observable
from hyperparton.data.user_covmat import theory_covariance
from hyperparton.data.wanted import SECTIONS, Entry, expect_tables, find_sets
from hyperparton.errors import DataError, Fault, HyperpartonError
from hyperparton.runcard.card import LagrangeSet, Runcard
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.treatment import ALL, CUSTOM
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["DatasetLoader", "examine_fit_data", "examine_names", "load_fit_data"]


@dataclass(frozen=True)
class DatasetLoader:
    """Loads data sets after cuts, with their FK tables of one theory."""

    theory: TheoryFolder
    cuts: CardCuts
    grouping: str = ALL
    """what groups the data sets, one of `METADATA_GROUPS`"""

    def dataset(self, entry: DatasetInput, metadata: Metadata) -> DataSet:
        """The measured data set of an entry of `dataset_inputs` and its metadata; `DataError` if no point is left."""
        data = load_commondata(metadata)
        kept = _kept(self.cuts.data, data)
        return DataSet(
            name=data.name,
            variant=data.variant,
            frac=entry.frac,
            observable=load_observable(data.name, data.theory, self.theory, entry.cfac, kept),
            central=data.central[kept],
            kept=kept,
            uncertainties=data.uncertainties.take(kept),
            process=data.process,
            group=self._group(entry, data),
            seedname=data.legacy_names[0] if data.legacy_names else data.name,
            weight=entry.weight,
            given=None if entry.dataset == data.name else entry.dataset,
        )

    def lagrange_set(self, entry: LagrangeSet, metadata: Metadata) -> Observable:
        """The positivity or integrability set of an entry of `posdatasets` or `integdatasets` and its metadata."""
        data = load_commondata(metadata)
        kept = _kept(self.cuts.constraints, data)
        return load_observable(data.name, data.theory, self.theory, kept=kept, maxlambda=entry.maxlambda)

    def _group(self, entry: DatasetInput, data: CommonData) -> str:
        if self.grouping == CUSTOM:
            return entry.custom_group or "unset"  # n3fit's name of it, which seeds masks
        return ALL if self.grouping == ALL else data.labels[self.grouping]


def _kept(cuts: PointCuts, data: CommonData) -> np.ndarray:
    """(dat,) indices of the points that pass the cuts; raises `DataError` if none does."""
    kept = cuts.kept(data)
    if not len(kept):
        raise DataError(
            f"{data.name}: no point passes the cuts; change them, or take the set out of the runcard: {cuts.why(data)}"
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
    wanted, rules = find_sets(card, faults), examine_rules(card, faults)
    theory = faults.attempt(("theory", "theoryid"), lambda: find_theory(card.theoryid, folder))
    name = t0pdfset or card.datacuts.t0pdfset
    t0 = faults.attempt(_T0, lambda: find_pdfset(name)) if name else None
    other = None if t0 is None else t0_theory(card, folder, wanted, faults)
    if theory is None or not expect_tables(wanted, theory, faults):
        return None, faults
    before = len(faults.errors)
    cuts = card_cuts(rules, theory, folder, faults)
    if len(faults.errors) > before:
        return None, faults
    loader = DatasetLoader(theory, cuts, card.grouping)
    datasets, positivity, integrability = (
        tuple(_load(loader, *each, faults) for each in wanted if each[0][0] == name) for name in SECTIONS
    )
    if not faults.errors:
        _expect_one_group(datasets, faults)
        faults.idle += [*cuts.idle(card), *_idle(card, t0)]
    observables = [dataset.observable for dataset in datasets] if not faults.errors else []
    if other is not None and not faults.errors:
        observables = t0_observables(datasets, wanted, other, faults)
    predictions = faults.attempt(_T0, lambda: central_predictions(observables, t0)) if t0 and observables else None
    theory_matrix = theory_covariance(datasets, faults)
    if faults.errors:
        return None, faults
    matrices = covariances(datasets, card, predictions, theory_matrix)
    data = FitData(
        datasets=datasets,
        positivity=positivity,
        integrability=integrability,
        central=np.concatenate([dataset.central for dataset in datasets]) if datasets else np.zeros(0),
        covmat=matrices.fit,
        sampling_covmat=matrices.sampling,
        experimental_covmat=matrices.experimental,
        group=card.grouping,
        theory=theory.source,
        t0pdfset=None if t0 is None else t0.name,
        t0_predictions=predictions,
        t0_theory=None if other is None else other.source,
        separate_multiplicative=card.separate_multiplicative,
        resample_negative=card.resample_negative_pseudodata,
    )
    return data, faults


def _expect_one_group(datasets: Sequence[DataSet], faults: InputFaults) -> None:
    """A fault where data sets are of several groups and eigenmodes are split, which go through all data."""
    card, groups = faults.card, list(grouped(datasets))
    if card.diagonal_basis and len(groups) > 1:
        key = "data_grouping" if card.metadata_group is None else "metadata_group"
        names = ", ".join(groups[:4]) + (", ..." if len(groups) > 4 else "")
        fault = f"diagonal_basis splits the eigenmodes of all data, so they must be in one group; {card.grouping} makes"
        faults.add(
            (key,), DataError(f"{fault} {len(groups)}: {names}. Set diagonal_basis: false, or {key}: {_ONE[key]}")
        )


_ONE = {"metadata_group": ALL, "data_grouping": "diagonal_basis"}


def _idle(card: Runcard, t0: PDFSet | None) -> Iterator[Fault]:
    """What of the card changes nothing where there is no t0 set."""
    if t0 is None and card.theory.t0theoryid is not None:
        yield card.fault(("theory", "t0theoryid"), "changes nothing: there is no t0pdfset to make predictions with")
    if t0 is None and "use_t0_sampling" in card.model_fields_set:
        yield card.fault(
            ("use_t0_sampling",), "changes nothing: there is no t0pdfset, so all matrices are experimental"
        )


def examine_names(card: Runcard) -> InputFaults:
    """What is wrong with the names and rules of a card alone: no theory, data or PDF set is looked at."""
    faults = InputFaults(card)
    find_sets(card, faults)
    examine_rules(card, faults)
    return faults


_T0 = ("datacuts", "t0pdfset")


def _load(loader: DatasetLoader, place: KeyPath, entry: Entry, metadata: Metadata, faults: InputFaults) -> Any:
    """The data set or the observable of an entry; None if there is something wrong with it or with a rule."""
    try:
        if isinstance(entry, DatasetInput):
            return loader.dataset(entry, metadata)
        return loader.lagrange_set(entry, metadata)
    except CutError as error:
        # the first set that a rule does not go with stands for all
        at = next((path for path, rule in loader.cuts.rules.items() if rule is error.rule), None)
        if at is None:
            faults.add(place, DataError(f"{error}; it is one of NNPDF's own rules, in {filter_rules.__file__}"))
        elif all(path != (*at, "rule") for path, _ in faults.errors):
            faults.add((*at, "rule"), error)
    except HyperpartonError as error:
        faults.add(place, error)
    return None
