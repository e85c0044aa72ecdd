"""Rows of a shared store that somebody damaged or changed: told with store and trial, whatever is asked for."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from pymongo import MongoClient

from hyperparton import HyperScanner
from hyperparton.errors import StoreError
from hyperparton.scan.settings import ScanSettings, agreed_lag
from hyperparton.trials.shared_folder import open_store
from hyperparton.trials.store_url import StoreURL

#: fields of trial 1, which is finished, and what stands there; a column of PostgreSQL has its type
FINISHED = [
    ("vals", "["),
    ("vals", '{"x": [1, 2]}'),
    ("vals", '{"x": ["1"]}'),
    ("vals", "5"),
    ("space_vals", "[]"),
    ("result", '{"status": "ok", "loss": 1'),
    ("result", '{"loss": 1.0}'),
    ("result", '{"status": "ok", "loss": 0.5}'),
    ("result", None),
    ("status", "fail"),
    ("status", "good"),
    ("loss", 0.5),
    ("loss", None),
]
#: the same of a trial that waits for somebody to run it
WAITING = [("vals", "["), ("space_vals", ""), ("state", 2)]
#: what only a document can have
OF_ANY_TYPE = [("vals", 3), ("result", ["ok"]), ("loss", "small"), ("lease_end", "soon")]


@pytest.fixture(params=["postgres", "mongo"])
def store(request, servers, tmp_path):
    """The URL of a store with three finished trials and one that waits, and a function that changes a field."""
    url = servers.store_url(request.param, tmp_path)
    with open_store(url) as trials:
        for number in range(4):
            trials.book(number, {"x": [float(number)]}, "me", space_vals={"x": float(number)})
            if number < 3:
                trials.complete(number, "me", {"status": "ok", "loss": 1.0 + number})
        trials.release(3, "me")
        trials.attach("scan", {"seed": 1})
    return url, sql_change(url) if request.param == "postgres" else mongo_change(url)


def sql_change(url):
    def change(number, field, value):
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            if number is None:
                statement, values = "UPDATE scan_metadata SET value = :value WHERE key = :field", {"field": field}
            else:
                statement, values = f"UPDATE trials SET {field} = :value WHERE number = :number", {"number": number}
            assert connection.execute(sa.text(statement), {"value": value, **values}).rowcount == 1
        engine.dispose()

    return change


def mongo_change(url):
    def change(number, field, value):
        with MongoClient(url) as client:
            database = client[Path(url).name]
            if number is None:
                done = database["scan_metadata"].update_one({"key": field}, {"$set": {"value": value}})
            elif value is None:
                done = database["trials"].update_one({"_id": number}, {"$unset": {field: ""}})
            else:
                done = database["trials"].update_one({"_id": number}, {"$set": {field: value}})
            assert done.modified_count == 1

    return change


def scanner():
    return HyperScanner({"x": 1.0}, {"space": {"x": {"min": 0, "max": 1}}})


def found(url, ask):
    """What each of the questions tells of a damage."""
    told = []
    with open_store(url) as store:
        for question in ask(store):
            try:
                question()
            except StoreError as fault:
                told.append(str(fault))
    return told


def reads(store):
    return store.trials, store.history, lambda: store.get(1), store.best, store.first_unfinished, store.finished_numbers


@pytest.mark.parametrize(("field", "value"), FINISHED)
def test_a_finished_trial(store, field, value):
    url, change = store
    change(1, field, value)
    told = found(url, reads)
    assert told
    name = StoreURL.parse(url).name
    assert all(line.startswith(f"{name}: the store is damaged: trial 1: ") for line in told)
    # whoever joins writes all trials into its folder first
    assert found(url, lambda store: [store.trials])


@pytest.mark.parametrize(("field", "value"), WAITING)
def test_a_trial_that_waits(store, field, value):
    url, change = store
    change(3, field, value)
    told = found(url, lambda store: [lambda: store.lease("other"), lambda: store.get(3)])
    assert told
    assert all("the store is damaged: trial 3: " in line for line in told)


@pytest.mark.parametrize("state", [7, -1])
def test_a_state_that_is_none(store, state):
    """Neither finished nor left to run: it would be missing in silence."""
    url, change = store
    change(1, "state", state)
    with pytest.raises(StoreError, match="damaged: 3 trials, but the last has number 3"):
        open_store(url)


@pytest.mark.parametrize("value", ["{", "", "nothing"])
def test_metadata(store, value):
    url, change = store
    change(None, "scan.scan", value)
    told = found(url, lambda store: [store.metadata, lambda: store.attach_first("scan", {})])
    assert len(told) == 2
    assert all("the store is damaged: scan.scan cannot be read" in line for line in told)


@pytest.mark.parametrize("store", ["mongo"], indirect=True)
@pytest.mark.parametrize("number", [5, "5"])
def test_a_document_with_another_number(store, number):
    url, change = store
    change(3, "number", number)
    with pytest.raises(StoreError, match=r"damaged: \d trials?, but the last has number"):
        open_store(url)


@pytest.mark.parametrize("what", ["[]", "{}", '{"settings": {}, "space": {}, "metadata": {}}', "5"])
def test_what_the_scan_is(store, what):
    """It is JSON, and not what a scan keeps there."""
    url, change = store
    change(None, "scan.scan", what)
    with open_store(url) as trials, pytest.raises(StoreError, match="the store is damaged: what it keeps of the scan"):
        agreed_lag(trials, scanner(), ScanSettings(), 1)


@pytest.mark.parametrize("store", ["mongo"], indirect=True)
@pytest.mark.parametrize(("field", "value"), OF_ANY_TYPE + [(name, None) for name in ("vals", "lease_end", "result")])
def test_documents(store, field, value):
    url, change = store
    change(1, field, value)
    told = found(url, reads)
    assert told
    assert all("the store is damaged: trial 1: " in line for line in told)
