"""Random scans, by `benchmarks/random_reports.py`, which says what they hold; that runs far more of them."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "benchmarks" / "random_reports.py"))


@pytest.mark.parametrize("seed", [3, 5])
def test_every_command_answers_or_refuses_in_a_sentence(script, seed):
    assert script["faults_of"](seed) == []


def test_odd_scans_are_among_them(script):
    """Scans without trials, scans whose trials all failed, and names that no file can have."""
    scans = [script["scan_of"](script["random"].Random(seed)) for seed in range(60)]
    assert [] in scans
    assert any(scan and all(entry["result"]["status"] != "ok" for entry in scan) for scan in scans)
    names = {name for scan in scans for entry in scan for name in entry["misc"]["space_vals"]}
    assert {"", "/", "loss", "\ud800"} <= names
