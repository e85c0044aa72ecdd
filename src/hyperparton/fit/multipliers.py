"""The Lagrange multipliers of positivity and integrability, as numbers alone."""

from __future__ import annotations

from hyperparton.catalogue import PUSH_EACH

__all__ = ["pushes_of", "start_and_multiplier"]


def pushes_of(epochs: int) -> int:
    """How often the multipliers grow in so many epochs."""
    return int(epochs / PUSH_EACH)


def start_and_multiplier(
    initial: float | None, multiplier: float | None, largest: float, epochs: int
) -> tuple[float, float]:
    """First value and factor per push of one multiplier.

    What the runcard leaves out follows from reaching `largest` after all pushes of `epochs`; with neither given
    the first value is 1. Raises OverflowError where a number is too large or too small for a float.
    """
    pushes = pushes_of(epochs)
    if multiplier is None:
        initial = 1.0 if initial is None else initial
        return float(initial), float((largest / initial) ** (1.0 / max(pushes, 1)))
    if initial is None:
        grown = multiplier**pushes
        if grown == 0.0:
            raise OverflowError(f"{multiplier:g} to the power of {pushes} is too small for a float")
        initial = largest / grown
    return float(initial), float(multiplier)
