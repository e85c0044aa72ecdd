"""From a file to a checked runcard, or to all its faults at once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from hyperparton.errors import Fault, RuncardError, nearest
from hyperparton.runcard.card import Runcard, SharedRuncard, TrainerRuncard
from hyperparton.runcard.cross_checks import cross_check, cross_check_trainer
from hyperparton.runcard.faults import shown, translated
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.yaml_positions import Document, KeyPath, load_document, parse_document

__all__ = ["examine", "parse_runcard", "read_runcard"]

#: keys that change the physics of a fit and that hyperparton cannot honour: (when it matters, what to say)
_UNSUPPORTED: Mapping[str, str] = {
    "theorycovmatconfig": "theory uncertainties in the covariance matrix are not supported",
    "fiatlux": "fits with a photon PDF are not supported",
    "positivity_bound": "polarized fits are not supported",
    "unpolarized_bc": "polarized fits are not supported",
    "load": "a scan starts from no saved weights; one fit does: hyperparton fit --load FILE",
    "load_weights_from_fit": "starting from saved weights is not supported",
    "drop_internal_rules": "dropping NNPDF's default cuts is not supported",
    "filter_rules": "replacing NNPDF's default cuts is not supported; use added_filter_rules",
    "filter_defaults": "replacing NNPDF's default cuts is not supported; use datacuts",
    "inconsistent_data_settings": "closure tests are not supported",
    "experiments": "the list of experiments of older cards is not supported; use dataset_inputs",
}

#: keys that describe a card and change nothing
_DESCRIPTIONS = ("description", "meta")

#: an unknown key this close to one of ours is taken as a slip of the pen, not as a key of another program
_SLIP = 0.8


def read_runcard(path: str | Path) -> Runcard | TrainerRuncard:
    """The runcard in a file; raises RuncardError with everything that is wrong with it."""
    return _settled(*examine(path))


def parse_runcard(text: str, file: Path | None = None, trainer: str | None = None) -> Runcard | TrainerRuncard:
    """The runcard in a text, with `trainer` in place of its own if given; raises RuncardError with all its faults."""
    return _settled(*_examined(parse_document(text, file), trainer))


def examine(path: str | Path, trainer: str | None = None) -> tuple[Runcard | TrainerRuncard | None, list[Fault]]:
    """The card and what is wrong with it; no card where a section is unusable. Raises RuncardError if it is no YAML.

    `trainer`, if given, takes the place of the card's own.
    """
    return _examined(load_document(path), trainer)


def _settled(card: Runcard | TrainerRuncard | None, faults: list[Fault]) -> Runcard | TrainerRuncard:
    if faults or card is None:
        raise RuncardError(faults)
    return card


def _examined(document: Document, trainer: str | None) -> tuple[Runcard | TrainerRuncard | None, list[Fault]]:
    content = document.content if trainer is None else {**document.content, "trainer": trainer}
    own = content.get("trainer") is not None
    shared = content.get("trial_specs") not in (None, {}, [], False)
    model = TrainerRuncard if own else SharedRuncard if shared else Runcard
    faults = list(document.faults)
    if own:
        wanted, unused = dict(content), ()
    else:
        faults += _unsupported(document)
        wanted = {key: value for key, value in content.items() if key in model.model_fields}
        unused = tuple(key for key in content if key not in {*wanted, *_UNSUPPORTED, *_DESCRIPTIONS})
        faults += _slips(document, (), unused, (*Runcard.model_fields, "trainer"), document.content)
    try:
        card = model.model_validate(wanted)
    except ValidationError as error:
        faults += translated(error, document, (), model)
        return None, _in_order(faults)
    card._document, card._unused = document, unused
    if isinstance(card, Runcard):
        faults += [*_slips_within(card, document), *cross_check(card)]
    else:
        faults += cross_check_trainer(card)
    return card, _in_order(faults)


def _in_order(faults: list[Fault]) -> list[Fault]:
    """By line and column, each once."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0))


def _unsupported(document: Document) -> Iterator[Fault]:
    for key, message in _UNSUPPORTED.items():
        if document.content.get(key) not in (None, {}, [], False):
            yield document.fault((key,), message, of_key=True)
    closure = document.content.get("closuretest")
    if isinstance(closure, dict) and closure.get("fakedata"):
        yield document.fault(("closuretest", "fakedata"), "closure tests are not supported", "true", "false")
    fitting = document.content.get("fitting")
    if isinstance(fitting, dict) and fitting.get("polarized"):
        yield document.fault(("fitting", "polarized"), "polarized fits are not supported")
    theory = document.content.get("theory")
    theory = theory if isinstance(theory, dict) else {}
    if theory.get("t0theoryid") not in (None, theory.get("theoryid")):
        message = "t0 predictions of another theory are not supported"
        yield document.fault(("theory", "t0theoryid"), message, shown(theory["t0theoryid"]), "that of theoryid")


def _slips_within(card: Runcard, document: Document) -> Iterator[Fault]:
    """Misspelt keys in the sections where NNPDF's cards carry keys of other programs."""
    sections: dict[KeyPath, Section] = {("datacuts",): card.datacuts, ("theory",): card.theory}
    sections |= {("fitting", "basis", place): element for place, element in enumerate(card.fitting.basis)}
    for path, section in sections.items():
        yield from _slips(
            document, path, section.model_extra or (), type(section).model_fields, section.model_fields_set
        )


def _slips(
    document: Document, path: KeyPath, unused: Iterable[str], known: Iterable[str], there: Container[str]
) -> Iterator[Fault]:
    """Unknown keys at `path` that are a known one misspelt, one that is not there."""
    from difflib import get_close_matches

    known = [key for key in known if key not in there]
    for key in unused:
        if get_close_matches(key, known, n=1, cutoff=_SLIP):
            yield document.fault((*path, key), f"unknown key {key!r}{nearest(key, known)}", of_key=True)
