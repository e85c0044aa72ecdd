"""The pieces of a build on disk: each is complete or not there, so a build that was stopped goes on where it was.

A piece is one file of arrays, named by what it is and by a hash of everything its numbers depend on.  Another card,
another version of a package or other points give another hash, so that an old piece is never taken for a new one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.errors import TheoryError
from hyperparton.files import checksum, replacing

__all__ = ["SECONDS", "PieceCache"]

SECONDS = "seconds"
"""name of the array with the time that a piece took"""


class PieceCache:
    """A folder of pieces."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, label: str, depends_on: Mapping[str, Any]) -> Path:
        """The file of a piece: `label` for people, the hash of `depends_on` (JSON) for the rest."""
        text = json.dumps(depends_on, sort_keys=True)
        return self.folder / f"{label}-{checksum(text)[:16]}.npz"

    def load(self, path: Path) -> dict[str, np.ndarray] | None:
        """The arrays of a piece; None if it is not there.  A damaged file counts as not there."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError):
            return None

    def computed(self, path: Path) -> dict[str, np.ndarray]:
        """The arrays of a piece that was computed before; raises `TheoryError` if it is not there or is damaged."""
        piece = self.load(path)
        if piece is None:
            raise TheoryError(f"the piece {path} is missing or damaged; run the same command again")
        return piece

    def is_complete(self, path: Path) -> bool:
        """Whether the piece is there and undamaged (its checksums are read)."""
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        except (OSError, zipfile.BadZipFile, EOFError):
            return False

    def save(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a piece; until it is complete the file has another name."""
        with replacing(path) as stream:
            np.savez(stream, **dict(arrays))  # type: ignore[arg-type]
