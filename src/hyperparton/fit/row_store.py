"""The rows of the fast path, kept on disk: found once for the tables, data and settings of a card.

What is kept says how tables are mixed; the mixed tables themselves, which are large, follow from it at each start.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hyperparton.files import cache_folder, replacing
from hyperparton.fit.condensed import Curve, Mixing

__all__ = ["Rows", "key_of", "read", "write"]

_LOG = logging.getLogger(__name__)
#: another one where the same tables and settings would have other rows
_VERSION = "1"
_CHECKSUM = 64


@dataclass(frozen=True, eq=False)
class Rows:
    """How tables are mixed, and what the second order is made of."""

    mixing: Mixing
    around: np.ndarray
    """(net, x, working) PDFs such as fits pass through"""
    changes: np.ndarray
    """(net, x, working) by what they change"""


def key_of(*parts: Any) -> str:
    """What names the rows that follow from `parts`: dataclasses, sequences, arrays, texts and numbers."""
    total = hashlib.sha256(_VERSION.encode())
    for part in parts:
        _add(total, part)
    return total.hexdigest()


def _add(total: Any, part: Any) -> None:
    if dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            _add(total, getattr(part, field.name))
    elif isinstance(part, (tuple, list)):
        total.update(f"{len(part)} parts".encode())
        for each in part:
            _add(total, each)
    elif isinstance(part, np.ndarray):
        total.update(f"{part.dtype} {part.shape}".encode())
        total.update(np.ascontiguousarray(part).data if part.size else b"")
    else:
        total.update(repr(part).encode())


def _path(key: str) -> Path | None:
    folder = cache_folder("rows")
    return None if folder is None else folder / f"{key}.npz"


def read(key: str) -> Rows | None:
    """The rows of that key; None where there are none, or none that are whole: that is said."""
    path = _path(key)
    if path is None or not path.is_file():
        return None
    try:
        content = path.read_bytes()
        told, content = content[:_CHECKSUM].decode(errors="replace"), content[_CHECKSUM:]
        if hashlib.sha256(content).hexdigest() != told:
            raise ValueError("its checksum is another one")
        with np.load(io.BytesIO(content)) as arrays:
            curve = Curve(arrays["ratio_mixing"], arrays["ratio_unmixed"])
            return Rows(Mixing(curve, arrays["mixing"], arrays["lift"]), arrays["around"], arrays["changes"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as fault:
        _LOG.warning("%s: the rows of the fast path are not whole (%s), so they are found anew", path, fault)
        return None


def write(key: str, rows: Rows) -> None:
    """Keep the rows; where that fails it is said, and the next run finds them anew."""
    if (path := _path(key)) is None:
        return
    mixing, stream = rows.mixing, io.BytesIO()
    np.savez(
        stream,
        ratio_mixing=mixing.curve.mixing,
        ratio_unmixed=mixing.curve.unmixed,
        mixing=mixing.mixing,
        lift=mixing.lift,
        around=rows.around,
        changes=rows.changes,
    )
    content = stream.getvalue()
    try:
        with replacing(path) as file:
            file.write(hashlib.sha256(content).hexdigest().encode())
            file.write(content)
    except OSError as fault:
        _LOG.warning("%s: the rows of the fast path cannot be kept: %s", path, fault.strerror)
