"""`from_hyperscan`: the space of an earlier scan, from the card that lies in its folder."""

from pathlib import Path

import pytest

from hyperparton.errors import RuncardError
from hyperparton.runcard.check import parse_runcard
from hyperparton.space.tree import fingerprint
from hyperparton.workflow.cards import check_card, scanner_of

EXAMPLE = (Path(__file__).parents[2] / "examples" / "dis_small.yml").read_text(encoding="utf-8")
BEGIN, END = EXAMPLE.index("hyperscan_config:"), EXAMPLE.index("kfold:")


@pytest.fixture
def write(tmp_path):
    """A function that writes the example with other lines in place of its `hyperscan_config`."""

    def card(lines, name="card.yml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{EXAMPLE[:BEGIN]}{lines}\n{EXAMPLE[END:]}", encoding="utf-8")
        return path

    return card


def test_the_space_is_that_of_the_other_card(write):
    write(EXAMPLE[BEGIN:END], "earlier/filter.yml")
    card = check_card(write("hyperscan_config: {from_hyperscan: earlier}"), "scan", inputs=True)
    expected = scanner_of(parse_runcard(EXAMPLE)).as_dict()
    assert fingerprint(card.scanner.as_dict()) == fingerprint(expected)


@pytest.mark.parametrize(
    ("lines", "earlier", "told"),
    [
        ("{from_hyperscan: nowhere}", "", "no scan 'nowhere'; looked for nowhere, "),
        ("{from_hyperscan: earlier}", "", "the scan earlier has no hyperscan_config of its own in "),
        ("{from_hyperscan: earlier}", "hyperscan_config: {from_hyperscan: a}", "has no hyperscan_config of its own"),
        (
            "{from_hyperscan: earlier}",
            "hyperscan_config: {stoping: 1}",
            "hyperscan_config of earlier: stoping: unknown key",
        ),
        ("{from_hyperscan: earlier}", "hyperscan_config: {integrability: {max_multiplier: 2}}", "does not declare"),
        (
            "{from_hyperscan: earlier, prune: true}",
            "",
            "takes the whole hyperscan_config of that scan, given prune, acc",
        ),
    ],
)
def test_what_is_wrong(write, lines, earlier, told):
    write(earlier, "earlier/filter.yml")
    with pytest.raises(RuncardError, match="hyperscan_config") as caught:
        check_card(write(f"hyperscan_config: {lines}"), "scan")
    assert told in str(caught.value)
