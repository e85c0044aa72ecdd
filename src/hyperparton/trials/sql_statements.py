"""The tables of a trial store in an SQL database, and the statements that read and change them, built once.

`LATER` is a column that stores of older versions lack: it is added before a trial is finished there. Until then, and
where such a store is only looked at, the statements say that nothing is known, see `OLDER`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from hyperparton.trials.trial import DONE, NEW, RUNNING

__all__ = [
    "ALL",
    "AT",
    "ENDS",
    "KEEP",
    "LAST",
    "LATER",
    "META",
    "NO_STOP",
    "OLDER",
    "TABLES",
    "TRIALS",
    "Statements",
    "finished",
]

TABLES = sa.MetaData()

META = sa.Table(
    "scan_metadata",
    TABLES,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

TRIALS = sa.Table(
    "trials",
    TABLES,
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
    sa.Column("fails_below", sa.Text),
    sa.Index("trials_by_state", "state", "number"),
    sa.Index("trials_by_loss", "status", "loss", "number"),
)


NO_STOP = 2**31 - 1

LATER = "fails_below"

LAST = sa.select(sa.func.max(TRIALS.c.number))


def _lowest(state: int, *conditions: Any) -> Any:
    """The lowest number in one state: by the index on (state, number) whatever a planner takes for rare."""
    return sa.select(sa.func.min(TRIALS.c.number)).where(TRIALS.c.state == state, *conditions).scalar_subquery()


#: at one moment the highest number, and the lowest of those released and of those at work
ENDS = sa.select(LAST.scalar_subquery(), _lowest(NEW), _lowest(RUNNING))
AT = TRIALS.c.number == sa.bindparam("at")
#: all columns, of a store too that an older version made, which lacks the last one
ALL = sa.select(TRIALS)
OLDER = sa.select(*list(TRIALS.c)[:-1], sa.null().label(LATER))

#: for SQLite
KEEP = sa.insert(META).prefix_with("OR REPLACE")


@lru_cache
def finished(older: bool, *fields: str) -> Any:
    """The statement for these columns of finished trials, or all, by number; `older` as `OLDER`."""
    within = TRIALS.c.number.between(sa.bindparam("start"), sa.bindparam("last"))
    columns = [sa.null().label(name) if older and name == LATER else TRIALS.c[name] for name in fields]
    chosen = sa.select(*columns) if fields else OLDER if older else ALL
    return chosen.where(TRIALS.c.state == DONE, within).order_by(TRIALS.c.number)


class Statements:
    """The statements that read a clock: this process's, given with them as `now`, or that of PostgreSQL's server.

    `seconds` is how long a lease lasts, None for one that does not end. Values of columns are given with the statement.
    """

    def __init__(self, own_clock: bool) -> None:
        server = sa.literal_column("extract(epoch FROM statement_timestamp())::float8", sa.Double)
        now: Any = sa.bindparam("now", type_=sa.Double) if own_clock else server
        ends = now + sa.bindparam("seconds", type_=sa.Double)
        free = sa.or_(TRIALS.c.state == NEW, sa.and_(TRIALS.c.state == RUNNING, TRIALS.c.lease_end < now))
        below = TRIALS.c.number < sa.bindparam("stop")
        self.lowest_free = sa.select(_lowest(NEW, below), _lowest(RUNNING, below, TRIALS.c.lease_end < now))
        book = sa.insert(TRIALS).values(lease_end=ends, book_time=now, refresh_time=now)
        self.book = book if own_clock else book.returning(TRIALS.c.book_time)
        at = TRIALS.c.number == sa.bindparam("at")
        again = TRIALS.c.attempts + 1
        self.take = sa.update(TRIALS).where(at, free).values(lease_end=ends, attempts=again, refresh_time=now)
        held = sa.update(TRIALS).where(at, TRIALS.c.owner == sa.bindparam("holder"), TRIALS.c.state == RUNNING)
        self.change = held.values(lease_end=ends)
        self.finish = held.values(lease_end=ends, refresh_time=now)
