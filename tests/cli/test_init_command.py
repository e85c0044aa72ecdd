"""`init` and what a new user comes to with it: from the README's commands to a report, from a scan to the next one."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

from hyperparton.cli.init import EXAMPLES

ROOT = Path(__file__).parents[2]
#: each card once
CARDS = {example.card: name for name, example in reversed(EXAMPLES.items()) if example.card is not None}.values()


def commands(text):
    """The commands of hyperparton in the first block of a text, without what says what they do."""
    block = re.search(r"(?:^ {4}.*\n)+", text, re.MULTILINE)[0]
    lines = [line.partition(" #")[0].strip() for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("hyperparton ")]


def test_two_commands_of_the_readme_reach_a_report(hyperparton, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = commands((ROOT / "README.md").read_text(encoding="utf-8").partition("## Start")[2])
    assert len(wanted) == 2
    for arguments in wanted:
        code, out, err = hyperparton(*arguments)
        assert code == 0, err
    page = tmp_path / re.search(r"^report: (.*)$", out, re.MULTILINE)[1]
    assert page == tmp_path / "dis_small" / "report" / "index.html"
    tries = json.loads((tmp_path / "dis_small" / "nnfit" / "replica_1" / "tries.json").read_text())
    assert len(tries) == 10
    with (page.parent / "tables" / "answers.csv").open(encoding="utf-8") as file:
        answers = {row["question"]: row["answer"] for row in csv.DictReader(file)}
    assert len(answers) >= 5
    for question, answer in answers.items():
        assert question in page.read_text(encoding="utf-8")
        assert answer


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_written(hyperparton, tmp_path, name):
    folder = tmp_path / "new" / name
    code, out, err = hyperparton("init", folder, "--example", name)
    assert code == 0, err
    example = EXAMPLES[name]
    assert {path.name for path in folder.iterdir()} == {*example.files, "README.md"}
    assert all((folder / file).read_text() == (ROOT / "examples" / file).read_text() for file in example.files)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for command in example.run:
        assert f"\n  {command}\n" in out
        assert f"\n    {command}\n" in readme
    assert f"{example.output}/report/index.html" in readme
    # the words at the head of the file, and nothing of the rest of it
    assert example.what in readme
    assert 20 < len(example.what) < 250
    # a second time nothing is written over
    (folder / "README.md").write_text("mine")
    for file in example.files:
        (folder / file).unlink()
    code, _, err = hyperparton("init", folder, "--example", name)
    assert code == 1
    assert "README.md: is there already" in err
    assert (folder / "README.md").read_text() == "mine"
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_a_folder_that_cannot_be_made(hyperparton, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = hyperparton("init", tmp_path / "file" / "inside")
    assert code == 1
    assert re.fullmatch(r"error: .*file.*: cannot be written: Not a directory\n", err)


@pytest.mark.parametrize("name", CARDS)
def test_a_scan_of_an_example_learns_from_its_own_scan(hyperparton, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert hyperparton("init", "--example", name)[0] == 0
    card = Path(EXAMPLES[name].card)
    text = card.read_text().replace("n_layers: [2, 3, 4]", "n_layers: [2]")
    card.write_text(re.sub(r"min_epochs: \S+, max_epochs: \S+,", "min_epochs: 20, max_epochs: 40,", text))
    one = hyperparton("scan", card, "--trials", 1, "--output", "one", "--no-confirm", "--engine", "random")
    # with so few epochs the fits may fail, which is history too
    assert one[0] in (0, 3), one[2]
    two = hyperparton("scan", card, "--trials", 1, "--output", "two", "--no-confirm", "--from", "one")
    assert two[0] in (0, 3), two[2]
    assert "1 of 1 trial taken as history\n" in two[2]


def test_the_report_of_a_scan_is_that_of_the_command(hyperparton, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hyperparton("init", "--example", "own_trainer")[0] == 0
    scan = "scan", "own_trainer.yml", "--trials", 4, "--no-confirm"
    code, out, err = hyperparton(*scan)
    assert code == 0, err
    assert out.endswith("\n  hyperparton report own_trainer\n")
    assert not Path("own_trainer/report").exists()
    code, out, err = hyperparton(*scan, "--report")
    assert code == 0, err
    assert out.endswith("report: own_trainer/report/index.html\n")
    tables = {path.name: path.read_text() for path in Path("own_trainer/report/tables").iterdir()}
    assert hyperparton("report", "own_trainer")[0] == 0
    assert {path.name: path.read_text() for path in Path("own_trainer/report/tables").iterdir()} == tables
