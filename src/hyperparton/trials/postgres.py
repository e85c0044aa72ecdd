"""Connections to PostgreSQL through psycopg, with limits on the time that each may take and each answer."""

from __future__ import annotations

import os
import queue
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.waiting import Ready

from hyperparton.errors import StoreError
from hyperparton.trials.store_url import StoreURL
from hyperparton.trials.time_limits import ANSWER, CONNECT, TimeLimits

__all__ = ["connector", "is_away"]

#: SQLSTATEs of a server that will be back: connection lost, resources short, shut down or starting, only read for now
_AWAY = ("08", "53", "57P01", "57P02", "57P03", "57P05", "25006")


def connector(url: StoreURL, limits: TimeLimits) -> Callable[[], Any]:
    """A function that connects to the server of `url`; raises StoreError for options that PostgreSQL does not know.

    A password comes from the URL, from our variable, or as libpq finds it: PGPASSWORD, PGPASSFILE, ~/.pgpass. Other
    secrets come from the URL or from our other variable.
    """
    settings: dict[str, Any] = dict(url.options) | url.login_secrets
    given: dict[str, Any] = {"user": url.user, "password": url.login_password, "dbname": url.database}
    if url.hosts:
        given["host"] = ",".join(host for host, _ in url.hosts)
        given["port"] = ",".join("" if port is None else str(port) for _, port in url.hosts)
    settings |= {key: value for key, value in given.items() if value and value.strip(",")}
    try:
        make_conninfo(**settings)
        asked = int(settings.pop("connect_timeout", CONNECT))
    except psycopg.ProgrammingError as fault:
        raise StoreError(f"{url}: {url.hide(fault).strip()}") from None
    except ValueError:
        raise StoreError(f"{url}: connect_timeout must be a whole number of seconds") from None

    def connect() -> Any:
        seconds = max(2, round(limits.at_most(asked)))  # libpq takes less than 2 for 2
        places = _with_addresses(settings, seconds)
        connection = _Connection.connect(**{**settings, **places}, connect_timeout=seconds)
        connection.limits = limits
        return connection

    return connect


def _with_addresses(settings: Mapping[str, Any], seconds: float) -> dict[str, str]:
    """The settings host, hostaddr and port with the addresses of each host, where a name has to be looked up.

    Raises psycopg.OperationalError if one takes longer than `seconds` or is not found, and no other is.
    """
    hosts = str(settings.get("host") or os.environ.get("PGHOST", "")).split(",")
    ports = str(settings.get("port") or os.environ.get("PGPORT", "")).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    names = [host for host in hosts if host and not host.startswith(("/", "@"))]
    if not names or settings.get("hostaddr") or len(ports) != len(hosts):  # of a wrong number libpq says so
        return {}
    found: list[tuple[str, str, str]] = []
    fault = None
    for host, port in zip(hosts, ports, strict=True):
        try:
            found += [(host, address, port) for address in (_look_up(host, seconds) if host in names else [""])]
        except OSError as error:
            fault = psycopg.OperationalError(f"the address of {host} cannot be found: {error.strerror or error}")
    if not found and fault is not None:
        raise fault
    return dict(zip(("host", "hostaddr", "port"), map(",".join, zip(*found, strict=True)), strict=True))


def _look_up(host: str, seconds: float) -> list[str]:
    """The addresses of a host; raises OSError, TimeoutError after so many seconds.

    The system's own look-up knows no limit, and no signal interrupts it: it is left to itself in a thread.
    """
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put([str(each[4][0]) for each in found])
        except (OSError, UnicodeError) as fault:  # the latter of a name that can be none
            answers.put(fault if isinstance(fault, OSError) else OSError(str(fault)))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"nobody told it within {seconds:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def is_away(fault: BaseException | None) -> bool:
    """Whether an error of psycopg says that the server cannot answer now, and may later."""
    state = getattr(fault, "sqlstate", None)
    if state is None:  # it comes from this side: no connection, or none any more
        return isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError)
    return state.startswith(_AWAY)


class _Connection(psycopg.Connection[Any]):
    """A connection that is given up if an answer takes too long, or if the wait for it is interrupted."""

    limits: TimeLimits | None = None

    def wait(self, gen: Any, interval: float = 0.0, timeout: float | None = None) -> Any:
        """What psycopg's own method does, but for as long as the server sends something; a signal ends it at once."""
        seconds = ANSWER if self.limits is None else self.limits.at_most(ANSWER)
        try:
            with selectors.PollSelector() as selector:
                wanted = next(gen)
                selector.register(self.pgconn.socket, wanted)
                while True:
                    ready = selector.select(seconds)
                    if not ready:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(f"the server did not answer within {seconds:g} s")
                    if (state := gen.send(Ready(ready[0][1]))) != wanted:
                        wanted = state
                        selector.modify(self.pgconn.socket, wanted)
        except StopIteration as done:
            return done.value
        except Exception:
            raise
        except BaseException:
            # interrupted: the answer to come would be taken for that of the next question
            self.pgconn.finish()
            raise
