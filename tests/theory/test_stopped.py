"""A build that is stopped in whatever way: its processes end, no half file counts, and it goes on where it was."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from hyperparton.errors import TheoryError
from hyperparton.theory.build import BuildRequest, _alone, _sweep
from hyperparton.theory.cache import PieceCache
from hyperparton.theory.card import read_card

SCRIPT = Path(__file__).parent / "slow_jobs.py"


def _start(folder):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _group(leader):
    """The living processes of a session."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_process_and_no_half_piece_is_left(tmp_path, number):
    process = _start(tmp_path)
    first = process.stdout.readline()
    assert first.startswith("[1/8]"), first + process.stderr.read()
    # Ctrl-C reaches the whole group, the others the one process that the user sees
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -number
    assert "SpawnProcess" not in errors
    deadline = time.monotonic() + 30
    while _group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _group(process.pid) == []
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("slow-*.npz")}
    assert 1 <= len(before) < 8

    again = _start(tmp_path)
    told, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert told.startswith(f"[{len(before)}/8] {len(before)} pieces were there already")
    pieces = sorted(tmp_path.glob("slow-*.npz"))
    assert {path.name: path.stat().st_mtime_ns for path in pieces if path.name in before} == before
    for place, path in enumerate(pieces):
        expected = np.random.default_rng(place).normal(size=200_000)
        np.testing.assert_array_equal(PieceCache(tmp_path).load(path)["values"], expected)


@pytest.fixture
def order(tmp_path):
    return BuildRequest(read_card("40000000"), ("NNPDF_INTEG_3GEV_XV",), tmp_path)


def test_what_a_killed_build_was_writing_is_swept_away(order):
    tables = order.folder / "fastkernel"
    half = tables / ".SLAC_NC_EM_P_F2.pineappl.lz4.x1y2.part"
    half.mkdir(parents=True)
    (half / "SLAC_NC_EM_P_F2.pineappl.lz4").write_bytes(b"half")
    order.pieces.folder.mkdir()
    for path in (order.folder / ".manifest.json.x1y2.part", order.pieces.folder / ".matching-nf4.npz.x1y2.part"):
        path.write_bytes(b"half")
    whole = tables / "SLAC_NC_EM_P_F2.pineappl.lz4"
    whole.write_bytes(b"whole")
    _sweep(order)
    assert sorted(path.name for path in order.output.rglob("*") if not path.is_dir()) == [whole.name]


def test_one_build_at_a_time_works_in_a_folder(order):
    holder = "import sys; from hyperparton.files import FolderLock; from pathlib import Path\n"
    holder += "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    order.pieces.folder.mkdir(parents=True)
    command = [sys.executable, "-c", holder, str(order.pieces.folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        said = f"another build works in this folder: process {other.pid} on host"
        with pytest.raises(TheoryError, match=said), _alone(order):
            pass
        other.communicate()
    with _alone(order):
        assert (order.pieces.folder / "lock").is_file()
