"""MongodRunner on a real server process; the genuine mongod takes part where one is on PATH.

Elsewhere the process is nx-27017, which speaks MongoDB's protocol, started by a script that takes mongod's arguments.
"""

import random
import runpy
import shutil
import socket
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from hyperparton.errors import StoreError
from hyperparton.trials.mongo.archive import pack_folder, unpack_folder
from hyperparton.trials.mongo.server import MongodRunner
from hyperparton.trials.mongo.store import MongoStore, server_answers
from hyperparton.trials.mongo.trials import MongoFileTrials

SERVERS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "servers.py"))
PROGRAMS = ["stand-in", *(["mongod"] if shutil.which("mongod") else [])]


@pytest.fixture(params=PROGRAMS)
def program(request, tmp_path):
    return "mongod" if request.param == "mongod" else str(SERVERS["write_stand_in"](tmp_path / "stand-in"))


def runner_of(program, folder, **settings):
    return MongodRunner("trials", SERVERS["free_port"](), folder, executable=program, seconds=30, **settings)


def test_a_scan_goes_on_from_the_archive(program, tmp_path):
    runner = runner_of(program, tmp_path / "db", cache_gb=0.25)
    with MongoFileTrials(tmp_path / "scan", runner=runner) as trials:
        assert runner.started
        trials.book(0, {"x": [0.5]}, "a")
        assert trials.complete(0, "a", {"status": "ok", "loss": 2.0})
        trials.book(1, {"x": [1.5]}, "a")
    assert not runner.started
    assert not server_answers(runner.url, 0.2)
    assert runner.archive_path.name == "trials.tar.gz"
    shutil.rmtree(runner.path)
    with MongoFileTrials(tmp_path / "scan", runner=runner) as trials:
        assert [(o.number, o.vals, o.loss) for o in trials.history()] == [(0, {"x": [0.5]}, 2.0)]
        assert trials.next_number() == 2
        with pytest.raises(StoreError, match="stop it before it is archived"):
            runner.archive()
        assert not runner.restore()


def test_what_runs_already_is_used_and_left_alone(program, tmp_path):
    with runner_of(program, tmp_path / "one") as first:
        second = MongodRunner("other", first.db_port, tmp_path / "two", executable="not-installed-anywhere")
        with second:
            assert not second.started
            MongoStore(second.url).close()
        assert first.started
        assert server_answers(first.url, 5)
    assert not server_answers(first.url, 0.2)


def test_the_server_ends_with_a_scan_that_fails(program, tmp_path):
    runner = runner_of(program, tmp_path)

    def scan():
        with runner:
            assert server_answers(runner.url, 5)
            raise RuntimeError("the scan failed")

    with pytest.raises(RuntimeError, match="the scan failed"):
        scan()
    assert not server_answers(runner.url, 0.2)


def test_a_server_that_does_not_start_is_told(tmp_path):
    with pytest.raises(StoreError, match="no such program"):
        runner_of("not-installed-anywhere", tmp_path / "a").start()
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho the disk is on fire\nexit 14\n")
    failing.chmod(0o755)
    with pytest.raises(StoreError, match=r"exit code 14(.|\n)*the disk is on fire"):
        runner_of(str(failing), tmp_path / "b").start()
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    runner = MongodRunner("x", SERVERS["free_port"](), tmp_path / "c", executable=str(silent), seconds=0.1)
    with pytest.raises(StoreError, match="does not answer on port"):
        runner.start()
    assert not runner.started


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "node17", "127.0.0.1,192.168.1.2", "::"])
def test_no_server_beyond_loopback_without_login(tmp_path, host):
    with pytest.raises(StoreError, match="needs user and password"):
        MongodRunner("x", 1, tmp_path, host=host)
    with pytest.raises(StoreError, match="both user and password"):
        MongodRunner("x", 1, tmp_path, host=host, user="me")
    assert MongodRunner("x", 1, tmp_path, host="localhost").url == "mongodb://127.0.0.1:1/x"


def test_the_arguments_of_the_server(tmp_path):
    """Options and login pass through; the login is set up on loopback before anything else is listened on."""
    said, port = tmp_path / "said", SERVERS["free_port"]()
    telling = tmp_path / "telling"
    telling.write_text(f'#!/bin/sh\necho "$@" >> {said}\nexit 1\n')
    telling.chmod(0o755)
    tls = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", "/secret/key.pem"]
    runner = MongodRunner(
        "x", port, tmp_path, host="0.0.0.0", user="me", password="p@ss/", executable=str(telling), options=tls
    )
    with pytest.raises(StoreError, match="exit code 1"):
        runner.start()
    (line,) = said.read_text().splitlines()
    assert f"--port {port} --bind_ip 127.0.0.1 " in line
    assert line.endswith("--auth --tlsMode requireTLS --tlsCertificateKeyFile /secret/key.pem")
    assert runner.url == f"mongodb://me:p%40ss%2F@127.0.0.1:{port}/x?authSource=admin"


def test_passwords_are_not_told():
    with pytest.raises(StoreError) as told:
        MongoStore("mongodb://me:secretword@127.0.0.1:9/x?serverSelectionTimeoutMS=100")
    assert "127.0.0.1:9/x" in str(told.value)
    assert "secretword" not in str(told.value)


# Several workers write to one output, so each writes its line at once: with PYTHONUNBUFFERED set, `print` writes word
# after word, and lines of two workers can mix.
TELLING = """
import os, sys
words = [os.environ.get(f"HYPERPARTON_STORE_{each}", "-") for each in ("PASSWORD", "SECRETS")]
words += [str(sys.argv[1:]), repr(open("/proc/self/cmdline").read())]
os.write(1, (" ".join(words) + "\\n").encode())
"""


