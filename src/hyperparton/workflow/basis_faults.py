"""Fitting bases that do not go with the theory's charm, or with the sum rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hyperparton.catalogue import FITBASES, PERTURBATIVE_CHARM
from hyperparton.data.theory_folder import fitted_charm
from hyperparton.errors import Fault
from hyperparton.pdf.bases import fit_to_working, working_basis
from hyperparton.runcard.card import Runcard

if TYPE_CHECKING:
    from hyperparton.data.types import FitData

__all__ = ["basis_faults"]

#: mode of the sum rules -> the PDFs by whose integrals it divides
_DIVISORS = {
    "All": ("g", "v", "v3", "v8", "v15"),
    "MSR": ("g",),
    "VSR": ("v", "v3", "v8", "v15"),
    "ALLBUTCSR": ("g", "v", "v3", "v8"),
}


def basis_faults(card: Runcard, data: FitData | None) -> Iterator[Fault]:
    """What is wrong; of a theory that was not looked at, the card in nnpdf-data says whether charm is fitted."""
    yield from _charm(card, data)
    yield from _empty(card)


def _charm(card: Runcard, data: FitData | None) -> Iterator[Fault]:
    fitbasis, fitted = card.fitting.fitbasis, fitted_charm(card.theoryid, None if data is None else data.theory)
    if fitted is None or fitted == (fitbasis not in PERTURBATIVE_CHARM):
        return
    accepted = [name for name in FITBASES if (name in PERTURBATIVE_CHARM) != fitted]
    has, kind = ("has no", "fitted charm (IC 1)") if fitted else ("has a", "perturbative charm (IC 0)")
    message = f"{has} charm PDF of its own, and theory {card.theoryid} is one with {kind}"
    yield card.fault(("fitting", "fitbasis"), message, fitbasis, ", ".join(accepted))


def _empty(card: Runcard) -> Iterator[Fault]:
    """PDFs that the sum rules scale and that are zero, since the basis leaves out all that they are made of."""
    if card.sum_rules is None:
        return
    fitbasis, elements = card.fitting.fitbasis, [element.fl for element in card.fitting.basis]
    working = working_basis(fitbasis, card.sum_rules)
    rows = dict(zip(working, fit_to_working(fitbasis, elements, working), strict=True))
    empty = [name for name in _DIVISORS[card.sum_rules] if name in rows and not rows[name].any()]
    if empty:
        message = f"sum_rules {card.sum_rules} scale {', '.join(empty)}, for which the basis has no element"
        missing = [name for name in FITBASES[fitbasis] if name not in elements]
        yield card.fault(("fitting", "basis"), message, accepted=f"also {', '.join(missing)}, or other sum_rules")
