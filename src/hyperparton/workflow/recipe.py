"""The trainer of a runcard: a recipe makes it in another process.

A recipe holds the card's text and a few names, never objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hyperparton.errors import RuncardError
from hyperparton.runcard.card import N3FIT, Runcard, TrainerRuncard
from hyperparton.runcard.check import parse_runcard
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import Trainer, load_trainer
from hyperparton.scan.worker_process import Recipe
from hyperparton.workflow.cards import scanner_of

__all__ = ["TrainerRequest", "build"]


@dataclass(frozen=True)
class TrainerRequest:
    """Which trainer is asked for: that of `card`, with `replicas` fitted at once in each fold."""

    card: Runcard | TrainerRuncard
    replicas: int
    output: Path
    """the scan's folder"""
    theory: Path | None = None
    """folder of FK tables, instead of the usual ones"""
    t0pdfset: str | None = None
    """PDF set of the t0 covariance matrix, instead of the card's"""
    like_n3fit: bool = False
    """whether the space is n3fit's own"""

    def recipe(self) -> Recipe:
        """How another process makes the trainer; paths are absolute, so that it may run in any folder."""
        arguments = {
            "text": self.card.text,
            "path": str(Path(self.card.path).resolve()),
            "shown": str(self.card.path),
            "trainer": self.card.trainer if isinstance(self.card, TrainerRuncard) else None,
            "replicas": self.replicas,
            "output": str(self.output.resolve()),
            "theory": None if self.theory is None else str(self.theory.resolve()),
            "t0pdfset": self.t0pdfset,
            **({"like_n3fit": True} if self.like_n3fit else {}),
        }
        return Recipe(f"{__name__}:{build.__name__}", arguments)

    def trainer(self) -> Trainer:
        """The trainer, made here."""
        card = self.card
        if isinstance(card, Runcard):
            from hyperparton.data.load import load_fit_data
            from hyperparton.hyperloss.trainer import ModelTrainer
            from hyperparton.interop.start_weights import start_weights

            data = load_fit_data(card, self.theory, self.t0pdfset)
            return ModelTrainer.from_runcard(card, data, range(1, self.replicas + 1), start=start_weights(card))
        from hyperparton.interop.n3fit_isolation import as_trainer

        if card.trainer != N3FIT:
            return as_trainer(load_trainer(card.trainer, card.raw, Path(card.path).resolve().parent))
        from hyperparton.interop.n3fit_trainer import build_n3fit_trainer

        return as_trainer(build_n3fit_trainer(card.text, card.path, self.replicas, self.output))


def build(
    text: str, path: str, trainer: str | None, shown: str | None = None, **request: Any
) -> tuple[Trainer, HyperScanner]:
    """(trainer, HyperScanner) of a runcard's text and the other fields of a `TrainerRequest`.

    `path` is where the card was read; modules beside it can be imported. Faults of the card call it `shown`.
    """
    paths = {key: Path(value) for key, value in request.items() if key in ("output", "theory") and value is not None}
    try:
        card = parse_runcard(text, Path(path), trainer)
        scanner = scanner_of(card, request.get("like_n3fit", False))
        return TrainerRequest(card, **{**request, **paths}).trainer(), scanner
    except RuncardError as error:
        raise RuncardError([replace(fault, file=shown or path) for fault in error.faults]) from error
