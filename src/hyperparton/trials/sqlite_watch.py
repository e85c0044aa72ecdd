"""Whether an open SQLite file is still that of its scan: nobody removed it, replaced it or wrote into it.

SQLite itself trusts its cache and its log: of a file that another program overwrites in place, as `cp` does, it reads
pages of both, and writes its log into it at the end.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from hyperparton.errors import StoreError
from hyperparton.text import counted
from hyperparton.trials.examine import WORD, examine
from hyperparton.trials.sqlite_file import sqlite_logs

__all__ = ["FileWatch"]

#: the scan's word, and the highest number of a trial
_LOOK = f"SELECT (SELECT value FROM scan_metadata WHERE key = '{WORD}'), (SELECT max(number) FROM trials)"

#: what opens the log too
_READ = "SELECT count(*) FROM sqlite_master"


class FileWatch:
    """Watches the file at `path`, which the caller has open, and its log; `word` is that of the scan in it."""

    def __init__(self, path: Path, word: str) -> None:
        self._path, self._word = path, word
        self._log = sqlite_logs(path)[1]
        self._seen: dict[Path, tuple[int, int]] = {}
        # what the file held when it was looked into last, and how it looked then; its log may hold more
        self._last = -1
        self._looked: tuple[int, ...] | None = None
        #: the last connection to close moves the log into the file; this one must not write, so it would not
        self._guard = _connected(path, "mode=ro")
        self._guard.execute(_READ).fetchall()

    def check(self) -> None:
        """Raise StoreError if a file is another one than at an earlier call, or gone, or of another scan."""
        status = self._in_place(self._path)
        self._in_place(self._log)
        # it also changes when SQLite moves what is in the log into it
        looks = (status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status is not None else None
        if looks != self._looked and self._word:
            if (fault := self._fault()) is not None:
                raise _ended(self._path, f"was overwritten while the scan ran ({fault})")
            self._looked = looks

    def _in_place(self, file: Path) -> os.stat_result | None:
        """What the system says of a file that is the same as before; None if it was not there before either."""
        try:
            status = file.stat()
        except FileNotFoundError:
            if file not in self._seen:
                return None
            raise _ended(file, "is gone while the scan ran") from None
        except OSError as fault:
            raise StoreError(f"{file}: cannot be reached: {fault.strerror}") from fault
        found = (status.st_dev, status.st_ino)
        if self._seen.setdefault(file, found) != found:
            raise _ended(file, "was replaced by another file while the scan ran")
        return status

    def _fault(self) -> str | None:
        """What shows that the file is not that of the scan any more; None if nothing does."""
        if self._path.stat().st_size == 0:  # SQLite would take the log away
            return "it is empty"
        try:
            # as it is without the log: with it, every page that is known here seems right
            with contextlib.closing(_connected(self._path, "immutable=1")) as file:
                word, last = file.execute(_LOOK).fetchone()
        except sqlite3.Error:  # SQLite is just writing into it, or was killed then
            return self._fault_with_log()
        last = -1 if last is None else last
        if word != self._word or last < self._last:
            return self._fault_with_log()
        self._last = last
        return None

    def _fault_with_log(self) -> str | None:
        """The same, of the file and its log, which may have all that the file lacks; a copy of both is examined."""
        with tempfile.TemporaryDirectory(prefix="hyperparton-") as folder:
            copy = Path(folder) / "store.sqlite"
            try:
                # SQLite makes the copy: a file that this process closes loses the locks that it has on it
                with contextlib.closing(_connected(self._path, "mode=ro")) as file, sqlite3.connect(copy) as target:
                    file.backup(target)
                target.close()
                held = examine(copy, "it is")
            except (StoreError, sqlite3.Error) as fault:
                return str(fault).partition(";")[0]
        if held.scan != self._word or held.booked <= self._last:
            return f"it holds {counted(held.booked, 'trial')}, and had {self._last + 1}"
        return None

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """The other connections of this process are closed in the body.

        The log is moved into the file by that, if nothing speaks against it.
        """
        with contextlib.closing(self._guard):
            with contextlib.suppress(StoreError):
                self.check()
                self._guard.close()
            yield


def _connected(path: Path, how: str) -> sqlite3.Connection:
    """A connection to a file that only reads."""
    name = quote(os.fsencode(path))  # it need not be text
    return sqlite3.connect(f"file:{name}?{how}", uri=True, isolation_level=None, check_same_thread=False)


def _ended(file: Path, what: str) -> StoreError:
    return StoreError(f"{file}: {what}: nothing more is written; put it back, start again")
