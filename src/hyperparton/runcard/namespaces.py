"""Where a key may stand: n3fit's nested namespaces.

n3fit looks for a key in `fitting`, in `closuretest` where there is one, in `theory`, in `datacuts` and at the top
level, in this order, and takes the first that it finds.  `gathered` puts each key of ours where the models expect it.
What is left where it stands, `foreign_keys` judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hyperparton.errors import Fault
from hyperparton.runcard.card import Fitting, Runcard, TheoryInput
from hyperparton.runcard.datacuts import DataCuts
from hyperparton.runcard.yaml_positions import Document, KeyPath

__all__ = ["NOT_IN_FITTING", "SCOPES", "content_of", "gathered"]

#: where n3fit looks, the innermost first; "" is the top level
SCOPES = ("fitting", "closuretest", "theory", "datacuts", "")

#: what n3fit refuses inside `fitting`
NOT_IN_FITTING = frozenset({"trvlseed", "nnseed", "mcseed", "save", "load", "genrep", "parameters", "epochs"})

#: what n3fit sets itself, whatever the card has at the top level
_SET_AT_TOP = frozenset({"use_cuts", "use_t0", "allow_legacy_names"})

#: what n3fit reads from the top level of a card, whatever its sections have
_READ_AT_TOP = frozenset({"theorycovmatconfig"})

#: sections, and what a scan reads as it is written: these stand at the top level alone
_FIXED = frozenset(
    {"fitting", "theory", "datacuts", "parameters", "hyperscan_config", "kfold", "trial_specs", "closuretest"}
)


def _homes() -> dict[str, str]:
    homes = dict.fromkeys(Runcard.model_fields, "")
    for section, model in (("fitting", Fitting), ("theory", TheoryInput), ("datacuts", DataCuts)):
        homes |= dict.fromkeys(model.model_fields, section)
    return {key: home for key, home in homes.items() if key not in _FIXED}


#: key -> the section in which the models expect it
_HOMES = _homes()


def gathered(document: Document) -> tuple[Document, list[Fault]]:
    """The document with each of our keys in its home, and notes on those that others overrule.

    Faults of the new document name the places of the file.
    """
    content = {
        key: dict(value) if key in SCOPES and isinstance(value, dict) else value
        for key, value in document.content.items()
    }
    moved = dict(document.moved)
    notes: list[Fault] = []
    for key, home in _HOMES.items():
        places = _places(content, key)
        if not any(scope != home for scope in places) or not isinstance(content_of(content, home), dict | None):
            continue
        given = [scope for scope in places if content_of(content, scope)[key] is not None and _acts(scope, key)]
        first = given[0] if given else home
        value = (content_of(content, first) or {}).get(key)
        for scope in places:
            held = content_of(content, scope).pop(key)
            if scope != first:
                message = f"changes nothing: {_why_not(scope, first, key, held)}"
                notes.append(document.fault(_path(scope, key), message, of_key=True))
        if not given and home not in places:
            continue
        if not isinstance(content_of(content, home), dict):
            content[home] = {}
        content_of(content, home)[key] = value
        if first != home:
            there = _path(home, key)
            moved = {path: place for path, place in moved.items() if path[: len(there)] != there}
            moved[there] = _path(first, key)
    return replace(document, content=content, moved=moved), notes


def content_of(content: Mapping[str, Any], scope: str) -> Any:
    """What a scope holds, keys with values if it is one."""
    return content if not scope else content.get(scope)


def _places(content: Mapping[str, Any], key: str) -> list[str]:
    """The scopes that have a key of ours, the innermost first, without those in which it is refused."""
    held = {scope: content_of(content, scope) for scope in SCOPES}
    having = [scope for scope, each in held.items() if isinstance(each, dict) and key in each]
    return [scope for scope in having if scope != "fitting" or key not in NOT_IN_FITTING]


def _acts(scope: str, key: str) -> bool:
    return not scope if key in _READ_AT_TOP else bool(scope) or key not in _SET_AT_TOP


def _why_not(scope: str, first: str, key: str, held: Any) -> str:
    if held is None:
        return "it has no value here"
    if not _acts(scope, key) and scope:
        return "n3fit reads it at the top level alone"
    if not _acts(scope, key):
        return "at the top level n3fit sets it itself; inside `datacuts` it acts"
    return f"n3fit finds {key} in {f'`{first}`' if first else 'the card'} first"


def _path(scope: str, key: str) -> KeyPath:
    return (scope, key) if scope else (key,)
