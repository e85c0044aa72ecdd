"""Database servers that restart, freeze and lose connections, under real stores and scans: nothing is lost or doubled.

The servers are the tests' own, since they are stopped; a relay between them and the store breaks connections.
"""

import json
import logging
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from hyperparton import hyper_scan_wrapper
from hyperparton.errors import StoreAwayError
from hyperparton.scan.limits import alarm
from hyperparton.trials.kept_results import KeptResults
from hyperparton.trials.patience import Patience
from hyperparton.trials.patient import PatientStore
from hyperparton.trials.shared_folder import open_store
from hyperparton.trials.store import owner_name

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
Relay = runpy.run_path(str(BENCHMARKS / "relay.py"))["Relay"]
cheap = runpy.run_path(str(ROOT / "tests" / "scan" / "cheap.py"))

KINDS = ["postgres", "mongo"]


@pytest.fixture(scope="module")
def own_servers():
    script = runpy.run_path(str(BENCHMARKS / "servers.py"))
    # pytest's own folders are closed to the user as whom PostgreSQL runs
    with tempfile.TemporaryDirectory() as folder, script["Servers"](Path(folder)) as running:
        yield running


@pytest.fixture
def relayed(own_servers, tmp_path):
    """(URL, relay) of a store behind a relay."""
    relays = []

    def make(kind):
        url, relay = own_servers.relayed(kind, tmp_path, Relay)
        relays.append(relay)
        return url, relay

    yield make
    for relay in relays:
        relay.close()


def ok(loss):
    return {"status": "ok", "loss": float(loss), "more": [1 / 3, loss]}


def entries(folder):
    """tries.json without times and owner, which no two scans share."""
    kept = json.loads((folder / "tries.json").read_text())
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in kept]


def scan(folder, trainer, **settings):
    return hyper_scan_wrapper(folder, trainer, cheap["scanner"](), 16, engine="hyperopt", lag=4, **settings)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    scan(folder, cheap["Trainer"]())
    return entries(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_connections_that_break_at_any_moment(kind, relayed, own_servers, tmp_path):
    """Before a question or in the place of its answer: each change is done once and its success is told."""
    url, relay = relayed(kind)
    rng, kept = random.Random(3), KeptResults(tmp_path / "kept")
    count = 30 if kind == "postgres" else 8  # pymongo takes half a second to connect again
    with PatientStore(open_store(url), 30.0, kept) as store:
        for number in range(count):
            owner = owner_name()
            relay.tell(rng.choice(["go", "lose", "drop"]))
            assert store.book(number, {"x": [number]}, owner, seconds=60).vals == {"x": [number]}
            relay.tell(rng.choice(["go", "lose", "drop"]))
            assert store.heartbeat(number, owner, seconds=60)
            relay.tell(rng.choice(["go", "lose", "drop"]))
            assert store.complete(number, owner, ok(number))
            relay.tell(rng.choice(["go", "lose", "drop"]))
            store.attach("count", number)
            relay.tell("go")
            assert not store.complete(number, owner, ok(-1))
    with open_store(own_servers.store_url(kind, tmp_path)) as store:
        assert [trial.result for trial in store.trials()] == [ok(number) for number in range(count)]
        assert [trial.attempts for trial in store.trials()] == [1] * count
        assert store.metadata() == {"count": count - 1}
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(("seconds", "slow", "questions"), [(0.0, False, 2), (0.0, True, 1), (1.0, True, 1)])
def test_a_server_that_took_the_whole_limit_to_fail_is_not_asked_again(seconds, slow, questions):
    """Two time-outs of a driver would be twice as long as was asked for; a connection that was dropped takes none."""
    asked = []

    def question():
        asked.append(None)
        time.sleep(1.1 if slow else 0.0)
        raise StoreAwayError("no answer")

    with pytest.raises(StoreAwayError, match="no answer"):
        Patience("the server", seconds).ask(question)
    assert len(asked) == questions


@pytest.fixture
def hanging_names(monkeypatch):
    """Name servers that never answer; what the system does then for minutes cannot be had on any machine."""
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: end.wait() and [])
    yield
    end.set()


