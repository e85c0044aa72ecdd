"""A card as its fits have it: each key in its place, and what the card leaves out as it is by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperparton.runcard.card import BasisElement, Fitting, Runcard, TheoryInput
from hyperparton.runcard.datacuts import CutRules, DataCuts
from hyperparton.runcard.dataset_input import DatasetInput
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.kfold import KFold, Partition
from hyperparton.runcard.namespaces import gathered
from hyperparton.runcard.old_cards import modernised
from hyperparton.runcard.treatment import DataTreatment, TheoryCovmatConfig
from hyperparton.runcard.yaml_positions import parse_document

__all__ = ["completed_content"]

_TOP = (*CutRules.model_fields, *DataTreatment.model_fields, "genrep", "diagonal_basis", "diagonal_frac", "sum_rules")
_SECTIONS: Mapping[str, type[Section]] = {
    "datacuts": DataCuts,
    "fitting": Fitting,
    "kfold": KFold,
    "theory": TheoryInput,
    "theorycovmatconfig": TheoryCovmatConfig,
}
#: lists by their places, and what their entries are
_LISTS: Sequence[tuple[tuple[str, ...], type[Section]]] = (
    (("dataset_inputs",), DatasetInput),
    (("fitting", "basis"), BasisElement),
    (("kfold", "partitions"), Partition),
)


def completed_content(text: str) -> dict[str, Any]:
    """The content of a card.

    Of a card for a trainer of one's own the keys stay where they are.  Raises RuncardError if it is no YAML.
    """
    document = parse_document(text, None)
    if document.content.get("trainer") is None:
        document, _ = gathered(modernised(document))
    content = {key: _default(Runcard, key) for key in _TOP} | document.content
    if isinstance(content["sum_rules"], bool):
        content["sum_rules"] = "All" if content["sum_rules"] else None
    for section, model in _SECTIONS.items():
        if isinstance(held := content.get(section), Mapping):
            content[section] = _completed(held, model)
    for (*way, key), model in _LISTS:
        holder = content.get(way[0]) if way else content
        if isinstance(holder, dict) and isinstance(held := holder.get(key), list):
            holder[key] = [_completed(entry, model) if isinstance(entry, Mapping) else entry for entry in held]
    return content


def _completed(held: Mapping[str, Any], model: type[Section]) -> dict[str, Any]:
    usual = {key: _default(model, key) for key, entry in model.model_fields.items() if not entry.is_required()}
    if model is KFold and held.get("target") is not None:  # the older name
        usual["fold_statistic"] = held["target"]
    return {**usual, **held}


def _default(model: type[Section], key: str) -> Any:
    return model.model_fields[key].default
