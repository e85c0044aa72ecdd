"""JoinedTrials: folders of processes that share a store, and clocks that play no part."""

import json
import sqlite3
import threading
import time

import pytest

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock
from hyperparton.trials.local import FileTrials
from hyperparton.trials.mongo.store import MongoStore
from hyperparton.trials.shared_folder import JoinedTrials, open_store
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.tries_read import read_tries


@pytest.fixture
def join(tmp_path):
    opened = []

    def joined(folder):
        url = f"sqlite:///{tmp_path}/shared.sqlite"
        opened.append(JoinedTrials(open_store(url), tmp_path / folder))
        return opened[-1]

    yield joined
    for trials in opened:
        trials.close()


def finish(trials, number):
    trials.book(number, {"x": [number]}, "me")
    assert trials.complete(number, "me", {"status": "ok", "loss": float(number)})


def numbers(trials):
    return [entry["tid"] for entry in read_tries(trials.json_path)]


def test_each_folder_gets_the_trials_of_all(join):
    one, other = join("a"), join("b")
    finish(one, 0)
    finish(other, 1)
    assert (numbers(one), numbers(other)) == ([0], [0, 1])
    other.book(2, {}, "slow")
    finish(one, 3)
    assert numbers(one) == [0, 1, 3]
    assert other.complete(2, "slow", {"status": "ok", "loss": 0.0})
    one.close()
    assert numbers(one) == numbers(other) == [0, 1, 2, 3]


def test_one_folder_for_several(join, monkeypatch):
    monkeypatch.setattr("hyperparton.trials.shared_folder._LOOK", 0.0)
    monkeypatch.setattr("hyperparton.trials.shared_folder._WAIT", 0.0)
    one, other = join("a"), join("a")
    finish(other, 0)
    assert not one.json_path.exists()
    finish(one, 1)
    assert numbers(one) == [0, 1]
    one.close()
    finish(other, 2)
    assert numbers(other) == [0, 1, 2]


def test_folders_of_another_scan_are_refused(join, tmp_path):
    with FileTrials(tmp_path / "own") as own:
        own.book(0, {"x": [1]}, "me")
    with pytest.raises(StoreError, match="a scan of its own"):
        join("own")
    (tmp_path / "held").mkdir()
    lock = FolderLock(tmp_path / "held" / "tries.lock", {"store": "another"})
    with pytest.raises(StoreError, match="another scan works in this folder"):
        join("held")
    lock.close()
    finish(join("a"), 0)
    (tmp_path / "more").mkdir()
    entry = json.loads((tmp_path / "a" / "tries.json").read_text())[0]
    (tmp_path / "more" / "tries.json").write_text(json.dumps([entry, entry]))
    with pytest.raises(StoreError, match=r"holds 2 trials, the store .* 1"):
        join("more")


NO_STORES = [
    "mysql://x/y", "nonsense", "", "sqlite+nothing:///x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://x/y",
    "sqlite:///a%00b", "sqlite:///a\0b",
]  # fmt: skip


@pytest.mark.parametrize("url", NO_STORES)
def test_urls_that_are_no_store(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        open_store(url)
    assert list(tmp_path.iterdir()) == []


def test_a_mongodb_that_does_not_answer_is_told_in_a_line():
    with pytest.raises(StoreError, match=r"^mongodb://127\.0\.0\.1:1/x\S*: the trial store failed: [^()]*refused$"):
        open_store("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=300")


@pytest.mark.parametrize("kind", ["postgres", "mongo"])
def test_leases_end_by_the_servers_clock(kind, servers, monkeypatch, tmp_path):
    """Workers an hour fast or slow neither lose their trials nor keep them longer."""
    make_store = SqlStore if kind == "postgres" else MongoStore
    slow, fast = (make_store(servers.store_url(kind, tmp_path)) for _ in range(2))
    now = time.time()
    with monkeypatch.context() as shifted:
        shifted.setattr(time, "time", lambda: now - 3600)
        assert abs(slow.book(0, {}, "slow", seconds=30).book_time - now) < 30
        shifted.setattr(time, "time", lambda: now + 3600)
        assert fast.lease("fast", seconds=30) is None
        assert slow.heartbeat(0, "slow", seconds=0.05)
        time.sleep(0.1)
        shifted.setattr(time, "time", lambda: now - 3600)
        assert fast.lease("fast", seconds=30).number == 0
        assert not slow.complete(0, "slow", {"status": "ok", "loss": 1.0})
    for store in (slow, fast):
        store.close()


def test_what_is_done_for_a_trial_in_a_mongodb_names_its_number(servers, tmp_path):
    """Nothing searches, sorts or counts the trials that are done: each question names a few numbers, however many."""
    from pymongo import monitoring

    asked = []

    class Listener(monitoring.CommandListener):
        def started(self, event):
            asked.append((event.command_name, event.command))

        def succeeded(self, event):
            pass

        failed = succeeded

    host, port, name = servers.mongo(str(tmp_path))
    with MongoStore(f"mongodb://{host}:{port}/{name}") as plain:
        plain._client.close()
        listening = type(plain._client)(f"mongodb://{host}:{port}", event_listeners=[Listener()])
        plain._client, plain._trials = listening, listening[name]["trials"]
        with JoinedTrials(plain, tmp_path) as trials:
            for number in range(30):
                del asked[:]
                assert trials.lease("me", seconds=60) is None
                assert trials.next_number() == number
                trials.book(number, {"x": [number]}, "me", seconds=60)
                assert trials.heartbeat(number, "me", seconds=60)
                assert trials.complete(number, "me", {"status": "ok", "loss": 1.0})
                assert trials.first_unfinished() == number + 1
                named = [command["filter"]["_id"]["$in"] for kind, command in asked if kind == "find"]
                named += [
                    [entry["q"]["_id"]] for kind, command in asked if kind == "update" for entry in command["updates"]
                ]
                assert len(named) >= 5
                assert all(abs(one - number) <= 16 for numbers in named for one in numbers)
                assert {kind for kind, _ in asked} <= {"find", "insert", "update", "hello"}


def test_a_file_that_somebody_writes_to_is_waited_for(tmp_path):
    """SQLite refuses at once to change the journal of a file in which a transaction is open."""
    file = tmp_path / "shared.sqlite"
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("PRAGMA user_version = 1")
    with sqlite3.connect(file) as refused, pytest.raises(sqlite3.OperationalError, match="locked"):
        refused.execute("PRAGMA journal_mode = WAL")
    ends = threading.Timer(0.3, lambda: writer.execute("COMMIT"))
    ends.start()
    store = open_store(f"sqlite:///{file}")
    ends.join()
    assert store.next_number() == 0
    store.close()
    writer.close()
    refused.close()
    again = sqlite3.connect(file)
    assert again.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    again.close()
