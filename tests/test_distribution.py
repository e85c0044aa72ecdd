"""What a package index would get: a wheel that works by itself, an sdist with everything, words without dead links."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import hyperparton

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with wheel and sdist, made by the backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A folder with the content of the wheel, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


def files_below(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_wheel_has_all_of_the_package(installed):
    assert files_below(installed / "hyperparton") == files_below(ROOT / "src" / "hyperparton")


def test_the_wheel_works_by_itself(installed, tmp_path):
    def run(*arguments):
        code = f"import sys; sys.argv[1:] = {arguments!r}; from hyperparton.cli import main; main()"
        environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("init")
    assert str(installed) in run("check", "dis_small.yml")  # where its FK tables are
    run("init", "own", "--example", "own_trainer")
    out = run("scan", "own/own_trainer.yml", "--trials", "3", "--no-confirm", "--report")
    assert (tmp_path / re.search("^report: (.*)$", out, re.MULTILINE)[1]).is_file()


def test_the_sdist_is_whole(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("src", "tests", "docs", "benchmarks", "examples"):
        assert {f"{folder}/{name}" for name in files_below(ROOT / folder)} - names == set()
    alone = {"README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "mkdocs.yml"}
    assert alone - names == set()


def test_what_an_index_shows(installed):
    text = next(installed.glob("*.dist-info/METADATA")).read_text(encoding="utf-8")
    metadata = Parser().parsestr(text)
    assert metadata["Version"] == hyperparton.__version__
    assert metadata["Author"] == "The hyperparton developers"
    assert metadata["License-Expression"] == "GPL-3.0-or-later"
    shown = metadata.get_payload()
    # a link to a file leads nowhere from there
    links = re.findall(r"\]\(([^)]*)\)", shown)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "## Start" in shown
    assert "docs/images" not in shown
    # its first commands stand there as in the README
    assert re.search(r"^    hyperparton init .*$", shown, re.MULTILINE)[0] in (ROOT / "README.md").read_text()


def test_how_to_cite():
    """The keys that the Citation File Format 1.2.0 requires, and the version that is there."""
    citation = YAML(typ="safe", pure=True).load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == hyperparton.__version__
    assert citation["license"] == "GPL-3.0-or-later"
