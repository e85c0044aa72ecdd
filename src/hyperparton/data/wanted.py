"""The data sets that a card names, with their metadata, and whether their FK tables are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hyperparton.data.commondata import Metadata, find_metadata, modern_name, operands_of
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.theory_folder import ENVIRONMENT, TheoryFolder, missing_tables
from hyperparton.data.trial_reading import expect_readable
from hyperparton.errors import DataError, Fault, TheoryError
from hyperparton.runcard.card import LagrangeSet, Runcard
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.yaml_positions import KeyPath
from hyperparton.text import counted

__all__ = ["SECTIONS", "Entry", "WantedSet", "expect_tables", "find_sets"]

#: section of a card -> the key that holds its list in the file
SECTIONS = {"dataset_inputs": (), "positivity": ("posdatasets",), "integrability": ("integdatasets",)}

Entry = DatasetInput | LagrangeSet

#: the place of an entry in its card, the entry, the metadata of its set
WantedSet = tuple[KeyPath, Entry, Metadata]


def find_sets(card: Runcard, faults: InputFaults) -> list[WantedSet]:
    """The place, entry and metadata of each data set that is known; of one that is named twice, the first.

    Older names are those that nnpdf-data's map knows; what it makes of them is told once.
    """
    found: list[WantedSet] = []
    older: dict[KeyPath, str] = {}
    for section, holder in SECTIONS.items():
        names: dict[str, str] = {}
        for i, entry in enumerate(getattr(card, section)):
            place: KeyPath = (section, *holder, i)
            metadata = faults.attempt(place, lambda entry=entry: _metadata(entry))
            if metadata is None:
                continue
            if metadata.name != entry.dataset:
                older[(*place, "dataset")] = _told(entry, metadata)
            if metadata.name not in names:
                found.append((place, entry, metadata))
            elif names[metadata.name] != entry.dataset:  # that the same name is there twice is a fault of the card
                message = f"{entry.dataset} is the data set {metadata.name}, which {names[metadata.name]} is too"
                faults.add((*place, "dataset"), DataError(message))
            names.setdefault(metadata.name, entry.dataset)
    if older:
        told = "; ".join(older.values())
        faults.idle.append(card.fault(next(iter(older)), f"older names of data sets, which are read as: {told}"))
    faults.idle += _idle_systematics(card, found)
    return found


def _metadata(entry: Entry) -> Metadata:
    name, variant = modern_name(entry.dataset, getattr(entry, "sys", None))
    if isinstance(entry, LagrangeSet):  # n3fit takes no variant from the map here
        return find_metadata(name, entry.variant)
    # data of nuclei and deuterons have their uncertainties, whatever an older card says
    return find_metadata(name, variant if entry.variant is None or variant == _NUCLEAR else entry.variant)


_NUCLEAR = "legacy_dw"


def _told(entry: Entry, metadata: Metadata) -> str:
    """An older name with what it stands for."""
    systematics = getattr(entry, "sys", None)
    given = entry.dataset if systematics is None else f"{{{entry.dataset}, sys: {systematics}}}"
    variant = "" if metadata.applied_variant is None else f", variant: {metadata.applied_variant}"
    return f"{given} {{dataset: {metadata.name}{variant}}}"


def _idle_systematics(card: Runcard, found: Sequence[WantedSet]) -> Iterator[Fault]:
    for place, entry, metadata in found:
        if isinstance(entry, DatasetInput) and entry.sys is not None and metadata.name == entry.dataset:
            yield card.fault(
                (*place, "sys"), "changes nothing: it chooses a variant of an older name, and this is none"
            )


def expect_tables(
    wanted: Sequence[WantedSet],
    theory: TheoryFolder,
    faults: InputFaults,
    asked: KeyPath = ("theory", "theoryid"),
) -> bool:
    """Whether all FK tables and C-factors of the entries are in the theory and are those that its manifest names.

    `asked` is where the card names the theory.
    """
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
        faults.add(asked, TheoryError(message))
    elif theory.manifest is None:  # all tables at once, since a process is started for them
        names = [table for _, _, metadata in wanted for table in operands_of(metadata).names]
        faults.attempt(asked, lambda: expect_readable(map(theory.table, names)))
    return len(faults.errors) == before
