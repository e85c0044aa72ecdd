"""What every trial store must hold: trials/store.py says it in prose.

A store that is to pass is a function in STORES: given the servers, a folder and a clock it opens the store that belongs
to that folder. The servers are real processes. A genuine mongod is used too where one is on PATH.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hyperparton.errors import StoreError
from hyperparton.trials.local import FileTrials
from hyperparton.trials.mongo.trials import MongoFileTrials
from hyperparton.trials.sql import SqlStore
from hyperparton.trials.tries_export import ExportedTrials
from hyperparton.trials.tries_read import read_tries


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def open_sqlite(servers, folder, clock):
    return SqlStore(Path(folder) / "shared.sqlite", clock=clock)


def open_file(servers, folder, clock):
    store = FileTrials(folder)
    store._store._clock = clock
    return store


def open_postgres(servers, folder, clock):
    return SqlStore(servers.postgres(str(folder)), clock=clock)


def open_mongo(servers, folder, clock, genuine=False):
    store = MongoFileTrials(folder, *servers.mongo(str(folder), genuine))
    store._store._clock = clock
    return store


def open_mongod(servers, folder, clock):
    return open_mongo(servers, folder, clock, genuine=True)


STORES = {"sqlite": open_sqlite, "file": open_file, "postgres": open_postgres, "mongo": open_mongo}
if shutil.which("mongod"):
    STORES["mongod"] = open_mongod


def test_a_genuine_mongod_takes_part():
    if "mongod" not in STORES:
        pytest.skip("NO mongod ON PATH: MongoFileTrials was tested on nx-27017 alone")


OK = {"status": "ok", "loss": 1.5, "kfold_meta": {"hyper_losses": [[1.0], [2.0]]}}
BAD = {"status": "fail", "loss": None, "failure": {"type": "ValueError", "message": "no", "traceback": None}}


@pytest.fixture(params=STORES)
def reopen(request, servers, tmp_path):
    clock, opened = Clock(), []

    def again():
        while opened:
            opened.pop().close()
        opened.append(STORES[request.param](servers, tmp_path, clock))
        return opened[-1]

    again.clock = clock
    yield again
    while opened:
        opened.pop().close()


def test_numbers_are_booked_once_and_in_order(reopen):
    store = reopen()
    assert store.next_number() == 0
    assert store.book(1, {"x": [1]}, "a") is None
    first = store.book(0, {"x": [1.5], "y": []}, "a", space_vals={"x": 1.5})
    assert (first.number, first.vals, first.space_vals, first.owner) == (0, {"x": [1.5], "y": []}, {"x": 1.5}, "a")
    assert store.book(0, {"x": [2]}, "b") is None
    assert store.next_number() == 1
    assert store.get(0) == first
    with pytest.raises(KeyError):
        store.get(1)


def test_finishing_needs_the_lease_and_happens_once(reopen):
    store = reopen()
    store.book(0, {"x": [1]}, "a")
    assert not store.complete(0, "b", OK)
    assert not store.complete(1, "a", OK)
    assert store.history() == []
    assert store.complete(0, "a", OK)
    assert not store.complete(0, "a", {**OK, "loss": 9.0})
    assert not store.fail(0, "a", BAD)
    assert not store.release(0, "a")
    assert store.get(0).result == OK
    assert [(o.number, o.vals, o.status, o.loss) for o in store.history()] == [(0, {"x": [1]}, "ok", 1.5)]


def test_what_is_finished_and_what_is_not(reopen):
    store = reopen()
    assert (store.first_unfinished(), store.finished_numbers()) == (0, [])
    for number in range(4):
        store.book(number, {}, "a")
    for number in (0, 2):
        store.complete(number, "a", OK)
    assert (store.first_unfinished(), store.finished_numbers(), store.finished_numbers(1)) == (1, [0, 2], [2])
    store.release(1, "a")
    assert store.first_unfinished() == 1
    store.lease("b")
    store.fail(1, "b", BAD)
    assert (store.first_unfinished(), store.finished_numbers()) == (3, [0, 1, 2])
    store.complete(3, "a", OK)
    assert reopen().first_unfinished() == 4


def test_a_trial_that_others_have_overtaken(reopen, monkeypatch):
    """One that is left far behind is found again, also where what a store asks for at once is less than that."""
    monkeypatch.setattr("hyperparton.trials.mongo.store._PAGE", 3)
    store = reopen()
    for number in range(14):
        store.book(number, {"x": [number]}, "a", seconds=10)
        if number not in (1, 12):
            store.complete(number, "a", OK)
    for _ in range(2):
        assert (store.first_unfinished(), store.next_number()) == (1, 14)
        assert store.finished_numbers() == [0, *range(2, 12), 13]
        assert [o.number for o in store.history(5, 9)] == [5, 6, 7, 8]
        assert [t.number for t in store.trials(10)] == [10, 11, 13]
        store = reopen()
    reopen.clock.now += 11
    assert [store.lease("b").number for _ in range(2)] == [1, 12]
    assert store.lease("b") is None
    assert store.complete(1, "b", OK)
    assert store.first_unfinished() == 12


def test_failures_keep_their_reason(reopen):
    store = reopen()
    store.book(0, {}, "a")
    assert store.fail(0, "a", BAD)
    trial = reopen().get(0)
    assert (trial.status, trial.loss, trial.reason) == ("fail", None, "ValueError: no")
    assert trial.outcome.failure == "ValueError"


@pytest.mark.parametrize("result", [{"status": "ok", "loss": None}, {"status": "ok"}, {"status": "fail", "loss": 1.0}])
def test_complete_takes_only_good_results(reopen, result):
    store = reopen()
    store.book(0, {}, "a")
    with pytest.raises(StoreError):
        store.complete(0, "a", result)
    assert store.history() == []


def test_leases_end_are_renewed_and_handed_back(reopen):
    store = reopen()
    store.book(0, {"x": [1]}, "a", seconds=10)
    store.book(1, {"x": [2]}, "a", seconds=10)
    assert store.lease("b") is None
    reopen.clock.now += 8
    assert store.heartbeat(0, "a", seconds=10)
    assert not store.heartbeat(0, "b", seconds=10)
    reopen.clock.now += 4
    taken = store.lease("b", seconds=10)
    assert (taken.number, taken.vals, taken.owner, taken.attempts) == (1, {"x": [2]}, "b", 2)
    assert store.lease("c") is None
    assert not store.complete(1, "a", OK)
    assert store.release(1, "b")
    assert store.lease("c", stop=1) is None
    assert store.lease("c").number == 1
    assert store.complete(1, "c", OK)
    assert store.complete(0, "a", OK)


def test_a_lease_without_end_does_not_end(reopen):
    store = reopen()
    store.book(0, {}, "a")
    reopen.clock.now += 1e9
    assert store.lease("b") is None


def test_results_survive_closing(reopen):
    store = reopen()
    numbers = {"tiny": 5e-324, "third": 1 / 3, "huge": 1.7976931348623157e308, "whole": 3, "float": 3.0, "text": "µ\n"}
    for number in range(5):
        store.book(number, {"x": [number / 7]}, "a")
        store.complete(number, "a", {"status": "ok", "loss": float(5 - number), "more": numbers})
    again = reopen()
    assert [o.vals["x"][0] for o in again.history()] == [n / 7 for n in range(5)]
    assert json.dumps(again.get(3).result["more"]) == json.dumps(numbers)
    assert [o.number for o in again.history(1, 3)] == [1, 2]
    assert [t.number for t in again.trials(3)] == [3, 4]
    assert again.best().number == 4


def test_best_is_the_first_of_the_lowest(reopen):
    store = reopen()
    assert store.best() is None
    for number, loss in enumerate([3.0, 1.0, 1.0, 2.0]):
        store.book(number, {}, "a")
        store.complete(number, "a", {"status": "ok", "loss": loss})
    store.book(4, {}, "a")
    store.fail(4, "a", {"status": "fail", "loss": 0.5})
    assert store.best().number == 1


def test_metadata_is_kept_and_replaced(reopen):
    store = reopen()
    assert store.metadata() == {}
    store.book(0, {}, "a")  # a folder in which nothing was booked keeps nothing
    store.attach("scan", {"seed": 42, "list": [1, None]})
    store.attach("scan", {"seed": 43})
    store.attach("other", "text")
    assert store.attach_first("scan", {"seed": 44}) == {"seed": 43}
    assert store.attach_first("first", [1]) == [1]
    assert store.attach_first("first", [2]) == [1]
    assert reopen().metadata() == {"scan": {"seed": 43}, "other": "text", "first": [1]}


def test_of_those_who_start_a_scan_together_one_settles_what_it_is(reopen):
    store = reopen()
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda n: store.attach_first("scan", {"seed": n}), range(8)))
    assert kept == [kept[0]] * 8
    assert store.metadata() == {"scan": kept[0]}


def test_text_of_any_kind_is_kept(reopen):
    store = reopen()
    odd = "half a pair \udc80, nothing \x00, a dollar $x.y, µ"
    store.book(0, {"a.b/$c": [1]}, "a")
    assert store.fail(0, "a", {**BAD, "$more.": odd})
    assert reopen().get(0).result["$more."] == odd
    assert reopen().history()[0].vals == {"a.b/$c": [1]}


def test_what_json_cannot_hold_is_refused_and_changes_nothing(reopen):
    store = reopen()
    with pytest.raises((TypeError, ValueError)):
        store.book(0, {"x": [float("nan")]}, "a")
    assert store.next_number() == 0
    store.book(0, {}, "a")
    with pytest.raises((TypeError, ValueError)):
        store.complete(0, "a", {"status": "ok", "loss": 1.0, "bad": float("inf")})
    assert store.history() == []


def test_workers_at_once_book_each_number_once(reopen):
    store = reopen()

    def work(name):
        mine = []
        while (number := store.next_number()) < 25:
            if store.book(number, {"x": [number]}, name) is not None:
                store.complete(number, name, OK)
                mine.append(number)
        return mine

    with ThreadPoolExecutor(4) as pool:
        booked = [number for mine in pool.map(work, "abcd") for number in mine]
    assert sorted(booked) == list(range(25))
    assert len(store.history()) == 25


class Interleavings(RuleBasedStateMachine):
    """Workers that book, work, die and come back, in any order, beside a model in plain Python."""

    open_store = None
    servers = None

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.vals, self.done, self.holder, self.end = {}, {}, {}, {}
        self.store = type(self).open_store(self.servers, self.folder.name, self.clock)

    workers = st.sampled_from("abc")

    @rule(owner=workers)
    def book(self, owner):
        number = self.store.next_number()
        assert number == len(self.vals)
        vals = {"x": [number / 3]}
        assert self.store.book(number, vals, owner, seconds=5).number == number
        self.vals[number], self.holder[number], self.end[number] = vals, owner, self.clock.now + 5

    @rule(owner=workers, offset=st.sampled_from([-1, 1]))
    def book_wrongly(self, owner, offset):
        assert self.store.book(self.store.next_number() + offset, {}, owner) is None

    @rule(owner=workers)
    def lease(self, owner):
        free = [n for n in sorted(self.vals) if n not in self.done
                and (self.holder[n] is None or self.end[n] < self.clock.now)]  # fmt: skip
        trial = self.store.lease(owner, seconds=5)
        assert (trial.number if trial else None) == (free[0] if free else None)
        if trial:
            assert trial.vals == self.vals[trial.number]
            self.holder[trial.number], self.end[trial.number] = owner, self.clock.now + 5

    @precondition(lambda self: self.vals)
    @rule(data=st.data(), owner=workers, kind=st.sampled_from(["complete", "fail", "heartbeat", "release"]))
    def change(self, data, owner, kind):
        number = data.draw(st.sampled_from(sorted(self.vals)))
        holds = self.holder[number] == owner and number not in self.done
        if kind == "complete":
            result = {"status": "ok", "loss": float(len(self.done))}
            assert self.store.complete(number, owner, result) == holds
        elif kind == "fail":
            result = BAD
            assert self.store.fail(number, owner, result) == holds
        elif kind == "heartbeat":
            assert self.store.heartbeat(number, owner, seconds=5) == holds
            self.end[number] = self.clock.now + 5 if holds else self.end[number]
            return
        else:
            assert self.store.release(number, owner) == holds
            self.holder[number] = None if holds else self.holder[number]
            return
        if holds:
            self.done[number] = result

    @rule(seconds=st.floats(0.5, 6))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule()
    def restart(self):
        self.store.close()
        self.store = type(self).open_store(self.servers, self.folder.name, self.clock)
        if isinstance(self.store, FileTrials):
            for number in self.vals:
                if number not in self.done:
                    self.holder[number] = None

    @invariant()
    def nothing_is_lost(self):
        if not hasattr(self, "store"):
            return
        history = self.store.history()
        assert [o.number for o in history] == sorted(self.done)
        assert all(o.vals == self.vals[o.number] and o.loss == self.done[o.number].get("loss") for o in history)
        assert self.store.next_number() == len(self.vals)
        if isinstance(self.store, ExportedTrials) and self.done:
            written = read_tries(self.store.json_path)
            assert [entry["tid"] for entry in written] == sorted(self.done)
            assert [entry["result"] for entry in written] == [self.done[n] for n in sorted(self.done)]

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


#: a server's answer takes longer than a file's
EXAMPLES = {"mongo": 8, "mongod": 8, "postgres": 12}


@pytest.mark.parametrize("name", STORES)
def test_any_interleaving(name, servers):
    fixed = {"open_store": staticmethod(STORES[name]), "servers": servers}
    machine = type(f"Interleavings_{name}", (Interleavings,), fixed)
    machine.TestCase.settings = settings(
        max_examples=EXAMPLES.get(name, 20),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.TestCase().runTest()


def test_a_store_whose_making_was_killed_is_made_again(tmp_path):
    """Killed anywhere while its tables are made, a shared file holds all of them or none."""
    script = """
