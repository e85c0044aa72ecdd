"""From a file to a checked runcard, or to all its faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hyperparton.errors import Fault, RuncardError
from hyperparton.runcard.card import Runcard, SharedRuncard, TrainerRuncard
from hyperparton.runcard.cross_checks import cross_check, cross_check_trainer
from hyperparton.runcard.faults import in_file, translated
from hyperparton.runcard.foreign_keys import foreign_faults, foreign_notes, passed_over
from hyperparton.runcard.namespaces import gathered
from hyperparton.runcard.old_cards import modernised
from hyperparton.runcard.yaml_positions import Document, load_document, parse_document

__all__ = ["examine", "in_order", "parse_runcard", "read_runcard"]


def read_runcard(path: str | Path) -> Runcard | TrainerRuncard:
    """The runcard in a file; raises RuncardError with everything that is wrong with it."""
    return _settled(*examine(path))


def parse_runcard(text: str, file: Path | None = None, trainer: str | None = None) -> Runcard | TrainerRuncard:
    """The runcard in a text, with `trainer` in place of its own if given; raises RuncardError with all its faults."""
    return _settled(*_examined(parse_document(text, file), trainer))


def examine(path: str | Path, trainer: str | None = None) -> tuple[Runcard | TrainerRuncard | None, list[Fault]]:
    """The card and what is wrong with it. Raises RuncardError if it is no YAML.

    Of a card with faults what can be used of it, to look for further ones; None where a section cannot be used at all.
    `trainer`, if given, takes the place of the card's own.
    """
    return _examined(load_document(path), trainer)


def _settled(card: Runcard | TrainerRuncard | None, faults: list[Fault]) -> Runcard | TrainerRuncard:
    if faults or card is None:
        raise RuncardError(faults)
    return card


def _examined(document: Document, trainer: str | None) -> tuple[Runcard | TrainerRuncard | None, list[Fault]]:
    own = (trainer or document.content.get("trainer")) is not None
    document, notes = (document, []) if own else gathered(modernised(document))
    content = document.content if trainer is None else {**document.content, "trainer": trainer}
    shared = content.get("trial_specs") not in (None, {}, [], False)
    model = TrainerRuncard if own else SharedRuncard if shared else Runcard
    faults = list(document.faults)
    if own:
        wanted, unused = dict(content), ()
    else:
        faults += foreign_faults(document)
        notes += foreign_notes(document)
        wanted = {key: value for key, value in content.items() if key in model.model_fields}
        unused = passed_over(content, wanted)
    wrong: set[str] = set()
    try:
        card = model.model_validate(wanted)
    except ValidationError as error:
        faults += translated(error, document, (), model)
        wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False) if detail["loc"]}
        card = _without_faults(model, wanted, error)
    if card is not None:
        card._document, card._unused, card._notes = document, unused, tuple(notes)
        faults += cross_check(card, wrong) if isinstance(card, Runcard) else cross_check_trainer(card)
    return card, in_order(faults)


def _without_faults(
    model: type[Runcard | TrainerRuncard], wanted: Mapping[str, Any], error: ValidationError
) -> Runcard | TrainerRuncard | None:
    """The card without the keys that are at fault, so that the rest is examined too; None if it needs them."""
    content = deepcopy(dict(wanted))
    for detail in error.errors(include_url=False):
        holder: Any = content
        *way, key = in_file(detail["loc"]) or ("",)
        for part in way:
            holder = holder.get(part) if isinstance(holder, dict) else _at(holder, part)
        if not isinstance(holder, dict) or key not in holder:
            return None
        del holder[key]
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _at(holder: Any, place: Any) -> Any:
    return holder[place] if isinstance(holder, list) and isinstance(place, int) and place < len(holder) else None


def in_order(faults: list[Fault]) -> list[Fault]:
    """By line and column, each once."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0))
