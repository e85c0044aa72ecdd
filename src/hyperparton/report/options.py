"""What a reader of a report chooses; the command line takes its defaults from here."""

from __future__ import annotations

from dataclasses import dataclass, field

from hyperparton.report.losses import Loss

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What a reader chooses."""

    loss: Loss = field(default_factory=Loss)
    filters: tuple[str, ...] = ()
    autofilter: tuple[str, ...] = ()
    include_failures: bool = False
    """whether failed trials are in the table"""
    chi2_threshold: float = 5.0
    """hidden χ² above which a trial is left out of the averages of χ² and −log p"""
    chi2exp_threshold: float = 1.35
    """χ² of the fitted data above which a trial is left out of the average of the loss"""
    top: int = 10
    """trials shown fold by fold"""
    title: str | None = None
    author: str | None = None
    keywords: tuple[str, ...] = ()