@pytest.mark.parametrize("option", ["", "--store="])
def test_no_password_is_on_a_command_line(servers, tmp_path, capfd, option):
    with MongoFileTrials(tmp_path, *servers.mongo(str(tmp_path)), num_workers=2) as trials:
        url = "mongodb://me:p%40sswo%2Frd@127.0.0.1:1/x?authSource=admin"
        trials.start_mongo_workers([sys.executable, "-c", TELLING, option + url])
        assert [worker.wait(60) for worker in trials.workers] == [0, 0]
        trials.workers.clear()
        trials.start_mongo_workers(
            [sys.executable, "-c", TELLING, f"{option}{url}&tlsCertificateKeyFilePassword=p%26sswo%2Frd"]
        )
        assert [worker.wait(60) for worker in trials.workers] == [0, 0]
    lines = capfd.readouterr().out.strip().splitlines()
    secrets = sorted(line.split()[1] for line in lines)
    assert secrets == ["-", "-", *["tlsCertificateKeyFilePassword=p%26sswo%2Frd"] * 2]
    for line in lines:
        password, _, shown = line.split(maxsplit=2)
        assert password == "p@sswo/rd"
        assert shown.startswith(f"['{option}mongodb://me@127.0.0.1:1/x?authSource=admin']")
        assert "sswo" not in shown
    with pytest.raises(StoreError, match="command line can be seen"):
        MongodRunner("x", 1, tmp_path, options=["--tlsCertificateKeyFilePassword", "secretword"])


def archive_with(path, name, kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, "w:gz") as tar:
        for member_name, member_kind in (("inner/fine", tarfile.REGTYPE), (name, kind)):
            member = tarfile.TarInfo(member_name)
            member.type, member.linkname, member.size = member_kind, link, 2 if member_kind == tarfile.REGTYPE else 0
            tar.addfile(member, BytesIO(b"hi"))


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("inner/../../outside", tarfile.REGTYPE, ""),
        ("/tmp/outside", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "/etc"),
        ("hard", tarfile.LNKTYPE, "../outside"),
        ("device", tarfile.CHRTYPE, ""),
    ],
)
def test_nothing_is_unpacked_outside_the_folder(tmp_path, name, kind, link):
    archive = tmp_path / "in" / "x.tar.gz"
    archive.parent.mkdir()
    archive_with(archive, name, kind, link)
    with pytest.raises(StoreError, match="nothing was unpacked"):
        unpack_folder(archive, tmp_path / "in" / "x")
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "x.tar.gz"]


def test_archives_that_are_damaged(tmp_path):
    archive = tmp_path / "x.tar.gz"
    archive_with(archive, "more")
    unpack_folder(archive, tmp_path / "x")
    assert (tmp_path / "x" / "inner" / "fine").read_bytes() == b"hi"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged"):
        unpack_folder(archive, tmp_path / "y")
    archive.write_bytes(b"no archive")
    with pytest.raises(StoreError, match="damaged"):
        unpack_folder(archive, tmp_path / "y")
    assert not (tmp_path / "y").exists()


@pytest.fixture
def packed(tmp_path):
    """A packed folder, and what is in it."""
    files = {"WiredTiger": random.Random(1).randbytes(500) + bytes(500), "journal/log": b"log" * 100, "empty": b""}
    for name, content in files.items():
        (tmp_path / "db" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "db" / name).write_bytes(content)
    pack_folder(tmp_path / "db", tmp_path / "db.tar.gz")
    return tmp_path / "db.tar.gz", files


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_flipped_bit_of_an_archive_is_told_or_changes_nothing(packed, tmp_path):
    archive, files = packed
    whole, refused = archive.read_bytes(), 0
    for place in range(0, len(whole), 3):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            unpack_folder(archive, tmp_path / "new")
        except StoreError as told:
            assert str(archive) in str(told)  # noqa: PT017
            refused += 1
            assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "db.tar.gz"]
        else:
            assert files_in(tmp_path / "new") == files
            shutil.rmtree(tmp_path / "new")
    assert refused > len(whole) / 3 * 0.95  # the rest are gzip's name and time


def test_the_sums_are_sha256sums(packed, tmp_path):
    archive, files = packed
    subprocess.run(["tar", "-xf", archive, "--one-top-level=out"], cwd=tmp_path, check=True)
    assert subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "out").returncode == 0
    assert len((tmp_path / "out" / "SHA256SUMS").read_text().splitlines()) == len(files)


@pytest.mark.parametrize("change", ["content", "more", "less"])
def test_an_archive_that_contradicts_its_sums(packed, tmp_path, change):
    """Packed again by someone, so that gzip's own checksum is right."""
    archive, _ = packed
    subprocess.run(["tar", "-xf", archive, "--one-top-level=out"], cwd=tmp_path, check=True)
    path = tmp_path / "out" / ("other" if change == "more" else "empty")
    path.write_bytes(b"else") if change != "less" else path.unlink()
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path / "out", "."], check=True)
    with pytest.raises(StoreError, match=f"damaged: {path.name} not as in its SHA256SUMS; nothing was unpacked"):
        unpack_folder(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_archives_of_before_are_unpacked(packed, tmp_path):
    archive, files = packed
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path / "db", "."], check=True)
    unpack_folder(archive, tmp_path / "new")
    assert files_in(tmp_path / "new") == files


def test_an_archive_that_fills_the_disk(packed, tmp_path, monkeypatch):
    archive, _ = packed
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match=r"holds more than the 0\.0 GB that are free"):
        unpack_folder(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_something_else_on_the_port_is_no_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert not server_answers(f"mongodb://127.0.0.1:{other.getsockname()[1]}/", 0.3)
