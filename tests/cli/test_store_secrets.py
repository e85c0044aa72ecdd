"""A password of a store's URL: in no file, on no output, on no command line of a process that a scan starts."""

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

SECRET = "Xq7-SECRET-q"

CARD = """\
trainer: parabola:make
parameters: {x: 0.0}
hyperscan_config:
  space: {x: {min: -5, max: 5}}
"""

TRAINER = """
import time

class Parabola:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        time.sleep(0.05)
        return {"status": "ok", "loss": (params["x"] - 2.0) ** 2}


def make(card):
    return Parabola()
"""


@pytest.fixture
def place(servers, tmp_path):
    """A card, and the URL of a PostgreSQL that takes any password."""
    (tmp_path / "parabola.py").write_text(TRAINER)
    (tmp_path / "card.yml").write_text(CARD)
    return tmp_path / "card.yml", servers.postgres(str(tmp_path)).replace("postgres:@", f"postgres:{SECRET}@")


def command_lines_until(stop, seen):
    """What the processes that this one started, and theirs, have on their command lines."""
    while not stop.is_set():
        for child in psutil.Process().children(recursive=True):
            try:
                seen.add(" ".join(child.cmdline()))
            except psutil.Error:
                continue
        time.sleep(0.05)


def test_a_password_is_nowhere(hyperparton, place, tmp_path):
    card, url = place
    stop, lines = threading.Event(), set()
    watcher = threading.Thread(target=command_lines_until, args=(stop, lines))
    watcher.start()
    said = []
    scan = ("scan", card, "--trials", 6, "--engine", "random", "-o", tmp_path / "out", "--workers", 2, "-v")
    for command in (
        (*scan, "--store", url, "--log-json", tmp_path / "log" / "events"),
        (*scan, "--store", url, "--seed", 7),
        (*scan[:5], "-o", tmp_path / "other", "--store", url, "--from", "/nowhere"),
        ("status", tmp_path / "out", "--store", url),
        ("status", tmp_path / "out"),
        ("report", tmp_path / "out", "--store", url),
        ("report", tmp_path / "out", f"--store={url}", "-o", tmp_path / "page"),
        ("best", tmp_path / "out"),
        ("status", tmp_path / "out", "--store", url.replace("search_path", "no_such_option")),
    ):
        code, out, err = hyperparton(*command)
        said.append((code, out + err))
    stop.set()
    watcher.join()
    assert [code for code, _ in said[:1]] == [0], said[0]
    assert SECRET not in "".join(text for _, text in said)
    assert any("worker" in line for line in lines)
    assert SECRET not in "".join(lines)
    for file in tmp_path.rglob("*"):
        assert SECRET not in str(file)
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file
            assert file.stat().st_mode & 0o022 == 0
    assert (tmp_path / "out" / "progress.json").read_text().count("postgresql://postgres@/postgres?host=") == 1


def test_a_password_of_the_environment_is_nowhere_either(hyperparton, place, tmp_path, monkeypatch):
    card, url = place
    monkeypatch.setenv("HYPERPARTON_STORE_PASSWORD", SECRET)
    url = url.replace(f":{SECRET}", "")
    code, out, err = hyperparton(
        "scan", card, "--trials", 2, "-o", tmp_path / "out", "--engine", "random", "--store", url
    )
    assert code == 0, err
    assert "warning" not in err
    assert SECRET not in out + err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_password_is_asked_for_at_a_terminal(place, tmp_path):
    """A pseudo-terminal on standard input: the prompt names the URL, and what is typed is not shown."""
    import pty
    import subprocess
    import sys

    card, _ = place
    outer, inner = pty.openpty()
    command = [sys.executable, "-c", "from hyperparton.cli import main; main()", "scan", card, "--trials", "1"]
    command += ["-o", tmp_path / "out", "--store", "mongodb://me@127.0.0.1:1/x?serverSelectionTimeoutMS=100"]
    command += ["--store-timeout", "0"]
    job = subprocess.Popen([str(part) for part in command], stdin=inner, stdout=inner, stderr=inner, close_fds=True)
    os.close(inner)
    said = b""
    while b"Password for" not in said:
        said += os.read(outer, 1000)
    time.sleep(0.2)
    os.write(outer, SECRET.encode() + b"\n")
    while True:
        try:
            data = os.read(outer, 1000)
        except OSError:
            break
        if not data:
            break
        said += data
    assert job.wait(60) == 1
    assert b"Password for mongodb://me@127.0.0.1:1/x" in said
    assert b"Connection refused" in said
    assert SECRET.encode() not in said
    assert not Path(tmp_path / "out").exists()
