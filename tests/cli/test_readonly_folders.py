"""Looking at a folder: nothing in it changes, also where it may only be read, and nothing outside of it is opened."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hyperparton.trials.local import FileTrials
from hyperparton.trials.scan_folder import ScanFolder

CARD = "trainer: nowhere:make\nparameters: {x: 0.0}\nhyperscan_config:\n  space: {x: {min: -5, max: 5}}\n"

#: `hyperparton` for each command of a list, and the dashboard's page of a folder, as a user who is not root. What is
#: loaded late may lie where only root can read, so the first commands, of the warm-up, come before that.
AS_NOBODY = """
import contextlib, io, json, os, sys
from pathlib import Path
from hyperparton.cli import main
from hyperparton.cli.dashboard import LivePage
from hyperparton.report.options import Options

def run(command):
    if command[0] == "dashboard":
        print("page" if "<h1>" in LivePage((Path(command[1]),), Options()).look()[1] else "no page")
        return
    sys.argv = ["hyperparton", *command]
    try:
        main()
    except SystemExit as end:
        if end.code:
            print("exit code", end.code)

warm_up, commands = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for command in warm_up:
        run(command)
os.chdir("/")
if os.geteuid() == 0:
    os.setuid(65534)
for command in commands:
    run(command)
"""


def as_nobody(folder, warm_up, commands):
    """What the commands print, which may write into `folder` alone: (standard output, standard error)."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    words = json.dumps([warm_up, commands], default=str)
    environment = {**os.environ, "MPLCONFIGDIR": str(folder), "HOME": str(folder)}
    run = subprocess.run([sys.executable, "-c", AS_NOBODY, words], capture_output=True, text=True, env=environment)
    return run.stdout, run.stderr


#: a scan that ends in the way that its first argument says
SCAN = """
import os, sys
from hyperparton.trials.local import FileTrials
store = FileTrials(sys.argv[1])
for number in range(5):
    store.book(number, {"x": [float(number)]}, "me", space_vals={"x": float(number)})
    if number < 4:
        store.complete(number, "me", {"status": "ok", "loss": float(number)})
if sys.argv[2] == "closed":
    store.close()
elif sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
else:
    print("at work", flush=True)
    sys.stdin.read()
"""


def content(folder):
    """Every name in a folder, with what is in it and when it was changed."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_mode, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture
def public():
    """A folder that every user may reach, unlike that of pytest."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o755)


def written(folder, end):
    """A scan of four trials and one that runs, its process, and its folder."""
    scan = ScanFolder(folder)
    command = [sys.executable, "-c", SCAN, str(scan.replica), end]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if end == "working":
        assert process.stdout.readline() == "at work\n"
    else:
        assert process.wait(60) == (0 if end == "closed" else -signal.SIGKILL)
    scan.runcard.write_text(CARD)
    scan.write_progress(9)
    return process


#: how a scan ended, and what `status` says of it
ENDS = {
    "closed": ("nobody is at work on it", "waiting to run again: 1"),
    "killed": ("nobody is at work on it", "waiting to run again: 1"),
    "killed-without-index": ("nobody is at work on it", "waiting to run again: 1"),
    "working": ("at work: process ", "running: trial 4 for"),
}


def looks(folder, other):
    return [
        ("status", folder), ("best", folder, "--format", "json"), ("best", folder, "--importances"),
        ("report", folder, "-o", other / folder.name), ("dashboard", folder),
        ("export", folder, "--storage", f"sqlite:///{other}/{folder.name}.db"),
    ]  # fmt: skip


def test_a_colleagues_folder_can_be_looked_at(public):
    folders = {end: public / end for end in ENDS}
    processes = {end: written(folder, end.partition("-")[0]) for end, folder in folders.items()}
    for end in ("killed", "killed-without-index"):
        assert ScanFolder(folders[end]).store_log.stat().st_size > 0
    (ScanFolder(folders["killed-without-index"]).replica / "tries.sqlite-shm").unlink()
    shutil.copytree(folders["closed"], public / "warm")
    for folder in folders.values():
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    before = {end: content(folder) for end, folder in folders.items()}
    commands = [command for folder in folders.values() for command in looks(folder, public / "other")]
    out, err = as_nobody(public / "other", looks(public / "warm", public / "warm"), commands)
    assert err == ""
    assert "exit code" not in out
    assert out.splitlines().count("page") == out.count("4 trials added") == len(ENDS)
    for end, (state, unfinished) in ENDS.items():
        said = out[out.index(f"{end}: 4 of 9") :]
        assert said.startswith(f"{end}: 4 of 9 trials done, 0 failed; {state}")
        assert said.splitlines()[1].startswith(unfinished)
    assert f"at work: process {processes['working'].pid} on " in out
    assert "could not be read" not in out
    assert {end: content(folder) for end, folder in folders.items()} == before
    for process in processes.values():
        process.kill()
        process.communicate()


