"""What a person reads on a terminal: numbers, nouns, widths, what is left, what comes next."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperparton.report.tables import Table

CARD = """
trainer: many:make
parameters: {%s}
hyperscan_config:
  space: {%s}
"""
MODULE = """
class Many:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": 123.456789 + sum(params.values())}


def make(card):
    return Many()
"""
NAMES = [f"a_long_name_of_a_parameter_{i}" for i in range(8)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "dis_small.yml"
#: ATLAS's sets of which nnpdf-data names many tables
HADRONIC = [
    "1JET_7TEV_PTY-R06", "1JET_7TEV_PTY-R04", "1JET_8TEV_R06_PTY", "2JET_7TEV_R06_M12Y", "PH_13TEV_XSEC",
    "Z0_7TEV_46FB_CF-Y", "Z0_7TEV_49FB_HIMASS",
]  # fmt: skip
MAIN = "from hyperparton.cli import main; main()"


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    (folder / "many.py").write_text(MODULE)
    path = folder / "card.yml"
    fixed, ranges = (", ".join(f"{name}: {value}" for name in NAMES) for value in ("0.0", "{min: 0, max: 1}"))
    path.write_text(CARD % (fixed, ranges))
    return path


def on_terminal(*arguments, columns, cwd):
    """What a command writes onto a terminal of that width."""
    master, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)], stdout=follower, stderr=follower, cwd=cwd, env=environment
    )
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    assert process.wait() == 0, b"".join(parts)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_lines_of_a_scan(hyperparton, card, tmp_path):
    code, out, err = hyperparton("scan", card, "--trials", 2, "-o", tmp_path / "out", "--engine", "random")
    assert code == 0, err
    losses = [
        entry["result"]["loss"]
        for entry in json.loads((tmp_path / "out" / "nnfit" / "replica_1" / "tries.json").read_text())
    ]
    first, second = (line for line in err.splitlines() if line.startswith("trial "))
    assert first.startswith(f"trial 0: loss {losses[0]:.4g}, ")
    assert re.search(r"; left 1 trial, \d+ s$", first)
    assert re.search(rf"best {min(losses):.4g} \(trial \d\)$", second)
    assert "2 trials, 0 failed" in out
    assert out.endswith(f"\n  hyperparton report {tmp_path / 'out'}\n")


def test_one_trial(hyperparton, card, tmp_path):
    code, out, err = hyperparton("scan", card, "--trials", 1, "-o", tmp_path / "out")
    assert code == 0, err
    assert out.startswith("1 trial, 0 failed\n")
    assert "1 trials" not in out + err
    assert hyperparton("status", tmp_path / "out")[1].startswith("out: 1 of 1 trial done, 0 failed")


def test_one_time_that_is_left(card, tmp_path):
    """On a terminal it stands at the bar alone."""
    shown = on_terminal("scan", card, "--trials", 3, "-o", tmp_path / "out", columns=200, cwd=tmp_path)
    assert re.search(r"trial 0: loss \S+, \S+ s; best \S+ \(trial 0\)\n", shown)
    assert not re.search(r"\d:\d\d:\d\d|-:--:--", shown)


def test_the_best_trials_on_a_narrow_terminal(hyperparton, card, tmp_path):
    assert hyperparton("scan", card, "--trials", 5, "-o", tmp_path / "out", "--engine", "random")[0] == 0
    wide = on_terminal("best", tmp_path / "out", "--format", "table", columns=400, cwd=tmp_path)
    narrow = on_terminal("best", tmp_path / "out", "--format", "table", columns=60, cwd=tmp_path)
    piped = hyperparton("best", tmp_path / "out", "--format", "table")[1]
    assert wide == piped
    assert max(map(len, narrow.splitlines())) <= 60
    head, *body = wide.splitlines()[1:]
    rows = dict.fromkeys(head.split(), ())
    for line in narrow.splitlines()[1:]:
        if line.strip():
            name, *cells = line.split()
            rows[name] += tuple(cells)
    assert [tuple(cells) for cells in zip(*rows.values(), strict=True)] == [tuple(line.split()) for line in body]


@pytest.mark.parametrize("width", [1, 10, 11, 40])
def test_a_table_in_any_width_has_all_its_cells(width):
    table = Table.of(("name", "other"), [(i, f"text{i}") for i in range(7)])
    names = [line.split()[0] for line in table.text(width).splitlines() if line]
    cells = [cell for line in table.text(width).splitlines() for cell in line.split()[1:]]
    assert set(names) == {"name", "other"} or width >= len("name  other")
    assert sorted(cell for cell in cells if cell.startswith("text")) == [f"text{i}" for i in range(7)]


def test_many_faults_that_are_alike(hyperparton, tmp_path):
    """The first five, how many there are, and how to see all; others stand as they are."""
    names = [f"NOT_A_SET_{i}" for i in range(30)]
    text = EXAMPLE.read_text(encoding="utf-8").replace("q2min: 3.49", "q2mn: 3.49")
    sets = "".join(f"- {{dataset: {name}}}\n" for name in names)
    path = tmp_path / "card.yml"
    path.write_text(text.replace("dataset_inputs:\n", f"dataset_inputs:\n{sets}", 1))
    code, _, every = hyperparton("check", path, "--all")
    assert code == 1
    assert all(f"unknown data set '{name}'" in every for name in names)
    code, _, short = hyperparton("check", path)
    assert code == 1
    alike = [line for line in short.splitlines() if "unknown data set" in line]
    assert [re.search(r":(\d+):\d+: dataset_inputs", line)[1] for line in alike] == ["6", "7", "8", "9", "10"]
    assert f"{path}: 25 more such faults, 30 in all; `hyperparton check --all` lists them whole" in short.splitlines()
    others = [line for line in every.splitlines() if "unknown data set" not in line]
    assert others
    assert [line for line in short.splitlines() if line not in alike and "more such faults" not in line] == others
    # a scan says the same
    assert hyperparton("scan", path, "--trials", 1)[2] == short


def test_the_tables_that_a_theory_lacks_are_not_all_listed(hyperparton, tmp_path):
    """A card with many hadronic sets and a theory of deep-inelastic ones."""
    text = EXAMPLE.read_text(encoding="utf-8")
    sets = [f"ATLAS_{name}" for name in HADRONIC]
    (tmp_path / "card.yml").write_text(
        text.replace("datacuts:", "".join(f"- {{dataset: {name}}}\n" for name in sets) + "datacuts:", 1)
    )
    code, _, err = hyperparton("scan", tmp_path / "card.yml", "--trials", 1)
    assert code == 6
    lines = err.splitlines()
    assert len(lines) == 7
    assert max(map(len, lines[:6])) <= 300
    assert f"{len(sets) - 5} more such faults, {len(sets)} in all" in lines[5]
    assert f"lacks FK tables or C-factors of {len(sets)} data sets" in lines[6]
    assert "--theory" in lines[6]
