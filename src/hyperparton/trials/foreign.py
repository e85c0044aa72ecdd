"""A database of something else is refused before anything is written to it."""

from __future__ import annotations

from collections.abc import Iterable

from hyperparton.errors import StoreError

__all__ = ["refuse_foreign"]


def refuse_foreign(name: str, tables: Iterable[str]) -> None:
    """Raise StoreError if a database that holds no scan holds `tables`, or collections, of something else."""
    found = sorted(tables)
    if found:
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        raise StoreError(
            f"{name}: damaged or no trial store: it holds {shown} and no scan, which needs a database of its own"
        )
