"""Store URLs: what they mean, and that no secret of theirs is ever shown."""

import json
import sqlite3
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperparton.errors import StoreError
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.shared_folder import open_store
from hyperparton.trials.store_url import StoreURL

SECRET = "Xq7SECRETq"

#: ports of loopback on which nothing listens, so that a driver says what it was given
HERE = "127.0.0.1:1"

WITH_SECRETS = [
    f"postgresql://u:{SECRET}@{HERE}/db",
    f"postgresql://u:{SECRET}/RET@{HERE}/db",
    f"postgresql://u:12/{SECRET}@{HERE}/db",
    f"postgresql://u:1?{SECRET}@{HERE}/db",
    f"postgresql://u:a#{SECRET}@{HERE}/db",
    f"postgresql://u:a@{SECRET}@{HERE}/db",
    f"postgresql://u:%zz{SECRET}@{HERE}/db",
    f"postgresql://u:{SECRET}",
    f"postgresql://u:12%2F{SECRET}%40@{HERE}/db",
    f"postgresql://{HERE}/db?user=u&password={SECRET}",
    f"postgresql://{HERE}/db?user=u&{SECRET}",
    f"postgresql://{HERE}/db?user=u&sslpassword={SECRET}&sslmode=require",
    f"postgresql://u:{SECRET}@{HERE}/db?nonsense=1",
    f"postgresql://u:{SECRET}@{HERE}/db?connect_timeout=soon",
    f"postgresql://u:{SECRET}@{HERE}/db?sslmode=nonsense",
    f"postgresql://u:{SECRET}@{HERE}:notaport/db",
    f"mongodb://u:{SECRET}@{HERE}/db",
    f"mongodb://u:{SECRET}/x@{HERE}/db",
    f"mongodb://u:a@{SECRET}@{HERE}/db",
    f"mongodb://u:{SECRET}@{HERE}/db?nonsense=1",
    f"mongodb://u:{SECRET}@127.0.0.1:notaport/db",
    f"mongodb://{HERE}/db?tls=true&tlsCertificateKeyFilePassword={SECRET}",
    f"mongodb://u:x{SECRET}@{HERE}/db?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:{SECRET}",
    f"mysql://u:{SECRET}@{HERE}/db",
    f"u:{SECRET}@{HERE}/db",
]


@pytest.mark.parametrize("url", WITH_SECRETS)
def test_no_error_shows_a_secret(url, tmp_path):
    if url.startswith("mongodb://u:") and url.endswith("/db"):
        url += "?serverSelectionTimeoutMS=100"
    elif url.startswith("mongodb://") and "?" in url:
        url += "&serverSelectionTimeoutMS=100"
    with pytest.raises(StoreError) as told:
        open_store(url)
    shown = str(told.value)
    assert SECRET not in shown
    assert "\n" not in shown
    assert SECRET not in "".join(traceback.format_exception(told.value)).replace(repr(url), "")
    try:
        parsed = StoreURL.parse(url)
    except StoreError:
        return
    assert SECRET not in f"{parsed} {parsed!r} {parsed.name}"
    folder = ScanFolder(tmp_path)
    folder.write_progress(7, url)
    assert SECRET not in folder.progress.read_text()
    assert folder.joined_store() == parsed.name
    assert json.loads(folder.progress.read_text())["trials"] == 7


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=5, max_size=20))
def test_any_password_is_read_and_hidden(password):
    url = StoreURL.parse(f"postgresql://me:{quote(password, safe='')}@h:5433/db?application_name=a%20b")
    assert (url.user, url.password, url.hosts, url.database) == ("me", password, (("h", 5433),), "db")
    assert url.name == "postgresql://me@h:5433/db?application_name=a%20b"
    for said in (password, quote(password, safe=""), password.replace("\\", "\\\\").replace("'", "\\'")):
        assert password not in url.hide(f"connection to {said!s} failed").replace("***", "")


def test_a_short_password_leaves_words_alone():
    assert StoreURL.parse("postgresql://me:a@h/db").hide("a bad password 'a'") == "*** bad password '***'"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgres://h/db", "postgresql://h/db"),
        ("postgresql+psycopg://me@h:1,[::1]:2/db", "postgresql://me@h:1,[::1]:2/db"),
        ("postgresql://?host=/tmp/run&dbname=x&user=me", "postgresql://me@/x?host=/tmp/run"),
        ("postgresql://h/a%2Fb?options=-csearch_path%3Dscan1", "postgresql://h/a%2Fb?options=-csearch_path%3Dscan1"),
        ("mongodb://me:x@a:1,b:2/db?tls=true&replicaSet=r", "mongodb://me@a:1,b:2/db?tls=true&replicaSet=r"),
        ("sqlite:////tmp/a?b#c%d e.sqlite", "sqlite:////tmp/a?b#c%d e.sqlite"),
    ],
)
def test_a_name_is_a_url_of_the_same_store(url, name):
    assert StoreURL.parse(url).name == name
    assert StoreURL.parse(name).name == name


