"""Pages of the manual: the index names each, and the examples of the runcard's page are accepted."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from hyperparton.cli.check import check
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.json_schema import json_schema

pytest.importorskip("mkdocs", reason="NOT TESTED: needs mkdocs; `make install` has it")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SCHEMA = json_schema()


def hooks_of_mkdocs():
    found = importlib.util.spec_from_file_location("manual_hooks", DOCS / "hooks.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


HOOKS = hooks_of_mkdocs()
EXAMPLES = HOOKS.runcard_examples()


def models(base=Section):
    return {base.__name__: base} | {k: v for each in base.__subclasses__() for k, v in models(each).items()}


def test_each_page_is_in_the_order_and_the_index_names_it():
    written = {path.name for path in DOCS.glob("*.md")}
    order = [page for _, page in HOOKS.ORDER]
    assert sorted(order) == sorted(written | {"runcard.md", "house.md"})
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8")))
    assert linked == set(order) - {"index.md"}


def test_the_glossary_has_the_words_in_their_order():
    """In both parts by the alphabet, and each word that a user meets in the options, the pages or the files."""
    parts = (DOCS / "glossary.md").read_text(encoding="utf-8").split("\n## ")[1:]
    terms = [re.findall(r"^\*\*(.+)\*\*\n:   [A-Z0-9χφ`]", part, re.MULTILINE) for part in parts]
    plain = [[term.replace("χ", "ch").casefold() for term in part] for part in terms]
    assert [sorted(part) for part in plain] == plain
    words = {word.strip() for part in terms for term in part for word in term.casefold().split(",")}
    scans = {
        "methodology",
        "trial",
        "fold",
        "replica",
        "re-fit",
        "race",
        "hyper loss",
        "lag",
        "stage",
        "engine",
        "vals",
    }
    assert scans | {"runcard", "phi2", "t0", "theory", "fk table"} <= words


def test_each_key_of_a_card_has_an_example():
    assert HOOKS.keys_without_example(SCHEMA, EXAMPLES) == []
    assert set(EXAMPLES) == {"Runcard", *SCHEMA["$defs"]}


def test_a_key_without_example_is_told_and_the_manual_is_not_built():
    more = copy.deepcopy(SCHEMA)
    more["$defs"]["KFold"]["properties"]["colour"] = {"type": "string", "description": "Its colour."}
    more["$defs"]["Paint"] = {"properties": {"gloss": {"type": "number", "description": "Its gloss."}}}
    assert HOOKS.keys_without_example(more, EXAMPLES) == ["KFold.colour", "Paint.gloss"]
    with pytest.raises(Exception, match=r"no example of KFold\.colour, Paint\.gloss"):
        HOOKS.runcard_page(more)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "Runcard"])
def test_the_models_and_the_schema_accept_the_examples(name):
    validator = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})
    for text in EXAMPLES[name]:
        parts = HOOKS.parts_of(SCHEMA, name, text)
        assert parts
        for part in parts:
            assert [error.message for error in validator.iter_errors(part)] == []
            models()[name].model_validate(part)


def test_check_accepts_the_card_of_the_page(tmp_path):
    whole, *pieces = EXAMPLES["Runcard"]
    rule = EXAMPLES["AddedRule"][0].replace("added_filter_rules:\n", "")
    for text in (whole, whole.replace("added_filter_rules:\n", f"added_filter_rules:\n{rule}")):
        (tmp_path / "card.yml").write_text(text, encoding="utf-8")
        run = CliRunner().invoke(check, [str(tmp_path / "card.yml")])
        assert run.exit_code == 0, run.output
    # of the other pieces two have what such a card cannot have beside it, or files that are not there
    yaml = YAML(typ="safe", pure=True)
    parts = [yaml.load(piece) for piece in pieces]
    apart = [part for part in parts if {"trial_specs", "load"} & set(part)]
    assert [sorted(part) for part in apart] == [["load", "load_weights_from_fit"], ["trial_specs"]]
    for part in (part for part in parts if part not in apart):
        with (tmp_path / "card.yml").open("w", encoding="utf-8") as file:
            yaml.dump({**yaml.load(whole), **part}, file)
        run = CliRunner().invoke(check, [str(tmp_path / "card.yml"), "--no-theory"])
        assert run.exit_code == 0, run.output


def test_the_page_shows_each_example():
    page = HOOKS.runcard_page(SCHEMA)
    assert re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[1:] == [
        text for n in _in_order(page) for text in EXAMPLES[n]
    ]


def _in_order(page):
    titles = {title: name for name, title in HOOKS.SECTIONS}
    return [titles.get(title, title) for title in re.findall(r"^## (.+)$", page, re.MULTILINE)]


@pytest.fixture
def record(tmp_path):
    numbers = {"a": {"b": 2.5}, "rows": [["one", "2 s"], ["two", ""]]}
    held = {"date": "2026-01-31", "machine": "two cores", "command": "python b.py", "note": "", "numbers": numbers}
    (tmp_path / "made.json").write_text(json.dumps(held), encoding="utf-8")
    return tmp_path


def test_numbers_come_from_the_files_of_benchmarks(record):
    text = "It took {{ made: a.b | .2f }} s, {{made: a.b}}.\n\n{{ made }} `{{ not ours` {{ x | y }}"
    assert HOOKS.with_numbers(text, "page.md", record) == (
        "It took 2.50 s, 2.5.\n\nMeasured on 2026-01-31 by `python b.py` (two cores). `{{ not ours` {{ x | y }}"
    )


def test_rows_of_a_table_come_from_such_a_file(record):
    text = "| of | time |\n|---|---|\n{{ made: rows }}\n"
    assert HOOKS.with_numbers(text, "page.md", record) == "| of | time |\n|---|---|\n| one | 2 s |\n| two |  |\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ absent: a.b }}", r"docs/page\.md: \{\{ absent: a\.b \}\} needs absent\.json of a benchmark"),
        ("{{ absent }}", r"needs absent\.json"),
        ("{{ made: a.c }}", r"docs/page\.md: made\.json has no number 'a\.c'"),
        ("{{ made: a.b.c }}", r"made\.json has no number 'a\.b\.c'"),
        ("{{ made: a.b | d }}", r"docs/page\.md: .*Unknown format code 'd'"),
    ],
)
def test_a_number_that_is_not_there_ends_the_build(record, text, told):
    with pytest.raises(HOOKS.PluginError, match=told):
        HOOKS.with_numbers(text, "page.md", record)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_each_page_has_its_numbers(page):
    text = HOOKS.with_numbers(page.read_text(encoding="utf-8"), page.name)
    assert not re.findall(r"\{\{[^}]*\}\}", text)