import os, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from hyperparton.trials.sql import SqlStore
calls = []
def kill(*_):
    calls.append(1)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
event.listen(Engine, "after_cursor_execute", kill)
SqlStore("sqlite:///" + sys.argv[1])
"""
    place = tmp_path / "shared.sqlite"
    for number in range(1, 12):
        code = subprocess.run([sys.executable, "-c", script, place, str(number)]).returncode
        assert code in (0, -9)
        if code == 0:
            break
        with SqlStore(f"sqlite:///{place}") as store:
            assert store.book(0, {}, "a") is not None
        place.unlink()
        for end in ("-wal", "-shm"):
            place.with_name(place.name + end).unlink(missing_ok=True)
    assert number > 5


def test_how_near_a_trial_came_to_failing_is_kept(reopen):
    store = reopen()
    for number, told in enumerate([{"fails_below": {"patience": 0.25, "rate": 1}}, {}]):
        store.book(number, {"x": [1]}, "a")
        assert store.complete(number, "a", {**OK, **told})
    kept = store.history()
    assert [each.fails_below for each in kept] == [{"patience": 0.25, "rate": 1.0}, None]
    assert store.get(0).outcome == kept[0]
    assert reopen().history() == kept


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_store_of_an_older_version_gets_what_it_lacks_when_a_trial_is_finished(servers, tmp_path, kind):
    with contextlib.closing(STORES[kind](servers, tmp_path, Clock())) as store:
        for number in range(2):
            store.book(number, {"x": [1]}, "a")
        assert store.complete(0, "a", OK)
        with store._transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE trials DROP COLUMN fails_below")
    # two that open it before either writes
    with (
        contextlib.closing(STORES[kind](servers, tmp_path, Clock())) as store,
        contextlib.closing(STORES[kind](servers, tmp_path, Clock())) as other,
    ):
        assert [each.fails_below for each in store.history()] == [None]
        assert store.get(0).ok
        assert store.best().number == 0
        assert store.complete(1, "a", {**OK, "fails_below": {"patience": 0.25}})
        assert [each.fails_below for each in store.history()] == [None, {"patience": 0.25}]
        other.book(2, {"x": [1]}, "b")
        assert other.complete(2, "b", {**OK, "fails_below": {"patience": 0.5}})
        assert [each.fails_below for each in other.history()][2] == {"patience": 0.5}
