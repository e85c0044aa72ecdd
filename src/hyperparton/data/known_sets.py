"""Checks that the data sets and variants of a runcard exist, in milliseconds and without nnpdf-data's parsers.

nnpdf-data keeps one folder per set with a `metadata.yaml`, where indentation shows the observables and their variants.
A set that is missing here is missing; a file that cannot be read here is left to `load_fit_data`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hyperparton.errors import Fault, nearest
from hyperparton.runcard.card import DatasetInput, LagrangeSet, Runcard

__all__ = ["check_dataset_names"]

_OBSERVABLE = re.compile(r"^-?\s*(?:- )?\s*observable_name:\s*['\"]?([^'\"\s#]+)")
_VARIANTS = re.compile(r"^(\s*)variants:\s*(\S.*)?$")
_KEY = re.compile(r"^(\s*)['\"]?([A-Za-z0-9_\-+.]+)['\"]?:")


@lru_cache(maxsize=1)
def _root() -> Path:
    spec = find_spec("nnpdf_data")  # without an import, which takes long
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "commondata"


def check_dataset_names(card: Runcard) -> list[Fault]:
    """A fault for every data set or variant of a runcard that nnpdf-data does not have."""
    entries = [(("dataset_inputs", i), entry) for i, entry in enumerate(card.dataset_inputs)]
    entries += [(("positivity", "posdatasets", i), entry) for i, entry in enumerate(card.positivity)]
    entries += [(("integrability", "integdatasets", i), entry) for i, entry in enumerate(card.integrability)]
    return [fault for path, entry in entries for fault in _check(card, path, entry)]


def _check(card: Runcard, path: tuple[str | int, ...], entry: DatasetInput | LagrangeSet) -> Iterator[Fault]:
    folder, _, observable = entry.dataset.rpartition("_")
    observables = _observables(folder) if re.fullmatch(r"[A-Za-z0-9_\-.]+", folder) else None
    if observables is None:
        yield card.fault((*path, "dataset"), f"unknown data set{_close(entry.dataset)}", entry.dataset)
        return
    if not observables:
        return
    if observable.upper() not in observables:
        accepted = ", ".join(f"{folder}_{name}" for name in observables)
        yield card.fault((*path, "dataset"), "unknown data set", entry.dataset, accepted)
        return
    for variant in entry.variant or ():
        known = observables[observable.upper()]
        if variant not in known:
            message = f"{entry.dataset} has no variant {variant!r}{nearest(variant, known)}"
            yield card.fault((*path, "variant"), message, accepted=", ".join(known) or "none")


def _close(name: str) -> str:
    folders = [path.name for path in _root().iterdir() if path.is_dir()]
    close = nearest(name.rpartition("_")[0] or name, folders)
    return close.replace("did you mean", "a set near it begins with")


@lru_cache(maxsize=256)
def _observables(folder: str) -> Mapping[str, tuple[str, ...]] | None:
    """Observable in capitals -> its variants; None if there is no such folder, empty if it cannot be read."""
    path = _root() / folder / "metadata.yaml"
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    variants_of: dict[str, tuple[str, ...]] = {}
    current, inside, depth = None, -1, -1
    for line in lines:
        named = _OBSERVABLE.match(line)
        if named:
            current, inside = named[1].upper(), -1
            variants_of[current] = ()
            continue
        variants = _VARIANTS.match(line)
        if variants and current is not None:
            if variants[2]:  # in flow style: not read here
                return {}
            inside, depth = len(variants[1]), -1
            continue
        key = _KEY.match(line)
        if inside >= 0 and current is not None and key:
            indent = len(key[1])
            if indent <= inside:
                inside = -1
            else:
                depth = indent if depth < 0 else depth
                if indent == depth:
                    variants_of[current] = (*variants_of[current], key[2])
    return variants_of
