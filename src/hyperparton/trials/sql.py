"""The trial store in an SQL database through SQLAlchemy: SQLite in the scan's folder, PostgreSQL for many machines.

Each method is one transaction of a few indexed statements, and a change names in its WHERE clause the state that it
starts from, so that of two workers who try one finds no row to change. SQLite runs with a write-ahead log and
synchronous = FULL: a transaction is on disk when it returns. PostgreSQL's leases end by the server's clock.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from hyperparton.errors import StoreError
from hyperparton.trials.leased import LeasedStore, lease_end
from hyperparton.trials.record import DONE, NEW, RUNNING, Outcome, Trial, encode

__all__ = ["SCHEMA_VERSION", "SqlStore"]

SCHEMA_VERSION = 1

#: PostgreSQL's advisory lock under which tables are made: any number, the same for all
_MAKING_TABLES = 7305791

_TABLES = sa.MetaData()

_META = sa.Table(
    "scan_metadata",
    _TABLES,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

_TRIALS = sa.Table(
    "trials",
    _TABLES,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("vals", sa.Text, nullable=False),
    sa.Column("space_vals", sa.Text, nullable=False),
    sa.Column("owner", sa.String(300)),
    sa.Column("lease_end", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("book_time", sa.Double, nullable=False),
    sa.Column("refresh_time", sa.Double, nullable=False),
    sa.Column("status", sa.String(8)),
    sa.Column("loss", sa.Double),
    sa.Column("failure", sa.String(200)),
    sa.Column("result", sa.Text),
    sa.Index("trials_by_state", "state", "number"),
    sa.Index("trials_by_loss", "status", "loss", "number"),
)


def _free(now: Any) -> Any:
    """The trials that nobody holds at the time `now`."""
    return sa.or_(_TRIALS.c.state == NEW, sa.and_(_TRIALS.c.state == RUNNING, _TRIALS.c.lease_end < now))


# statements that every trial needs are built once
_NO_STOP = 2**31 - 1
_LOWEST_FREE = sa.select(sa.func.min(_TRIALS.c.number)).where(
    _TRIALS.c.state < DONE, _TRIALS.c.number < sa.bindparam("stop"), _free(sa.bindparam("now"))
)
_LAST = sa.select(sa.func.max(_TRIALS.c.number))


class SqlStore(LeasedStore):
    """A store behind a database URL or in an SQLite file; `create` makes its tables where there are none.

    `name` is how messages call it; `clock` gives seconds since 1970, by default this machine's for SQLite and the
    server's for PostgreSQL. Raises StoreError if the database cannot be opened, is damaged, is no trial store or was
    written by another version.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        create: bool = True,
        name: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        url = sa.URL.create("sqlite", database=str(place)) if isinstance(place, Path) else _url(place)
        self.name = name or url.render_as_string(hide_password=True)
        self._engine = _engine(url, self.name)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._clock = clock or (time.time if self._sqlite else None)
        if self._sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
        try:
            self._open(create)
        except StoreError:
            self.close()
            raise

    def _open(self, create: bool) -> None:
        with self._transaction() as connection:
            if self._sqlite:
                self._check_sqlite(connection)
            # those who start a scan together make its tables one after the other, and all of them or none
            if self._sqlite and create:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif not self._sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_TABLES)))
            if not sa.inspect(connection).has_table(_META.name):
                if not create:
                    raise StoreError(f"{self.name}: damaged or no trial store: it has no trials in it")
                _TABLES.create_all(connection)
                connection.execute(sa.insert(_META).values(key="schema_version", value=str(SCHEMA_VERSION)))
            version = connection.scalar(sa.select(_META.c.value).where(_META.c.key == "schema_version"))
            if version != str(SCHEMA_VERSION):
                raise StoreError(f"{self.name}: schema version {version}, this program reads {SCHEMA_VERSION}")
            count, last = connection.execute(sa.select(sa.func.count(), sa.func.max(_TRIALS.c.number))).one()
            if count != (0 if last is None else last + 1):
                raise StoreError(f"{self.name}: damaged: {count} trials, but the last has number {last}")

    def _check_sqlite(self, connection: sa.Connection) -> None:
        found = connection.scalar(sa.text("PRAGMA quick_check(1)"))
        if found != "ok":
            raise StoreError(f"{self.name}: damaged: {found}; restore it from a copy or start in another folder")

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """A transaction whose failures are StoreErrors; a row that breaks uniqueness is left to the caller."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as fault:
            raise StoreError(f"{self.name}: the trial store failed: {fault.orig}") from fault

    def book(
        self,
        number: int,
        vals: Mapping[str, Sequence[Any]],
        owner: str,
        *,
        space_vals: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Trial | None:
        row = {
            "number": number, "state": RUNNING, "vals": encode(vals), "space_vals": encode(space_vals or {}),
            "owner": owner, "attempts": 1,
        }  # fmt: skip
        try:
            with self._transaction() as connection:
                if number != _next(connection):
                    return None
                now = self._now(connection)
                row |= {"lease_end": lease_end(now, seconds), "book_time": now, "refresh_time": now}
                connection.execute(sa.insert(_TRIALS).values(row))
        except exc.IntegrityError:
            return None
        return Trial(
            number, json.loads(row["vals"]), json.loads(row["space_vals"]), RUNNING, owner, now, now, attempts=1
        )

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        while True:
            with self._transaction() as connection:
                now = self._now(connection)
                number = connection.scalar(_LOWEST_FREE, {"now": now, "stop": _NO_STOP if stop is None else stop})
                if number is None:
                    return None
                taken = connection.execute(
                    sa.update(_TRIALS)
                    .where(_TRIALS.c.number == number, _free(now))
                    .values(
                        state=RUNNING,
                        owner=owner,
                        lease_end=lease_end(now, seconds),
                        attempts=_TRIALS.c.attempts + 1,
                        refresh_time=now,
                    )
                ).rowcount
            if taken:
                return self.get(number)

    def release_all(self) -> int:
        """Hand every leased trial back and say how many; only for who knows that no other process holds the store."""
        change = sa.update(_TRIALS).where(_TRIALS.c.state == RUNNING).values(state=NEW, owner=None, lease_end=None)
        with self._transaction() as connection:
            return connection.execute(change).rowcount

    def _change(self, number: int, holder: str, values: Callable[[float], dict[str, Any]]) -> bool:
        """Change a trial that `holder` has leased, to values that may depend on the time; False if it has not."""
        held = (_TRIALS.c.number == number, _TRIALS.c.owner == holder, _TRIALS.c.state == RUNNING)
        with self._transaction() as connection:
            change = sa.update(_TRIALS).where(*held).values(values(self._now(connection)))
            return connection.execute(change).rowcount == 1

    def _now(self, connection: sa.Connection) -> float:
        if self._clock is not None:
            return self._clock()
        return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")))

    def next_number(self) -> int:
        with self._transaction() as connection:
            return _next(connection)

    def get(self, number: int) -> Trial:
        with self._transaction() as connection:
            row = connection.execute(sa.select(_TRIALS).where(_TRIALS.c.number == number)).one_or_none()
        if row is None:
            raise KeyError(f"trial {number} was never booked")
        return _trial(row)

    def history(self, start: int = 0, stop: int | None = None) -> list[Outcome]:
        columns = (_TRIALS.c.number, _TRIALS.c.vals, _TRIALS.c.status, _TRIALS.c.loss, _TRIALS.c.failure)
        return [Outcome(row[0], json.loads(row[1]), *row[2:]) for row in self._finished(columns, start, stop)]

    def trials(self, start: int = 0, stop: int | None = None) -> list[Trial]:
        return [_trial(row) for row in self._finished((_TRIALS,), start, stop)]

    def _finished(self, columns: Sequence[Any], start: int, stop: int | None) -> Sequence[Any]:
        query = sa.select(*columns).where(_TRIALS.c.state == DONE, _TRIALS.c.number >= start)
        if stop is not None:
            query = query.where(_TRIALS.c.number < stop)
        with self._transaction() as connection:
            return connection.execute(query.order_by(_TRIALS.c.number)).all()

    def best(self) -> Trial | None:
        query = sa.select(_TRIALS).where(_TRIALS.c.status == "ok").order_by(_TRIALS.c.loss, _TRIALS.c.number).limit(1)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _trial(row)

    def attach(self, key: str, value: Any) -> None:
        text = encode(value)
        change = sa.update(_META).where(_META.c.key == f"scan.{key}").values(value=text)
        with self._transaction() as connection:
            there = connection.execute(change).rowcount
        if not there and self.attach_first(key, value) != json.loads(text):
            self.attach(key, value)

    def attach_first(self, key: str, value: Any) -> Any:
        row = {"key": f"scan.{key}", "value": encode(value)}
        with contextlib.suppress(exc.IntegrityError), self._transaction() as connection:
            connection.execute(sa.insert(_META).values(row))
        return self.metadata()[key]

    def metadata(self) -> dict[str, Any]:
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_META).where(_META.c.key.like("scan.%"))).all()
        return {row.key.removeprefix("scan."): json.loads(row.value) for row in rows}

    def close(self) -> None:
        self._engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # journal_mode answers what it became: a file system without shared memory keeps the rollback journal, as safe
    for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _url(place: str) -> sa.URL:
    """A database URL, with psycopg 3 for PostgreSQL where it names no driver; raises StoreError."""
    try:
        url = sa.make_url(place)
    except exc.ArgumentError as fault:
        raise StoreError(f"{place!r} is no database URL: {fault}") from fault
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"{url.get_backend_name()} keeps no trials, accepted: sqlite, postgresql")
    return url


def _engine(url: sa.URL, name: str) -> sa.Engine:
    settings = (
        {} if url.get_backend_name() == "sqlite" else {"isolation_level": "READ COMMITTED", "pool_pre_ping": True}
    )
    try:
        return sa.create_engine(url, **settings)
    except exc.ArgumentError as fault:
        raise StoreError(f"{name}: {fault}") from fault
    except ImportError as fault:
        raise StoreError(
            f"{name}: PostgreSQL needs the module {fault.name}: pip install 'hyperparton[postgres]'"
        ) from fault


def _next(connection: sa.Connection) -> int:
    last = connection.scalar(_LAST)
    return 0 if last is None else last + 1


def _trial(row: Any) -> Trial:
    return Trial(
        number=row.number,
        vals=json.loads(row.vals),
        space_vals=json.loads(row.space_vals),
        state=row.state,
        owner=row.owner,
        book_time=row.book_time,
        refresh_time=row.refresh_time,
        attempts=row.attempts,
        result=None if row.result is None else json.loads(row.result),
    )
