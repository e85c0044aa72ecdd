"""Keys that NNPDF's programs know and hyperparton does not, and keys that nobody knows.

n3fit looks for a key in several sections (`namespaces`). So a key that changes the fit and cannot be honoured is a
fault wherever it stands, and one that changes nothing is named wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hyperparton.errors import Fault, nearest, shortened
from hyperparton.runcard.card import BasisElement, Fitting, Runcard, TheoryInput
from hyperparton.runcard.datacuts import DataCuts
from hyperparton.runcard.faults import shown
from hyperparton.runcard.kfold import KFold
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.treatment import TheoryCovmatConfig
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = ["REASONS", "foreign_faults", "foreign_notes", "passed_over"]


def _off(value: Any, content: Mapping[str, Any]) -> bool:
    """Whether a key with this value changes nothing: it has none, or is empty or false."""
    return value in (None, {}, [], False)


def _no_matrix(value: Any, content: Mapping[str, Any]) -> bool:
    """Whether a key switches off a covariance matrix of theory that the card does not have."""
    return _off(value, content) and not content.get("theorycovmatconfig")


def _only(*harmless: Any) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda value, content: value is None or any(value == each for each in harmless)


@dataclass(frozen=True)
class _Unsupported:
    """A key that changes the fit: what to say of it, what is accepted in its place, and when it changes nothing."""

    message: str
    accepted: str | None = None
    harmless: Callable[[Any, Mapping[str, Any]], bool] = _off


_POLARIZED = _Unsupported("polarized fits are not supported")
_OF_CONFIG = "it is a key of `theorycovmatconfig`"
_SEVERAL = "uncertainties from the predictions of several theories are not supported"
_OF_VALIDPHYS = _Unsupported("is what validphys makes itself for other programs, and no key of a card")

#: keys of theorycovmatconfig that ask for uncertainties from predictions of several theories
_PRESCRIPTIONS = ("point_prescriptions", "point_prescription")

#: what changes the fit and cannot be honoured; a feature that comes takes its key out of here
_UNSUPPORTED: Mapping[str, _Unsupported] = {
    "fiatlux": _Unsupported("fits with a photon PDF are not supported"),
    "positivity_bound": _POLARIZED,
    "unpolarized_bc": _POLARIZED,
    "polarized": _POLARIZED,
    "fakedata": _Unsupported("closure tests are not supported", "false"),
    "inconsistent_fakedata": _Unsupported("closure tests are not supported", "false"),
    "inconsistent_data_settings": _Unsupported("closure tests are not supported"),
    "use_fitcommondata": _Unsupported("data from the folder of a fit are not supported", "false"),
    "use_t0": _Unsupported("what decides on the t0 matrix is whether there is a t0pdfset", "true", _only(True)),
    "use_thcovmat_in_fitting": _Unsupported(_OF_CONFIG, None, _no_matrix),
    "use_thcovmat_in_sampling": _Unsupported(_OF_CONFIG, None, _no_matrix),
    **dict.fromkeys(("user_covmat_path", "mult_factor"), _Unsupported(_OF_CONFIG)),
    **dict.fromkeys(
        ("use_thcovmat_if_present", "load_thcovmat_from_file"),
        _Unsupported("whether there is a covariance matrix of theory, `theorycovmatconfig` says", "false"),
    ),
    **dict.fromkeys(_PRESCRIPTIONS, _Unsupported(_SEVERAL, "theorycovmatconfig: user_covmat_path")),
    "max_tries": _Unsupported("the number of draws of a data replica is not limited"),
    "default_filter_rules": _Unsupported("other sets of NNPDF's default cuts are not supported"),
    "default_filter_settings": _Unsupported("other sets of NNPDF's default cuts are not supported"),
    **dict.fromkeys(("_central_values", "_list_of_central_values", "_only_additive"), _OF_VALIDPHYS),
    **dict.fromkeys(
        (f"{name}_recorded_spec_" for name in ("data_grouping", "default_filter_rules", "default_filter_settings")),
        _OF_VALIDPHYS,
    ),
}

#: further keys, the harmless values of which are part of what identifies a scan; those of older folders are
_IDENTIFYING = frozenset({"fiatlux", "positivity_bound", "unpolarized_bc", "inconsistent_data_settings", "experiments"})

#: keys of ours that are as good as absent where they are empty
_EMPTY = frozenset({"theorycovmatconfig", "drop_internal_rules", "filter_defaults"})

#: what describes a card
_DESCRIPTIONS = ("description", "meta")

#: what says how n3fit runs or what it writes, and what programs before it read, wherever it stands
_HARMLESS = frozenset(
    {
        *_DESCRIPTIONS, "debug", "parallel_models", "double_precision", "tensorboard", "allow_legacy_names",
        "check_plotting", "use_pdferr", "pdf", "group_name", "theoryids", "dataset_input",
        "seed", "rnalgo", "fitmethod", "ngen", "nmutants", "paramtype", "nnodes", "nn_seed", "initialization",
    }
)  # fmt: skip

#: why some of these change nothing
REASONS: Mapping[str, str] = {
    "debug": "the seeds fix every fit here",
    "parallel_models": "the replicas of a call are trained at once, each as if it were alone",
    "double_precision": "fits are trained in single precision, and what is reported is computed in double",
    "tensorboard": "the report of a scan and chi2exps.log show how fits went",
}

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
    **{key: section for section, keys in _SCOPES.items() for key in keys if key != "basis"},
    **dict.fromkeys((*Runcard.model_fields, "experiments", "trainer"), ""),
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
            yield from _unsupported(document, (section,), given)
            harmless = _HARMLESS | _HARMLESS_IN.get(section, frozenset())
            yield from _unknown(document, (section,), given, known, harmless)
    yield from _theory_uncertainties(document)
    fitting = content.get("fitting")
    basis = fitting.get("basis") if isinstance(fitting, dict) else None
    for place, element in enumerate(basis if isinstance(basis, list) else ()):
        if isinstance(element, dict):
            path = ("fitting", "basis", place)
            yield from _unknown(document, path, element, frozenset(BasisElement.model_fields), _OF_ELEMENTS)


def foreign_notes(document: Document) -> Iterator[Fault]:
    """What changes nothing in the sections, and what has no value, each with its place."""
    content = document.content
    sections = [
        ((section,), content.get(section), _HARMLESS | _HARMLESS_IN.get(section, frozenset())) for section in _SCOPES
    ]
    fitting = content.get("fitting")
    basis = fitting.get("basis") if isinstance(fitting, dict) else None
    elements = enumerate(basis if isinstance(basis, list) else ())
    sections += [(("fitting", "basis", place), element, _OF_ELEMENTS) for place, element in elements]
    for path, given, harmless in sections:
        for key, value in (given if isinstance(given, dict) else {}).items():
            if key in harmless:
                why = REASONS.get(key, "no fit depends on it")
                yield document.fault((*path, key), f"changes nothing: {why}", of_key=True)
            elif key in _UNSUPPORTED and len(path) == 1:
                yield document.fault((*path, key), "changes nothing with this value", shown(value), of_key=True)
    for key in (_IDENTIFYING | _EMPTY) & content.keys():
        if not _off(content[key], content):
            continue  # the card itself says what becomes of it
        yield document.fault((key,), "changes nothing with this value", shown(content[key]), of_key=True)


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
            yield document.fault((*path, key), _SEVERAL, shown(given[key]), "user_covmat_path", of_key=True)


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
