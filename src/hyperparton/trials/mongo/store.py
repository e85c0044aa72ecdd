"""The trial store in a MongoDB database, where many jobs meet.

A trial is one document, whose `_id` is its number, and every change is one atomic operation on it, whose filter names
the state that it starts from; that an `_id` is there once settles who books. Numbers have no gaps and finished trials
do not change, so what is not finished yet, and which number comes next, is found by asking for a few numbers by name
from the first that was not seen finished: nothing that is done for each trial searches, sorts or counts the others.
Vals and results are JSON text, so numbers come back bit for bit and keys may be any text: nothing is pickled. Writes
are acknowledged once they are in the journal of a majority. Leases end by the clock of the server, which is asked for
its time once a second at most: in between, this machine's counter goes on from what it said.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument, WriteConcern
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidName,
    PyMongoError,
    WTimeoutError,
)
from pymongo.uri_parser import parse_uri

from hyperparton.errors import NoScanError, StoreAwayError, StoreError
from hyperparton.text import counted
from hyperparton.trials.foreign import refuse_foreign
from hyperparton.trials.record import data_of_text, state_of_record, trial_of_record
from hyperparton.trials.store import LeasedStore, lease_end
from hyperparton.trials.store_url import MONGO_DATABASE, PASSWORD_VARIABLE, StoreURL
from hyperparton.trials.strict_json import encode
from hyperparton.trials.time_limits import ANSWER, CONNECT, TimeLimits
from hyperparton.trials.trial import DONE, NEW, RUNNING, Trial

__all__ = ["MongoStore", "add_administrator", "server_answers"]

SCHEMA_VERSION = 2

#: how long a server may take to answer, in milliseconds; what the URL says goes before
_PATIENCE = 10_000
_LIMITS = {
    "serverSelectionTimeoutMS": _PATIENCE,
    "connectTimeoutMS": int(1000 * CONNECT),
    "socketTimeoutMS": int(1000 * ANSWER),
    "waitQueueTimeoutMS": int(1000 * ANSWER),
}

#: seconds to take leave of a server
_TO_CLOSE = 2.0

#: for how many seconds what the server says of its time is good enough to count on from
_TIME_HOLDS = 1.0

#: how many numbers one question names at most, and how many beyond the highest that is known
_PAGE, _AHEAD = 200, 8

_STATE = {"state": 1, "lease_end": 1}


class MongoStore(LeasedStore):
    """The store of the database that a `mongodb://` URL names; one scan has one database.

    The options of the URL are those of pymongo. `clock` gives seconds since 1970, by default the server's. Without
    `create` there must be a scan in it already. Raises StoreError if the server refuses, or if the database is damaged,
    of something else or written by another version: StoreAwayError if the server does not answer, NoScanError if
    `create` is false and the database is empty. One that is refused is left as it was.
    """

    def __init__(self, url: str | StoreURL, *, create: bool = True, clock: Callable[[], float] | None = None) -> None:
        place = StoreURL.parse(url)
        place = replace(place, database=place.database or MONGO_DATABASE)
        self.name, self._hide = place.name, place.hide
        self._limits = TimeLimits()
        self._clock = clock
        self._time: tuple[float | None, float] = (None, 0.0)
        # every trial below this number was seen finished
        self._below = 0
        self._client = _client(place)
        try:
            with self._store_errors():
                concern = WriteConcern(w="majority", j=True)
                self._database = self._client.get_database(place.database, write_concern=concern)
            self._trials = self._database["trials"]
            self._meta = self._database["scan_metadata"]
            self._open(create)
        except BaseException:
            self.close()
            raise

    def _open(self, create: bool) -> None:
        with self._store_errors():
            found = self._meta.find_one({"key": "schema_version"})
            if found is None:
                self._refuse_foreign()
                if not create:
                    raise NoScanError(f"{self.name}: holds no scan")
                self._meta.create_index([("key", ASCENDING)], unique=True)
                # for what is done once, when a scan begins or ends; servers differ in how they order an _id
                self._trials.create_index([("number", ASCENDING)], unique=True)
                self._trials.create_index([("status", ASCENDING), ("loss", ASCENDING), ("number", ASCENDING)])
            version = self._first("schema_version", str(SCHEMA_VERSION)) if found is None else found["value"]
            if version != str(SCHEMA_VERSION):
                raise StoreError(f"{self.name}: schema version {version}, this program reads {SCHEMA_VERSION}")
            # the last first: a trial that is booked in between is not counted, and is no damage
            highest = self._trials.find_one({}, {"number": 1}, sort=[("number", DESCENDING)])
            last = -1 if highest is None else highest.get("number")
            # one of no known state is none
            count = self._trials.count_documents({"number": {"$lte": last}, "state": {"$in": [NEW, RUNNING, DONE]}})
            if not isinstance(last, int) or count != last + 1:
                raise StoreError(f"{self.name}: damaged: {counted(count, 'trial')}, but the last has number {last}")
            self._known = last

    def _refuse_foreign(self) -> None:
        """Raise StoreError if the database holds something else; one whose making was cut short is as good as new."""
        names = {name for name in self._database.list_collection_names() if not name.startswith("system.")}
        ours = {collection.name for collection in (self._trials, self._meta) if collection.find_one() is None}
        if self._meta.find_one({"key": "schema_version"}) is None:  # nobody has made it meanwhile
            refuse_foreign(self.name, names - ours)

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """pymongo's failures as StoreErrors; a document that breaks uniqueness is left to the caller."""
        try:
            with pymongo.timeout(self._limits.at_most(ANSWER)) if self._limits.hurried else nullcontext():
                yield
        except DuplicateKeyError:
            raise
        except (PyMongoError, InvalidName) as fault:
            # pymongo goes on with its timeouts and what it knows of each server
            reason = self._hide(re.split(r" \(configured timeouts|, Timeout: ", str(fault))[0])
            kind = StoreAwayError if _is_away(fault) else StoreError
            raise kind(f"{self.name}: the trial store failed: {reason}") from None

    def _now(self) -> float:
        if self._clock is not None:
            return self._clock()
        server_time, asked = self._time
        if server_time is None or time.monotonic() - asked > _TIME_HOLDS:
            server_time = self._client.admin.command("hello")["localTime"].replace(tzinfo=UTC).timestamp()
            asked = time.monotonic()
            self._time = server_time, asked
        return server_time + time.monotonic() - asked

    def _insert(self, record: Mapping[str, Any], seconds: float | None) -> float | None:
        with self._store_errors():
            now = self._now()
            times = {"lease_end": lease_end(now, seconds), "book_time": now, "refresh_time": now}
            unknown = dict.fromkeys(("status", "loss", "failure", "result", "fails_below"))
            try:
                self._trials.insert_one({"_id": record["number"], **record, **unknown, **times})
            except DuplicateKeyError:
                return None
        return now

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        with self._store_errors():
            unfinished = [document for document in self._look() if stop is None or document["_id"] < stop]
            now = self._now()
            change = {
                "$set": {"state": RUNNING, "owner": owner, "lease_end": lease_end(now, seconds), "refresh_time": now},
                "$inc": {"attempts": 1},
            }
            for document in unfinished:
                ended = document["lease_end"] is not None and document["lease_end"] < now
                if document["state"] == RUNNING and not ended:
                    continue
                left = {"_id": document["_id"], "state": document["state"]}
                if ended:
                    left["lease_end"] = {"$lt": now}
                leased = self._trials.find_one_and_update(left, change, return_document=ReturnDocument.AFTER)
                if leased is not None:
                    return trial_of_record(leased, self.name)
        return None

    def _change(self, number: int, holder: str, values: dict[str, Any]) -> bool:
        held = {"_id": number, "owner": holder, "state": RUNNING}
        fields = {name: value for name, value in values.items() if name != "seconds"}
        with self._store_errors():
            now = self._now()
            fields["lease_end"] = lease_end(now, values["seconds"])
            if "result" in values:
                fields["refresh_time"] = now
            return self._trials.update_one(held, {"$set": fields}).matched_count == 1

    def _read(self, start: int, stop: int | None, fields: Mapping[str, int] | None) -> Iterator[dict[str, Any]]:
        """The trials with start <= number < stop, by number, up to the last that there is."""
        while stop is None or start < stop:
            end = min(start + _PAGE, max(start, self._known + 1) + _AHEAD)
            end = end if stop is None else min(end, stop)
            with self._store_errors():
                documents = self._trials.find({"_id": {"$in": list(range(start, end))}}, fields)
                page = sorted(documents, key=lambda document: document["_id"])
            if page:
                self._known = max(self._known, page[-1]["_id"])
            yield from page
            if len(page) < end - start:
                return
            start = end

    def _look(self) -> list[dict[str, Any]]:
        """State and end of the lease of every trial that is not finished, by number."""
        start, unfinished = self._below, []
        for document in self._read(start, None, _STATE):
            if state_of_record(document, self.name) != DONE:
                unfinished.append(document)
            elif not unfinished:
                start = document["_id"] + 1
        self._below = max(self._below, start)
        return unfinished

    def _last(self) -> int:
        for _ in self._read(self._known + 1, None, {"_id": 1}):
            pass
        return self._known

    def first_unfinished(self) -> int:
        self._look()
        return self._below

    def get(self, number: int) -> Trial:
        with self._store_errors():
            document = self._trials.find_one({"_id": number})
        if document is None:
            raise KeyError(f"trial {number} was never booked")
        return trial_of_record(document, self.name)

    def _finished(self, start: int, stop: int | None, *fields: str) -> Iterator[dict[str, Any]]:
        asked = {**_STATE, **dict.fromkeys(fields, 1)} if fields else None
        for document in self._read(max(start, 0), stop, asked):
            if state_of_record(document, self.name) == DONE:
                yield document

    def best(self) -> Trial | None:
        with self._store_errors():
            document = self._trials.find_one({"status": "ok"}, sort=[("loss", ASCENDING), ("number", ASCENDING)])
        return None if document is None else trial_of_record(document, self.name)

    def attach(self, key: str, value: Any) -> None:
        self._put(f"scan.{key}", {"$set": {"value": encode(value)}})

    def attach_first(self, key: str, value: Any) -> Any:
        return data_of_text(f"scan.{key}", self._first(f"scan.{key}", encode(value)), self.name)

    def _first(self, key: str, text: str) -> Any:
        self._put(key, {"$setOnInsert": {"value": text}})
        with self._store_errors():
            document = self._meta.find_one({"key": key})
        if document is None:
            raise StoreError(f"{self.name}: damaged: what was written under {key} is not there")
        return document.get("value")

    def _put(self, key: str, change: Mapping[str, Any]) -> None:
        with self._store_errors():
            try:
                self._meta.update_one({"key": key}, change, upsert=True)
            except DuplicateKeyError:  # two inserted at once; now it is there
                self._meta.update_one({"key": key}, change, upsert=True)

    def metadata(self) -> dict[str, Any]:
        with self._store_errors():
            documents = list(self._meta.find({}))
        return {
            document["key"].removeprefix("scan."): data_of_text(document["key"], document.get("value"), self.name)
            for document in documents
            if document["key"].startswith("scan.")
        }

    def hurry(self, seconds: float) -> None:
        self._limits.hurry(seconds)

    def close(self) -> None:
        # it tells the server which sessions end
        with contextlib.suppress(PyMongoError), pymongo.timeout(self._limits.at_most(_TO_CLOSE)):
            self._client.close()


