"""Which points of the data sets of a card stay: what `use_cuts` asks for.

Data sets have the cuts of the policy.  Positivity and integrability sets have the rules of the card, where there are
rules: with `use_cuts: internal`, and with `filter_rules`; else all their points stay, as in n3fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hyperparton.data.commondata import check_name, modern_name
from hyperparton.data.cuts import RuleCuts, added_rule
from hyperparton.data.filter_rules import DEFAULT_RULES, FilterRule
from hyperparton.data.input_faults import InputFaults, find_beside
from hyperparton.data.pdfsets import find_pdfset
from hyperparton.data.similar_cuts import Side, SimilarCuts
from hyperparton.data.theory_folder import TheoryFolder, card_of_theory, find_other_theory
from hyperparton.errors import DataError, Fault
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.datacuts import (
    FROM_FIT,
    INTERNAL,
    INTERSECTION,
    SIMILAR,
    AddedRule,
    CutRules,
    Limits,
)
from hyperparton.runcard.yaml_positions import KeyPath

if TYPE_CHECKING:
    from hyperparton.data.commondata import CommonData

__all__ = ["CardCuts", "FitCuts", "PointCuts", "card_cuts", "examine_rules"]


class PointCuts(Protocol):
    """What tells the points of a data set that stay."""

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) their indices, increasing; raises `DataError`."""
        ...

    def why(self, data: CommonData) -> str:
        """Why there are so few, for a message."""
        ...


class NoCuts:
    """All points stay."""

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) all indices."""
        return np.arange(data.ndata)

    def why(self, data: CommonData) -> str:
        """Nothing is cut."""
        return "there are no cuts"


@dataclass(frozen=True)
class IntersectionCuts:
    """The points that pass all of several cuts."""

    parts: tuple[RuleCuts, ...]

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) the indices that all have."""
        return np.flatnonzero(np.all([np.isin(np.arange(data.ndata), part.kept(data)) for part in self.parts], axis=0))

    def why(self, data: CommonData) -> str:
        """What each of them leaves."""
        return "; ".join(part.why(data) for part in self.parts)


@dataclass(frozen=True)
class FitCuts:
    """The points of a fit of n3fit, which vp-setupfit has written into its folder.

    `filter/NAME/FKMASK_NAME.dat` lists the indices of a data set, also under an older name of it; without this file in
    its folder all points of the set are in the fit.
    """

    folder: Path

    def kept(self, data: CommonData) -> np.ndarray:
        """(dat,) the indices in the file; raises `DataError` where there are none for the set."""
        names = (data.name, *data.legacy_names)
        there = next((name for name in names if (self.folder / "filter" / name).is_dir()), None)
        if there is None:
            raise DataError(f"the fit {self.folder} has no data set {data.name}: {self.folder / 'filter' / data.name}")
        path = self.folder / "filter" / there / f"FKMASK_{there}.dat"
        if not path.exists():
            return np.arange(data.ndata)
        try:
            points = sorted({int(line) for line in path.read_text(encoding="utf-8").split()})
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is no list of points: {error}") from error
        if points and not 0 <= points[0] <= points[-1] < data.ndata:
            raise DataError(f"{path} names point {points[-1]} of {data.name}, which has {data.ndata}")
        return np.array(points, dtype=int)

    def why(self, data: CommonData) -> str:
        """Where they are from."""
        return f"the fit {self.folder} has none"


@dataclass(frozen=True)
class _Rules:
    """The rules of the card, or of an entry of cuts_intersection_spec; those that it states by their places."""

    filter_rules: dict[KeyPath, FilterRule]
    added: dict[KeyPath, FilterRule]
    dropped: tuple[str, ...]
    limits: Limits

    def cuts(self, theory: Mapping[str, Any]) -> RuleCuts:
        """With a theory card."""
        internal = tuple(self.filter_rules.values()) or DEFAULT_RULES
        kept = tuple(rule for rule in internal if rule.dataset not in self.dropped)
        return RuleCuts(theory, self.limits, (*kept, *self.added.values()))


@dataclass(frozen=True)
class CardCuts:
    """The cuts of a card."""

    data: PointCuts
    """of the data sets"""
    constraints: PointCuts
    """of the positivity and integrability sets"""
    rules: dict[KeyPath, FilterRule] = field(default_factory=dict)
    """the rules that are the card's own, by their places"""
    parts: tuple[RuleCuts, ...] = ()

    def idle(self, card: Runcard) -> Iterator[Fault]:
        """The card's own rules that apply to no set that was loaded."""
        applied = {rule for part in self.parts for rule in part.applied}
        for path, rule in self.rules.items():
            if id(rule) not in applied:
                why = "no data set of this card is of its name, process type, order or scheme"
                yield card.fault(path, f"changes nothing: {why}")


