"""What older cards say in other words, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hyperparton.errors import Fault
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.faults import shown
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = ["modernised", "older_words"]

_FORM = "a list of {experiment: NAME, datasets: [...]}"


def modernised(document: Document) -> Document:
    """The document with the data sets of `experiments` as `dataset_inputs`, if it has none of these.

    Faults keep the places of the file.  An entry of `experiments` that is none is a fault.
    """
    content = document.content
    if not content.get("experiments") or content.get("dataset_inputs") is not None:
        return document
    sets: list[Any] = []
    moved: dict[KeyPath, KeyPath] = {("dataset_inputs",): ("experiments",)}
    faults = list(_malformed(document, content["experiments"]))
    if not faults:
        for i, experiment in enumerate(content["experiments"]):
            for j, entry in enumerate(experiment["datasets"]):
                moved["dataset_inputs", len(sets)] = ("experiments", i, "datasets", j)
                sets.append(entry)
    rest = {key: value for key, value in content.items() if key != "experiments"}
    return replace(
        document,
        content={"dataset_inputs": sets, **rest},
        faults=(*document.faults, *faults),
        moved={**document.moved, **moved},
    )


def _malformed(document: Document, experiments: Any) -> Iterator[Fault]:
    if not isinstance(experiments, list):
        yield document.fault(("experiments",), "must be a list", shown(experiments), _FORM)
        return
    for i, entry in enumerate(experiments):
        if not isinstance(entry, dict) or not isinstance(entry.get("datasets"), list):
            yield document.fault(("experiments", i), "names an experiment and its data sets", shown(entry), _FORM)


def older_words(card: Runcard) -> list[Fault]:
    """What of a card is said in words of older ones, each once, with what is made of it."""
    found = []
    if card.moved.get(("dataset_inputs",)) == ("experiments",):
        message = "the older form of dataset_inputs: the data sets are read, their grouping is not used"
        found.append(card.fault(("dataset_inputs",), message))
    for section, key in (("positivity", "posdatasets"), ("integrability", "integdatasets")):
        places = [i for i, entry in enumerate(getattr(card, section)) if "poslambda" in entry.model_fields_set]
        if places:
            more = f" (so in {len(places)} sets)" if len(places) > 1 else ""
            found.append(card.fault((section, key, places[0], "poslambda"), f"an older name of maxlambda{more}"))
    return found
