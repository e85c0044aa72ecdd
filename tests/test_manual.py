"""The manual is true: what docs/python.md lists is public, importable and documented."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import hyperparton

LISTED = re.findall(r"^::: ([\w.]+)$", (Path(__file__).parents[1] / "docs" / "python.md").read_text(), re.MULTILINE)


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