def server_answers(url: str, seconds: float, **settings: Any) -> bool:
    """Whether a MongoDB answers at `url` within `seconds`; a server that refuses the login answers too."""
    try:
        with MongoClient(url, serverSelectionTimeoutMS=max(1, int(1000 * seconds)), **settings) as client:
            client.admin.command("ping")
    except PyMongoError as fault:
        return getattr(fault, "code", None) in (13, 18)  # Unauthorized, AuthenticationFailed
    return True


def add_administrator(url: str, user: str, password: str, **settings: Any) -> None:
    """Make the first user of a server that has none, which the server allows over loopback; StoreError if it refuses.

    A server that has users refuses; then `user` must be one of them and log in.
    """
    try:
        with MongoClient(url, serverSelectionTimeoutMS=_PATIENCE, **settings) as client:
            client.admin.command("createUser", user, pwd=password, roles=["root"])
    except PyMongoError as refused:
        try:
            with MongoClient(
                url, username=user, password=password, serverSelectionTimeoutMS=_PATIENCE, **settings
            ) as client:
                client.admin.command("ping")
        except PyMongoError as fault:
            raise StoreError(f"user {user} can neither be made ({refused}) nor log in ({fault})") from fault


def _client(url: StoreURL) -> MongoClient[dict[str, Any]]:
    """A client of the server; its secrets are no part of the URL that pymongo is given. Raises StoreError."""
    plain = replace(url, user="", password="", secret_options=())
    named = {key.lower() for key, _ in url.options}
    settings: dict[str, Any] = {key: value for key, value in _LIMITS.items() if key.lower() not in named}
    settings |= url.login_secrets
    if url.user:
        settings |= {"username": url.user, "password": url.login_password}
    if url.lacks_password:
        raise StoreError(f"{url}: {url.user} needs a password; the variable {PASSWORD_VARIABLE} can hold it")
    try:
        parse_uri(plain.name, warn=False)
        return MongoClient(plain.name, connect=False, **settings)
    except (PyMongoError, ValueError, TypeError) as fault:
        at_fault = [key for key, value in url.options if _fault_of(key, value) == str(fault)]
        raise StoreError(": ".join([str(url), *at_fault[:1], url.hide(fault)])) from None


def _fault_of(key: str, value: str) -> str:
    """What pymongo says of one option, since it does not always name it."""
    try:
        parse_uri(StoreURL("mongodb", hosts=(("host", None),), options=((key, value),)).name, warn=False)
    except (PyMongoError, ValueError, TypeError) as fault:
        return str(fault)
    return ""


def _is_away(fault: Exception) -> bool:
    """Whether the server cannot answer now, and may later; what was asked may have been done."""
    if isinstance(fault, ConnectionFailure | WTimeoutError | ExecutionTimeout):
        return True
    return isinstance(fault, PyMongoError) and (
        fault.timeout or any(map(fault.has_error_label, ("RetryableWriteError", "TransientTransactionError")))
    )
