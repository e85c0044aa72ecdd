"""Writes `manifest.json` beside the tables: with what they were computed, and the checksum of every file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hyperparton.data.manifest import FORMAT, MANIFEST, read_manifest
from hyperparton.data.theory_folder import CARD, TABLE_SUFFIX
from hyperparton.files import checksum, write_text
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.optional import versions

__all__ = ["write_manifest"]


def write_manifest(folder: Path, card: TheoryCard, names: Sequence[str], record: Mapping[str, Any]) -> None:
    """Adds the tables `names`, just built as `record` says, and their theory card to the folder's manifest."""
    manifest = read_manifest(folder) or {"format": FORMAT, "theoryid": card.theoryid, "builds": [], "tables": {}}
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
    manifest["card"] = checksum(folder / CARD)
    manifest["tables"] = dict(sorted(manifest["tables"].items()))
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
