"""Opening the stores of a scan: that of its trials, and that of the re-fits beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from os.path import isfile  # Path's own raises where a name is too long
from pathlib import Path
from typing import TypeVar

from hyperparton.errors import StoreError
from hyperparton.scan.limits import Deadline
from hyperparton.scan.settings import Execution
from hyperparton.trials.patience import Patience
from hyperparton.trials.refits import FOLDER as REFITS
from hyperparton.trials.refits import read_refits
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.store import TrialStore
from hyperparton.trials.store_url import of_refits
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.tries_read import read_trials

__all__ = ["closing", "open_refits", "open_trials", "patience_with", "try_joined_refits", "try_own_refits"]

Agreed = TypeVar("Agreed")

#: seconds for which a server is waited for that does not answer when a scan starts: its URL may be wrong
_AT_START = 10.0

#: seconds in which a scan that ends early takes leave of its store
_AT_THE_END = 5.0


def open_trials(
    folder: str | Path, execution: Execution, deadline: Deadline, agree: Callable[[TrialStore], Agreed]
) -> tuple[ExportedTrials, Agreed]:
    """The trials of a scan, and what `agree` makes of their store.

    A start that is refused leaves nothing behind: it is agreed before a folder is made.
    """
    # here, so that reading a space does not load a database
    from hyperparton.trials.kept_results import KeptResults
    from hyperparton.trials.local import FileTrials
    from hyperparton.trials.patient import PatientStore
    from hyperparton.trials.shared_folder import JoinedTrials, open_store

    with contextlib.ExitStack() as undone:
        if execution.store is None:
            trials = FileTrials(folder)
            undone.callback(trials.close)
            agreed = agree(trials)
        else:
            opened = patience_with(execution).ask(partial(open_store, execution.store))
            undone.callback(opened.close)
            kept = KeptResults(ScanFolder.of_tries(Path(folder) / "tries.json").kept_results)
            store = PatientStore(opened, execution.store_timeout, kept, deadline.check)
            agreed = agree(store)
            store.deliver_kept()
            trials = JoinedTrials(store, folder)
        undone.pop_all()
    return trials, agreed


def patience_with(execution: Execution) -> Patience:
    """Patience with a store whose URL may be wrong."""
    return Patience(str(execution.store), min(execution.store_timeout, _AT_START))


@contextlib.contextmanager
def open_refits(
    folder: str | Path,
    execution: Execution,
    deadline: Deadline,
    agree: Callable[[TrialStore], None] = lambda store: None,
) -> Iterator[ExportedTrials]:
    """The store of a scan's re-fits, beside that of its trials; `agree` raises what speaks against going on with it."""
    execution = execution if execution.store is None else replace(execution, store=of_refits(execution.store))
    store, _ = open_trials(Path(folder) / REFITS, execution, deadline, agree)
    with closing(store):
        yield store


@contextlib.contextmanager
def _told_of_refits() -> Iterator[None]:
    """A StoreError of the body says what it is about: the re-fits begin hours later."""
    try:
        yield
    except StoreError as fault:
        if type(fault) is not StoreError:
            raise
        raise StoreError(f"{fault}; there the re-fits of the best trials are kept (--confirm 0 goes without)") from None


def try_joined_refits(folder: str | Path, execution: Execution) -> None:
    """Raise StoreError if the re-fits of a joined scan cannot be kept; their database, schema or file is made."""
    from hyperparton.trials.shared_folder import look_before_joining, open_store

    if execution.store is None:
        return
    place, patience = of_refits(execution.store), patience_with(execution)
    with _told_of_refits():
        patience.ask(partial(look_before_joining, place, Path(folder) / REFITS))
        patience.ask(partial(open_store, place)).close()


def try_own_refits(folder: str | Path, execution: Execution) -> None:
    """Raise StoreError if the re-fits of an earlier start are damaged or of another scan; the folder is locked."""
    from hyperparton.trials.local import FileTrials

    there = Path(folder) / REFITS
    with _told_of_refits():
        if execution.store is None and there.exists():
            FileTrials(there).close()
        tries = Path(folder) / "tries.json"
        if isfile(there / "tries.json") and isfile(tries):
            # as the file has them: it adds what validphys looks for to the parameters of both
            read_refits(tries, read_trials(tries, keep=lambda trial: trial.without_arrays()))


@contextlib.contextmanager
def closing(store: ExportedTrials) -> Iterator[None]:
    """Close the store at the end; after an error in a hurry, and the error is that of the body."""
    try:
        yield
    except BaseException:
        store.hurry(_AT_THE_END)
        with contextlib.suppress(StoreError):
            store.close()
        raise
    store.close()
