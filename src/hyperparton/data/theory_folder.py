"""Finds the folder with the FK tables of a theory and reads its theory card.

The layout is NNPDF's: ``theory_<id>/fastkernel/<table>.pineappl.lz4``, ``theory_<id>/cfactor/CF_<kind>_<table>.dat``
and ``theory_<id>/theory_card.yaml`` (or the card of that number in nnpdf-data).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperparton.data.commondata import CFACTORS, THEORY_CARDS, FKOperands, read_yaml
from hyperparton.data.manifest import fault_of_card, fault_of_table, read_manifest
from hyperparton.data.types import FitData, Observable, TheorySource
from hyperparton.errors import TheoryError
from hyperparton.files import checksum

__all__ = [
    "CARD",
    "ENVIRONMENT",
    "SHIPPED",
    "TABLE_SUFFIX",
    "TheoryFolder",
    "card_of_theory",
    "find_other_theory",
    "find_theory",
    "fitted_charm",
    "missing_tables",
    "read_theory_card",
    "tables_digest",
    "theory_places",
]

ENVIRONMENT = "HYPERPARTON_THEORY"
SHIPPED = Path(__file__).parent.parent / "theories"
TABLE_SUFFIX = ".pineappl.lz4"
CARD = "theory_card.yaml"
#: entries of a theory card that cuts ask for, and what they are
_NEEDED = {"PTO": (int, "a whole number"), "FNS": (str, "text"), "IC": (int, "0 or 1"), "ID": (object, "")}


@dataclass(frozen=True)
class TheoryFolder:
    """The folder of one theory with its FK tables, C-factors and theory card."""

    source: TheorySource
    card: dict[str, Any]
    searched: tuple[Path, ...] = ()
    """the folders that were looked into, this one last"""
    manifest: Mapping[str, Any] | None = None
    """what lies beside the tables, with the checksum of each"""

    def table(self, name: str) -> Path:
        """Where the FK table of that name is, or should be."""
        return self.source.path / "fastkernel" / f"{name}{TABLE_SUFFIX}"

    def fault_of(self, name: str) -> str | None:
        """Why the file of a table is not the one that the manifest names; None if it is, or without a manifest."""
        return fault_of_table(self.manifest, name, self.table(name))

    def cfactor(self, kind: str, table: str) -> Path:
        """The C-factor file of an FK table: the theory's own, or nnpdf-data's."""
        name = f"CF_{kind}_{table}.dat"
        own = self.source.path / "cfactor" / name
        return own if own.is_file() else CFACTORS / name


def find_theory(theoryid: int, folder: str | Path | None = None) -> TheoryFolder:
    """The theory of that number: in `folder`, else in the folders of HYPERPARTON_THEORY, else the one that ships.

    A folder may be the theory's own (with `fastkernel` in it) or one that holds `theory_<id>`.  Raises `TheoryError`
    if no folder has it (an explicit `folder` is the only one looked into), or if its card is missing or another's.
    """
    return _find(theoryid, theory_places() if folder is None else [(_path(folder), "--theory")])


def find_other_theory(theoryid: int, folder: str | Path | None = None) -> TheoryFolder:
    """Another theory than that of the fit: `find_theory`, but an explicit `folder` is only the first one looked into.

    If `folder` is the fit's theory itself, the theories beside it are.
    """
    own = () if folder is None else (_path(folder),)
    beside = [(each.parent if os.path.isdir(each / "fastkernel") else each, "--theory") for each in own]
    return _find(theoryid, [*beside, *theory_places()])


def card_of_theory(theoryid: int, theory: TheoryFolder, folder: str | Path | None = None) -> Mapping[str, Any]:
    """The theory card of that number, whose tables need not be there: `theory`'s, one beside it, or nnpdf-data's.

    Raises `TheoryError` if there is none.
    """
    if theoryid == theory.source.theoryid:
        return theory.card
    try:
        return find_other_theory(theoryid, folder).card
    except TheoryError:
        path = THEORY_CARDS / f"{theoryid}.yaml"
        if not path.is_file():
            raise
        return _expect_entries(read_theory_card(path), path)


def _find(theoryid: int, places: Sequence[tuple[Path, str]]) -> TheoryFolder:
    searched = []
    for place, origin in places:
        path = place if os.path.isdir(place / "fastkernel") else place / f"theory_{theoryid}"
        searched.append(path)
        if os.path.isdir(path / "fastkernel"):
            _expect_pineappl(path / "fastkernel")
            source = TheorySource(theoryid=theoryid, path=path, origin=origin)
            manifest = read_manifest(path)
            return TheoryFolder(source, _card(source, manifest), tuple(searched), manifest)
    shipped = ", ".join(sorted(path.name.removeprefix("theory_") for path in SHIPPED.glob("theory_*")))
    raise TheoryError(
        f"theory {theoryid} is not there{_packed(searched)}; searched: {', '.join(map(str, searched))}. Give its "
        f"folder with --theory or {ENVIRONMENT}, or choose one that ships with hyperparton: {shipped or 'none'}"
    )


def _packed(searched: Sequence[Path]) -> str:
    """The clause that a theory lies in an archive, if it does."""
    for path in searched:
        for packed in (path.parent, *(path.with_name(f"{path.name}{ending}") for ending in (".tgz", ".tar.gz"))):
            if os.path.isfile(packed):
                return f" as a folder, but {packed} is: unpack it with tar -xf, and give the folder"
    return ""


def _expect_pineappl(folder: Path) -> None:
    """Raises `TheoryError` for tables in the format that NNPDF had before PineAPPL's, where there are no others."""
    old = next(folder.glob("FK_*.dat"), None)
    if old is not None and next(folder.glob(f"*{TABLE_SUFFIX}"), None) is None:
        raise TheoryError(
            f"{folder} has FK tables in NNPDF's old format, such as {old.name}, which is not read; accepted are "
            f"PineAPPL's tables, <name>{TABLE_SUFFIX}, which NNPDF's newer theories have and `hyperparton theory "
            "build` makes"
        )


