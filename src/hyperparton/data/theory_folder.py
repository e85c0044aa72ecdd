"""Finds the folder with the FK tables of a theory and reads its theory card.

The layout is NNPDF's: ``theory_<id>/fastkernel/<table>.pineappl.lz4``, ``theory_<id>/cfactor/CF_<kind>_<table>.dat``
and ``theory_<id>/theory_card.yaml`` (or the card of that number in nnpdf-data).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperparton.data.commondata import CFACTORS, THEORY_CARDS, FKOperands, read_yaml
from hyperparton.data.types import FitData, TheorySource
from hyperparton.errors import TheoryError
from hyperparton.files import checksum

__all__ = [
    "ENVIRONMENT",
    "SHIPPED",
    "TABLE_SUFFIX",
    "TheoryFolder",
    "find_theory",
    "missing_tables",
    "read_theory_card",
    "tables_digest",
    "theory_places",
]

ENVIRONMENT = "HYPERPARTON_THEORY"
SHIPPED = Path(__file__).parent.parent / "theories"
TABLE_SUFFIX = ".pineappl.lz4"
_NEEDED = ("PTO", "FNS", "IC")


@dataclass(frozen=True)
class TheoryFolder:
    """The folder of one theory with its FK tables, C-factors and theory card."""

    source: TheorySource
    card: dict[str, Any]
    searched: tuple[Path, ...] = ()
    """the folders that were looked into, this one last"""

    def table(self, name: str) -> Path:
        """Where the FK table of that name is, or should be."""
        return self.source.path / "fastkernel" / f"{name}{TABLE_SUFFIX}"

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
    searched = []
    for place, origin in theory_places() if folder is None else [(Path(folder).expanduser(), "--theory")]:
        path = place if (place / "fastkernel").is_dir() else place / f"theory_{theoryid}"
        searched.append(path)
        if (path / "fastkernel").is_dir():
            source = TheorySource(theoryid=theoryid, path=path, origin=origin)
            return TheoryFolder(source=source, card=_card(source), searched=tuple(searched))
    shipped = sorted(path.name.removeprefix("theory_") for path in SHIPPED.glob("theory_*"))
    raise TheoryError(
        f"theory {theoryid} is not there; searched: {', '.join(map(str, searched))}. Give its folder with --theory or "
        f"{ENVIRONMENT}, or choose one that ships with hyperparton: {', '.join(shipped) or 'none'}"
    )


def theory_places() -> list[tuple[Path, str]]:
    """The folders that are searched for theories without `--theory`, in this order, and what names each of them."""
    named = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    return [*((Path(each).expanduser(), ENVIRONMENT) for each in named if each), (SHIPPED, "shipped with hyperparton")]


def _card(source: TheorySource) -> dict[str, Any]:
    own = source.path / "theory_card.yaml"
    path = own if own.is_file() else THEORY_CARDS / f"{source.theoryid}.yaml"
    if not path.is_file():
        raise TheoryError(f"theory {source.theoryid} has no theory card, neither {own} nor {path.name} in nnpdf-data")
    card = read_theory_card(path)
    absent = [key for key in (*_NEEDED, "ID") if not isinstance(card, dict) or key not in card]
    if absent:
        raise TheoryError(f"the theory card {path} lacks {', '.join(absent)}")
    if str(card["ID"]).replace("_", "") != str(source.theoryid):
        raise TheoryError(f"the theory card {path} is of theory {card['ID']}, the runcard asks for {source.theoryid}")
    return card


def read_theory_card(path: Path) -> Any:
    """What a theory card holds.  Raises `TheoryError` for a file that cannot be read."""
    try:
        return read_yaml(path)
    except Exception as error:  # whatever the YAML reader raises for a file that is none
        raise TheoryError(f"the theory card {path} cannot be read as YAML: {error}") from error


def missing_tables(theory: TheoryFolder, wanted: Sequence[tuple[str, FKOperands, Sequence[str]]]) -> list[str]:
    """What is not there of the FK tables and C-factors of (data set, tables, kinds of C-factor): one line per set."""
    lines = []
    for dataset, operands, kinds in wanted:
        files = [theory.table(name) for name in operands.names]
        files += [theory.cfactor(kind, name) for kind in kinds for name in operands.names]
        absent = [path.name for path in files if not path.is_file()]
        if absent:
            lines.append(f"{dataset}: {', '.join(absent)}")
    return lines


def tables_digest(data: FitData) -> str:
    """SHA-256 over the files of all FK tables in use: equal digests are equal theories, wherever they lie."""
    observables = [*(d.observable for d in data.datasets), *data.positivity, *data.integrability]
    members = {name for o in observables for table in o.tables for name in table.name.split("+")}
    folder = data.theory.path / "fastkernel"
    return checksum(*(part for name in sorted(members) for part in (name, folder / f"{name}{TABLE_SUFFIX}")))
