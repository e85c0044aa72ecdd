"""The lock of a scan's folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import psutil
import pytest

from hyperparton.errors import StoreError
from hyperparton.files import FolderLock, Holder, lock_holder

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
    with pytest.raises(StoreError, match="cannot be written: File name too long"):
        FolderLock(tmp_path / ("n" * 300))
    with pytest.raises(StoreError, match=r"tries\.lock: cannot be written: No such file"):
        FolderLock(tmp_path / "absent" / "tries.lock")
    (tmp_path / "tries.lock").mkdir()
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        FolderLock(tmp_path / "tries.lock")


#: another process takes a lock; 7 if it cannot
TAKE = """
import sys
from pathlib import Path
from hyperparton.errors import StoreError
{before}
from hyperparton.files import FolderLock
try:
    FolderLock(Path(sys.argv[1]))
except StoreError:
    sys.exit(7)
"""


def taken_elsewhere(path, before=""):
    code = subprocess.run([sys.executable, "-c", TAKE.format(before=before), path], check=False).returncode
    assert code in (0, 7)
    return code == 0


def test_reading_the_file_does_not_release_it(tmp_path):
    """A record lock of POSIX goes when the process closes any descriptor of the file, as a copy does."""
    path = tmp_path / "lock"
    assert lock_holder(path) == Holder(False, {})
    lock = FolderLock(path, {"store": "s"})
    path.read_bytes()
    shutil.copy(path, tmp_path / "copy")
    assert lock_holder(path) == Holder(True, {"store": "s", "pid": os.getpid(), "host": socket.gethostname()})
    assert not taken_elsewhere(path)
    lock.close()
    assert lock_holder(path) == Holder(False, {})
    assert taken_elsewhere(path)


def test_without_locks_of_open_files_the_system_has_flock(tmp_path):
    """As on systems that are not Linux; all of a scan's processes use the same."""
    other = "import fcntl; del fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK"
    script = (
        TAKE.format(before=other)
        + """
from hyperparton.files import lock_holder
path = Path(sys.argv[1])
assert lock_holder(path).held is True
path.read_bytes()
import subprocess
assert subprocess.run([sys.executable, "-c", sys.argv[2], path]).returncode == 7
"""
    )
    script = script.replace("    FolderLock(Path", "    lock = FolderLock(Path")
    run = subprocess.run([sys.executable, "-c", script, tmp_path / "lock", TAKE.format(before=other)], timeout=60)
    assert run.returncode == 0
    assert taken_elsewhere(tmp_path / "lock", other)


def test_a_forked_child_does_not_keep_it(tmp_path, holder):
    """A trainer may fork processes, which live on when the scan is killed."""
    fork = "import os, time\nif os.fork() == 0:\n    print('child', flush=True); time.sleep(20); os._exit(0)\n"
    process = holder(fork + "os.wait()")
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "child\n"
    assert lock_holder(tmp_path / "tries.lock").held
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait(30)
    assert child.is_running()
    assert lock_holder(tmp_path / "tries.lock") == Holder(False, {"pid": process.pid, "host": socket.gethostname()})
    FolderLock(tmp_path / "tries.lock").close()
    child.kill()


def test_one_whose_file_was_removed_knows_it(tmp_path):
    path = tmp_path / "tries.lock"
    lock = FolderLock(path)
    assert lock.is_in_place()
    path.unlink()
    assert not lock.is_in_place()
    FolderLock(path).close()
    assert not lock.is_in_place()
    lock.close()


def test_notes_are_replaced_whole(tmp_path):
    path = tmp_path / "tries.lock"
    lock = FolderLock(path, {"text": "long " * 20})
    for notes in ({"n": 1}, {"n": 2, "more": "x" * 300}, {}):
        lock.note(notes)
        assert lock_holder(path).notes == {**notes, "pid": os.getpid(), "host": socket.gethostname()}
    lock.close({"n": 3})
    assert lock_holder(path) == Holder(False, {"n": 3})


@pytest.mark.parametrize("found", [None, b"", b'{"n": 1}', b"\xff{", b'{"n": "' + b"x" * 300 + b'"}'])
def test_what_is_undone_was_never_there(tmp_path, found):
    path = tmp_path / "tries.lock"
    if found is not None:
        path.write_bytes(found)
    lock = FolderLock(path)
    assert lock_holder(path).held
    lock.note({"more": 5})
    lock.undo()
    assert lock_holder(path).held is False
    assert (path.read_bytes() if path.exists() else None) == found
