"""A database of something else is refused before anything is written to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from hyperparton.errors import StoreError

__all__ = ["refuse_foreign", "refuse_foreign_file"]

#: SQLite keeps these for itself
_OWN = "sqlite_"


def refuse_foreign(name: str, tables: Iterable[str]) -> None:
    """Raise StoreError if a database that holds no scan holds `tables`, or collections, of something else."""
    found = sorted(tables)
    if found:
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        raise StoreError(
            f"{name}: damaged or no trial store: it holds {shown} and no scan, which needs a database of its own"
        )


def refuse_foreign_file(name: str, path: Path) -> None:
    """Raise StoreError if an SQLite file holds something else; nothing is written, beside it neither.

    A file that is damaged, or no SQLite file at all, is left to whoever opens it: SQLite does not write to these.
    """
    if not path.is_file():
        return
    # a log that is there holds a part of the file; without one SQLite would make it anew, unless the file cannot change
    log = path.with_name(path.name + "-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?{how}", uri=True)) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")]
            (application,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error:
        return
    if "scan_metadata" not in tables:
        refuse_foreign(name, [table for table in tables if not table.startswith(_OWN)])
    if application:
        raise StoreError(
            f"{name}: no trial store but a file of another program (its application_id is {application:#x})"
        )
