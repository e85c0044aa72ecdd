"""The URL of a store: read once, and shown without its secrets.

`StoreURL.name` is the URL as messages, logs and files may show it: without passwords, and with the whole path of a
file. It is a URL of the same store. What drivers say passes through `hide`, since some quote what they were given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from hyperparton.errors import StoreError
from hyperparton.trials.sqlite_file import sqlite_path

__all__ = ["MONGO_DATABASE", "PASSWORD_VARIABLE", "SECRETS_VARIABLE", "StoreURL", "of_refits", "shown_command"]

#: the database of a URL of MongoDB that names none
MONGO_DATABASE = "hyperparton"

#: the variable that holds the password of a URL without one
PASSWORD_VARIABLE = "HYPERPARTON_STORE_PASSWORD"

#: the variable that holds options that are secrets, written as in a URL: KEY=VALUE&KEY=VALUE
SECRETS_VARIABLE = "HYPERPARTON_STORE_SECRETS"

#: variables whose values are never shown
_SECRET_VARIABLES = (PASSWORD_VARIABLE, "PGPASSWORD")

#: how a scheme may be written -> what it is
_SCHEMES = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgres": "postgresql",
    "postgres+psycopg": "postgresql",
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb+srv",
}

#: options whose values are secrets: passwords, tokens, and mechanisms' properties, which may hold one
_SECRET_OPTION = re.compile("passw|secret|token|authmechanismproperties", re.IGNORECASE)

_HIDDEN = "***"


@dataclass(frozen=True, repr=False)
class StoreURL:
    """A store's URL in parts; `str` and `repr` show its `name`."""

    scheme: str
    """sqlite, postgresql, mongodb or mongodb+srv"""
    file: Path | None = None
    """the file of an SQLite store"""
    hosts: tuple[tuple[str, int | None], ...] = ()
    """hosts with their ports, where these are given"""
    database: str = ""
    user: str = ""
    password: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """options that are no secrets"""
    secret_options: tuple[tuple[str, str], ...] = ()
    """options that are secrets"""
    beside: str = ""
    """of PostgreSQL: what the name of the tables' schema has at its end, after that of the usual one"""

    @classmethod
    def parse(cls, text: str | StoreURL) -> StoreURL:
        """The URL that `text` is; raises StoreError, which shows no secret either."""
        if isinstance(text, StoreURL):
            return text
        start, between, rest = text.partition("://")
        scheme = _SCHEMES.get(start) if between else None
        if scheme is None:
            given = f"{start}://…" if between and re.fullmatch(r"[\w+.-]*", start) else "something else"
            raise StoreError(f"a store is sqlite:///FILE, postgresql://… or mongodb://…, given {given}")
        return cls(scheme, file=sqlite_path(text)) if scheme == "sqlite" else _server(scheme, rest)

    @classmethod
    def of_argument(cls, argument: str) -> tuple[str, StoreURL] | None:
        """What stands before a server's URL in an argument of a command, `--store=` or nothing, and the URL.

        None if it holds none. Raises StoreError as `parse` does.
        """
        match = re.fullmatch(r"(--[\w-]+=)?((?:postgres|mongodb)[\w+]*://.*)", argument, re.DOTALL)
        return None if match is None else (match[1] or "", cls.parse(match[2]))

    @property
    def name(self) -> str:
        """The URL without its secrets."""
        if self.file is not None:
            return f"sqlite:///{self.file}"
        hosts = ",".join(_bracketed(host) + ("" if port is None else f":{port}") for host, port in self.hosts)
        login = f"{quote(self.user, safe='')}@" if self.user else ""
        options = "&".join(f"{quote(key)}={quote(value, safe='/:,-_')}" for key, value in self.options)
        database = quote(self.database, safe="")
        beside = f" (schema *{self.beside})" if self.beside else ""
        return f"{self.scheme}://{login}{hosts}/{database}" + (f"?{options}" if options else "") + beside

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"StoreURL({self.name})"

    @property
    def login_password(self) -> str | None:
        """The password of the URL or, if it has none, of the environment's variable; None if there is neither."""
        return self.password or os.environ.get(PASSWORD_VARIABLE) or None

    @property
    def login_secrets(self) -> dict[str, str]:
        """The options that are secrets: those of the environment's variable, and before them those of the URL.

        Raises StoreError if the variable holds anything else.
        """
        shown = f"the variable {SECRETS_VARIABLE}"
        given = _options(os.environ.get(SECRETS_VARIABLE, ""), shown)
        for number, key in enumerate(given, 1):
            if not _SECRET_OPTION.search(key):  # it may say what store it is, which everybody may know
                raise StoreError(f"{shown}: option {number} is no secret: write it into the URL")
        return given | dict(self.secret_options)

    @property
    def secrets_text(self) -> str:
        """The same as the variable holds them."""
        return "&".join(f"{key}={quote(value, safe='')}" for key, value in self.login_secrets.items())

    @property
    def lacks_password(self) -> bool:
        """Whether its user has to log in with a password and none is known here."""
        if not self.user or self.login_password is not None:
            return False
        named = {key.lower() for key, _ in self.options}
        if self.scheme.startswith("mongodb"):
            return "authmechanism" not in named
        # where libpq looks: https://www.postgresql.org/docs/current/libpq-envars.html and libpq-pgpass.html
        known = bool({"host", "hostaddr", "passfile", "service", "sslcert", "gssencmode"} & named)
        known = known or any(os.environ.get(name) for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSSLCERT"))
        return bool(self.hosts) and not known and not (Path.home() / ".pgpass").exists()

    def with_password(self, password: str) -> StoreURL:
        """The same with another password."""
        return replace(self, password=password)

    def hide(self, text: object) -> str:
        """`text` without the secrets of this URL and those of the environment, in whatever way they are written."""
        shown = str(text)
        for secret in sorted(set(self._secrets()), key=len, reverse=True):
            # a short one may be a part of any word
            pattern = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
            shown = re.sub(pattern, _HIDDEN, shown)
        return shown

    def _secrets(self) -> Iterator[str]:
        plain = [self.password, *(value for _, value in self.secret_options)]
        plain += [os.environ.get(variable, "") for variable in _SECRET_VARIABLES]
        plain += [unquote(part.partition("=")[2]) for part in os.environ.get(SECRETS_VARIABLE, "").split("&")]
        for secret in filter(None, plain):
            escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
            yield from (secret, escaped, quote(secret), quote(secret, safe=""), repr(secret)[1:-1])
            # MongoDB's properties are several in one option
            yield from (part.partition(":")[2] for part in secret.split(",") if part.partition(":")[2])


def of_refits(store: str | StoreURL) -> StoreURL:
    """Where the re-fits of the scan in `store` are kept: a file beside its own, a schema or database of their own."""
    place = StoreURL.parse(store)
    if place.file is not None:
        return replace(place, file=place.file.with_name(f"{place.file.name}-refits"))
    if place.scheme == "postgresql":
        return replace(place, beside="_refits")
    return replace(place, database=f"{place.database or MONGO_DATABASE}_refits")


def shown_command(arguments: Iterable[str]) -> list[str]:
    """The arguments of a command that ran, as they may be shown: URLs of stores without their secrets."""
    found = [(argument, StoreURL.of_argument(argument)) for argument in arguments]
    return [argument if parts is None else parts[0] + parts[1].name for argument, parts in found]


def _server(scheme: str, rest: str) -> StoreURL:
    """The parts of a server's URL, after its scheme."""
    shown = f"{scheme}://…"
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    login, _, places = authority.rpartition("@")
    if "@" in login or "@" in rest[len(authority) :] or "#" in rest:
        raise StoreError(
            f"{shown}: cannot be taken apart: in a user, a password or the name of a database each of / @ ? # % is "
            "written as %2F %40 %3F %23 %25; or leave the password out (see the manual on clusters)"
        )
    _check_escapes(rest, shown)
    user, _, password = login.partition(":")
    given = {"user": unquote(user), "password": unquote(password), "dbname": unquote(path.removeprefix("/"))}
    options = _options(query, shown)
    if scheme == "postgresql":
        given |= {key: options.pop(key) for key in ("user", "password", "dbname") if key in options}
    return StoreURL(
        scheme,
        hosts=tuple(_hosts(places, shown)),
        database=given["dbname"],
        user=given["user"],
        password=given["password"],
        options=tuple((key, value) for key, value in options.items() if not _SECRET_OPTION.search(key)),
        secret_options=tuple((key, value) for key, value in options.items() if _SECRET_OPTION.search(key)),
    )


def _check_escapes(text: str, shown: str) -> None:
    if re.search(r"%(?![0-9a-fA-F]{2})", text) or "%00" in text:
        raise StoreError(f"{shown}: a % is not followed by two digits of a letter's code; % itself is written as %25")


def _options(query: str, shown: str) -> dict[str, str]:
    """The options of a text KEY=VALUE&KEY=VALUE; StoreError calls it `shown`, and shows nothing of it."""
    _check_escapes(query, shown)
    options: dict[str, str] = {}
    for number, part in enumerate(filter(None, query.split("&")), 1):
        key, between, value = part.partition("=")
        if not between or not re.fullmatch(r"[A-Za-z_][\w.]*", key):
            raise StoreError(f"{shown}: option {number} is not KEY=VALUE")
        options[key] = unquote(value)
    return options


def _hosts(places: str, shown: str) -> Iterable[tuple[str, int | None]]:
    """Hosts and ports; what stands in the place of a port may be a password, so it is not shown."""
    for place in filter(None, places.split(",")):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(.*))?", place)
        port = match[2] if match else "none"
        if match is None or (port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536)):
            raise StoreError(f"{shown}: the port of a host must be a number from 1 to 65535, as in HOST:5432")
        yield unquote(match[1].strip("[]")), int(port) if port else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else quote(host, safe="")
