"""The folder of a scan, laid out as n3fit lays it out so that its tools find everything."""

from __future__ import annotations

import contextlib
import json
from os.path import (  # Path's own raise where a folder may not be looked into, or a name is too long
    exists,
    isdir,
    isfile,
)
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.files import write_text
from hyperparton.trials.sqlite_file import sqlite_path
from hyperparton.trials.store_url import StoreURL

__all__ = ["ScanFolder"]


class ScanFolder:
    """`DIR/filter.yml` is the runcard as read, `DIR/nnfit/replica_1/` (or `tries`'s folder) holds the trials."""

    def __init__(self, path: str | Path, tries: Path | None = None) -> None:
        self.path = Path(path)
        self.runcard = self.path / "filter.yml"
        self.progress = self.path / "progress.json"
        self.running = self.path / "running.json"
        """learning curves of the trials that run"""
        self.tries = tries or self.path / "nnfit" / "replica_1" / "tries.json"
        """what others read"""
        self.replica = self.tries.parent
        self.store = self.replica / "tries.sqlite"
        """the memory of a scan on one machine"""
        self.store_log = self.replica / "tries.sqlite-wal"
        """SQLite's write-ahead log of it"""
        self.lock = self.replica / "tries.lock"
        """who works in the folder"""
        self.kept_results = self.replica / "undelivered"
        """results for a store that is away"""
        self._made: list[Path] = []

    @classmethod
    def of_tries(cls, tries: Path) -> ScanFolder:
        """The scan of a `tries.json`, whatever the name of the file."""
        replica = tries.parent
        return cls(replica.parent.parent if replica.name.startswith("replica_") else replica, tries)

    @classmethod
    def of_replica(cls, replica: str | Path) -> ScanFolder:
        """The scan whose trials lie in the folder `replica`, which is made; raises StoreError."""
        scan = cls.of_tries(Path(replica) / "tries.json")
        try:
            scan._made = [folder for folder in (scan.replica, *scan.replica.parents) if not folder.exists()]
            scan.replica.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            scan.unmake()
            raise StoreError(f"{replica}: cannot be made: {fault.strerror}") from fault
        return scan

    def unmake(self) -> None:
        """Remove the folders that `of_replica` made, as far as they are empty."""
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()

    @classmethod
    def find(cls, place: str | Path) -> ScanFolder:
        """The scan of a folder or of a `tries.json`, which must be there; raises StoreError."""
        path = Path(place)
        candidates = (cls(path).tries, path / "replica_1" / "tries.json", path / "tries.json")
        for candidate in (path, *candidates):
            if isfile(candidate):
                return cls.of_tries(candidate)
        for candidate in (path, *candidates):
            _expect_no_obstacle(candidate)
        if not exists(path):
            raise StoreError(f"{path}: holds no trials; there is no such file or folder")
        looked = ", ".join(str(candidate) for candidate in candidates)
        raise StoreError(f"{path}: holds no trials; looked for {looked}")

    @classmethod
    def find_all(cls, place: str | Path) -> list[ScanFolder]:
        """The scans of a folder, one for each replica that has a `tries.json`, as parallel scans of n3fit leave them.

        Otherwise it is as `find`, but for a scan whose first trial is running.
        """
        path = Path(place)
        several = sorted(path.glob("nnfit/replica_*/tries.json")) if isdir(path) else []
        if several:
            return [cls.of_tries(tries) for tries in several]
        begun = isdir(path) and (isfile(cls(path).store) or cls(path).joined_store() is not None)
        try:
            return [cls.find(path)]
        except StoreError:
            if not begun:
                raise
            return [cls(path)]

    def watched(self) -> list[Path]:
        """The files that change when anything changes in the scan."""
        inside = self.store_inside() or self.store
        log = inside.with_name(f"{inside.name}-wal")
        return [self.path, self.progress, self.running, self.runcard, self.tries, inside, log, self.lock]

    def write_progress(self, trials: int, store: str | StoreURL | None = None, scan: str | None = None) -> None:
        """Keep what a start of the scan asks for, so that others can tell how far it is: trials, and where they are.

        `store` is the URL of a scan that many join; its secrets are left out. `scan` is the scan's word (see
        `agreement.scan_word`).
        """
        given = {"trials": trials, "store": None if store is None else StoreURL.parse(store).name, "scan": scan}
        content = {key: value for key, value in given.items() if value is not None}
        write_text(self.progress, json.dumps(content) + "\n")

    def asked_for(self) -> int | None:
        """The trials that the last start asked for; None where no start has said it."""
        total = _content(self.progress).get("trials")
        return total if isinstance(total, int) and not isinstance(total, bool) else None

    def joined_store(self) -> str | None:
        """The URL, without secrets, of the store that the last start joined; None if it joined none."""
        store = _content(self.progress).get("store")
        with contextlib.suppress(StoreError):
            return StoreURL.parse(store).name if isinstance(store, str) else None
        return None

    def running_curves(self) -> dict[int, list[tuple[int, float]]]:
        """Of trials that run, or ran when the scan's process died: (epoch, validation chi2) by their numbers."""
        curves: dict[int, list[tuple[int, float]]] = {}
        for number, points in _content(self.running).items():
            with contextlib.suppress(TypeError, ValueError):
                curves[int(number)] = [(int(epoch), float(value)) for epoch, value in points]
        return curves

    def of_another_scan(self, scan: str) -> bool:
        """Whether what a start asked for is that of another scan than the one with this word."""
        return _content(self.progress).get("scan", scan) != scan

    def store_inside(self) -> Path | None:
        """The SQLite file of the scan that lies in the folder itself: its own store, or the one that it joined."""
        if isfile(self.store):
            return self.store
        with contextlib.suppress(StoreError):
            file = sqlite_path(self.joined_store() or "")
            if file is not None and isfile(file) and file.resolve().is_relative_to(self.path.resolve()):
                return file
        return None


def _content(path: Path) -> dict[str, Any]:
    """The dictionary in a file of JSON; an empty one where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if isfile(path) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _expect_no_obstacle(path: Path) -> None:
    """Raise StoreError where the system does not say whether a file is there: it may be, and hold trials."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as fault:
        raise StoreError(f"{path}: cannot be looked at: {fault.strerror}") from fault
