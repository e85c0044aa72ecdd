"""`MongoFileTrials`: a scan whose jobs meet at a MongoDB, with `tries.json` in each job's folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.host import stop_processes
from hyperparton.trials.mongo.server import MongodRunner
from hyperparton.trials.mongo.store import MongoStore
from hyperparton.trials.shared_folder import JoinedTrials
from hyperparton.trials.store_url import PASSWORD_VARIABLE, SECRETS_VARIABLE, StoreURL

__all__ = ["MongoFileTrials"]

#: how long, in seconds, workers may take to release their trials when they are stopped
_GRACE = 20.0


class MongoFileTrials(JoinedTrials):
    """The trials of the database `db_name` at `db_host`:`db_port`, with `tries.json` in the folder `replica_path`.

    With a `runner` the server is the runner's: its archive is unpacked and it is started before, and when the trials
    are closed it is stopped and archived, if it was started here. `num_workers` is how many processes
    `start_mongo_workers` starts. Raises StoreError if no server answers, or the folder or database cannot be used.
    """

    def __init__(
        self,
        replica_path: str | Path,
        db_host: str = "localhost",
        db_port: int = 27017,
        db_name: str = "hyperopt-db",
        num_workers: int = 1,
        parameters: Mapping[str, Any] | None = None,
        *,
        runner: MongodRunner | None = None,
    ) -> None:
        self.num_workers = num_workers
        self.workers: list[subprocess.Popen[bytes]] = []
        self._runner = runner
        self.url = f"mongodb://{db_host}:{db_port}/{db_name}" if runner is None else runner.url
        with ExitStack() as undone:
            if runner is not None:
                self.extract_mongodb_database()
                undone.callback(runner.stop)
                runner.start()
            store = undone.enter_context(MongoStore(self.url))
            super().__init__(store, replica_path, parameters)
            undone.pop_all()

    def start_mongo_workers(self, command: Sequence[str]) -> None:
        """Start `num_workers` processes of `command`, a scan that joins `url`, beside this one.

        A password and other secrets go to them by the environment: command lines can be seen by everyone.
        """
        environment, shown = dict(os.environ), []
        for part in command:
            if (parts := StoreURL.of_argument(part)) is not None:
                before, url = parts
                secrets = {PASSWORD_VARIABLE: url.password, SECRETS_VARIABLE: url.secrets_text}
                environment |= {variable: secret for variable, secret in secrets.items() if secret}
                part = before + url.name
            shown.append(part)
        for _ in range(self.num_workers):
            self.workers.append(subprocess.Popen(shown, stdin=subprocess.DEVNULL, env=environment))

    def stop_mongo_workers(self) -> None:
        """Tell the workers to release their trials and end; kill those that do not."""
        stop_processes(*self.workers, seconds=_GRACE)
        self.workers.clear()

    def compress_mongodb_database(self) -> Path:
        """Keep the runner's stopped database as `{db_name}.tar.gz`; raises StoreError if there is no runner."""
        return self._own_runner().archive()

    def extract_mongodb_database(self) -> bool:
        """Unpack `{db_name}.tar.gz` if the database is not there; whether that was done."""
        return self._own_runner().restore()

    def _own_runner(self) -> MongodRunner:
        if self._runner is None:
            raise StoreError(f"{self.name}: only a database whose server is run by a MongodRunner can be archived here")
        return self._runner

    def close(self) -> None:
        self.stop_mongo_workers()
        try:
            super().close()
        finally:
            if self._runner is not None and self._runner.started:
                self._runner.stop()
                self.compress_mongodb_database()
