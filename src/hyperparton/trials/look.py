"""Looking at a store: it is opened to be read, and nothing is written to it or beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hyperparton.trials.examine import examine
from hyperparton.trials.shared_folder import open_store
from hyperparton.trials.sqlite_file import snapshot
from hyperparton.trials.store import TrialStore
from hyperparton.trials.store_url import StoreURL

__all__ = ["looked_at"]


@contextlib.contextmanager
def looked_at(place: str | StoreURL | Path) -> Iterator[TrialStore]:
    """The store of an SQLite file or behind a URL, as it is now; raises StoreError if there is none.

    Of a file it is a copy.
    """
    url = StoreURL("sqlite", place) if isinstance(place, Path) else StoreURL.parse(place)
    if (file := url.file) is None:
        with open_store(url, create=False) as store:
            yield store
        return
    # here, so that reading a `tries.json` does not load a database
    from hyperparton.trials.sql import SqlStore

    with snapshot(file) as copy:
        examine(copy, str(file))
        with SqlStore(copy, create=False, examined=True, name=str(file)) as store:
            yield store
