"""Shapes in docstrings and comments use the words of the glossary of axes, and no others."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from hyperparton.axes import AXES

SOURCE = Path(__file__).parents[1] / "src" / "hyperparton"
MODULES = [path for part in ("data", "nn", "pdf", "fit", "hyperloss") for path in sorted((SOURCE / part).glob("*.py"))]
#: a list in parentheses that is no call, with a comma
LIST = re.compile(r"(?<![\w\]`.])\(([^()]*,[^()]*)\)")
#: an entry of a shape: one word, a number or dots, or several with a product or a sum between them
ENTRY = re.compile(r"(?:[a-z]\w*|\d+|\.\.\.)(?:\s*[*+]\s*(?:[a-z]\w*|\d+))*")


def texts(source):
    """Docstrings, those of attributes with them, and comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def shapes(text):
    """What reads as a shape in a text, with the words that it uses as axes."""
    for found in LIST.finditer(text):
        entries = [entry.strip(" \n[]") for entry in found[1].split(",")]
        entries = [entry for entry in entries if entry]
        if all(ENTRY.fullmatch(entry) for entry in entries):
            yield found[0], [word for entry in entries for word in re.findall(r"[a-z]\w*", entry)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shapes_use_the_words_of_the_glossary(path):
    wrong = {
        f"{shape}: {word}"
        for text in texts(path.read_text(encoding="utf-8"))
        for shape, words in shapes(text)
        for word in words
        if word not in AXES
    }
    assert not wrong, f"axes that hyperparton.axes does not name: {sorted(wrong)}"


def test_every_word_of_the_glossary_is_used():
    used = {
        word
        for path in MODULES
        for text in texts(path.read_text(encoding="utf-8"))
        for _, words in shapes(text)
        for word in words
    }
    assert used >= set(AXES)


def test_what_reads_as_a_shape():
    text = "xf (model, [flav,] x) and (dat, chan*x*x), not f(a, b), not (one, and two), not (eigenmodes are split)"
    assert [words for _, words in shapes(text)] == [["model", "flav", "x"], ["dat", "chan", "x", "x"]]
