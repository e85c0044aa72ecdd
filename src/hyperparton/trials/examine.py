"""Whether an SQLite file of trials is whole: its pages, its texts, and the checksums of what was written to it.

SQLite finds damaged pages, and ignores what follows a damaged part of its log; a bit that flips in a text it does not
see. So a store keeps a checksum of each trial and of the scan's metadata, beside the metadata: files without them,
which older versions made, are read as they are. Each checksum is bound to the scan's own random word, so rows that the
log of another scan brought in do not pass.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import checksum
from hyperparton.text import counted
from hyperparton.trials.agreement import Count
from hyperparton.trials.foreign import refuse_foreign
from hyperparton.trials.record import trial_of_record
from hyperparton.trials.trial import DONE

__all__ = ["SCHEMA_VERSION", "SEAL", "WORD", "examine", "seal_of_text", "seal_of_trial"]

SCHEMA_VERSION = 1

#: the key of the metadata under which a store keeps its random word
WORD = "scan_word"

#: how the keys of checksums begin: of trial 3 it is `check.3`, of the metadata `scan.x` it is `check.scan.x`
SEAL = "check."

#: what a booked trial keeps until it is finished, and what a finished one has for good
_BOOKED = ("number", "vals", "space_vals", "book_time")
_LATER = "fails_below"
_FINISHED = (*_BOOKED, "state", "owner", "attempts", "refresh_time", "status", "loss", "failure", "result")


def seal_of_trial(word: str, row: Mapping[Any, Any]) -> str:
    """The checksum of a trial's row in the store of that random word."""
    columns = _FINISHED if row["state"] == DONE else _BOOKED
    values = [row[name] for name in columns]
    # stores of older versions have no such column, or nothing in it
    if row["state"] == DONE and _LATER in row.keys() and row[_LATER] is not None:  # noqa: SIM118 - a row of sqlite3
        values.append(row[_LATER])
    return seal_of_text(word, json.dumps(values))


def seal_of_text(word: str, text: str) -> str:
    """The checksum of a text in the store of that random word."""
    return checksum(word, text)[:32]


def examine(path: Path, name: str) -> Count:
    """How many trials an SQLite file holds; raises StoreError, with `name` for the file, where it is damaged or
    of another program.

    An empty file, and one of another version, is left to who opens it. SQLite may write beside the file, so it is given
    a copy.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise _damaged(name, verdict)
            tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            _refuse_another_program(connection, tables, name)
            if not {"scan_metadata", "trials"} <= tables:
                return Count("", 0, 0)
            texts = {row["key"]: row["value"] for row in connection.execute("SELECT key, value FROM scan_metadata")}
            if texts.get("schema_version") != str(SCHEMA_VERSION):
                return Count("", 0, 0)
            _examine_metadata(texts, name)
            return _examine_trials(connection, texts, name)
    except sqlite3.Error as fault:
        raise StoreError(f"{name}: the trial store failed: {fault}") from fault
    except (IndexError, TypeError, ValueError) as fault:  # a column is missing, or a name or text is none
        raise _damaged(name, str(fault)) from fault


def _refuse_another_program(connection: sqlite3.Connection, tables: set[str], name: str) -> None:
    if "scan_metadata" not in tables:
        refuse_foreign(name, [table for table in tables if not table.startswith("sqlite_")])
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application:
        raise StoreError(
            f"{name}: no trial store but a file of another program (its application_id is {application:#x})"
        )


def _examine_metadata(texts: Mapping[str, str], name: str) -> None:
    for key, text in texts.items():
        if key.startswith("scan."):
            seal = seal_of_text(texts.get(WORD, ""), text)
            if texts.get(SEAL + key, seal) != seal:
                raise _damaged(name, f"{key} is not as it was written")
            try:
                json.loads(text)
            except (ValueError, RecursionError) as fault:
                raise _damaged(name, f"{key} cannot be read ({fault})") from fault


def _examine_trials(connection: sqlite3.Connection, texts: Mapping[str, str], name: str) -> Count:
    word = texts.get(WORD, "")
    booked = finished = 0
    last = -1
    for row in connection.execute("SELECT * FROM trials ORDER BY number"):
        seal = texts.get(f"{SEAL}{row['number']}")
        if seal is not None and seal != seal_of_trial(word, row):
            raise _damaged(name, f"trial {row['number']} is not as it was written")
        if seal is None:
            try:
                trial_of_record(dict(row), name)
            except StoreError as fault:
                raise StoreError(f"{fault}; restore it from a copy or start in another folder") from fault
        booked, last = booked + 1, row["number"]
        finished += row["state"] == DONE
    if booked != last + 1:
        raise _damaged(name, f"{counted(booked, 'trial')}, but the last has number {last}")
    return Count(word, booked, finished)


def _damaged(name: str, how: str) -> StoreError:
    return StoreError(f"{name}: damaged: {how}; restore it from a copy or start in another folder")
