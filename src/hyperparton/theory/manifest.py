"""`manifest.json` beside the tables: with what they were computed, and the checksum of every file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hyperparton.data.theory_folder import TABLE_SUFFIX
from hyperparton.errors import TheoryError
from hyperparton.files import checksum, write_text
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.optional import versions

__all__ = ["MANIFEST", "read_manifest", "write_manifest"]

MANIFEST = "manifest.json"
_FORMAT = 1


def write_manifest(folder: Path, card: TheoryCard, names: Sequence[str], record: Mapping[str, Any]) -> None:
    """Adds the tables `names`, just built as `record` says, to the folder's manifest."""
    manifest = read_manifest(folder) or {"format": _FORMAT, "theoryid": card.theoryid, "builds": [], "tables": {}}
    number = len(manifest["builds"])
    built = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": versions(),
        **record,
    }
    manifest["builds"].append(built)
    for name in names:
        file = folder / "fastkernel" / f"{name}{TABLE_SUFFIX}"
        manifest["tables"][name] = {"sha256": checksum(file), "bytes": file.stat().st_size, "build": number}
    manifest["tables"] = dict(sorted(manifest["tables"].items()))
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder, None if it has none.  Raises `TheoryError` for one that is damaged."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        valid = manifest["format"] == _FORMAT and isinstance(manifest["tables"], dict)
        valid = valid and isinstance(manifest["builds"], list)
        valid = valid and all(
            isinstance(entry, dict) and {"sha256", "bytes", "build"} <= entry.keys()
            for entry in manifest["tables"].values()
        )
    except (ValueError, KeyError, TypeError) as error:
        raise TheoryError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if not valid:
        raise TheoryError(f"{path} is not a manifest of format {_FORMAT}")
    return manifest