def theory_places() -> list[tuple[Path, str]]:
    """The folders that are searched for theories without `--theory`, in this order, and what names each of them."""
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    return [*((_path(each), ENVIRONMENT) for each in named if each), (SHIPPED, "shipped with hyperparton")]


def _path(folder: str | Path) -> Path:
    return Path(os.path.expanduser(folder))


def _card(source: TheorySource, manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    own = source.path / CARD
    path = own if os.path.lexists(own) else THEORY_CARDS / f"{source.theoryid}.yaml"
    if not path.is_file():
        raise TheoryError(f"theory {source.theoryid} has no theory card, neither {own} nor {path.name} in nnpdf-data")
    card = _expect_entries(read_theory_card(path), path)
    if str(card["ID"]).replace("_", "") != str(source.theoryid):
        raise TheoryError(f"the theory card {path} is of theory {card['ID']}, the runcard asks for {source.theoryid}")
    fault = fault_of_card(manifest, path) if path == own else None
    if fault is not None:
        raise TheoryError(fault)
    return card


def _expect_entries(card: Any, path: Path) -> dict[str, Any]:
    """The card, if it has what cuts ask for; raises `TheoryError`."""
    absent = [key for key in _NEEDED if not isinstance(card, dict) or key not in card]
    if absent:
        raise TheoryError(f"the theory card {path} lacks {', '.join(absent)}")
    for key, (kind, accepted) in _NEEDED.items():
        if not isinstance(card[key], kind):
            raise TheoryError(f"the theory card {path}: {key} must be {accepted}, given {str(card[key])[:60]!r}")
    return card


def fitted_charm(theoryid: int, source: TheorySource | None = None) -> bool | None:
    """Whether the charm PDF is fitted in this theory: by the card in its folder, else by that of nnpdf-data, if any."""
    own = None if source is None else source.path / CARD
    path = own if own is not None and own.is_file() else THEORY_CARDS / f"{theoryid}.yaml"
    card = read_theory_card(path) if path.is_file() else {}
    return bool(card["IC"]) if isinstance(card, dict) and "IC" in card else None


def read_theory_card(path: Path) -> Any:
    """What a theory card holds.  Raises `TheoryError` for a file that cannot be read."""
    try:
        card = read_yaml(path)
        str(card)  # of a hexadecimal number with thousands of digits Python makes no text
        return card
    except Exception as error:  # whatever the YAML reader raises for a file that is none
        raise TheoryError(f"the theory card {path} cannot be read as YAML: {error}") from error


def missing_tables(theory: TheoryFolder, wanted: Sequence[tuple[str, FKOperands, Sequence[str]]]) -> list[str]:
    """What is not there of the FK tables and C-factors of (data set, tables, kinds of C-factor): one line per set."""
    lines = []
    for dataset, operands, kinds in wanted:
        files = [theory.table(name) for name in operands.names]
        files += [theory.cfactor(kind, name) for kind in kinds for name in operands.names]
        absent = [path.name for path in files if not os.path.isfile(path)]
        if absent:
            lines.append(f"{dataset}: {', '.join(absent)}")
    return lines


def tables_digest(data: FitData) -> str:
    """SHA-256 over the files of all FK tables in use: equal digests are equal theories, wherever they lie."""
    observables = [*(d.observable for d in data.datasets), *data.positivity, *data.integrability]
    measured = observables[: len(data.datasets)] if data.t0_theory is not None else []
    parts = _tables(observables, data.theory) + (_tables(measured, data.t0_theory) if data.t0_theory else [])
    return checksum(*parts)


def _tables(observables: Sequence[Observable], theory: TheorySource) -> list[str | Path]:
    """Name and file of each FK table."""
    members = {name for o in observables for table in o.tables for name in table.name.split("+")}
    folder = theory.path / "fastkernel"
    return [part for name in sorted(members) for part in (name, folder / f"{name}{TABLE_SUFFIX}")]
