"""A start that is refused leaves nothing behind: no folder, no file, no table."""

import pytest
from cheap import CONFIG, Trainer, scanner

from hyperparton import HyperScanner, hyper_scan_wrapper
from hyperparton.errors import HyperpartonError, ScanError, StoreError
from hyperparton.trials.shared_folder import open_store

STORES = ["file", "sqlite", "postgres", "mongo"]


def left(servers, kind, folder):
    """What is in the store, if anything is, and in the folder."""
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    url = servers.store_url(kind, folder)
    if kind == "postgres":
        import psycopg

        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        with psycopg.connect(url) as connection:
            there += [name for (name,) in connection.execute(query)]
    elif kind == "mongo":
        from pymongo import MongoClient

        with MongoClient(url) as client:
            there += client.get_default_database().list_collection_names()
    return there


def scan(servers, kind, folder, out="out", space=None, **settings):
    url = servers.store_url(kind, folder)
    trainer = Trainer()
    return hyper_scan_wrapper(folder / out, trainer, space or scanner(), 3, store=url or None, **settings)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"warm_start": ["/nowhere"]}, StoreError),
        ({"engine": "unknown"}, HyperpartonError),
        ({"lag": 2, "batch_trials": 3}, ScanError),
        ({"workers": 2}, ScanError),
    ],
)
def test_of_a_new_scan(servers, tmp_path, kind, settings, fault):
    with pytest.raises(fault):
        scan(servers, kind, tmp_path, **{"engine": "random", **settings})
    assert left(servers, kind, tmp_path) == []


@pytest.mark.parametrize("kind", STORES[1:])
def test_of_a_folder_with_a_scan_of_its_own(servers, tmp_path, kind):
    scan(servers, "file", tmp_path, engine="random")
    before = left(servers, kind, tmp_path)
    with pytest.raises(StoreError, match="a scan of its own"):
        scan(servers, kind, tmp_path, engine="random")
    assert left(servers, kind, tmp_path) == before


@pytest.mark.parametrize("kind", STORES[1:])
def test_of_another_scan_in_the_same_store(servers, tmp_path, kind):
    scan(servers, kind, tmp_path, engine="random")
    before = left(servers, kind, tmp_path)
    other = HyperScanner({"x": 0.0, "n": 1}, {"space": {**CONFIG["space"], "x": {"min": 0, "max": 1}}})
    for settings in ({"space": other}, {"seed": 1}):
        with pytest.raises(StoreError, match="holds a scan with another"):
            scan(servers, kind, tmp_path, out="new/folder", engine="random", **settings)
    assert left(servers, kind, tmp_path) == before
    with open_store(servers.store_url(kind, tmp_path)) as store:
        assert store.next_number() == 3


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=100"])
def test_of_a_server_that_is_not_there(tmp_path, url):
    with pytest.raises(StoreError, match="refused"):
        hyper_scan_wrapper(tmp_path / "out", Trainer(), scanner(), 3, store=url, store_timeout=0)
    assert list(tmp_path.iterdir()) == []
