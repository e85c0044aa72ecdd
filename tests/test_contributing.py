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
RECIPES = dict(re.findall(r"^## Adding (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
#: "1. `FILE`: ..." of a recipe, and its diff if it has one
STEP = re.compile(r"^\d+\. `([^`]+)`(?:(?!^\d+\. ).)*", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^   ```diff\n(.*?)^   ```", re.MULTILINE | re.DOTALL)


def steps(title: str) -> list[tuple[str, list[str]]]:
    """The file of each step of a recipe, and the lines of its diff: - before lines that go, + before new ones."""
    return [
        (step[1], [line[3:] for diff in DIFF.findall(step[0]) for line in diff.splitlines()])
        for step in STEP.finditer(RECIPES[title])
    ]


def test_the_layers():
    written = re.search(r"import only parts below them:\n\n(.*?)\n\n", TEXT, re.DOTALL)[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract for contract in contracts["contracts"] if contract["type"] == "layers")["layers"]
    assert [line.strip() for line in written.splitlines()] == [re.sub(r"[()]", "", layer) for layer in layers]


@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_touches_at_most_four_files_that_exist(title):
    new = {name for name, diff in steps(title) if diff and all(line.startswith("+") for line in diff)}
    files = {name for name, _ in steps(title)} - new
    assert 1 <= len(files) <= 4
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
    changes = [(name, diff) for name, diff in steps(title) if diff]
    assert changes, f"the recipe {title!r} says no change"
    for name, diff in changes:
        before = "".join(f"{line[1:]}\n" for line in diff if line[:1] != "+")
        after = "".join(f"{line[1:]}\n" for line in diff if line[:1] != "-")
        path = folder / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text.count(before) == 1 or (not before and not text), f"{name} does not hold once:\n{before}"
        path.write_text(text.replace(before, after) if before else after, encoding="utf-8")
    return folder / "src"


def scan(sources: Path, card: str, *options: str) -> list[dict]:
    """The trials of a scan of a card's text that these sources make."""
    folder = sources.parent
    (folder / "card.yml").write_text(card, encoding="utf-8")
    start = [sys.executable, "-c", "from hyperparton.cli import main; main()"]
    done = subprocess.run(
        [*start, "scan", "card.yml", "--output", "scan", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(sources)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "scan" / "nnfit" / "replica_1" / "tries.json").read_text(encoding="utf-8"))


SMALL = (ROOT / "examples" / "dis_small.yml").read_text(encoding="utf-8")


def test_an_optimizer_by_its_recipe(tmp_path):
    card = re.sub(
        r"  optimizer:\n.*?  architecture:",
        "  optimizer:\n  - {optimizer_name: Lion}\n  architecture:",
        SMALL,
        flags=re.DOTALL,
    ).replace(
        "{optimizer_name: Nadam, learning_rate: 2.6e-3, clipnorm: 6.1e-6}",
        "{optimizer_name: Lion, learning_rate: 1e-3}",
    )
    (trial,) = scan(follow("an optimizer", tmp_path), card, "--trials", "1", "--engine", "random")
    assert trial["misc"]["space_vals"]["optimizer"]["optimizer_name"] == "Lion"
    # it learns: a fit that stays at its start has a chi2 per point of hundreds
    assert 0.5 < trial["result"]["validation_loss"] < 10


def test_a_penalty_by_its_recipe(tmp_path):
    card = SMALL.replace("kfold:\n", "kfold:\n  penalties: [roughness, saturation]\n")
    (trial,) = scan(follow("a penalty", tmp_path), card, "--trials", "1", "--engine", "random", "--replicas", "2")
    rough = trial["result"]["kfold_meta"]["penalties"]["roughness"]
    assert [len(fold) for fold in rough] == [2, 2]
    assert all(0 < value < 10 for fold in rough for value in fold)


def test_an_engine_by_its_recipe(tmp_path):
    sources = follow("an engine", tmp_path)
    (tmp_path / "parabola.py").write_text(
        "class Parabola:\n"
        "    def set_hyperopt(self, on, keys=None): ...\n"
        "    def hyperparametrizable(self, params):\n"
        "        return {'status': 'ok', 'loss': abs(params['a'] - 3) + abs(params['b'] - 5)}\n"
        "def make(card):\n"
        "    return Parabola()\n",
        encoding="utf-8",
    )
    space = ", ".join(f"{name}: {{choice: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}" for name in "ab")
    card = f"trainer: parabola:make\nparameters: {{a: 0, b: 0}}\nhyperscan_config:\n  space: {{{space}}}\n"
    trials = scan(sources, card, "--trials", "20", "--engine", "neighbour")
    best = min(trials[:10], key=lambda trial: trial["result"]["loss"])["misc"]["vals"]
    # twenty draws out of ten values each: all but one in a hundred share one with the best
    near = [trial["misc"]["vals"] for trial in trials[10:]]
    assert sum(vals["a"] == best["a"] or vals["b"] == best["b"] for vals in near) >= 5
