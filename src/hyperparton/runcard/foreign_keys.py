"""Keys that NNPDF's programs know and hyperparton does not, and keys that nobody knows.

n3fit looks for a key in `fitting`, `closuretest`, `theory`, `datacuts` and at the top level, in this order, and takes
the first that it finds. So a key that changes the fit is a fault wherever it stands; one that changes nothing is passed
over wherever it stands; one of ours must stand in its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hyperparton.errors import Fault, nearest, shortened
from hyperparton.runcard.card import BasisElement, Fitting, KFold, Runcard, TheoryInput
from hyperparton.runcard.datacuts import DataCuts
from hyperparton.runcard.faults import shown
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.treatment import TheoryCovmatConfig
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = ["foreign_faults", "passed_over"]


def _off(value: Any, content: Mapping[str, Any]) -> bool:
    """Whether a key with this value changes nothing: it has none, or is empty or false."""
    return value in (None, {}, [], False)


def _only(*harmless: Any) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda value, content: value is None or any(value == each for each in harmless)


@dataclass(frozen=True)
class _Unsupported:
    """A key that changes the fit: what to say of it, what is accepted in its place, and when it changes nothing."""

    message: str
    accepted: str | None = None
    harmless: Callable[[Any, Mapping[str, Any]], bool] = _off


_POLARIZED = _Unsupported("polarized fits are not supported")
_WEIGHTS = "a scan starts from no saved weights; one fit does: hyperparton fit --load FILE"

#: what changes the fit and cannot be honoured; a feature that comes takes its key out of here
_UNSUPPORTED: Mapping[str, _Unsupported] = {
    "fiatlux": _Unsupported("fits with a photon PDF are not supported"),
    "positivity_bound": _POLARIZED,
    "unpolarized_bc": _POLARIZED,
    "polarized": _POLARIZED,
    "load": _Unsupported(_WEIGHTS),
    "load_weights_from_fit": _Unsupported(_WEIGHTS),
    "use_cuts": _Unsupported("it counts in `datacuts` alone", "internal", _only("internal")),
    "fakedata": _Unsupported("closure tests are not supported", "false"),
    "inconsistent_fakedata": _Unsupported("closure tests are not supported", "false"),
    "inconsistent_data_settings": _Unsupported("closure tests are not supported"),
    "use_fitcommondata": _Unsupported("data from the folder of a fit are not supported", "false"),
    "use_t0": _Unsupported("what decides on the t0 matrix is whether there is a t0pdfset", "true", _only(True)),
    "use_thcovmat_in_fitting": _Unsupported("it is a key of `theorycovmatconfig`", "false"),
    "use_thcovmat_in_sampling": _Unsupported("it is a key of `theorycovmatconfig`", "false"),
}

#: of these, the ones whose harmless values are part of what identifies a scan; those of older folders are
_IDENTIFYING = frozenset(
    {
        "theorycovmatconfig", "fiatlux", "positivity_bound", "unpolarized_bc", "load", "load_weights_from_fit",
        "drop_internal_rules", "filter_rules", "filter_defaults", "inconsistent_data_settings", "experiments",
    }
)  # fmt: skip

#: what describes a card
_DESCRIPTIONS = ("description", "meta")

#: what says how n3fit runs or what it writes, and what programs before it read, wherever it stands
_HARMLESS = frozenset(
    {
        *_DESCRIPTIONS, "debug", "maxcores", "parallel_models", "double_precision", "save", "tensorboard",
        "savepseudodata", "allow_legacy_names",
        "seed", "rnalgo", "fitmethod", "ngen", "nmutants", "paramtype", "nnodes", "nn_seed", "initialization",
    }
)  # fmt: skip

#: further ones in single sections: cuts and closure tests of older cards
_HARMLESS_IN: Mapping[str, frozenset[str]] = {
    "datacuts": frozenset(
        {
            "combocuts", "jetptcut_tev", "jetptcut_lhc", "jetycut_tev", "jetycut_lhc", "jetcfactcut", "wptcut_lhc",
            "wptcut", "dymasscut_min", "dymasscut_max",
        }
    ),
    "closuretest": frozenset(
        {
            "fakepdf", "fakenoise", "filterseed", "faketheoryid", "errorsize", "rancutmethod", "rancutprob",
            "rancuttrnval", "printpdf4gen",
        }
    ),
}  # fmt: skip

#: what older cards say of the mutations of each element of the basis
_OF_ELEMENTS = frozenset({"pos", "mutsize", "mutprob"})

#: keys of theorycovmatconfig for uncertainties from predictions of several theories, or from power corrections
_PRESCRIPTIONS = ("point_prescriptions", "point_prescription")
_OF_PRESCRIPTIONS = frozenset({*_PRESCRIPTIONS, "pdf", "pc_parameters", "pc_included_procs", "pc_excluded_datasets"})

#: where n3fit looks for any key, with the keys of ours that belong there
_SCOPES: Mapping[str, frozenset[str]] = {
    "datacuts": frozenset(DataCuts.model_fields),
    "theory": frozenset(TheoryInput.model_fields),
    "closuretest": frozenset(),
    "fitting": frozenset(Fitting.model_fields),
}

#: key of ours -> the section that it belongs to; the top level is ""
_HOMES: Mapping[str, str] = {
    **dict.fromkeys(KFold.model_fields, "kfold"),
    **dict.fromkeys(Parameters.model_fields, "parameters"),
    **{key: section for section, keys in _SCOPES.items() for key in keys if key not in ("basis", "use_cuts")},
    **dict.fromkeys((*Runcard.model_fields, "trainer"), ""),
}

#: an unknown key this close to one of ours is taken as a slip of the pen, not as a key of another program
_SLIP = 0.8


def foreign_faults(document: Document) -> Iterator[Fault]:
    """Keys that cannot be honoured, stand in the wrong place or are misspelt, in the sections that n3fit searches."""
    content = document.content
    yield from _unsupported(document, (), content)
    yield from _misplaced(document)
    for section, known in _SCOPES.items():
        given = content.get(section)
        if isinstance(given, dict):
            yield from _unsupported(document, (section,), {key: given[key] for key in given if key not in known})
            harmless = _HARMLESS | _HARMLESS_IN.get(section, frozenset())
            yield from _unknown(document, (section,), given, known, harmless)
    yield from _theory_uncertainties(document)
    fitting = content.get("fitting")
    basis = fitting.get("basis") if isinstance(fitting, dict) else None
    for place, element in enumerate(basis if isinstance(basis, list) else ()):
        if isinstance(element, dict):
            path = ("fitting", "basis", place)
            yield from _unknown(document, path, element, frozenset(BasisElement.model_fields), _OF_ELEMENTS)


def passed_over(content: Mapping[str, Any], ours: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys at the top level that are not `ours` and change nothing here."""
    return tuple(key for key in content if key not in {*ours, *_IDENTIFYING, *_DESCRIPTIONS})


