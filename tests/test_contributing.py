"""CONTRIBUTING.md is true: its layers are those that are enforced, its recipes name files and work as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: title -> text of each recipe
RECIPES = {
    title: text for title, text in re.findall(r"^## Adding (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
#: "1. `FILE`: ..." of a recipe
STEPS = re.compile(r"^\d+\. `([^`]+)`", re.MULTILINE)
#: what a step changes: lines to find, with - before those that go and + before those that come
CHANGES = re.compile(r"^\d+\. `([^`]+)`.*?\n   ```diff\n(.*?)\n   ```", re.MULTILINE | re.DOTALL)


def test_the_layers():
    written = re.search(r"import only parts below them:\n\n(.*?)\n\n", TEXT, re.DOTALL)[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract for contract in contracts["contracts"] if contract["type"] == "layers")["layers"]
    assert [line.strip() for line in written.splitlines()] == [re.sub(r"[()]", "", layer) for layer in layers]


@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_touches_at_most_four_files_that_exist(title):
    files = STEPS.findall(RECIPES[title])
    assert 1 <= len(set(files)) <= 4
    # a recipe may make one new file, whose name is in capitals
    assert [name for name in files if "NAME" not in name and not (ROOT / name).is_file()] == []


def test_what_can_be_added():
    kinds = "optimizer", "penalty", "engine", "trial store", "fit basis", "sum rule", "panel"
    assert [kind for kind in kinds if not any(kind in title for title in RECIPES)] == []


def follow(title: str, folder: Path) -> Path:
    """A copy of the sources, changed as the recipe says; the folder for PYTHONPATH."""
    source, copy = ROOT / "src" / "hyperparton", folder / "src" / "hyperparton"
    large = ("theories", "lhapdf")
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", *large))
    for name in large:
        (copy / name).symlink_to(source / name)
    changes = CHANGES.findall(RECIPES[title])
    assert changes, f"the recipe {title!r} says no change"
    for name, block in changes:
        lines = [line.removeprefix("   ") for line in block.splitlines()]
        before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
        after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
        path = folder / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text.count(before) == 1 or (not before and not text), f"{name} does not hold once:\n{before}"
        path.write_text(text.replace(before, after) if before else after, encoding="utf-8")
    return folder / "src"


def scan(sources: Path, card: Path, output: Path, *options: str) -> list[dict]:
    """The trials of a scan that these sources make."""
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()"]
    command = [*start, "scan", str(card), "--output", str(output), *options]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(sources)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((output / "nnfit" / "replica_1" / "tries.json").read_text(encoding="utf-8"))
