"""The folder of a scan, laid out as n3fit lays it out so that its tools find everything."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hyperparton.errors import StoreError
from hyperparton.files import write_text

__all__ = ["ScanFolder", "without_password"]

#: scheme://user:password@ of a URL
_LOGIN = re.compile(r"^([^:/]+://[^:/?@]*):[^/?]*@")


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
        write_text(self.runcard, text)

    def write_progress(self, trials: int, store: str | None = None) -> None:
        """Keep what a start of the scan asks for, so that others can tell how far it is: trials, and where they are.

        `store` is the URL of a scan that many join; passwords in it are left out.
        """
        told = {"trials": trials} if store is None else {"trials": trials, "store": without_password(store)}
        write_text(self.progress, json.dumps(told) + "\n")

    def asked_for(self) -> int | None:
        """The trials that the last start asked for; None where no start has said it."""
        total = self._told().get("trials")
        return total if isinstance(total, int) else None

    def joined_store(self) -> str | None:
        """The URL, without password, of the store that the last start joined; None if it joined none."""
        store = self._told().get("store")
        return store if isinstance(store, str) else None

    def _told(self) -> dict[str, object]:
        try:
            told = json.loads(self.progress.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def without_password(store: str) -> str:
    """A store's URL as it may be kept in a file: without passwords, and with the whole path of a file."""
    scheme, between, rest = store.partition(":///")
    if scheme == "sqlite" and between:
        name, mark, query = rest.partition("?")
        return f"sqlite:///{Path(name).resolve()}{mark}{query}"
    start, mark, query = _LOGIN.sub(r"\1@", store).partition("?")
    kept = [part for part in query.split("&") if "password" not in part.partition("=")[0].lower()]
    return start + (mark + "&".join(kept) if any(kept) else "")
