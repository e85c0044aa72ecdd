"""Disks that are full and folders that cannot be written: told, and nothing that was finished is lost."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hyperparton.errors import StoreError
from hyperparton.trials.local import FileTrials
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.tries_read import read_tries

FILLING = """
import resource, sys
from hyperparton.errors import StoreError
from hyperparton.trials.local import FileTrials
with FileTrials(sys.argv[1]) as trials:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        for number in range(trials.next_number(), 400):
            trials.book(number, {"x": [number]}, "me")
            trials.complete(number, "me", {"status": "ok", "loss": float(number), "more": [0.5] * 2000})
            print(number, flush=True)
    except StoreError as fault:
        print("StoreError", fault, flush=True)
"""


@pytest.mark.parametrize("size", [200_000, 700_000])
def test_a_full_disk(tmp_path, size):
    """A limit on the size of files: where the store or tries.json hits it, every trial said to be done is there."""
    run = subprocess.run([sys.executable, "-c", FILLING, tmp_path, str(size)], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    told = [line for line in lines if line.startswith("StoreError")]
    assert told, run.stderr
    assert str(tmp_path) in told[0]
    done = [int(line) for line in lines if line.isdigit()]
    assert len(done) >= 3
    assert not list(tmp_path.glob(".*.part")), "what could not be written whole takes no room"
    with FileTrials(tmp_path) as trials:
        kept = [trial.number for trial in trials.trials()]
        assert kept[: len(done)] == done
        assert [entry["tid"] for entry in read_tries(trials.json_path)] == kept
        left = trials.lease("me")
        assert (left.number if left else trials.next_number()) == len(kept)


FULL = """
import errno, os, sys
from pathlib import Path
from hyperparton.errors import StoreError
from hyperparton.trials.local import FileTrials

def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

write, os.pwrite = os.pwrite, full
try:
    FileTrials(Path(sys.argv[1]))
except StoreError as fault:
    print(fault)
os.pwrite = write
FileTrials(Path(sys.argv[1])).close()
"""


def test_a_lock_that_cannot_be_written_is_not_held(tmp_path):
    run = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True)
    assert run.stdout == f"{tmp_path}/tries.lock: cannot be written: No space left on device\n"
    assert run.returncode == 0, run.stderr


AS_ANOTHER_USER = """
import os, sys, tempfile
from pathlib import Path
from hyperparton.trials.local import FileTrials
from hyperparton.trials.shared_folder import JoinedTrials
from hyperparton.trials.sql import SqlStore
import tempfile
# what is loaded late may lie where only root can read
place = Path(tempfile.mkdtemp())
place.chmod(0o777)
other = SqlStore(place / "other.sqlite")
try:
    FileTrials(Path("/dev/null/nowhere"))
except Exception:
    pass
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
try:
    {action}
    print("nothing")
except BaseException as fault:
    print(f"{{type(fault).__name__}}: {{fault}}")
"""


def in_child(action, folder):
    """What `action`, a line of code about `folder`, raised in a process that is not root, as text."""
    code = AS_ANOTHER_USER.format(action=action)
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def forbidden():
    """A folder that may be read and not written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_folders_that_cannot_be_written(forbidden):
    told = in_child("FileTrials(folder)", forbidden)
    assert told.startswith("StoreError: ")
    assert f"{forbidden}/tries.lock: cannot be written: Permission denied" in told
    told = in_child("FileTrials(folder / 'new')", forbidden)
    assert f"{forbidden}/new: cannot be made: Permission denied" in told
    told = in_child("JoinedTrials(other, folder)", forbidden)
    assert "tries.lock: cannot be written: Permission denied" in told
    told = in_child("SqlStore(f'sqlite:///{folder}/x.sqlite')", forbidden)
    assert told.startswith("StoreError: ")
    assert "x.sqlite: the trial store failed: unable to open database file" in told


MODES = [("tries.sqlite", 0o444), ("tries.sqlite", 0), ("tries.json", 0), ("tries.lock", 0o444), (".", 0o555)]


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_parts_of_a_folder_that_may_not_be_used(name, mode):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with FileTrials(folder) as trials:
            trials.book(0, {"x": [1.0]}, "me")
            trials.complete(0, "me", {"status": "ok", "loss": 1.0})
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534) if os.geteuid() == 0 else None
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        (folder / name).chmod(mode)
        told = in_child("FileTrials(folder)", folder)
        assert told.startswith("StoreError: ")
        assert f"{folder / name}: cannot be " in told
        assert "Permission denied" in told
        (folder / name).chmod(0o755)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_shared_stores_that_are_damaged(tmp_path):
    place = tmp_path / "shared.sqlite"
    place.write_bytes(b"this is no database, but it is long enough to be one" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        SqlStore(f"sqlite:///{place}")
    place.unlink()
    with SqlStore(f"sqlite:///{place}") as store:
        for number in range(3):
            store.book(number, {}, "me")
    import sqlite3

    connection = sqlite3.connect(place)
    connection.execute("DELETE FROM trials WHERE number = 1")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="damaged: 2 trials, but the last has number 2"):
        SqlStore(f"sqlite:///{place}")


def test_servers_that_lost_a_trial_are_damaged(servers, tmp_path):
    import sqlalchemy as sa
    from pymongo import MongoClient

    from hyperparton.trials.mongo.store import MongoStore

    url = servers.postgres(str(tmp_path))
    with SqlStore(url) as store:
        for number in range(3):
            store.book(number, {}, "me")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM trials WHERE number = 1"))
    engine.dispose()
    with pytest.raises(StoreError, match="damaged: 2 trials, but the last has number 2"):
        SqlStore(url)
    host, port, name = servers.mongo(str(tmp_path))
    url = f"mongodb://{host}:{port}/{name}"
    with MongoStore(url) as store:
        for number in range(3):
            store.book(number, {}, "me")
    with MongoClient(url) as client:
        client[name]["trials"].delete_one({"_id": 1})
    with pytest.raises(StoreError, match="damaged: 2 trials, but the last has number 2"):
        MongoStore(url)
