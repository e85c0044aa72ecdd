"""Results that could not be delivered to a store, as files in the scan's folder until they are."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import write_text
from hyperparton.trials.strict_json import decode, encode_strict

__all__ = ["KeptResults"]

_LOG = logging.getLogger(__name__)


class KeptResults:
    """The files of `folder`, one for each result; the folder is there while there are any."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, number: int, owner: str) -> Path:
        return self._folder / f"trial-{number}-{owner.rpartition(':')[2]}.json"

    def keep(self, store: str, number: int, owner: str, result: Mapping[str, Any]) -> None:
        """Keep the result of a trial that `owner` holds in `store`; a disk that takes no file is told once."""
        file = self._file(number, owner)
        if file.exists():
            return
        try:
            write_text(file, encode_strict({"store": store, "number": number, "owner": owner, "result": result}) + "\n")
        except StoreError as fault:
            _LOG.warning("trial %d: its result is in memory alone: %s", number, fault)

    def forget(self, number: int, owner: str) -> None:
        """Remove what was kept, if anything was."""
        with contextlib.suppress(OSError):
            self._file(number, owner).unlink()
            self._folder.rmdir()

    def of_store(self, store: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """(number, owner, result) of all that was kept for this store; what cannot be read is left there and told."""
        for file in sorted(self._folder.glob("trial-*.json")):
            try:
                kept = decode(file.read_bytes())
                entry = int(kept["number"]), str(kept["owner"]), dict(kept["result"])
                of_this = kept["store"] == store
            except (OSError, ValueError, TypeError, KeyError) as fault:
                _LOG.warning("%s: cannot be read, so its result is not delivered: %s", file, fault)
                continue
            if of_this:
                yield entry