def test_a_file_has_one_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert StoreURL.parse("sqlite:///x.sqlite").name == StoreURL.parse(f"sqlite:///{tmp_path}/./x.sqlite").name


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://:memory:", "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///file::memory:?uri=true", "sqlite://host/x", "sqlite:///a%00b",
        "postgresql://h:notaport/db", "postgresql://h:0/db", "postgresql://h:65536/db", "postgresql://[::1/db",
        "postgresql://h/db?nonsense=1", "postgresql://h/db?word", "mongodb://h:notaport/db",
        "mongodb://h/db?nonsense=1", "mongodb://h/db?tls=maybe", "mongodb://h/a.b%20c", "mongodb:///db",
    ],
)  # fmt: skip
def test_what_cannot_be_a_store_is_refused_in_a_line_and_leaves_nothing(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as told:
        open_store(url)
    assert "\n" not in str(told.value)
    assert ("nonsense" in url) == ("nonsense" in str(told.value).partition(": ")[2])
    assert list(tmp_path.iterdir()) == []


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("alive", [False, True])
@pytest.mark.parametrize("create", [False, True])
def test_a_file_of_something_else_is_left_as_it_was(tmp_path, journal, alive, create):
    place = tmp_path / "thesis.sqlite"
    other = sqlite3.connect(place, isolation_level=None)
    other.execute(f"PRAGMA journal_mode = {journal}")
    other.execute("CREATE TABLE chapters (title TEXT)")
    other.execute("INSERT INTO chapters VALUES ('one')")
    if not alive:
        other.close()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="no trial store: it holds chapters"):
        open_store(f"sqlite:///{place}", create=create)
    after = contents(tmp_path)
    after.pop("thesis.sqlite-shm", None), before.pop("thesis.sqlite-shm", None)  # who reads is noted in it
    assert after == before
    other.close()


def test_a_file_of_another_program_is_left_as_it_was(tmp_path):
    place = tmp_path / "x.gpkg"
    other = sqlite3.connect(place)
    other.execute("PRAGMA application_id = 0x47504B47")
    other.close()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{place}")
    assert contents(tmp_path) == before


def test_a_schema_of_something_else_is_left_as_it_was(servers, tmp_path):
    import psycopg

    url = servers.postgres(str(tmp_path))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (x int)")
        for create in (False, True):
            with pytest.raises(StoreError, match="it holds orders"):
                open_store(url, create=create)
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchall()
    assert found == [("orders",)]


def test_a_mongodb_of_something_else_is_left_as_it_was(servers, tmp_path):
    from pymongo import MongoClient

    host, port, name = servers.mongo(str(tmp_path))
    url = f"mongodb://{host}:{port}/{name}"
    with MongoClient(url) as client:
        client[name]["orders"].insert_one({"x": 1})
        for create in (False, True):
            with pytest.raises(StoreError, match="it holds orders"):
                open_store(url, create=create)
        assert client[name].list_collection_names() == ["orders"]


def test_the_password_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("HYPERPARTON_STORE_PASSWORD", SECRET)
    assert StoreURL.parse("mongodb://me@h/db").login_password == SECRET
    assert StoreURL.parse("mongodb://me:other@h/db").login_password == "other"
    assert StoreURL.parse("postgresql://h/db").hide(f"bad {SECRET}") == "bad ***"
    assert SECRET not in repr(StoreURL.parse("mongodb://me@h/db"))


@pytest.mark.parametrize(
    "url", [f"postgresql://u:x@{HERE}/db", f"mongodb://u:x@{HERE}/db?serverSelectionTimeoutMS=100"]
)
def test_other_secrets_come_from_the_environment(url, monkeypatch):
    """A driver gets them: it refuses one that it does not know. Those of the URL go before."""
    known = "sslpassword" if url.startswith("postgresql") else "tlsCertificateKeyFilePassword"
    monkeypatch.setenv("HYPERPARTON_STORE_SECRETS", f"{known}={SECRET}%26%3D")
    assert StoreURL.parse(url).login_secrets == {known: f"{SECRET}&="}
    between = "&" if "?" in url else "?"
    assert StoreURL.parse(f"{url}{between}{known}=other").login_secrets == {known: "other"}
    assert SECRET not in StoreURL.parse(url).hide(f"bad {SECRET}&= or {SECRET}%26%3D")
    monkeypatch.setenv("HYPERPARTON_STORE_SECRETS", f"nonsensepassword={SECRET}")
    with pytest.raises(StoreError, match="nonsensepassword") as told:
        open_store(url)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("given", [SECRET, f"sslpassword={SECRET}%zz", f"sslpassword=x&dbname={SECRET}", f"=x{SECRET}"])
def test_what_is_no_secret_option_in_the_environment_is_told(given, monkeypatch):
    monkeypatch.setenv("HYPERPARTON_STORE_SECRETS", given)
    for url in (f"postgresql://u:x@{HERE}/db", f"mongodb://u:x@{HERE}/db"):
        with pytest.raises(StoreError, match="the variable HYPERPARTON_STORE_SECRETS: ") as told:
            open_store(url)
        assert SECRET not in str(told.value)
