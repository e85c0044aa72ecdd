"""Guarantees 1 and 2: a scan killed with SIGKILL and continued equals one that was not, value for value."""

import runpy
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"


def test_killed_five_times(tmp_path):
    """Twelve short trials of the example with a trainer of its own, in processes of their own, killed five times.

    `benchmarks/kill_storm.py` kills a thousand times.
    """
    shutil.copy(EXAMPLES / "own_trainer.py", tmp_path)
    card = tmp_path / "own_trainer.yml"
    whole = (EXAMPLES / "own_trainer.yml").read_text()
    card.write_text(whole.replace("folds: 5", "folds: 3").replace("epochs: 200", "epochs: 80"))
    assert card.read_text().count("folds: 3") == card.read_text().count("epochs: 80") == 1
    script = runpy.run_path(str(ROOT / "benchmarks" / "killed_scan.py"))
    equal, moments, trials = script["compare"](card, 12, 5, 3, [])
    assert len(moments) == 5
    assert trials == 12
    assert equal
