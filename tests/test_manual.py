"""The manual is true: what docs/python.md lists is public, importable and documented."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import hyperparton

ROOT = Path(__file__).parents[1]
LISTED = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE)


def resolved(name):
    """What a dotted name stands for: a module, or something in one."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        home, _, last = name.rpartition(".")
        return getattr(import_module(home), last)


@pytest.mark.parametrize("name", LISTED)
def test_what_is_listed_can_be_imported_and_is_documented(name):
    found = resolved(name)
    assert inspect.getdoc(found)
    home = import_module(name if inspect.ismodule(found) else name.rpartition(".")[0])
    assert inspect.ismodule(found) or name.rpartition(".")[2] in home.__all__


@pytest.mark.parametrize("name", LISTED)
def test_public_methods_are_documented(name):
    found = resolved(name)
    if inspect.isclass(found):
        own = [key for key, member in vars(found).items() if not key.startswith("_") and inspect.isfunction(member)]
        assert [key for key in own if not inspect.getdoc(getattr(found, key))] == []


def test_all_public_names_are_listed():
    # errors are listed by their module
    listed = {name.removeprefix("hyperparton.") for name in LISTED} | {"HyperpartonError", "__version__"}
    assert sorted(set(hyperparton.__all__) - listed) == []


def test_the_snippets_on_functions_and_spaces(tmp_path, monkeypatch):
    """They run one after the other as a reader would run them, and what the page says of them holds."""
    page = (ROOT / "docs" / "own-trainer.md").read_text(encoding="utf-8").partition("## A trainer")[0]
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, "own-trainer.md", "exec"), names)
    assert abs(names["best"].parameters["x"] - 2.0) < 0.5
    assert any(trial.pruned for trial in hyperparton.read_trials("scans/steps"))
    given = []
    hyperparton.minimise(lambda params: given.append(params) or 1.0, names["space"], trials=20, output="conditions")
    assert {frozenset(params["solver"]) for params in given} == {
        frozenset({"name", "rate"}),
        frozenset({"name", "rate", "momentum"}),
    }
    assert {len(params["widths"]) for params in given} == {1, 2, 3}
    assert "solver.rate" in hyperparton.read_trials("conditions")[0].stated
