"""Which parts count where."""

from __future__ import annotations

from collections import Counter

import pytest

from hyperparton.theory.card import read_card
from hyperparton.theory.fonll import parts_of


def _sum(card, q2):
    """(number of flavours, limit or not, massless / massive / both, order) -> how often it is in the sum."""
    total: Counter = Counter()
    for part in parts_of(read_card(card)):
        if part.counts(q2):
            for piece in ("massless", "massive") if part.parts == "full" else (part.parts,):
                total[part.nf, part.scheme.endswith("0") and piece == "massive", piece, part.order] += part.sign
    return {key: value for key, value in total.items() if value}


@pytest.mark.parametrize(("card", "light", "massive"), [("40000000", 2, 2), ("208", 1, 2)])
def test_the_sum_below_and_above_bottom(card, light, massive):
    charm = {(3, False, "massive", massive): 1, (3, True, "massive", massive): -1}
    below = {**charm, (4, False, "massless", light): 1, (4, False, "massive", massive): 1}
    above = {
        **charm,
        (4, False, "massive", massive): 1,
        (4, True, "massive", massive): -1,
        (5, False, "massless", light): 1,
        (5, False, "massive", massive): 1,
    }
    assert _sum(card, 10.0) == below
    assert _sum(card, 24.2064) == below
    assert _sum(card, 24.3) == above


def test_below_charm_there_are_three_flavours():
    assert [part.name for part in parts_of(read_card("40000000")) if part.counts(2.0)] == ["massive3", "mass4"]
