"""A folder whose parts do not belong together is refused, and nothing in it is changed: `tries.json` least of all."""

import contextlib
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock
from hyperparton.trials.local import FileTrials
from hyperparton.trials.shared_folder import JoinedTrials, open_store
from hyperparton.trials.tries_read import read_tries

#: a scan that is killed after so many trials, of which the store's own file has those up to the last checkpoint
SCAN = """
import os, sqlite3, sys
from hyperparton.trials.local import FileTrials
folder, count, checkpoint, factor = sys.argv[1], *map(float, sys.argv[2:])
store = FileTrials(folder)
for number in range(int(count)):
    store.book(number, {"x": [number * factor]}, "me", space_vals={"x": number * factor})
    store.complete(number, "me", {"status": "ok", "loss": number * factor, "more": [0.5] * 50})
    if number + 1 == checkpoint:
        other = sqlite3.connect(folder + "/tries.sqlite")
        assert other.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0
        other.close()
store.book(int(count), {"x": [count * factor]}, "me")
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A function that gives the folder of a scan which was killed, to be copied: one process for each sort of scan."""

    @functools.cache
    def run(count, checkpoint, factor):
        folder = tmp_path_factory.mktemp("killed") / "scan"
        words = [str(word) for word in (folder, count, checkpoint, factor)]
        run = subprocess.run([sys.executable, "-c", SCAN, *words], stderr=subprocess.PIPE, text=True)
        assert run.returncode == -signal.SIGKILL, run.stderr
        assert len(read_tries(folder / "tries.json")) == count
        return folder

    return run


@pytest.fixture
def killed(scans, tmp_path):
    """A function that gives the folder of a scan which was killed, for this test alone."""

    def make(name="scan", count=9, checkpoint=4, factor=1.0):
        return shutil.copytree(scans(count, checkpoint, factor), tmp_path / name)

    return make


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(folder, match):
    before = files_of(folder)
    with pytest.raises(StoreError, match=match):
        FileTrials(folder)
    assert files_of(folder) == before


def continued(folder, count):
    with FileTrials(folder) as trials:
        assert [trial.number for trial in trials.trials()] == list(range(count))
    assert [entry["tid"] for entry in read_tries(folder / "tries.json")] == list(range(count))


def test_a_killed_scan_continues(killed):
    folder = killed()
    assert (folder / "tries.sqlite-wal").stat().st_size > 0
    with FileTrials(folder) as trials:
        assert trials.lease("again").vals == {"x": [9.0]}
    continued(folder, 9)


@pytest.mark.parametrize("count_is_there", [True, False])
def test_a_log_that_was_lost(killed, count_is_there):
    """The store's own file is that of an earlier moment, whole and without a fault."""
    folder = killed()
    for name in ("tries.sqlite-wal", "tries.sqlite-shm", *([] if count_is_there else ["tries.lock"])):
        (folder / name).unlink()
    told = "holds 4 finished trials of 4, but had 9 of 10 by tries.lock" if count_is_there else "trial 4 is not in the"
    refused(folder, told)
    # what the message says: without the file that knows more, the store's own trials are there
    (folder / "tries.lock").unlink(missing_ok=True)
    (folder / "tries.json").unlink()
    continued(folder, 4)


@pytest.mark.parametrize("size", [32, 4000, 30000])
def test_a_log_that_was_cut(killed, size):
    folder = killed()
    os.truncate(folder / "tries.sqlite-wal", size)
    refused(folder, r"but had 9 of 10 by tries\.lock")


