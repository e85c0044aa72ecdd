"""The data sets that a card names, with their metadata, and whether their FK tables are there."""

from __future__ import annotations

from collections.abc import Sequence

from hyperparton.data.commondata import Metadata, find_metadata, operands_of
from hyperparton.data.input_faults import InputFaults
from hyperparton.data.theory_folder import ENVIRONMENT, TheoryFolder, missing_tables
from hyperparton.data.trial_reading import expect_readable
from hyperparton.errors import TheoryError
from hyperparton.runcard.card import DatasetInput, LagrangeSet, Runcard
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["SECTIONS", "Entry", "WantedSet", "expect_tables", "find_sets"]

#: section of a card -> the key that holds its list in the file
SECTIONS = {"dataset_inputs": (), "positivity": ("posdatasets",), "integrability": ("integdatasets",)}

Entry = DatasetInput | LagrangeSet

#: the place of an entry in its card, the entry, the metadata of its set
WantedSet = tuple[KeyPath, Entry, Metadata]


def find_sets(card: Runcard, faults: InputFaults) -> list[WantedSet]:
    """The place, entry and metadata of each data set that is known; of one that is named twice, the first."""
    found = []
    for section, holder in SECTIONS.items():
        names: set[str] = set()
        for i, entry in enumerate(getattr(card, section)):
            place: KeyPath = (section, *holder, i)
            metadata = faults.attempt(place, lambda entry=entry: find_metadata(entry.dataset, entry.variant))
            if metadata is not None and metadata.name not in names:
                found.append((place, entry, metadata))
                names.add(metadata.name)
    return found


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
            f"{name} lacks FK tables or C-factors of {absent} data sets; searched: {folders}. Give a folder that has "
            f"them with --theory or {ENVIRONMENT} (NNPDF's own theory folders can be used as they are), build them, or "
            "take these sets out of the runcard"
        )
        faults.add(asked, TheoryError(message))
    elif theory.manifest is None:  # all tables at once, since a process is started for them
        names = [table for _, _, metadata in wanted for table in operands_of(metadata).names]
        faults.attempt(asked, lambda: expect_readable(map(theory.table, names)))
    return len(faults.errors) == before
