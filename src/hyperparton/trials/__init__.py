"""Trials: their record, the stores that keep them, and `tries.json`. Stores are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperparton.lazy import lazy_names
from hyperparton.trials.store import TrialStore, owner_name
from hyperparton.trials.trial import Outcome, Trial, ranked
from hyperparton.trials.tries_entry import from_tries, to_tries
from hyperparton.trials.tries_read import read_trials, read_tries

if TYPE_CHECKING:
    from hyperparton.trials.local import FileTrials
    from hyperparton.trials.mongo.server import MongodRunner
    from hyperparton.trials.mongo.store import MongoStore
    from hyperparton.trials.mongo.trials import MongoFileTrials
    from hyperparton.trials.shared_folder import JoinedTrials, open_store
    from hyperparton.trials.sql import SqlStore

__all__ = [
    "FileTrials",
    "JoinedTrials",
    "MongoFileTrials",
    "MongoStore",
    "MongodRunner",
    "Outcome",
    "SqlStore",
    "Trial",
    "TrialStore",
    "from_tries",
    "open_store",
    "owner_name",
    "ranked",
    "read_trials",
    "read_tries",
    "to_tries",
]

#: public name -> the module that is loaded for it
_HOMES = {
    "FileTrials": "local",
    "JoinedTrials": "shared_folder",
    "MongoFileTrials": "mongo.trials",
    "MongoStore": "mongo.store",
    "MongodRunner": "mongo.server",
    "SqlStore": "sql",
    "open_store": "shared_folder",
}


__getattr__ = lazy_names(__name__, _HOMES)
