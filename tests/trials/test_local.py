"""FileTrials: what it leaves in the folder, whom it refuses, and what it does with damage."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperparton.errors import StoreError
from hyperparton.space.samplers import hp_choice, hp_uniform
from hyperparton.trials.local import FileTrials
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.tries_read import read_tries

OK = {"status": "ok", "loss": 1.0}


def filled(folder, count=3):
    with FileTrials(folder) as store:
        for number in range(count):
            store.book(number, {"x": [number]}, "me", space_vals={"x": number})
            store.complete(number, "me", {**OK, "loss": float(number)})
    return folder


def test_tries_json_is_there_after_each_trial(tmp_path):
    space = {"x": hp_uniform("x", 0, 1), "kind": hp_choice("kind", ["a", "b"])}
    with FileTrials(tmp_path / "nnfit" / "replica_1", parameters=space) as store:
        assert not store.json_path.exists()
        for number in range(3):
            store.book(number, {"x": [0.5], "kind": [1]}, "me")
            store.complete(number, "me", OK)
            entries = read_tries(store.json_path)
            assert [entry["tid"] for entry in entries] == list(range(number + 1))
            assert entries[number]["misc"]["space_vals"] == {"x": 0.5, "kind": "b"}


def test_no_pickle_and_nothing_else_is_left(tmp_path):
    filled(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tries.json", "tries.sqlite", "tries.lock"}
    assert (tmp_path / "tries.sqlite").read_bytes()[:15] == b"SQLite format 3"


def test_reopening_restores_tries_json(tmp_path):
    filled(tmp_path)
    before = (tmp_path / "tries.json").read_bytes()
    for damage in (lambda path: path.unlink(), lambda path: path.write_text("[")):
        damage(tmp_path / "tries.json")
        with FileTrials(tmp_path) as store:
            assert store.next_number() == 3
        assert (tmp_path / "tries.json").read_bytes() == before


def test_unfinished_trials_are_free_again(tmp_path):
    with FileTrials(tmp_path) as store:
        store.book(0, {"x": [1]}, "dead")
    with FileTrials(tmp_path) as store:
        assert store.lease("new").vals == {"x": [1]}


def test_a_second_scan_in_the_same_process_is_refused(tmp_path):
    with FileTrials(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()} on host"):
        FileTrials(tmp_path)
    FileTrials(tmp_path).close()


def test_a_second_process_is_refused_with_the_pid_of_the_first(tmp_path):
    code = (
        "import sys; from hyperparton.trials.local import FileTrials; "
        "FileTrials(sys.argv[1]); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "up\n"
        with pytest.raises(StoreError, match=f"process {first.pid} on host"):
            FileTrials(tmp_path)
        first.kill()
        first.wait()
        FileTrials(tmp_path).close()


@pytest.mark.parametrize("content", [b"", b"\x00" * 4096, b"not a database", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_store_is_told_and_kept(tmp_path, content):
    path = filled(tmp_path) / "tries.sqlite"
    path.write_bytes(content)
    tries = (tmp_path / "tries.json").read_bytes()
    with pytest.raises(StoreError, match=r"tries\.sqlite"):
        FileTrials(tmp_path)
    assert path.read_bytes() == content
    assert (tmp_path / "tries.json").read_bytes() == tries


def test_a_store_damaged_in_the_middle_is_told(tmp_path):
    path = filled(tmp_path, 40) / "tries.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"tries\.sqlite.*(damaged|failed)"):
        FileTrials(tmp_path)


def test_trials_without_their_state_are_not_overwritten(tmp_path):
    (filled(tmp_path) / "tries.sqlite").unlink()
    with pytest.raises(StoreError, match="holds trials, but the state"):
        FileTrials(tmp_path)
    assert len(read_tries(tmp_path / "tries.json")) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM trials WHERE number = 1", "damaged: 2 trials"),
        ("UPDATE scan_metadata SET value = '99' WHERE key = 'schema_version'", "schema version 99"),
        ("DROP TABLE scan_metadata", "no trial store"),
        ("DROP TABLE trials", "no such table"),
        ("ALTER TABLE trials DROP COLUMN attempts", "damaged|no such column"),
        ("UPDATE trials SET vals = '[' WHERE number = 1", "trial 1 is not as it was written"),
        ("UPDATE trials SET loss = loss + 1e-15 WHERE number = 2", "trial 2 is not as it was written"),
        ("UPDATE trials SET state = 1 WHERE number = 2", "trial 2 is not as it was written"),
        ("UPDATE scan_metadata SET value = '{\"a\":2}' WHERE key = 'scan.x'", "scan.x is not as it was written"),
    ],
)
def test_a_store_that_is_not_as_it_was_written_is_told(tmp_path, change, message):
    with FileTrials(filled(tmp_path)) as trials:
        trials.attach("x", {"a": 1})
    path = tmp_path / "tries.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=message):
        FileTrials(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("text", ["[", "5", '{"x": 5}', "{}", '"a"', "null"])
def test_a_store_without_checksums_is_read_for_what_it_holds(tmp_path, text):
    """Older versions made such; what is no trial in one is told, and never a traceback."""
    connection = sqlite3.connect(filled(tmp_path) / "tries.sqlite")
    connection.execute("DELETE FROM scan_metadata WHERE key LIKE 'check.%' OR key = 'scan_word'")
    connection.execute("UPDATE trials SET vals = ?, result = ? WHERE number = 1", (text, text))
    connection.commit()
    connection.close()
    (tmp_path / "tries.lock").unlink()
    (tmp_path / "tries.json").unlink()
    with pytest.raises(StoreError, match=r"tries\.sqlite: the store is damaged: trial 1: "):
        FileTrials(tmp_path)


def test_threads_at_once_leave_a_whole_tries_json(tmp_path):
    with FileTrials(tmp_path) as store:
        for number in range(40):
            store.book(number, {"x": [number]}, f"thread {number % 4}")

        def work(name):
            for number in range(name, 40, 4):
                assert store.complete(number, f"thread {name}", OK)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert [entry["tid"] for entry in read_tries(store.json_path)] == list(range(40))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        FileTrials(tmp_path / "file" / "inside")


def test_the_store_is_durable(tmp_path):
    store = SqlStore(tmp_path / "a ?#%.sqlite")
    with store._transaction() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    store.close()
    assert pragmas == ["wal", 2]
    assert (tmp_path / "a ?#%.sqlite").exists()