def examine_rules(card: Runcard, faults: InputFaults) -> list[_Rules]:
    """The rules of the card and then of each entry of cuts_intersection_spec, with what is wrong with their words."""
    read = _read_rules(card, (), card.added_filter_rules, faults)
    own = _Rules(*read, card.drop_internal_rules, card.cut_limits())
    rules = [own]
    for k, entry in enumerate(card.datacuts.cuts_intersection_spec or ()):
        given = entry.model_fields_set
        filter_rules, added = _read_rules(entry, (*_SPEC, k), entry.added_filter_rules, faults)
        rules.append(
            _Rules(
                filter_rules if "filter_rules" in given else own.filter_rules,
                added if "added_filter_rules" in given else own.added,
                entry.drop_internal_rules if "drop_internal_rules" in given else own.dropped,
                card.cut_limits(entry),
            )
        )
    return rules


def _read_rules(
    keys: CutRules, place: KeyPath, added: Sequence[AddedRule], faults: InputFaults
) -> tuple[dict[KeyPath, FilterRule], dict[KeyPath, FilterRule]]:
    """filter_rules and added_filter_rules, those that can be read, by their places."""
    for i, name in enumerate(keys.drop_internal_rules):
        faults.attempt((*place, "drop_internal_rules", i), lambda name=name: check_name(name))
    found: list[dict[KeyPath, FilterRule]] = []
    for key, entries in (("filter_rules", keys.filter_rules), ("added_filter_rules", added)):
        found.append({})
        for i, entry in enumerate(entries):
            at: KeyPath = (*place, key, i)
            rule = faults.attempt(at, lambda entry=entry: added_rule(entry))
            if entry.dataset is not None:
                faults.attempt((*at, "dataset"), lambda name=entry.dataset: check_name(name))
            if rule is not None:
                found[-1][at] = rule
    return found[0], found[1]


_SPEC: KeyPath = ("datacuts", "cuts_intersection_spec")


def card_cuts(
    rules: Sequence[_Rules], theory: TheoryFolder, folder: str | Path | None, faults: InputFaults
) -> CardCuts:
    """What `use_cuts` asks for, with the rules of `examine_rules`."""
    card = faults.card
    own, policy = rules[0].cuts(theory.card), card.datacuts.use_cuts
    of_constraints = own if policy == INTERNAL or card.filter_rules else NoCuts()
    parts = [own]
    if policy in (INTERSECTION, SIMILAR):
        parts += _parts(rules[1:], theory, folder, faults)
        cuts: PointCuts = IntersectionCuts(tuple(parts[1:]))
        if policy == SIMILAR:
            cuts = _similar(cuts, own, theory, folder, faults)
    elif policy == FROM_FIT:
        cuts = faults.attempt(("datacuts", "fit"), lambda: FitCuts(_fit_folder(card))) or NoCuts()
    else:
        cuts = own if policy == INTERNAL else NoCuts()
    named = {path: rule for each in rules for path, rule in (*each.filter_rules.items(), *each.added.items())}
    return CardCuts(cuts, of_constraints, named, tuple(parts))


def _parts(
    rules: Sequence[_Rules], theory: TheoryFolder, folder: str | Path | None, faults: InputFaults
) -> Iterator[RuleCuts]:
    """The rules of each entry of cuts_intersection_spec with the card of its theory."""
    for k, (entry, each) in enumerate(zip(faults.card.datacuts.cuts_intersection_spec or (), rules, strict=True)):
        theoryid = entry.theoryid or theory.source.theoryid
        found = faults.attempt((*_SPEC, k, "theoryid"), lambda number=theoryid: card_of_theory(number, theory, folder))
        if found is not None:
            yield each.cuts(found)


def _similar(
    both: PointCuts, own: RuleCuts, theory: TheoryFolder, folder: str | Path | None, faults: InputFaults
) -> SimilarCuts:
    sides = []
    card = faults.card
    for k, entry in enumerate(card.datacuts.cuts_intersection_spec or ()):
        number = entry.theoryid or theory.source.theoryid
        at = (*_SPEC, k, "theoryid")
        found = theory
        if number != theory.source.theoryid:
            found = faults.attempt(at, lambda number=number: find_other_theory(number, folder))
        pdfset = faults.attempt((*_SPEC, k, "pdf"), lambda name=entry.pdf: find_pdfset(name or ""))
        if found is not None and pdfset is not None:
            cfac = {modern_name(each.dataset)[0]: each.cfac for each in entry.dataset_inputs or card.dataset_inputs}
            sides.append(Side(found, pdfset, cfac))
    threshold = card.datacuts.cut_similarity_threshold or 0.0
    return SimilarCuts(both, own, tuple(sides), threshold, card.datacuts.do_not_require_similarity_for)


def _fit_folder(card: Runcard) -> Path:
    """The folder of the fit whose cuts are taken; raises `DataError` if it is not there."""
    folder = find_beside(card, card.datacuts.fit or "")
    if not (folder / "filter").is_dir():
        raise DataError(f"{folder} has no folder `filter`, which vp-setupfit writes the points of a fit into")
    return folder
