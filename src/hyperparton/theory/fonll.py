"""FONLL: which calculations with a fixed number of flavours add up to an observable, and where.

FONLL (arXiv:1001.2312) adds to the calculation with massless quarks what the mass of a quark changes, and subtracts
what both have.  With fitted charm (arXiv:1510.00009) there is no damping.  For charm and bottom one after the other::

    F = (massive3 - limit3) + massless4 + mass4                      below the bottom mass
    F = (massive3 - limit3) + (massive4 - limit4) + massless5 + mass5  above

`massive` has the heavy quark's mass, `limit` its logarithms only, each with the evolution and coupling of its own
number of flavours.  In FONLL-B the massive terms and their limits go to one order more than the massless ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyperparton.theory.card import TheoryCard

__all__ = ["FonllPart", "parts_of"]


@dataclass(frozen=True)
class FonllPart:
    """A calculation with a fixed number of flavours and the Q² where it counts."""

    name: str
    scheme: str
    """yadism's name"""
    nf: int
    parts: str
    """massless, massive or full, as in yadism"""
    order: int
    """power of the strong coupling"""
    sign: int
    low: float = 0.0
    """GeV²: counts from here up (only above it, where it is 0 < low)"""
    high: float = float("inf")
    """GeV²: counts up to here"""

    @property
    def calculation(self) -> tuple[str, int, str, int]:
        """What yadism computes: scheme, number of flavours, parts, order."""
        return self.scheme, self.nf, self.parts, self.order

    def counts(self, q2: float) -> bool:
        """Whether the part is in the sum at this Q² in GeV²."""
        return self.low < q2 <= self.high


def parts_of(card: TheoryCard) -> tuple[FonllPart, ...]:
    """The parts of the card's FONLL scheme."""
    light, massive = card.light_order, card.massive_order
    charm, bottom = card.threshold(4), card.threshold(5)
    ffns, limit = "FONLL-FFNS", "FONLL-FFN0"
    common = (
        FonllPart("massive3", ffns, 3, "full", massive, 1),
        FonllPart("limit3", limit, 3, "full", massive, -1, low=charm),
        FonllPart("mass4", ffns, 4, "massive", massive, 1),
        FonllPart("limit4", limit, 4, "full", massive, -1, low=bottom),
        FonllPart("massless5", ffns, 5, "massless", light, 1, low=bottom),
        FonllPart("mass5", ffns, 5, "massive", massive, 1, low=bottom),
    )
    if light == massive:
        return (*common, FonllPart("massless4", ffns, 4, "massless", light, 1, low=charm))
    return (
        *common,
        FonllPart("massless4", ffns, 4, "massless", light, 1, low=charm, high=bottom),
        FonllPart("massless4_massive_order", ffns, 4, "massless", massive, 1, low=bottom),
    )