def _unsupported(document: Document, path: KeyPath, given: Mapping[str, Any]) -> Iterator[Fault]:
    for key, rule in _UNSUPPORTED.items():
        if key in given and not rule.harmless(given[key], document.content):
            yield document.fault((*path, key), rule.message, shown(given[key]), rule.accepted, of_key=True)


def _theory_uncertainties(document: Document) -> Iterator[Fault]:
    """Of `theorycovmatconfig`: matrices that are not a file's, where they would count, and unknown keys."""
    given, path = document.content.get("theorycovmatconfig"), ("theorycovmatconfig",)
    if not isinstance(given, dict):
        return
    known = frozenset(TheoryCovmatConfig.model_fields)
    yield from _unknown(
        document, path, {key: None for key in given if key not in _UNSUPPORTED}, known, _OF_PRESCRIPTIONS
    )
    if given.get("use_thcovmat_in_fitting") is False and given.get("use_thcovmat_in_sampling") is False:
        return
    for key in _PRESCRIPTIONS:
        if not _off(given.get(key), document.content):
            message = "uncertainties from the predictions of several theories are not supported"
            yield document.fault((*path, key), message, shown(given[key]), "user_covmat_path", of_key=True)


def _misplaced(document: Document) -> Iterator[Fault]:
    """Keys at the top level that belong into a section, and slips of the pen."""
    content = document.content
    known = [key for key in (*_HOMES, *_UNSUPPORTED) if key not in content]
    for key in content:
        home = _HOMES.get(key)
        if home:
            there = content.get(home)
            if not isinstance(there, dict) or there.get(key) is None:
                yield document.fault((key,), f"{key!r} is a key of `{home}`", of_key=True)
        elif home is None and key not in _UNSUPPORTED and key not in _HARMLESS and _slip(key, known):
            yield document.fault((key,), f"unknown key {shortened(key)!r}{nearest(key, known)}", of_key=True)


def _slip(key: str, known: list[str]) -> bool:
    longest = max(map(len, known))
    return len(key) <= 2 * longest and bool(get_close_matches(key, known, n=1, cutoff=_SLIP))


def _unknown(
    document: Document, path: KeyPath, given: Mapping[str, Any], known: frozenset[str], harmless: frozenset[str]
) -> Iterator[Fault]:
    for key in given:
        if key in known or key in harmless or (key in _UNSUPPORTED and len(path) == 1):
            continue
        home = _HOMES.get(key) if len(path) == 1 else None
        if home is not None:
            where = f"of `{home}`" if home else "of the top level"
            yield document.fault((*path, key), f"{key!r} is a key {where}", of_key=True)
        else:
            message = f"unknown key {shortened(key)!r}{nearest(key, (*known, *_UNSUPPORTED))}"
            yield document.fault((*path, key), message, accepted=", ".join(sorted(known)) or None, of_key=True)
