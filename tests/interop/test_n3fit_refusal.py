"""n3fit's refusals as errors with a place: outputs that vp-setupfit 4.1.5 gave for such cards, word for word."""

import pytest

from hyperparton.interop.n3fit_refusal import last_error, refused

CARD = """dataset_inputs:
- {dataset: SLAC_NC_NOTFIXED_Q_EM-F2, frac: 0.75}
- {dataset: SLAC_NC_NOTFIXED_D_EM-F2, frac: 0.75}
sum_rules: none of them
fitting:
  fitbasis: EVIL
"""
BEFORE = """LHAPDF was not found, using an alternative backend
[ERROR]: No eko found for Theory 40000000
[WARNING]: Using q2min from runcard
I0000 00:00:1795578595.306091   17117 port.cc:153] oneDNN custom operations are on.
Using Keras backend
"""
STEP = """[ERROR]: Cannot process a resource:
Could not process the resource 'n3fit_checks_action', required by:
 - Target specification
"""
RULES = "The only accepted options for the sum rules are: ['ALL', 'MSR', 'VSR', 'TSR', 'ALLBUTCSR']"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (STEP + RULES, f"card.yml:4:12: sum_rules: n3 refuses the card: {RULES}, given 'none of them'"),
        (
            STEP + "Unknown basis 'EVIL'\nInstead of 'EVIL', did you mean one of the following?\n - EVOL\n",
            "card.yml:6:13: fitting.fitbasis: n3 refuses the card: Unknown basis 'EVIL'; "
            "Instead of 'EVIL', did you mean one of the following?; - EVOL, given 'EVIL'",
        ),
        (
            "[ERROR]: Bad configuration encountered:\n"
            "Dataset SLAC_NC_NOTFIXED_Q_EM-F2 not found. Is the name correct? \n",
            "card.yml:2:13: dataset_inputs[0].dataset: n3 refuses the card: "
            "Dataset SLAC_NC_NOTFIXED_Q_EM-F2 not found. Is the name correct?, given 'SLAC_NC_NOTFIXED_Q_EM-F2'",
        ),
    ],
)
def test_the_place_is_that_of_what_n3fit_names(output, expected):
    assert str(refused("n3", CARD, "card.yml", last_error(BEFORE + output))) == expected


def test_where_n3fit_names_nothing_or_two_entries_the_card_is_told():
    told = "n3 refuses the card"
    assert str(refused("n3", CARD, "card.yml", "Something else")) == f"card.yml:1:1: {told}: Something else"
    # `frac` stands in two entries
    assert str(refused("n3", CARD, "card.yml", "frac is wrong")) == f"card.yml:1:1: {told}: frac is wrong"
    assert str(refused("n3", CARD, "card.yml", "")) == f"card.yml:1:1: {told} without a word"


def test_an_output_without_an_error_is_told_as_it_is():
    assert last_error("killed\n") == "killed"
