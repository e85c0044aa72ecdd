"""The trial store in a MongoDB database, where many jobs meet.

A trial is one document and every change is one atomic operation on it, whose filter names the state that it starts
from; a unique index on the number settles who books. Vals and results are JSON text in it, so numbers come back bit for
bit and keys may be any text: nothing is pickled. Writes are acknowledged once they are in the journal of a majority.
Leases end by the clock of the server, which is asked for its time once a second at most: in between, this machine's
counter goes on from what it said.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument, WriteConcern
from pymongo.errors import DuplicateKeyError, InvalidName, InvalidURI, PyMongoError
from pymongo.uri_parser import parse_uri

from hyperparton.errors import StoreError
from hyperparton.trials.leased import LeasedStore, lease_end
from hyperparton.trials.record import DONE, NEW, RUNNING, Outcome, Trial, encode

__all__ = ["MongoStore", "add_administrator", "server_answers"]

SCHEMA_VERSION = 1

#: the database of a URL that names none
_DATABASE = "hyperparton"

#: how long a server may take to answer, in milliseconds; a URL's own serverSelectionTimeoutMS goes before
_PATIENCE = 10_000

#: for how many seconds what the server says of its time is good enough to count on from
_TIME_HOLDS = 1.0

_NUMBER = {"_id": 0, "number": 1}
_OUTCOME = {"_id": 0, "number": 1, "vals": 1, "status": 1, "loss": 1, "failure": 1}


class MongoStore(LeasedStore):
    """The store of the database that a `mongodb://` URL names; one scan has one database.

    User, password and TLS go into the URL, as pymongo reads it. `clock` gives seconds since 1970, by default the
    server's. Without `create` there must be a scan in it already. Raises StoreError if the server does not answer or
    refuses, or if the database is damaged or written by another version.
    """

    def __init__(self, url: str, *, create: bool = True, clock: Callable[[], float] | None = None) -> None:
        self.name, database, settings = _read_url(url)
        self._clock = clock
        self._time: tuple[float | None, float] = (None, 0.0)
        with self._told():
            self._client: MongoClient[dict[str, Any]] = MongoClient(url, **settings)
            self._database = self._client.get_database(database, write_concern=WriteConcern(w="majority", j=True))
        self._trials = self._database["trials"]
        self._meta = self._database["scan_metadata"]
        try:
            self._open(create)
        except StoreError:
            self.close()
            raise

    def _open(self, create: bool) -> None:
        with self._told():
            if create:
                self._make_indexes()
            elif self._meta.find_one({"key": "schema_version"}) is None:
                raise StoreError(f"{self.name}: damaged or no trial store: it has no trials in it")
            version = self._first("schema_version", str(SCHEMA_VERSION))
            if version != str(SCHEMA_VERSION):
                raise StoreError(f"{self.name}: schema version {version}, this program reads {SCHEMA_VERSION}")
            # the number first: a trial that is booked in between is counted, and is no damage
            number = self.next_number()
            count = self._trials.count_documents({"number": {"$lt": number}})
            if count != number:
                raise StoreError(f"{self.name}: damaged: {count} trials, but the last has number {number - 1}")

    def _make_indexes(self) -> None:
        self._meta.create_index([("key", ASCENDING)], unique=True)
        self._trials.create_index([("number", ASCENDING)], unique=True)
        self._trials.create_index([("state", ASCENDING), ("number", ASCENDING)])
        self._trials.create_index([("status", ASCENDING), ("loss", ASCENDING), ("number", ASCENDING)])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """pymongo's failures as StoreErrors; a document that breaks uniqueness is left to the caller."""
        try:
            yield
        except DuplicateKeyError:
            raise
        except (PyMongoError, InvalidName) as fault:
            raise StoreError(f"{self.name}: the trial store failed: {fault}") from fault

    def _now(self) -> float:
        if self._clock is not None:
            return self._clock()
        told, asked = self._time
        if told is None or time.monotonic() - asked > _TIME_HOLDS:
            told = self._client.admin.command("hello")["localTime"].replace(tzinfo=UTC).timestamp()
            asked = time.monotonic()
            self._time = told, asked
        return told + time.monotonic() - asked

    def book(
        self,
        number: int,
        vals: Mapping[str, Any],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        document = {
            "number": number, "state": RUNNING, "vals": encode(vals), "space_vals": encode(space_vals or {}),
            "owner": owner, "attempts": 1, "status": None, "loss": None, "failure": None, "result": None,
        }  # fmt: skip
        with self._told():
            if not self._is_next(number):
                return None
            now = self._now()
            document |= {"lease_end": lease_end(now, seconds), "book_time": now, "refresh_time": now}
            try:
                self._trials.insert_one(document)
            except DuplicateKeyError:
                return None
        self._known = max(self._known, number)
        return _trial(document)

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        below = {} if stop is None else {"number": {"$lt": stop}}
        with self._told():
            now = self._now()
            free = [{"state": NEW}, {"state": RUNNING, "lease_end": {"$lt": now}}]
            found = self._trials.find_one_and_update(
                {"state": {"$lt": DONE}, **below, "$or": free},
                {
                    "$set": {
                        "state": RUNNING,
                        "owner": owner,
                        "lease_end": lease_end(now, seconds),
                        "refresh_time": now,
                    },
                    "$inc": {"attempts": 1},
                },
                sort=[("number", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
        return None if found is None else _trial(found)

    def _change(self, number: int, holder: str, values: dict[str, Any]) -> bool:
        held = {"number": number, "owner": holder, "state": RUNNING}
        fields = {name: value for name, value in values.items() if name != "seconds"}
        with self._told():
            now = self._now()
            fields["lease_end"] = lease_end(now, values["seconds"])
            if "result" in values:
                fields["refresh_time"] = now
            return self._trials.update_one(held, {"$set": fields}).matched_count == 1

    def _last(self) -> int:
        with self._told():
            last = self._trials.find_one({}, _NUMBER, sort=[("number", DESCENDING)])
        return -1 if last is None else last["number"]

    def first_unfinished(self) -> int:
        # the number first: a trial that is booked in between is not taken for a finished one
        number = self.next_number()
        with self._told():
            found = self._trials.find_one({"state": {"$lt": DONE}}, _NUMBER, sort=[("number", ASCENDING)])
        return number if found is None else min(number, found["number"])

    def finished_numbers(self, start: int = 0) -> list[int]:
        return [document["number"] for document in self._finished(start, None, _NUMBER)]

    def get(self, number: int) -> Trial:
        with self._told():
            found = self._trials.find_one({"number": number})
        if found is None:
            raise KeyError(f"trial {number} was never booked")
        return _trial(found)

    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        return [
            Outcome(d["number"], json.loads(d["vals"]), d["status"], d["loss"], d["failure"])
            for d in self._finished(start, stop, _OUTCOME)
        ]

    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        return [_trial(document) for document in self._finished(start, stop, None)]

    def _finished(self, start: int, stop: int | None, fields: Mapping[str, int] | None) -> list[dict[str, Any]]:
        numbers = {"$gte": start} if stop is None else {"$gte": start, "$lt": stop}
        with self._told():
            found = self._trials.find({"state": DONE, "number": numbers}, fields)
            return list(found.sort("number", ASCENDING))

    def best(self) -> Trial | None:
        with self._told():
            found = self._trials.find_one({"status": "ok"}, sort=[("loss", ASCENDING), ("number", ASCENDING)])
        return None if found is None else _trial(found)

    def attach(self, key: str, value: Any) -> None:
        self._put(f"scan.{key}", {"$set": {"value": encode(value)}})

    def attach_first(self, key: str, value: Any) -> Any:
        return json.loads(self._first(f"scan.{key}", encode(value)))

    def _first(self, key: str, text: str) -> str:
        self._put(key, {"$setOnInsert": {"value": text}})
        with self._told():
            found = self._meta.find_one({"key": key})
        if found is None:
            raise StoreError(f"{self.name}: damaged: what was written under {key} is not there")
        return found["value"]

    def _put(self, key: str, change: Mapping[str, Any]) -> None:
        with self._told():
            try:
                self._meta.update_one({"key": key}, change, upsert=True)
            except DuplicateKeyError:  # two inserted at once; now it is there
                self._meta.update_one({"key": key}, change, upsert=True)

    def metadata(self) -> dict[str, Any]:
        with self._told():
            documents = list(self._meta.find({}))
        return {
            document["key"].removeprefix("scan."): json.loads(document["value"])
            for document in documents
            if document["key"].startswith("scan.")
        }

    def close(self) -> None:
        if hasattr(self, "_client"):
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


def _read_url(url: str) -> tuple[str, str, dict[str, Any]]:
    """(the URL without user and password, the database's name, settings of the client); raises StoreError."""
    try:
        parsed = parse_uri(url, warn=True)
    except (InvalidURI, PyMongoError, ValueError) as fault:
        raise StoreError(f"this is no MongoDB URL: {fault}") from fault
    hosts = ",".join(f"{host}:{port}" for host, port in parsed["nodelist"])
    database = parsed["database"] or _DATABASE
    patience = {} if "serverselectiontimeoutms" in url.lower() else {"serverSelectionTimeoutMS": _PATIENCE}
    return f"mongodb://{hosts}/{database}", database, patience


def _trial(document: Mapping[str, Any]) -> Trial:
    return Trial(
        number=document["number"],
        vals=json.loads(document["vals"]),
        space_vals=json.loads(document["space_vals"]),
        state=document["state"],
        owner=document["owner"],
        book_time=document["book_time"],
        refresh_time=document["refresh_time"],
        attempts=document["attempts"],
        result=None if document["result"] is None else json.loads(document["result"]),
        lease_end=document["lease_end"],
    )