def test_a_name_that_nobody_looks_up_is_waited_for_like_a_server(hanging_names):
    with pytest.raises(StoreAwayError, match=r"address of db\.example cannot be found: nobody told it within 2 s"):
        open_store("postgresql://me@db.example/scan?connect_timeout=2")


def test_a_signal_ends_the_wait_for_a_name(hanging_names):
    with alarm(0.3, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        open_store("postgresql://me@db.example/scan?connect_timeout=600")


def test_hosts_by_name_address_and_socket(own_servers, tmp_path):
    """The first that answers is taken, each with its own port, and the name stays for certificates."""
    socket_url = own_servers.postgres(str(tmp_path))
    folder = unquote(socket_url.partition("host=")[2].partition("&")[0])
    options = socket_url.partition("&")[2]
    port = runpy.run_path(str(BENCHMARKS / "servers.py"))["free_port"]()
    relay = Relay(f"127.0.0.1:{port}", f"{folder}/.s.PGSQL.5432")
    try:
        for hosts in (f"localhost:{port}", f"no-such-host.invalid:1,127.0.0.1:1,localhost:{port}"):
            with open_store(f"postgresql://postgres@{hosts}/postgres?{options}") as store:
                assert store.next_number() == 0
                with store._transaction() as connection:
                    info = connection.connection.driver_connection.info
                    assert (info.host, info.port) == ("localhost", port)
        with open_store(f"postgresql://postgres@/postgres?host=localhost,{folder}&port=1,5432&{options}") as store:
            assert store.next_number() == 0
        with pytest.raises(StoreAwayError, match=r"address of no-such-host\.invalid cannot be found"):
            open_store(f"postgresql://postgres@no-such-host.invalid/postgres?{options}")
    finally:
        relay.close()


@pytest.mark.parametrize(
    ("fault", "workers"), [("postgres refuses", None), ("mongo refuses", 2), ("postgres restarts", 2)]
)
def test_a_scan_waits_for_its_server(fault, workers, relayed, own_servers, tmp_path, calm, caplog):
    url, relay = relayed(fault.split()[0])
    if fault.startswith("mongo"):
        url += "?serverSelectionTimeoutMS=200"
    threads = []

    def harm():
        if fault.endswith("restarts"):
            own_servers.restart_postgres()
        else:
            relay.tell("refuse")
            time.sleep(1.0)
            relay.tell("go")

    def progress(event):
        if event["event"] == "trial_finished" and event["tid"] in (4, 9):
            threads.append(threading.Thread(target=harm))
            threads[-1].start()

    trainer = cheap["recipe"](sleep=0.1) if workers else cheap["Trainer"](0.1)
    with caplog.at_level(logging.WARNING, "hyperparton"):
        scan(tmp_path / "out", trainer, store=url, workers=workers, progress=progress, store_timeout=60)
    for thread in threads:
        thread.join(60)
    assert entries(tmp_path / "out") == calm
    assert "waiting for it, up to 60 s" in caplog.text
    assert "answers again after" in caplog.text
    assert not list((tmp_path / "out").glob("undelivered*"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_hand_when_the_limit_passes_is_delivered_by_the_next_start(
    kind, relayed, tmp_path, calm, monkeypatch, caplog
):
    monkeypatch.setattr("hyperparton.trials.postgres.ANSWER", 0.3)
    url, relay = relayed(kind)
    short = {"mongo": "?socketTimeoutMS=300&serverSelectionTimeoutMS=300&connectTimeoutMS=300"}
    url += short.get(kind, "&connect_timeout=2")
    numbers = []

    def progress(event):
        if event["event"] == "trial_started":
            numbers.append(event["tid"])
            if event["tid"] == 5:
                relay.tell("stall")

    with pytest.raises(StoreAwayError, match="it was waited for"):
        scan(tmp_path / "out", cheap["Trainer"](), store=url, lease=0.3, store_timeout=0.5, progress=progress)
    (file,) = (tmp_path / "out" / "undelivered").iterdir()
    assert json.loads(file.read_text())["number"] == 5
    relay.tell("drop")
    relay.tell("go")
    numbers.clear()
    with caplog.at_level(logging.WARNING, "hyperparton"):
        scan(tmp_path / "out", cheap["Trainer"](), store=url, progress=progress)
    assert numbers == list(range(6, 16))
    assert "trial 5: its result, kept while" in caplog.text
    assert "is delivered now" in caplog.text
    assert entries(tmp_path / "out") == calm
    assert not file.parent.exists()


def test_a_trial_is_given_back_whatever_happens_to_the_connection(relayed, tmp_path):
    url, relay = relayed("postgres")
    with PatientStore(open_store(url), 30.0, KeptResults(tmp_path / "kept")) as store:
        store.book(0, {}, "mine", seconds=60)
        relay.tell("refuse")
        back = threading.Timer(0.5, relay.tell, ["go"])
        back.start()
        store.release(0, "mine")
        back.join()
        assert store.lease("another").number == 0


def test_a_kept_result_is_dropped_if_another_has_run_the_trial(servers, tmp_path, caplog):
    kept = KeptResults(tmp_path / "kept")
    with PatientStore(open_store(servers.store_url("postgres", tmp_path)), 30.0, kept) as store:
        for number in range(3):
            store.book(number, {}, "host:1:mine", seconds=0.05)
            kept.keep(store.name, number, "host:1:mine", ok(number))
        kept.keep("another store", 0, "host:1:other", ok(9))
        (tmp_path / "kept" / "trial-7-x.json").write_text("{")
        time.sleep(0.1)
        assert store.lease("another").number == 0
        assert store.lease("another").number == 1
        store.complete(0, "another", ok(7))
        store.deliver_kept()
        assert [(trial.number, trial.result) for trial in store.trials()] == [(0, ok(7)), (2, ok(2))]
        assert store.complete(1, "another", ok(8))
    assert sorted(file.name for file in kept._folder.iterdir()) == ["trial-0-other.json", "trial-7-x.json"]
    assert caplog.text.count("is dropped: another process runs the trial, or has run it") == 2
    assert caplog.text.count("is delivered now") == 1


MODULE = """
import time

class Trainer:
    def __init__(self, card):
        pass

    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        time.sleep(0.1)
        return {"status": "ok", "loss": (params["x"] - 2) ** 2}
"""


#: how a job is ended and the options of its scan -> its exit code
ENDS = {
    "terminated": (signal.SIGTERM, ["--workers", "2"], 143),
    "interrupted": (signal.SIGINT, [], 130),
}


def test_a_frozen_server_does_not_hold_a_job(own_servers, tmp_path):
    """SIGSTOP of the server's processes: each job ends by its signal as it always does."""
    (tmp_path / "sleepy.py").write_text(MODULE)
    card = tmp_path / "card.yml"
    card.write_text("trainer: sleepy:Trainer\nparameters: {x: 0}\nhyperscan_config: {space: {x: {min: -5, max: 5}}}\n")
    urls = {name: own_servers.postgres(f"{tmp_path}/{name}") for name in ENDS}
    jobs = {}
    for name, (_, options, _) in ENDS.items():
        command = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", card, "--trials", "500"]
        command += ["-o", tmp_path / name, "--store", urls[name], "--engine", "random", *options]
        jobs[name] = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    end = time.monotonic() + 90
    for name in ENDS:
        while not (tmp_path / name / "nnfit" / "replica_1" / "tries.json").exists() and time.monotonic() < end:
            time.sleep(0.05)
    frozen = own_servers.postgres_processes()
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)
        for name, (signum, _, _) in ENDS.items():
            jobs[name].send_signal(signum)
        last = time.monotonic() + 25  # less than the 30 seconds in which a server has to answer
        told = {name: job.communicate(timeout=max(last - time.monotonic(), 0.1))[1] for name, job in jobs.items()}
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        for job in jobs.values():
            job.kill()
    for name, (_, _, code) in ENDS.items():
        assert jobs[name].returncode == code, told[name]
        assert "Traceback" not in told[name]
        with open_store(urls[name]) as store:
            done = len(store.history())
            assert 1 <= done < 500
            assert store.next_number() - done <= 3
