"""Guarantees 1 and 2: a scan killed with SIGKILL and continued equals one that was not, value for value."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_killed_ten_times():
    """Twenty trials of the example with a trainer of its own, in processes of their own, killed ten times."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "killed_scan.py"))
    equal, moments, trials = script["compare"](ROOT / "examples" / "own_trainer.yml", 20, 10, 3, [])
    assert len(moments) == 10
    assert trials == 20
    assert equal
