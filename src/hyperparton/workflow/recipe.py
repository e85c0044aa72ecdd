"""How a process of its own makes the trainer of a runcard: from the card's text and a few names, never from objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperparton.runcard import N3FIT, Runcard, TrainerRuncard, parse_runcard

__all__ = ["build", "card_recipe", "make_n3fit_trainer", "pdf_trainer"]


def card_recipe(
    card: Runcard | TrainerRuncard, replicas: int, theory: Path | None, t0pdfset: str | None, output: Path
) -> Any:
    """The `Recipe` of a card; relative paths are made absolute, so that it may be followed in any folder."""
    from hyperparton.scan import Recipe

    arguments = {
        "text": card.text,
        "path": str(Path(card.path).resolve()),
        "replicas": replicas,
        "theory": None if theory is None else str(theory.resolve()),
        "t0pdfset": t0pdfset,
        "trainer": card.trainer if isinstance(card, TrainerRuncard) else None,
        "output": str(output.resolve()),
    }
    return Recipe("hyperparton.workflow.recipe:build", arguments)


def build(
    text: str, path: str, replicas: int, theory: str | None, t0pdfset: str | None, trainer: str | None, output: str
) -> tuple[Any, Any]:
    """(trainer, HyperScanner) of a runcard's text; `path` is where it was read, and modules beside it are found."""
    from hyperparton.scan import load_trainer
    from hyperparton.workflow.cards import scanner_of

    card = parse_runcard(text, Path(path), trainer)
    scanner = scanner_of(card)
    if isinstance(card, Runcard):
        from hyperparton.data import load_fit_data

        data = load_fit_data(card, None if theory is None else Path(theory), t0pdfset)
        return pdf_trainer(card, data, replicas), scanner
    if card.trainer == N3FIT:
        return make_n3fit_trainer(card, replicas, Path(output)), scanner
    return load_trainer(card.trainer, card.raw, Path(path).parent), scanner


def pdf_trainer(card: Runcard, data: Any, replicas: int, progress: Any = None) -> Any:
    """The trainer of PDF fits of a card with its data."""
    from hyperparton.hyperloss import ModelTrainer

    return ModelTrainer.from_runcard(card, data, range(1, replicas + 1), progress)


def make_n3fit_trainer(card: TrainerRuncard, replicas: int, output: Path) -> Any:
    """n3fit's own trainer of a card; `output` is the scan's folder."""
    from hyperparton.interop.n3fit_trainer import build_n3fit_trainer

    return build_n3fit_trainer(card.text, card.path, replicas, output)