def test_one_bit_of_a_log(killed):
    """SQLite passes over what comes after it in silence."""
    folder = killed()
    log = bytearray((folder / "tries.sqlite-wal").read_bytes())
    log[2 * len(log) // 3] ^= 4
    (folder / "tries.sqlite-wal").write_bytes(log)
    refused(folder, r"but had 9 of 10 by tries\.lock")


@pytest.mark.parametrize("part", ["tries.sqlite", "tries.sqlite-wal", "tries.json", "tries.lock", "tries.sqlite*"])
@pytest.mark.parametrize("lock", [True, False])
def test_a_part_of_another_scan(killed, part, lock):
    """Also where it is further, and without a count. A log may happen to hold every page of its own scan."""
    folder, other = killed(), killed("other", 12, 6, 1.5)
    mine = (folder / "tries.json").read_bytes()
    for path in other.glob(part):
        shutil.copy(path, folder / path.name)
    if not lock and part != "tries.lock":
        (folder / "tries.lock").unlink()
    before = files_of(folder)
    with contextlib.suppress(StoreError):
        FileTrials(folder).close()
        assert part == "tries.sqlite"
        assert (folder / "tries.json").read_bytes() == mine
        return
    assert files_of(folder) == before


def test_a_damaged_tries_json_is_made_anew_and_one_that_says_otherwise_is_not(killed):
    folder = killed()
    path = folder / "tries.json"
    whole = path.read_text()
    for damaged in (whole[: len(whole) // 2], "", "[", "\x00" * 50, whole.replace('"tid":3', '"tid" 3')):
        path.write_text(damaged)
        continued(folder, 9)
        assert path.read_text() == whole
    for damaged in (whole.replace('"loss":3.0', '"loss":3.5'), json.dumps(json.loads(whole) * 2)):
        path.write_text(damaged)
        refused(folder, r"tries\.json: trial \d is not in the store")
    # the form may be another one
    path.write_text(json.dumps(json.loads(whole)[:5], indent=2))
    continued(folder, 9)


def test_a_folder_that_lost_its_store(killed):
    folder = killed()
    for name, told in (("tries.sqlite", "its log|tries.sqlite-wal is there"), ("tries.json", "is gone, and held 10")):
        (folder / name).unlink()
        for log in folder.glob("tries.sqlite-*") if name == "tries.json" else ():
            log.unlink()
        refused(folder, told)


@pytest.mark.parametrize("name", ["tries.sqlite", "tries.sqlite-wal", "tries.lock"])
@pytest.mark.parametrize("replaced", [True, False])
def test_a_part_that_goes_while_the_scan_runs(tmp_path, name, replaced):
    """The scan ends before it writes on; what it had finished stays in tries.json."""
    with FileTrials(tmp_path / "scan") as trials:
        for number in range(3):
            trials.book(number, {"x": [number]}, "me")
            trials.complete(number, "me", {"status": "ok", "loss": 1.0})
        trials.book(3, {"x": [3]}, "me")
        before = (tmp_path / "scan" / "tries.json").read_bytes()
        path = tmp_path / "scan" / name
        if replaced:
            shutil.copy(path, tmp_path / "copy")
            os.replace(tmp_path / "copy", path)
        else:
            path.unlink()
        told = "was replaced" if replaced else "is gone"
        with pytest.raises(StoreError, match=rf"{name}: .*{told}.* while the scan ran"):
            trials.complete(3, "me", {"status": "ok", "loss": 0.0})
        with pytest.raises(StoreError, match=rf"{name}: .*{told}.* while the scan ran"):
            trials.book(4, {"x": [4]}, "me")
        assert (tmp_path / "scan" / "tries.json").read_bytes() == before


#: what takes the place of a running scan's store, its file staying the same one
OVERWRITTEN = ["another scan", "an older copy", "nothing", "no database"]


@pytest.mark.parametrize("how", OVERWRITTEN)
def test_a_store_that_is_overwritten_in_place_while_the_scan_runs(killed, tmp_path, how):
    """As `cp` and `rsync --inplace` do. The scan ends before it writes on, and leaves what is there as it is."""
    folder = tmp_path / "mine"
    store = folder / "tries.sqlite"
    given = tmp_path / "given"
    with contextlib.closing(FileTrials(folder)) as trials:
        run_trials(trials, 0, 20)
        if how == "an older copy":
            copy(store, given)
        elif how == "another scan":
            copy(killed("other", 12, 6, 1.5) / "tries.sqlite", given)
        else:
            given.write_bytes({"nothing": b"", "no database": b"x" * 8192}[how])
        # as after many trials: the store's own file has some, its log begins anew
        checkpoint(store)
        run_trials(trials, 20, 25)
        trials.book(25, {"x": [25]}, "me")
        before = trials.json_path.read_bytes()
        inode = store.stat().st_ino
        copy(given, store)
        assert store.stat().st_ino == inode
        with pytest.raises(StoreError, match=r"tries\.sqlite: was overwritten while the scan ran"):
            trials.complete(25, "me", {"status": "ok", "loss": 0.0})
    assert store.read_bytes() == given.read_bytes()
    assert trials.json_path.read_bytes() == before
    refused(folder, "tries")


def test_a_store_that_is_only_touched_or_read_while_the_scan_runs(tmp_path):
    store = tmp_path / "tries.sqlite"
    with FileTrials(tmp_path) as trials:
        for number in range(4):
            run_trials(trials, 3 * number, 3 * number + 3)
            checkpoint(store)
            os.utime(store, (number, number))
            copy(store, tmp_path / "copy")
            copy(tmp_path / "copy", store)
    continued(tmp_path, 12)


def run_trials(trials, start, stop):
    for number in range(start, stop):
        trials.book(number, {"x": [number]}, "me")
        trials.complete(number, "me", {"status": "ok", "loss": 1.0, "more": [0.5] * 50})


def copy(source, target):
    """In a process of its own: one that closes a file loses SQLite's locks on it."""
    subprocess.run(["cp", str(source), str(target)], check=True)


def checkpoint(store):
    """Move what the log holds into the file, as SQLite does when the log is long."""
    with contextlib.closing(sqlite3.connect(store)) as other:
        assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0


def test_tries_json_of_another_scan_that_comes_while_the_scan_runs(killed, tmp_path):
    theirs = (killed("other", 3, 1, 2.0) / "tries.json").read_bytes()
    with FileTrials(tmp_path / "scan") as trials:
        trials.book(0, {"x": [1.0]}, "me")
        trials.complete(0, "me", {"status": "ok", "loss": 1.0})
        trials.json_path.write_bytes(theirs)
        trials.book(1, {"x": [1.0]}, "me")
        with pytest.raises(StoreError, match="another scan"):
            trials.complete(1, "me", {"status": "ok", "loss": 1.0})
        assert trials.json_path.read_bytes() == theirs
        trials.json_path.unlink()
    assert len(read_tries(trials.json_path)) == 2


def test_a_joined_folder_never_loses_what_it_named(killed, tmp_path):
    theirs = killed("other", 3, 1, 2.0)
    for name in ("tries.sqlite", "tries.sqlite-wal", "tries.sqlite-shm"):
        (theirs / name).unlink()
    before = files_of(theirs)
    with open_store(f"sqlite:///{tmp_path}/shared.sqlite") as store:
        for number in range(4):
            store.book(number, {"x": [number / 3]}, "me")
            store.complete(number, "me", {"status": "ok", "loss": 1.0})
        with pytest.raises(StoreError, match="another scan"):
            JoinedTrials(store, theirs)
    assert files_of(theirs)["tries.json"] == before["tries.json"]


def test_a_start_that_books_nothing_leaves_nothing(tmp_path):
    with FileTrials(tmp_path / "a" / "b" / "c") as trials:
        trials.attach("scan", {"seed": 1})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        FileTrials(tmp_path / "file" / "x")
    folder = tmp_path / "held"
    folder.mkdir()
    lock = FolderLock(folder / "tries.lock")
    refused(folder, "another scan works")
    lock.close()
