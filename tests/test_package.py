"""The package as a whole: its public names, what importing it loads, its version, what the README shows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import walk_packages

import pytest
from ruamel.yaml import YAML

import hyperparton
from hyperparton import HyperScanner
from hyperparton.space.tree import samplers_by_label

ROOT = Path(__file__).parents[1]

#: what a start of the command line must not wait for
SLOW = {"jax", "numpy", "scipy", "pandas", "hyperopt", "sqlalchemy", "pineappl", "nnpdf_data", "pydantic"}

#: packages of hyperparton that answer at once: no jax, whatever they import
JAX_FREE = ["space", "catalogue", "errors", "trials", "engines", "scan", "data", "runcard"]


def loaded_by(code):
    """The names at the top of everything that a new Python has loaded after `code`."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("name", hyperparton.__all__)
def test_public_names(name):
    assert getattr(hyperparton, name) is not None
    assert name in dir(hyperparton)
    assert getattr(hyperparton, name) == getattr(hyperparton, name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="hyperopt"):
        hyperparton.hyperopt  # noqa: B018


def test_names_of_the_field():
    """Those that n3fit's users look for."""
    assert {"hp_uniform", "hp_quniform", "hp_loguniform", "hp_choice", "optimizer_arg_wrapper"} <= set(dir(hyperparton))
    assert {"HyperScanner", "ActivationStr", "hyper_scan_wrapper", "FileTrials"} <= set(dir(hyperparton))
    assert {"RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Nadam", "Amsgrad", "SGD"} == set(
        hyperparton.MetaModel.accepted_optimizers
    )
    assert {"random_uniform", "glorot_uniform", "glorot_normal"} <= set(hyperparton.MetaLayer.initializers)


def test_parts_import_only_public_names_of_each_other():
    """A name that is not in the `__all__` of its module is private to it."""
    imported = {
        (node.module, alias.name)
        for source in (ROOT / "src" / "hyperparton").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hyperparton.")
        for alias in node.names
    }
    assert len(imported) > 500
    public = {module: getattr(import_module(module), "__all__", None) for module, _ in imported}
    private = [f"{module}.{name}" for module, name in imported if name not in (public[module] or [name])]
    assert private == []


def test_importing_loads_nothing_slow():
    assert not loaded_by("import hyperparton; dir(hyperparton)") & SLOW


def test_the_help_of_the_report_loads_nothing_slow():
    """It shows defaults that stand in `report`."""
    code = "import contextlib, io\nfrom hyperparton.cli.report import report\n"
    code += "with contextlib.redirect_stdout(io.StringIO()):\n    report.main(['--help'], standalone_mode=False)"
    assert not loaded_by(code) & SLOW


def test_no_jax_where_answers_come_at_once():
    homes = (import_module(f"hyperparton.{name}") for name in JAX_FREE)
    found = (each.name for home in homes for each in walk_packages(getattr(home, "__path__", ()), f"{home.__name__}."))
    modules = ", ".join((*(f"hyperparton.{name}" for name in JAX_FREE), *found))
    assert "hyperparton.scan.executors" in modules
    names = "hp_uniform, HyperScanner, FileTrials, read_tries, get_engine, load_fit_data, Runcard, read_runcard"
    loaded = loaded_by(f"import {modules}\nfrom hyperparton import {names}")
    assert "numpy" in loaded
    assert not loaded & {"jax", "jaxlib"}


def test_version():
    assert hyperparton.__version__ == version("hyperparton")


def test_types_ship():
    assert (Path(hyperparton.__file__).parent / "py.typed").is_file()


def test_the_search_space_of_the_readme():
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    config = YAML(typ="safe", pure=True).load(text)["hyperscan_config"]
    parameters = dict.fromkeys(
        ["epochs", "stopping_patience", "optimizer", "activation_per_layer", "initializer", "dropout", "positivity"]
    )
    scanner = HyperScanner({**parameters, "nodes_per_layer": [10, 8]}, config)
    assert scanner.hyper_keys == {*parameters, "nodes_per_layer"}
    assert {"Nadam_learning_rate", "nl3:-2/3", "initial"} <= set(samplers_by_label(scanner.as_dict()))


def test_the_example_of_the_readme(tmp_path, monkeypatch, capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    found = re.fullmatch(r"\{'x': (\S+)\} (\S+)\n", capsys.readouterr().out)
    assert float(found[2]) == (float(found[1]) - 2.0) ** 2 < 0.1
