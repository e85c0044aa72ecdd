"""Numbers with their nouns, wherever a message says them."""

import ast
from pathlib import Path

import pytest

import hyperparton
from hyperparton.text import counted

SOURCES = sorted(Path(hyperparton.__file__).parent.rglob("*.py"))

#: what messages count
NOUNS = {
    "columns", "epochs", "factors", "faults", "files", "fits", "flavours", "folds", "hyperparameters", "jobs",
    "keys", "layers", "models", "points", "processes", "replicas", "rows", "tables", "trials", "values", "workers",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("trial",), "0 trials"),
        (1, ("trial",), "1 trial"),
        (2, ("trial",), "2 trials"),
        (9999, ("trial",), "9999 trials"),
        (10000, ("trial",), "10,000 trials"),
        (1, ("process", "processes"), "1 process"),
        (21, ("process", "processes"), "21 processes"),
    ],
)
def test_a_number_with_its_noun(number, words, said):
    assert counted(number, *words) == said


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_number_that_may_be_one_has_no_plural_after_it(path):
    """Unless it is one of the program's own, in capitals."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found += [
                f"line {node.lineno}: {ast.unparse(before)}{after.value}"
                for before, after in zip(node.values, node.values[1:], strict=False)
                if isinstance(before, ast.FormattedValue)
                and isinstance(after, ast.Constant)
                and (words := str(after.value).split())
                and (words[0].strip(".,;:)") in NOUNS or words[:2] == ["data", "sets"])
                and str(after.value).startswith(" ")
                and not (isinstance(before.value, ast.Name) and before.value.id.isupper())
            ]
    assert not found
