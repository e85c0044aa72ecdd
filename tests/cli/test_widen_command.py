"""`hyperparton best --widen`: from a scan whose best methodology lies at an end to one where it does not."""

import json
from pathlib import Path

import pytest

from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.trial import Trial
from hyperparton.workflow.ranges import found_edges

ROOT = Path(__file__).parents[2]

TRAINER = """
import math

def make_trainer(card):
    return Trainer(card["lowest"])

class Trainer:
    def __init__(self, lowest):
        self.lowest = lowest

    def set_hyperopt(self, on, keys=None):
        pass

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": (params["x"] - self.lowest) ** 2 + math.log10(params["rate"] / 2e-3) ** 2}
"""

CARD = """# a scan of a function
trainer: a_function:make_trainer
lowest: {lowest}
parameters: {{x: 0.5, rate: 1e-3}}
hyperscan_config:
  space:
    x: {{min: 1, max: 3}}          # the lowest loss may lie elsewhere
    rate: {{sampling: log, min: 1e-4, max: 1e-2}}
"""


@pytest.fixture
def scan_of(hyperparton, tmp_path, monkeypatch):
    """A function that scans the function with its minimum at `lowest`, and gives the folder and what was said."""
    monkeypatch.chdir(tmp_path)
    Path("a_function.py").write_text(TRAINER)

    def scan(lowest):
        Path("card.yml").write_text(CARD.format(lowest=lowest))
        code, out, err = hyperparton("scan", "card.yml", "--trials", 25, "--engine", "gp", "-o", "first")
        assert code == 0, err
        return out

    return scan


@pytest.mark.parametrize(
    ("lowest", "end", "old", "new"), [(3.6, "upper", "max: 3}", "max: 4}"), (0.7, "lower", "min: 1,", "min: 0.5,")]
)
def test_the_optimum_beyond_a_range_lies_inside_the_wider_one(hyperparton, scan_of, tmp_path, lowest, end, old, new):
    out = scan_of(lowest)
    said = f"x lies at the {end} end of its range"
    assert said in out
    assert "`hyperparton best first --widen` proposes wider ranges." in out
    assert said in hyperparton("best", "first")[1]
    assert said in hyperparton("report", "first", "-o", "page")[1]
    assert said in (tmp_path / "page" / "index.html").read_text()
    (edge,) = json.loads(hyperparton("best", "first", "--format", "json", "--top", 3)[1])[0]["edges"]
    assert (edge["label"], edge["end"], edge["loss"], edge["range"]) == ("x", end, "falls", [1, 3])
    # from half a unit inside to the end
    inside, last = (2.5, 3) if end == "upper" else (1.5, 1)
    assert edge["fall"] == pytest.approx((inside - lowest) ** 2 - (last - lowest) ** 2, abs=3 * edge["error"])

    code, out, err = hyperparton("best", "first", "--widen")
    assert (code, out) == (0, CARD.format(lowest=lowest).replace(old, new))
    assert "x: hyperscan_config.space.x." in err
    code, out, err = hyperparton("best", "first", "--widen", "-o", "wider.yml")
    assert (code, out) == (0, "")
    assert "--from first" in err
    assert hyperparton("check", "wider.yml")[0] == 0
    code, _, err = hyperparton("best", "first", "--widen", "-o", "wider.yml")
    assert code == 1
    assert "wider.yml: is there already" in err

    code, out, _ = hyperparton("scan", "wider.yml", "--trials", 25, "--from", "first")
    assert code == 0
    assert " end of its range" not in out
    (best,) = json.loads(hyperparton("best", "wider", "--format", "json", "--top", 1)[1])
    assert best["parameters"]["x"] == pytest.approx(lowest, abs=0.1)
    assert "edges" not in best


def test_no_word_of_edges_where_the_optimum_lies_inside(hyperparton, scan_of):
    assert "end of its range" not in scan_of(2.2)
    code, out, err = hyperparton("best", "first", "--widen", "-o", "wider.yml")
    assert (code, out) == (0, "")
    assert "no range needs to be wider" in err
    assert not Path("wider.yml").exists()


def test_a_card_of_fits_is_widened_and_scanned(hyperparton, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "examples" / "dis_small.yml").read_text()
    for old, new in (
        ("min_epochs: 200, max_epochs: 400", "min_epochs: 20, max_epochs: 40"),
        ("n_layers: [1, 2]", "n_layers: [1]"),
        ("max_units: 20", "max_units: 6"),  # of two widths each is an end
        ("threshold: 100.0", "threshold: 1e6"),
    ):
        assert old in text
        text = text.replace(old, new)
    Path("card.yml").write_text(text)
    code, out, err = hyperparton("scan", "card.yml", "--trials", 1, "--no-confirm", "-o", "first")
    assert code == 0, err
    assert "width of layer 1 lies at the" in out
    assert "too few trials to tell" in out
    assert hyperparton("best", "first", "--widen", "-o", "wider.yml")[0] == 0
    wide = Path("wider.yml").read_text()
    assert ("min_units: 4" in wide) + ("max_units: 7" in wide) == 1
    assert hyperparton("check", "wider.yml")[0] == 0
    code, _, err = hyperparton("scan", "wider.yml", "--trials", 1, "--no-confirm", "--from", "first")
    assert code == 0, err
    assert "1 of 1 trial taken as history" in err


def test_trials_of_n3fit_need_their_card(hyperparton, tmp_path):
    """The example's ranges hold the parameters of n3fit's trial 0, whose learning rate 0.00954 is near 0.01."""
    tries, card = Path(__file__).parent / "data" / "n3fit_tries.json", ROOT / "tests" / "data" / "dis_scan.yml"
    code, out, err = hyperparton("best", tries, "--widen")
    assert (code, out) == (1, "")
    assert "wider ranges need the scan's card" in err
    assert "--runcard FILE" in err
    assert "end of its range" not in hyperparton("best", tries)[1]
    code, out, err = hyperparton("best", tries, "--widen", "--runcard", card)
    assert code == 0, err
    text = card.read_text()
    place = text.index("optimizer_name: Adam\n")
    assert out == text[:place] + text[place:].replace("max: 1e-2}", "max: 0.1}", 1)
    said = "learning_rate of Adam lies at the upper end of its range (0.009545 of 0.0001 to 0.01)"
    assert said in hyperparton("best", tries, "--runcard", card)[1]
    other = tmp_path / "other.yml"
    other.write_text(text.replace("max: 1e-2}", "max: 2e-3}"))
    code, out, err = hyperparton("best", tries, "--widen", "--runcard", other)
    assert (code, out) == (1, "")
    assert "does not lie in the ranges of the card: optimizer.learning_rate is 0.00954482" in err
    assert "not known: trial 0 does not lie" in hyperparton("best", tries, "--runcard", other)[1]


def test_what_does_not_go_together(hyperparton, tmp_path):
    for options in (
        ("--widen", "--failed"),
        ("--widen", "--format", "json"),
        ("-o", "a.yml"),
        ("--failed", "--runcard", "a"),
    ):
        assert hyperparton("best", tmp_path, *options)[0] == 2


def test_of_very_many_hyperparameters_no_ends_are_told(tmp_path):
    """With 101 some lie at an end by chance: a word says who looks at them."""
    vals = {f"p{i}": [0.0] for i in range(101)}
    folder = ScanFolder(tmp_path)
    folder.runcard.write_text("no card is read")
    found, text = found_edges(folder, [], Trial(0, vals), "a scan")
    assert found == []
    assert text.endswith("by chance; `hyperparton best 'a scan' --widen` tells.")
