"""`MongodRunner`: a MongoDB server for a scan, started, stopped, archived and unpacked again."""

from __future__ import annotations

import atexit
import ipaddress
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from hyperparton.errors import StoreError
from hyperparton.host import stop_processes
from hyperparton.trials.mongo.archive import pack_folder, unpack_folder

__all__ = ["MongodRunner"]

#: how long, in seconds, a server may take to end before it is killed
_GRACE = 30.0


class MongodRunner:
    """Starts a `mongod` on `host`:`db_port` if none answers there; stops only what it started.

    The database lies in `folder`/`db_name`, its archive is `folder`/`db_name`.tar.gz. The server listens on loopback
    unless `host` says otherwise; beyond loopback it is refused without `user` and `password`, which are set up before
    it listens there. `cache_gb` is the size of its cache, `executable` the program, `options` further arguments as
    mongod takes them (``["--tlsMode", "requireTLS", ...]``), `tls_url` what goes into the URL for them
    (``tls=true&tlsCAFile=...``). `seconds` is how long it may take to answer.

    A context manager: it starts on entry and stops on exit, whatever happened between; at the end of the process too.
    """

    def __init__(
        self,
        db_name: str = "hyperopt-db",
        db_port: int = 27017,
        folder: str | Path = ".",
        *,
        host: str = "127.0.0.1",
        user: str | None = None,
        password: str | None = None,
        cache_gb: float | None = None,
        executable: str = "mongod",
        options: Sequence[str] = (),
        tls_url: str = "",
        seconds: float = 60.0,
    ) -> None:
        if not db_name or Path(db_name).name != db_name:
            raise StoreError(f"the name of a database is that of a folder, given {db_name!r}")
        if bool(user) != bool(password):
            raise StoreError("a MongoDB with a login needs both user and password")
        if not _is_loopback(host) and not user:
            raise StoreError(
                f"a MongoDB that listens on {host} can be reached by others: it needs user and password, or 127.0.0.1"
            )
        if any("passw" in option.lower() for option in options):
            raise StoreError(
                "mongod's command line can be seen by everyone: put passwords into a file for its --config"
            )
        self.db_name, self.db_port, self.host = db_name, db_port, host
        self.path = Path(folder) / db_name
        self.archive_path = Path(folder) / f"{db_name}.tar.gz"
        self._user, self._password = user, password
        self._cache_gb, self._executable, self._options = cache_gb, executable, tuple(options)
        self._tls_url, self._seconds = tls_url, seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the scan's database is, login and TLS included: what `--store` takes."""
        return self._server_url(self.host, login=True)

    def _server_url(self, host: str, login: bool = False) -> str:
        """The server's URL, with `login` that of the database."""
        host = "127.0.0.1" if host in ("0.0.0.0", "localhost") else host
        host = f"[{host}]" if ":" in host else host
        user = f"{quote(self._user, '')}:{quote(self._password or '', '')}@" if login and self._user else ""
        arguments = "&".join(part for part in ("authSource=admin" if user else "", self._tls_url) if part)
        name = self.db_name if login else ""
        return f"mongodb://{user}{host}:{self.db_port}/{name}" + (f"?{arguments}" if arguments else "")

    @property
    def started(self) -> bool:
        """Whether a server that this object started is running."""
        return self._process is not None and self._process.poll() is None

    def ensure_database_dir_exists(self) -> None:
        """Make the database's folder, readable by its owner alone; raises StoreError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as fault:
            raise StoreError(f"{self.path}: cannot be made: {fault.strerror}") from fault

    def start(self) -> bool:
        """Start the server if none answers, and wait until it does; whether it was started here.

        Raises StoreError if there is no such program, or if it ends or does not answer in time.
        """
        if self.started or self._answers(self.host, 1.0):
            return self.started
        self.ensure_database_dir_exists()
        if self._user:
            self._set_up_login()
        self._launch(self.host)
        return True

    def _set_up_login(self) -> None:
        from hyperparton.trials.mongo.store import add_administrator

        self._launch("127.0.0.1")
        assert self._user is not None
        assert self._password is not None
        try:
            add_administrator(self._server_url("127.0.0.1"), self._user, self._password)
        finally:
            self.stop()

    def _launch(self, host: str) -> None:
        program = shutil.which(self._executable)
        if program is None:
            raise StoreError(f"{self._executable}: no such program; install MongoDB or name its mongod")
        command = [program, "--dbpath", str(self.path), "--port", str(self.db_port), "--bind_ip", host]
        command += ["--logpath", str(self.path / "mongod.log"), "--logappend"]
        command += [] if self._cache_gb is None else ["--wiredTigerCacheSizeGB", str(self._cache_gb)]
        command += ["--auth"] if self._user else []
        # what it says before it has a log goes where the log will be; in a session of its own, so that Ctrl-C ends the
        # scan first and the server after it
        with (self.path / "mongod.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        atexit.register(self.stop)
        try:
            self._wait(host)
        except BaseException:
            self.stop()
            raise

    def _wait(self, host: str) -> None:
        end = time.monotonic() + self._seconds
        while not self._answers(host, 0.5):
            assert self._process is not None
            if self._process.poll() is not None:
                raise StoreError(
                    f"{self._executable} ended with exit code {self._process.returncode}: {self._last_words()}"
                )
            if time.monotonic() > end:
                raise StoreError(f"{self._executable} does not answer on port {self.db_port}: {self._last_words()}")

    def _answers(self, host: str, seconds: float) -> bool:
        from hyperparton.trials.mongo.store import server_answers

        return server_answers(self._server_url(host), seconds)

    def _last_words(self) -> str:
        try:
            lines = (self.path / "mongod.log").read_text(errors="replace").splitlines()
        except OSError:
            return "it wrote no log"
        return f"{self.path / 'mongod.log'} ends with\n" + "\n".join(lines[-5:])

    def stop(self) -> None:
        """Stop the server if it was started here, cleanly if it obeys; nothing otherwise."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None or process.poll() is not None:
            return
        stop_processes(process, seconds=_GRACE)

    def archive(self) -> Path:
        """Keep the stopped database as `archive_path`, replaced atomically; raises StoreError."""
        if self.started:
            raise StoreError(f"{self.path}: is in use by the server; stop it before it is archived")
        pack_folder(self.path, self.archive_path)
        return self.archive_path

    def restore(self) -> bool:
        """Unpack `archive_path` if it is there and the database is not; whether that was done. Raises StoreError."""
        if not self.archive_path.exists() or (self.path.is_dir() and any(self.path.iterdir())):
            return False
        unpack_folder(self.archive_path, self.path)
        return True

    def __enter__(self) -> MongodRunner:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _is_loopback(host: str) -> bool:
    """Whether nobody else can reach what listens on `host`; names other than localhost are taken as reachable."""
    try:
        return all(
            part == "localhost" or ipaddress.ip_address(part).is_loopback for part in map(str.strip, host.split(","))
        )
    except ValueError:
        return False
