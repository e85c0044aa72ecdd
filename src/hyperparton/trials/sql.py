"""The trial store in an SQL database through SQLAlchemy: SQLite in the scan's folder, PostgreSQL for many machines.

Each change is one indexed statement, a transaction by itself, and names in its WHERE clause the state that it starts
from, so that of two workers who try one finds no row to change. The statements are built once. SQLite runs with a
write-ahead log and synchronous = FULL: a transaction is on disk when it returns. PostgreSQL's leases end by the
server's clock, which is read in the statement itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from hyperparton.errors import NoScanError, StoreAwayError, StoreError
from hyperparton.text import counted
from hyperparton.trials.examine import SCHEMA_VERSION, SEAL, WORD, examine, seal_of_text, seal_of_trial
from hyperparton.trials.foreign import refuse_foreign
from hyperparton.trials.record import data_of_text, trial_of_record
from hyperparton.trials.sql_statements import (
    ALL,
    AT,
    ENDS,
    KEEP,
    LAST,
    LATER,
    META,
    NO_STOP,
    OLDER,
    TABLES,
    TRIALS,
    Statements,
    finished,
)
from hyperparton.trials.sqlite_file import prepare, snapshot
from hyperparton.trials.sqlite_watch import FileWatch
from hyperparton.trials.store import LeasedStore
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.strict_json import encode
from hyperparton.trials.time_limits import TimeLimits
from hyperparton.trials.trial import DONE, NEW, RUNNING, Trial

__all__ = ["SCHEMA_VERSION", "SqlStore"]

#: PostgreSQL's advisory lock under which tables are made: any number, the same for all
_MAKING_TABLES = 7305791

#: seconds after which a connection that was not used is tried before it is used again
_IDLE = 2.0


class SqlStore(LeasedStore):
    """A store behind a database URL or in an SQLite file; `create` makes its tables where there are none.

    A file is examined first, as a copy, unless the caller has `examined` it. `name` is how messages call it; `clock`
    gives seconds since 1970, by default this machine's for SQLite and the server's for PostgreSQL. Raises StoreError if
    the database cannot be opened, is damaged, of something else or written by another version: StoreAwayError if it
    does not answer, NoScanError if it is empty and `create` is false. One that is refused is left as it was.
    """

    def __init__(
        self,
        place: str | Path | StoreURL,
        *,
        create: bool = True,
        examined: bool = False,
        name: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        url = StoreURL("sqlite", Path(os.path.abspath(place))) if isinstance(place, Path) else StoreURL.parse(place)
        self.name = name or (str(place) if isinstance(place, Path) else url.name)
        self._hide = url.hide
        # os.path has an answer for a name that is too long, too
        there = (file := url.file) is not None and os.path.exists(file)
        if file is not None and not os.path.isfile(file) and (there or not create):
            raise StoreError(f"{self.name}: {'is no file' if there else 'there is no such file'}")
        if file is not None and there and not examined:
            with snapshot(file) as copy:
                examine(copy, self.name)
        #: of a file: whether it is in its place, and what binds its checksums to this scan
        self._watch: FileWatch | None = None
        self._word = ""
        self._limits, self._schema = TimeLimits(), None
        self._engine = _engine(url, self._limits)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._clock = clock or (time.time if self._sqlite else None)
        self._statements = Statements(self._clock is not None)
        if self._sqlite:
            event.listen(self._engine, "connect", prepare)
        else:
            _try_idle_connections(self._engine)
        try:
            if url.beside:
                self._schema = self._use_schema_beside(url.beside)
            self._open(create)
        except BaseException:
            self.close()
            raise
        # only now: while this process has no connection, another that ends takes the file's log away
        self._watch = None if file is None else FileWatch(file, self._word)

    def _use_schema_beside(self, ending: str) -> str:
        """From now on use the schema whose name is that of the usual one and `ending`; the name."""
        with self._transaction() as connection:
            schema = f"{connection.scalar(sa.select(sa.func.current_schema()))}{ending}"
        self._engine = self._engine.execution_options(schema_translate_map={None: schema})
        return schema

    def _open(self, create: bool) -> None:
        several = self._engine if self._sqlite else self._engine.execution_options(isolation_level="READ COMMITTED")
        with self._transaction(several) as connection:
            # those who start a scan together make its tables one after the other, and all of them or none
            if self._sqlite and create:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif not self._sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_TABLES)))
            # an administrator may have made it for a user who may make none
            if self._schema is not None and create and not sa.inspect(connection).has_schema(self._schema):
                connection.execute(sa.schema.CreateSchema(self._schema))
            tables = sa.inspect(connection).get_table_names(schema=self._schema)
            if META.name not in tables:
                refuse_foreign(self.name, tables)
                if not create:
                    raise NoScanError(f"{self.name}: holds no scan")
                TABLES.create_all(connection)
                connection.execute(sa.insert(META).values(key="schema_version", value=str(SCHEMA_VERSION)))
                connection.execute(sa.insert(META).values(key=WORD, value=secrets.token_hex(16)))
            self._all = ALL if self._has_later(connection) else OLDER
            version = connection.scalar(sa.select(META.c.value).where(META.c.key == "schema_version"))
            if version != str(SCHEMA_VERSION):
                raise StoreError(f"{self.name}: schema version {version}, this program reads {SCHEMA_VERSION}")
            # one of no known state is none
            whole = sa.func.count().filter(TRIALS.c.state.in_((NEW, RUNNING, DONE)))
            count, last = connection.execute(sa.select(whole, sa.func.max(TRIALS.c.number))).one()
            if count != (0 if last is None else last + 1):
                raise StoreError(f"{self.name}: damaged: {counted(count, 'trial')}, but the last has number {last}")
            self._word = connection.scalar(sa.select(META.c.value).where(META.c.key == WORD)) or ""

    def _has_later(self, connection: sa.Connection) -> bool:
        try:
            columns = sa.inspect(connection).get_columns(TRIALS.name, schema=self._schema)
        except exc.NoSuchTableError:
            return True  # the first statement says so
        return LATER in {column["name"] for column in columns}

    def _add_later(self, connection: sa.Connection) -> None:
        """Give the table of an older version the column that it lacks, unless another process was faster."""
        quoted = connection.dialect.identifier_preparer
        schema = "" if self._schema is None else f"{quoted.quote_schema(self._schema)}."
        if not self._sqlite:
            connection.exec_driver_sql(f"ALTER TABLE {schema}{TRIALS.name} ADD COLUMN IF NOT EXISTS {LATER} TEXT")
        elif not self._has_later(connection):
            connection.exec_driver_sql(f"ALTER TABLE {TRIALS.name} ADD COLUMN {LATER} TEXT")
        self._all = ALL

    @contextmanager
    def _sealed(self) -> Iterator[sa.Connection]:
        """A transaction that writes something and, in a file, its checksum."""
        with self._transaction() as connection:
            if self._sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _seal_trial(self, connection: sa.Connection, number: int) -> None:
        if self._sqlite:
            row = connection.execute(self._all.where(AT), {"at": number}).mappings().one()
            connection.execute(KEEP, {"key": f"{SEAL}{number}", "value": seal_of_trial(self._word, row)})

    def _seal_text(self, connection: sa.Connection, key: str, text: str) -> None:
        if self._sqlite:
            connection.execute(KEEP, {"key": f"{SEAL}{key}", "value": seal_of_text(self._word, text)})

    @contextmanager
    def _transaction(self, engine: sa.Engine | None = None) -> Iterator[sa.Connection]:
        """A connection whose failures are StoreErrors; a row that breaks uniqueness is left to the caller.

        Each statement is a transaction, unless one is begun or `engine` does so.
        """
        if self._watch is not None:
            self._watch.check()
        try:
            with (engine or self._engine).begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as fault:
            raise self._error(fault.orig, fault.connection_invalidated) from None
        except exc.SQLAlchemyError as fault:  # no connection of the pool was free in time
            raise self._error(fault, True) from None

    def _error(self, fault: BaseException | None, lost: bool = False) -> StoreError:
        """The error of a database in one line, without secrets."""
        # libpq goes on with what it thinks of that
        reason = " ".join(self._hide(fault).split()).partition(" This probably means")[0]
        kind = StoreAwayError if lost or _is_away(fault) else StoreError
        return kind(f"{self.name}: the trial store failed: {reason}")

    def _insert(self, record: Mapping[str, Any], seconds: float | None) -> float | None:
        moment = self._moment()
        try:
            with self._sealed() as connection:
                booked = connection.execute(self._statements.book, {**record, **moment, "seconds": seconds})
                self._seal_trial(connection, record["number"])
                return moment["now"] if moment else booked.scalar_one()
        except exc.IntegrityError:
            return None

    def lease(self, owner: str, *, stop: int | None = None, seconds: float | None = None) -> Trial | None:
        within = {"stop": NO_STOP if stop is None else stop}
        while True:
            moment = self._moment()
            with self._transaction() as connection:
                number = _least(connection.execute(self._statements.lowest_free, {**within, **moment}).one())
                if number is None:
                    return None
                values = {"at": number, "state": RUNNING, "owner": owner, "seconds": seconds}
                taken = connection.execute(self._statements.take, {**values, **moment}).rowcount
            if taken:
                return self.get(number)

    def release_all(self) -> int:
        """Hand every leased trial back and say how many; only for who knows that no other process holds the store."""
        change = sa.update(TRIALS).where(TRIALS.c.state == RUNNING).values(state=NEW, owner=None, lease_end=None)
        with self._transaction() as connection:
            return connection.execute(change).rowcount

    def _change(self, number: int, holder: str, values: dict[str, Any]) -> bool:
        finished = "result" in values
        statement = self._statements.finish if finished else self._statements.change
        values = {"at": number, "holder": holder, **self._moment(), **values}
        with self._sealed() if finished else self._transaction() as connection:
            if finished and self._all is OLDER:
                self._add_later(connection)
            changed = connection.execute(statement, values).rowcount == 1
            if changed and finished:
                self._seal_trial(connection, number)
            return changed

    def _moment(self) -> dict[str, float]:
        """The time as statements need it; nothing where they read the server's."""
        return {} if self._clock is None else {"now": self._clock()}

    def _last(self) -> int:
        with self._transaction() as connection:
            last = connection.scalar(LAST)
        return -1 if last is None else last

    def first_unfinished(self) -> int:
        with self._transaction() as connection:
            last, *unfinished = connection.execute(ENDS).one()
        lowest = _least(unfinished)
        return lowest if lowest is not None else 0 if last is None else last + 1

    def get(self, number: int) -> Trial:
        with self._transaction() as connection:
            row = connection.execute(self._all.where(AT), {"at": number}).one_or_none()
        if row is None:
            raise KeyError(f"trial {number} was never booked")
        return trial_of_record(row._mapping, self.name)

    def _finished(self, start: int, stop: int | None, *fields: str) -> Sequence[Mapping[Any, Any]]:
        within = {"start": start, "last": NO_STOP if stop is None else stop - 1}
        with self._transaction() as connection:
            return connection.execute(finished(self._all is OLDER, *fields), within).mappings().all()

    def best(self) -> Trial | None:
        query = self._all.where(TRIALS.c.status == "ok").order_by(TRIALS.c.loss, TRIALS.c.number).limit(1)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else trial_of_record(row._mapping, self.name)

    def attach(self, key: str, value: Any) -> None:
        row = {"key": f"scan.{key}", "value": encode(value)}
        change = sa.update(META).where(META.c.key == row["key"]).values(value=row["value"])
        with self._sealed() as connection:
            there = connection.execute(change).rowcount
            if there:
                self._seal_text(connection, row["key"], row["value"])
        if not there and self.attach_first(key, value) != json.loads(row["value"]):
            self.attach(key, value)

    def attach_first(self, key: str, value: Any) -> Any:
        row = {"key": f"scan.{key}", "value": encode(value)}
        with contextlib.suppress(exc.IntegrityError), self._sealed() as connection:
            connection.execute(sa.insert(META).values(row))
            self._seal_text(connection, row["key"], row["value"])
        return self.metadata()[key]

    def metadata(self) -> dict[str, Any]:
        with self._transaction() as connection:
            rows = connection.execute(sa.select(META).where(META.c.key.like("scan.%"))).all()
        return {row.key.removeprefix("scan."): data_of_text(row.key, row.value, self.name) for row in rows}

    def hurry(self, seconds: float) -> None:
        self._limits.hurry(seconds)

    def close(self) -> None:
        watch, self._watch = self._watch, None
        with contextlib.nullcontext() if watch is None else watch.closing():
            self._engine.dispose()


def _engine(url: StoreURL, limits: TimeLimits) -> sa.Engine:
    settings: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "hide_parameters": True}
    if url.file is not None:
        return sa.create_engine(sa.URL.create("sqlite", database=str(url.file)), **settings)
    try:
        from hyperparton.trials.postgres import connector
    except ImportError as fault:
        raise StoreError(f"PostgreSQL needs the module {fault.name}: pip install 'hyperparton[postgres]'") from fault
    return sa.create_engine("postgresql+psycopg://", creator=connector(url, limits), **settings)


def _is_away(fault: BaseException | None) -> bool:
    """Whether a driver's error says that the database cannot answer now, and may later."""
    if isinstance(fault, sqlite3.Error):
        return getattr(fault, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    from hyperparton.trials.postgres import is_away

    return is_away(fault)


def _try_idle_connections(engine: sa.Engine) -> None:
    """Try a connection that was idle before it is used: servers and firewalls end such ones, and a new one will do."""

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def try_it(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) > _IDLE:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as fault:
                raise exc.DisconnectionError from fault


def _least(numbers: Sequence[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
