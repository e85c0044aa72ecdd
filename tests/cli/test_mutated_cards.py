"""Cards damaged at random: told in lines with places, or begun."""

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "mutated_cards.py"))


def test_mutated_cards(capsys):
    code = SCRIPT["main"](["--count", "40", "--seed", "18", "--quick"])
    out = capsys.readouterr().out
    assert code == 0, out
    assert out.startswith("40 cards: ")
    assert "refused" in out
    assert "begun" in out
