"""Folders and stores of any name: each command looks at, and makes, the one that was named."""

import os
import sqlite3

import pytest

CARD = """\
trainer: parabola:make
parameters: {x: 0.0}
hyperscan_config:
  space: {x: {min: -5, max: 5}}
"""

TRAINER = """
class Parabola:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        return {"status": "ok", "loss": (params["x"] - 2.0) ** 2}


def make(card):
    return Parabola()
"""

#: signs that mean something in URLs, to SQLite, to a shell or on a terminal; as long as a name may be; not in UTF-8
NAMES = [
    "scan#2",
    "best?mode=ro&x=%20y{z}",
    "-dash",
    "n\new ~'\"$",
    "é" * 127,
    os.fsdecode(b"caf\xe9"),
    "file:x",
    ":memory:",
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and a card beside it."""
    (tmp_path / "parabola.py").write_text(TRAINER)
    (tmp_path / "card.yml").write_text(CARD)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_command_takes_the_folder_that_is_named(hyperparton, here, name):
    scan = ("scan", here.parent / "card.yml", "--engine", "random", "--trials")
    code, _, err = hyperparton(*scan, 1, "-o", name)
    assert code == 0, err
    assert names_in(here) == [name]
    assert names_in(here / name) == ["filter.yml", "nnfit", "progress.json"]
    before = names_in(here / name / "nnfit" / "replica_1")
    code, out, err = hyperparton("status", "--", name)
    assert (code, err) == (0, "")
    assert "1 of 1 trial done, 0 failed; all done" in out
    code, out, _ = hyperparton("best", "--format", "json", "--", name)
    assert code == 0
    assert out.startswith("[")
    code, out, err = hyperparton("export", "--", name)
    assert code == 0, err
    assert "1 trial added" in out
    with sqlite3.connect(here / name / "optuna.db") as study:
        assert study.execute("SELECT count(*) FROM trials").fetchone() == (1,)
    study.close()
    if name in NAMES[:2]:
        code, _, err = hyperparton("report", "--", name)
        assert code == 0, err
        assert (here / name / "report" / "index.html").is_file()
    assert names_in(here / name / "nnfit" / "replica_1") == before
    assert names_in(here) == [name]


@pytest.mark.parametrize("name", [*NAMES[:4], "é" * 120, *NAMES[5:7]])
def test_a_store_has_the_name_that_is_given(hyperparton, here, name):
    scan = ("scan", here.parent / "card.yml", "--engine", "random", "--trials", 1, "-o", here.parent / "out")
    code, _, err = hyperparton(*scan, "--store", f"sqlite:///{name}")
    assert code == 0, err
    assert names_in(here) == [name]
    code, out, _ = hyperparton("status", here.parent / "out", "--store", f"sqlite:///{name}")
    assert code == 0
    assert "1 of 1 trial done, 0 failed; all done" in out
    assert names_in(here) == [name]


@pytest.mark.parametrize("command", ["scan", "status", "best", "report", "export"])
def test_a_name_that_the_system_refuses_is_told(hyperparton, here, command):
    name = "n" * 300
    arguments = (here.parent / "card.yml", "--trials", 1, "-o", name) if command == "scan" else (name,)
    code, out, err = hyperparton(command, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: nnn")
    assert "File name too long" in err
    assert names_in(here) == []


def test_other_names_that_the_system_refuses_are_told(hyperparton, here):
    name, card = "n" * 300, here.parent / "card.yml"
    scan = ("scan", card, "--engine", "random", "--trials", 1, "-o", here / "out")
    code, out, err = hyperparton(*scan, "--store", f"sqlite:///{name}.db")
    assert (code, out) == (1, "")
    assert err.startswith("error: sqlite:////")
    assert err.endswith("unable to open database file\n")
    assert names_in(here) == []
    assert hyperparton(*scan)[0] == 0
    code, _, err = hyperparton("best", here / "out", "--widen", "-o", name)
    assert (code, err) == (0, "trial 0: no range needs to be wider\n")
    card.write_text(CARD.replace("parabola:make", f"{name}:make"))
    code, out, err = hyperparton("check", card)
    assert (code, out) == (1, "")
    assert err.startswith(f"{card}:1:10: trainer: there is no module 'nnn")
