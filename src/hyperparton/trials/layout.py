"""The folder of a scan, laid out as n3fit lays it out so that its tools find everything."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from hyperparton.errors import StoreError

__all__ = ["ScanFolder", "write_atomically"]


class ScanFolder:
    """`DIR/filter.yml` is the runcard as read, `DIR/nnfit/replica_1/` holds the trials."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.runcard = self.path / "filter.yml"
        self.replica = self.path / "nnfit" / "replica_1"
        self.progress = self.path / "progress.json"
        self.tries = self.replica / "tries.json"

    @classmethod
    def find_tries(cls, given: str | Path) -> Path:
        """`tries.json` of a scan's folder, or the file itself; raises StoreError if there is none."""
        path = Path(given)
        if path.is_file():
            return path
        candidates = (cls(path).tries, path / "replica_1" / "tries.json", path / "tries.json")
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        looked = ", ".join(str(candidate) for candidate in candidates)
        raise StoreError(f"{path}: holds no trials; looked for {looked}")

    def write_runcard(self, text: str) -> None:
        """Keep the runcard as it was read, atomically."""
        write_atomically(self.runcard, text)

    def write_progress(self, trials: int) -> None:
        """Keep how many trials a start of the scan asks for, so that others can tell how far it is."""
        write_atomically(self.progress, json.dumps({"trials": trials}) + "\n")

    def asked_for(self) -> int | None:
        """The trials that the last start asked for; None where no start has said it."""
        try:
            told = json.loads(self.progress.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        total = told.get("trials") if isinstance(told, dict) else None
        return total if isinstance(total, int) else None


def write_atomically(path: Path, text: str) -> None:
    """Write a file under another name and move it in place; raises StoreError if that cannot be done."""
    # a name of its own: processes that join a scan may write the same file at once
    new = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as fault:
        raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault
