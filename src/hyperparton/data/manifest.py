"""`manifest.json` of a theory folder: what its tables were built with, and the checksum of each (`theory.manifest`
writes it)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hyperparton.errors import TheoryError
from hyperparton.files import checksum

__all__ = ["FORMAT", "MANIFEST", "fault_of_card", "fault_of_table", "read_manifest"]

MANIFEST = "manifest.json"
FORMAT = 1

Manifest = dict[str, Any]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None if it has none.  Raises `TheoryError` for one that is damaged."""
    path = folder / MANIFEST
    if not os.path.isfile(path):
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TheoryError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TheoryError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if not (isinstance(manifest, dict) and manifest.get("format") == FORMAT):
        raise TheoryError(f"{path} is not a manifest of format {FORMAT}")
    tables, builds = manifest.get("tables"), manifest.get("builds")
    if not (isinstance(tables, dict) and all(map(_is_entry, tables.values()))):
        raise TheoryError(f"{path} is damaged: `tables` must name the sha256, bytes and build of each table")
    if not (isinstance(builds, list) and all(map(_is_build, builds))):
        raise TheoryError(f"{path} is damaged: `builds` must name the limits and packages of each build")
    if not isinstance(manifest.get("card", ""), str):
        raise TheoryError(f"{path} is damaged: `card` must be the sha256 of the theory card")
    return manifest


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and all(isinstance(entry.get(key), int) for key in ("bytes", "build"))
    )


def _is_build(build: Any) -> bool:
    if not isinstance(build, dict):
        return False
    limits, packages = build.get("limits"), build.get("packages")
    if not (isinstance(limits, dict) and isinstance(packages, dict)):
        return False
    return limits.keys() == {"q2min", "w2min"} and all(isinstance(each, int | float) for each in limits.values())


def fault_of_table(manifest: Mapping[str, Any] | None, name: str, file: Path) -> str | None:
    """Why the file is not the table of that name that was built; None if it is, or where there is no manifest.

    A file is read once in a process for its checksum: again if its size or its time of change is another.  Raises
    `TheoryError` for a file that cannot be read.
    """
    if manifest is None:
        return None
    if name not in manifest["tables"]:
        return (
            f"{file} is not in {MANIFEST}, which lists the tables that were built; a theory folder with tables of "
            f"other origin has no {MANIFEST}"
        )
    if _checksum(file) == manifest["tables"][name]["sha256"]:
        return None
    return f"{file} is not the file of the manifest: its SHA-256 differs; build it anew or copy it again"


def fault_of_card(manifest: Mapping[str, Any] | None, file: Path) -> str | None:
    """Why a theory card is not that of the tables; None if it is, or where the manifest does not tell."""
    if manifest is None or "card" not in manifest or _checksum(file) == manifest["card"]:
        return None
    return f"the theory card {file} is not the one that the tables were built with: its SHA-256 differs"


def _checksum(file: Path) -> str:
    try:
        status = file.stat()
        return _checksum_of(file, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise TheoryError(f"{file} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=4096)
def _checksum_of(file: Path, size: int, time: int, inode: int) -> str:
    return checksum(file)
