"""The lock of a scan's folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock

#: a process that holds the lock until a line is written to it
HOLDER = """
import sys
from pathlib import Path
from hyperparton.files import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
{end}
"""


@pytest.fixture
def holder(tmp_path):
    started = []

    def start(end=""):
        command = [sys.executable, "-c", HOLDER.format(end=end), str(tmp_path / "tries.lock")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_holder_is_named_and_the_name_goes_with_it(tmp_path):
    path = tmp_path / "tries.lock"
    lock = FolderLock(path)
    assert json.loads(path.read_text()) == {"pid": os.getpid(), "host": socket.gethostname()}
    lock.close()
    assert path.read_text() == ""
    lock.close()
    FolderLock(path).close()


def test_a_process_holds_it_once_under_any_name(tmp_path):
    path = tmp_path / "tries.lock"
    lock = FolderLock(path)
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link", tmp_path / "." / "tries.lock"):
        with pytest.raises(StoreError, match=f"another scan works in this folder: process {os.getpid()} on host"):
            FolderLock(name)
    lock.close()
    FolderLock(tmp_path / "link").close()


def test_another_process_is_refused_and_changes_nothing(tmp_path, holder):
    process = holder()
    for _ in range(2):
        with pytest.raises(StoreError, match=f"process {process.pid} on host {socket.gethostname()}"):
            FolderLock(tmp_path / "tries.lock")
    assert json.loads((tmp_path / "tries.lock").read_text())["pid"] == process.pid


@pytest.mark.parametrize("end", ["", "import os; os._exit(3)", "raise SystemExit(1)"])
def test_it_ends_with_the_process(tmp_path, holder, end):
    process = holder(end)
    process.communicate("\n")
    FolderLock(tmp_path / "tries.lock").close()


def test_it_ends_with_a_process_that_is_killed_and_its_children_do_not_keep_it(tmp_path, holder):
    start = "import os, subprocess as s; s.Popen(['sleep', '5'], stdin=s.DEVNULL, stdout=s.DEVNULL); "
    process = holder(start + "os.kill(os.getpid(), 9)")
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(30) == -9
    FolderLock(tmp_path / "tries.lock").close()


def test_a_holder_that_wrote_no_name(tmp_path, holder):
    process = holder()
    (tmp_path / "tries.lock").write_bytes(b"[1")
    with pytest.raises(StoreError, match="process unknown on host unknown"):
        FolderLock(tmp_path / "tries.lock")
    assert process.poll() is None


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(StoreError, match=r"tries\.lock: cannot be written: No such file"):
        FolderLock(tmp_path / "absent" / "tries.lock")
    (tmp_path / "tries.lock").mkdir()
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        FolderLock(tmp_path / "tries.lock")