def test_what_may_not_even_be_read_is_told(public):
    written(public / "warm", "closed").communicate()
    closed = {name: ScanFolder(public / name) for name in ("file", "folder")}
    for scan in closed.values():
        shutil.copytree(public / "warm", scan.path)
    closed["file"].tries.chmod(0)
    closed["folder"].replica.chmod(0)
    commands = [(command, scan.path) for scan in closed.values() for command in ("best", "export")]
    commands.append(("status", closed["folder"].path))
    _, err = as_nobody(public / "other", [(command, public / "warm") for command, _ in commands[:2]], commands)
    assert err.count("tries.json: cannot be read: Permission denied") == 2
    assert err.count("nnfit/replica_1/tries.json: cannot be looked at: Permission denied") == 3
    assert len(err.splitlines()) == 5


def test_a_folder_that_names_other_stores(hyperparton, tmp_path, monkeypatch):
    """Nothing outside of it is opened: the file stays as it is, and no password goes to a server that listens."""
    import socket

    monkeypatch.setenv("PGPASSWORD", "secret")
    file = tmp_path / "private.sqlite"
    with sqlite3.connect(file) as private:
        private.execute("CREATE TABLE mine (x)")
    private.close()
    before = content(tmp_path)[Path("private.sqlite")]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        for store in (f"sqlite:///{file}", f"postgresql://me@127.0.0.1:{port}/x", f"mongodb://127.0.0.1:{port}/x"):
            folder = ScanFolder(tmp_path / "theirs")
            shutil.rmtree(folder.path, ignore_errors=True)
            with FileTrials(folder.replica) as trials:
                trials.book(0, {"x": [1.0]}, "me", space_vals={"x": 1.0})
                trials.complete(0, "me", {"status": "ok", "loss": 1.0})
            folder.store.unlink()
            folder.write_progress(2, store)
            code, out, err = hyperparton("status", folder.path)
            assert (code, err) == (0, "")
            assert "1 of 2 trials done" in out
            assert f"--store {store} reads it" in out
            assert hyperparton("report", folder.path, "-o", tmp_path / "report")[0] == 0
            with pytest.raises(BlockingIOError):
                listening.accept()
    assert content(tmp_path)[Path("private.sqlite")] == before
    assert not list(tmp_path.glob("private.sqlite-*"))


def test_a_store_is_only_read_too(hyperparton, tmp_path):
    """Also the one that the user names, and what is no store of trials."""
    from hyperparton.trials.sql import SqlStore

    folder = ScanFolder(tmp_path / "mine")
    file = tmp_path / "shared.sqlite"
    with SqlStore(file) as store:
        store.book(0, {"x": [1.0]}, "me", space_vals={"x": 1.0})
    folder.write_progress(2, f"sqlite:///{file}")
    before = content(tmp_path)
    code, out, err = hyperparton("status", folder.path, "--store", f"sqlite:///{file}")
    assert (code, err) == (0, "")
    assert "running: trial 0" in out
    with sqlite3.connect(tmp_path / "foreign.sqlite") as foreign:
        foreign.execute("CREATE TABLE mine (x)")
    foreign.close()
    for name, told in (("foreign.sqlite", "no trial store"), ("nothing.sqlite", "there is no such file")):
        code, _, err = hyperparton("status", folder.path, "--store", f"sqlite:///{tmp_path}/{name}")
        assert code == 1
        assert told in err
    (tmp_path / "foreign.sqlite").unlink()
    assert {key: value for key, value in content(tmp_path).items() if key.name} == {
        k: v for k, v in before.items() if k.name
    }
