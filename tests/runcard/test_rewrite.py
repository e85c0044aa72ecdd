"""Numbers replaced in a card's text, which stays as it is letter by letter."""

import pytest

from hyperparton.errors import RuncardError
from hyperparton.runcard.rewrite import with_numbers
from hyperparton.runcard.yaml_positions import parse_document

CARD = """# a card
a: {min: 1e-3, max: 2.5}   # of a
list:
- {name: "é", rate: {min:   1,max: 10}}
-   name: other
    rate:
        min: +1.0E-3      # low
        max: 2
"""


def test_only_the_numbers_change():
    numbers = {("a", "max"): 4.0, ("list", 0, "rate", "min"): 0.25, ("list", 1, "rate", "min"): 3.2e-8}
    made = with_numbers(parse_document(CARD), numbers).text
    assert made == CARD.replace("2.5", "4").replace("min:   1,", "min:   0.25,").replace("+1.0E-3", "3.2e-08")
    windows = CARD.replace("\n", "\r\n")
    assert with_numbers(parse_document(windows), numbers).text == made.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x 1\nb: *x\n", ("a",)),
        ("a: &x 1\nb: *x\n", ("b",)),
        ("a: &x {min: 1}\nb: *x\n", ("b", "min")),
        ("a: &x {min: 1}\nb:\n  <<: *x\n", ("b", "min")),
        ("a: 1\n", ("b",)),
    ],
)
def test_a_number_that_stands_elsewhere_too_is_refused(text, path):
    with pytest.raises(RuncardError, match="cannot be replaced by itself"):
        with_numbers(parse_document(text), {path: 5.0})
