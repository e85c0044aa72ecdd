"""Lists the theories on disk: their FK tables, the data sets that these serve, who made them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hyperparton.data.commondata import find_metadata, operands_of
from hyperparton.data.theory_folder import ENVIRONMENT, SHIPPED, TABLE_SUFFIX
from hyperparton.errors import HyperpartonError, TheoryError
from hyperparton.theory.manifest import read_manifest
from hyperparton.theory.plan import expand_datasets

__all__ = ["ListedTheory", "datasets_of_tables", "list_theories", "theory_folders"]


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
        here = _theories_in(Path(folder).expanduser(), str(folder))
        if not here:
            raise TheoryError(f"there is no theory in {folder}: no folder theory_<id> with fastkernel in it")
        theories += here
    for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep):
        theories += _theories_in(Path(part).expanduser(), ENVIRONMENT) if part else []
    return theories + _theories_in(SHIPPED, "shipped with hyperparton")


def theory_folders(folder: str | Path) -> list[Path]:
    """The theory folders at that place: itself, or those that it holds.  Raises `TheoryError` if there are none."""
    path = Path(folder).expanduser()
    folders = [path] if (path / "fastkernel").is_dir() else sorted(path.glob("theory_*/fastkernel"))
    if not folders:
        raise TheoryError(f"there is no theory in {folder}: no folder theory_<id> with fastkernel in it")
    return [each if each == path else each.parent for each in folders]


def _theories_in(folder: Path, origin: str) -> list[ListedTheory]:
    try:
        paths = theory_folders(folder)
    except TheoryError:
        return []
    return [_describe(path, origin) for path in paths if path.name.removeprefix("theory_").isdecimal()]


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
