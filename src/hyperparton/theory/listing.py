"""Lists the theories on disk: their FK tables, the data sets that these serve, who made them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hyperparton.data.commondata import find_metadata, operands_of
from hyperparton.data.manifest import read_manifest
from hyperparton.data.theory_folder import TABLE_SUFFIX, theory_places
from hyperparton.errors import HyperpartonError, TheoryError
from hyperparton.theory.plan import expand_datasets

__all__ = ["ListedTheory", "datasets_of_tables", "list_theories", "theory_folders"]

_NONE = "there is no theory in {}: no folder theory_<id> with fastkernel in it"


@dataclass(frozen=True)
class ListedTheory:
    """A theory folder."""

    theoryid: int
    path: Path
    origin: str
    """the folder asked for, HYPERPARTON_THEORY or 'shipped with hyperparton'"""
    tables: tuple[str, ...]
    datasets: tuple[str, ...]
    """data sets known to hyperparton of which all tables are there"""
    made_by: str
    """what the manifest says of their making"""

    @property
    def size(self) -> int:
        """Bytes of all tables."""
        return sum((self.path / "fastkernel" / f"{name}{TABLE_SUFFIX}").stat().st_size for name in self.tables)


def list_theories(folders: Sequence[str | Path] = ()) -> list[ListedTheory]:
    """The theories in `folders` (theory folders, or folders that hold some), in HYPERPARTON_THEORY and those shipped.

    Raises `TheoryError` for a folder asked for that has none.
    """
    theories: list[ListedTheory] = []
    for folder in folders:
        here = _theories_in(Path(os.path.expanduser(folder)), str(folder))
        if not here:
            raise TheoryError(_NONE.format(folder))
        theories += here
    for place, origin in theory_places():
        theories += _theories_in(place, origin)
    return theories


def theory_folders(folder: str | Path) -> list[Path]:
    """The theory folders at that place: itself, or those that it holds.  Raises `TheoryError` if there are none."""
    folders = _folders_in(Path(os.path.expanduser(folder)))
    if not folders:
        raise TheoryError(_NONE.format(folder))
    return folders


def _folders_in(path: Path) -> list[Path]:
    if os.path.isdir(path / "fastkernel"):
        return [path]
    return sorted(each.parent for each in path.glob("theory_*/fastkernel")) if os.path.isdir(path) else []


def _theories_in(path: Path, origin: str) -> list[ListedTheory]:
    numbered = [each for each in _folders_in(path) if each.name.removeprefix("theory_").isdecimal()]
    return [_describe(each, origin) for each in numbered]


def _describe(path: Path, origin: str) -> ListedTheory:
    tables = tuple(sorted(file.name.removesuffix(TABLE_SUFFIX) for file in path.glob(f"fastkernel/*{TABLE_SUFFIX}")))
    sets = tuple(name for name, needed in datasets_of_tables().items() if set(needed) <= set(tables))
    return ListedTheory(int(path.name.removeprefix("theory_")), path, origin, tables, sets, _made_by(path))


def _made_by(path: Path) -> str:
    try:
        manifest = read_manifest(path)
    except TheoryError as error:
        return str(error)
    if manifest is None:
        return "no manifest: made elsewhere"
    packages = manifest["builds"][-1]["packages"] if manifest["builds"] else {}
    return ", ".join(f"{name} {packages[name]}" for name in ("hyperparton", "yadism", "eko") if name in packages)


@lru_cache(maxsize=1)
def datasets_of_tables() -> dict[str, tuple[str, ...]]:
    """Data set known to hyperparton -> the names of its tables."""
    tables_of = {}
    for dataset in expand_datasets(["all"]):
        try:
            tables_of[dataset] = operands_of(find_metadata(dataset, with_data=False)).names
        except HyperpartonError:  # an nnpdf-data without this set
            continue
    return tables_of
