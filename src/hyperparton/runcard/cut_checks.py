"""What can be wrong between the keys of cuts, each of which is right by itself."""

from __future__ import annotations

from collections.abc import Iterator

from hyperparton.errors import Fault, nearest
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.datacuts import FROM_FIT, INTERSECTION, SIMILAR, DataCuts, FilterDefaults, Limits
from hyperparton.runcard.yaml_positions import KeyPath

__all__ = ["cut_faults"]

_SPEC: KeyPath = ("datacuts", "cuts_intersection_spec")


def cut_faults(card: Runcard) -> Iterator[Fault]:
    """Keys that a policy needs, and limits that are said twice."""
    yield from _policy(card)
    datacuts = card.datacuts
    yield from _limits(card, ("filter_defaults",), card.filter_defaults, _stated(datacuts))
    for k, entry in enumerate(datacuts.cuts_intersection_spec or ()):
        if entry.filter_defaults is not None or any(getattr(entry, name) is not None for name in Limits._fields):
            own = {name: getattr(entry, name) for name in Limits._fields if getattr(entry, name) is not None}
            defaults, path = entry.filter_defaults, (*_SPEC, k, "filter_defaults")
            if defaults is None:
                defaults, path = card.filter_defaults, ("filter_defaults",)
            yield from _limits(card, path, defaults, {**_stated(datacuts), **own})


def _stated(datacuts: DataCuts) -> dict[str, float]:
    return {name: getattr(datacuts, name) for name in Limits._fields if name in datacuts.model_fields_set}


def _limits(card: Runcard, path: KeyPath, defaults: FilterDefaults | None, stated: dict[str, float]) -> Iterator[Fault]:
    for name, value in stated.items():
        other = None if defaults is None else getattr(defaults, name)
        if other is not None and other != value:
            yield card.fault(
                (*path, name), f"{name} is given a second time", f"{other:g}", f"{value:g}, or one of them"
            )


def _policy(card: Runcard) -> Iterator[Fault]:
    datacuts, path = card.datacuts, ("datacuts", "use_cuts")
    policy, spec = datacuts.use_cuts, datacuts.cuts_intersection_spec
    if policy == FROM_FIT and datacuts.fit is None:
        yield card.fault(path, f"{FROM_FIT} needs the folder of a fit", accepted="datacuts: fit")
    if policy in (INTERSECTION, SIMILAR) and spec is None:
        accepted = "such as cuts_intersection_spec: [{theoryid: 40_000_000}, {theoryid: 208}]"
        yield card.fault(path, f"{policy} needs cuts_intersection_spec", accepted=accepted)
    if policy != SIMILAR or spec is None:
        return
    if datacuts.cut_similarity_threshold is None:
        yield card.fault(path, f"{policy} needs cut_similarity_threshold", accepted="a number above 0")
    if len(spec) != 2:
        yield card.fault(_SPEC, f"{policy} compares two predictions", f"{len(spec)} entries", "two entries")
    for k, entry in enumerate(spec):
        if entry.pdf is None:
            yield card.fault((*_SPEC, k), f"{policy} needs a PDF set in each entry", accepted="pdf: NAME")
    known = [entry.dataset for entry in card.dataset_inputs]
    for i, name in enumerate(datacuts.do_not_require_similarity_for):
        if name not in known:
            message = f"names a data set that is not fitted{nearest(name, known)}"
            yield card.fault(("datacuts", "do_not_require_similarity_for", i), message, name)
