"""Cards with wider ranges: each range of a card moved at both its ends, and checked as any card is."""

from pathlib import Path

import pytest

from hyperparton.report.edges import Edge
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.yaml_positions import load_document, parse_document
from hyperparton.workflow.cards import check_card
from hyperparton.workflow.ranges import scanned_ranges
from hyperparton.workflow.widen import widened

EXAMPLES = Path(__file__).parents[2] / "examples"


def moved(document, label, upper, course="falls"):
    """What `widened` makes of an edge of this label."""
    scanned = scanned_ranges(document)
    entry = scanned.ranges[label]
    edge = Edge(label, entry.name, 0.0, 0.0, 0.0, upper, False, 0.1, 0.01, course)
    return widened(document, scanned, [edge])


@pytest.mark.parametrize(
    ("label", "upper", "line"),
    [
        ("Nadam_learning_rate", True, "optimizer[0].learning_rate.max from 0.01 to 0.032"),  # half a decade
        ("Adam_clipnorm", False, "optimizer[1].clipnorm.min from 1e-06 to 3.2e-08"),  # one and a half
        ("initial", True, "positivity.max_initial from 1000 to 32000"),
        ("epochs", True, "stopping.max_epochs from 3000 to 3750"),
        ("epochs", False, "stopping.min_epochs from 1500 to 750"),
        ("stopping_patience", True, "stopping.max_patience from 0.6 to 0.8"),
        ("stopping_patience", False, "stopping.min_patience from 0.2 to 0"),
        ("dropout", True, "architecture.max_drop from 0.15 to 0.225"),
        ("nl3:-1/3", False, "architecture.min_units from 10 to 1"),
        ("nl4:-0/4", True, "architecture.max_units from 45 to 62"),
    ],
)
def test_ranges_of_a_card_of_fits(label, upper, line):
    document = load_document(EXAMPLES / "dis.yml")
    made = moved(document, label, upper)
    assert made.changes[0].endswith(f": hyperscan_config.{line}")
    assert not made.refused
    old, new = document.text.splitlines(), made.text.splitlines()
    assert sum(one != other for one, other in zip(old, new, strict=True)) == 1
    assert check_card(parse_runcard(made.text), "scan", inputs=False).scanner is not None


@pytest.mark.parametrize(
    ("given", "upper", "expected"),
    [
        ("{min: 0.4, max: 0.9}", True, 1.15),
        ("{min: 0.4, max: 2}", False, 0.2),  # never 0: half the way
        ("{min: -1, max: 1}", False, -2),
        ("{min: -3, max: -1}", True, -0.5),
        ("{min: 0, max: 1}", False, None),
        ("{min: 2, max: 9, make_int: true}", False, 1),
        ("{min: 1, max: 9, make_int: true}", False, None),
        ("{min: 5, max: 50, make_int: true}", True, 73),
        ("{min: 1, max: 2, step: 0.25}", True, 2.5),
        ("{min: 1, max: 2, step: 0.4}", False, 0.2),
        ("{min: 1, max: 4, step: 0.4}", False, 0.2),  # a third step would pass 0
        ("{min: 0.8, max: 4, step: 0.4}", False, 0.4),  # a second one would reach it
        ("{min: 1, max: 2, steps: 5}", True, 2.5),
        ("{min: 1e-200, max: 1e300, sampling: log}", True, None),
        ("{min: 1.0001, max: 1.0002}", True, 1.00025),
    ],
)
def test_ranges_of_a_parameter_of_ones_own(given, upper, expected):
    text = f"trainer: a:b\nparameters: {{x: 1}}\nhyperscan_config: {{space: {{x: {given}}}}}\n"
    made = moved(parse_document(text), "x", upper)
    if expected is None:
        assert (made.changes, made.text) == ((), text)
        assert "end cannot be moved" in made.refused[0]
        return
    assert parse_document(made.text).content["hyperscan_config"]["space"]["x"]["max" if upper else "min"] == expected
    assert check_card(parse_runcard(made.text), "scan", inputs=False).scanner is not None


def test_a_share_ends_at_one():
    text = (EXAMPLES / "dis.yml").read_text().replace("max_patience: 0.60", "max_patience: 0.95")
    made = moved(parse_document(text), "stopping_patience", True)
    assert made.changes[0].endswith("from 0.95 to 1")
    again = moved(parse_document(made.text), "stopping_patience", True)
    assert again.changes == ()
    assert len(again.refused) == 1


def test_the_check_stops_a_bound_that_fits_cannot_have():
    """A multiplier that grows from 1e37 passes what a number of 32 bits holds, 3.4e38."""
    text = (EXAMPLES / "dis.yml").read_text().replace("max_initial: 1000", "max_initial: 1e37")
    made = moved(parse_document(text), "initial", True)
    bound = parse_document(made.text).content["hyperscan_config"]["positivity"]["max_initial"]
    assert made.refused or bound < 3.4e38
    check_card(parse_runcard(made.text), "scan", inputs=False)


def test_only_what_may_be_better_is_widened():
    document = load_document(EXAMPLES / "dis.yml")
    for course in ("is flat", "rises"):
        made = moved(document, "epochs", True, course)
        assert made.text == document.text
        assert "epochs: its upper end stays, the loss" in made.kept[0]
    assert moved(document, "epochs", True, "unknown").changes
