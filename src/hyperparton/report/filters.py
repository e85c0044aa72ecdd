"""Choosing trials: `optimizer=Adam`, `loss<2`, `activation_per_layer=tanh|sigmoid`. A small parser, nothing evaluated.

    FILTER = KEY OPERATOR VALUE {"|" VALUE}
    OPERATOR = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="

A key is a hyperparameter, or what a trial has of its own: loss, validation_loss, experimental_loss, trial, scan,
status, seconds. A hyperparameter of one of these names is `parameter.loss`; `loss=hinge` is understood too, since the
loss of a trial is a number. A key in quotes may hold anything; validphys' short names are understood (lr, nl, stp,
...). Several values stand for any of them. As in validphys, a trial to which the hyperparameter does not apply passes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hyperparton.errors import ReportError, nearest
from hyperparton.report.hyperparameters import shown
from hyperparton.trials.parameters import OWN_NAMES, PARAMETER
from hyperparton.trials.result import is_number
from hyperparton.trials.trial import Trial

__all__ = ["ALIASES", "Filter", "apply_filters", "keys_of", "parse_filter", "resolve_key", "value_of"]

_PATTERN = re.compile(r"""\s*('[^']*'|"[^"]*"|[^\s'"=<>!|][^'"=<>!|]*?)\s*(==|!=|<=|>=|=|<|>)\s*(.*?)\s*""", re.DOTALL)

_EQUAL: dict[str, bool] = {"=": True, "==": True, "!=": False}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

#: what validphys calls them, and what comes easily to mind
ALIASES = {
    "id": "trial",
    "iteration": "trial",
    "lr": "learning_rate",
    "nodes": "nodes_per_layer",
    "nl": "number_of_layers",
    "activation": "activation_per_layer",
    "architecture": "layer_type",
    "stp": "stopping_patience",
    "ste": "stopping_epochs",
    "p_ini": "initial",
    "p_mul": "multiplier",
    "vl": "validation_loss",
    "tl": "loss",
    "optimizer_name": "optimizer",
}

#: what a trial may say under a name of its own that is no number
_STATUSES = ("ok", "fail", "running", "waiting")


@dataclass(frozen=True)
class Filter:
    """A parsed filter; `key` is resolved against the trials when it is applied."""

    text: str
    key: str
    operator: str
    values: tuple[str, ...]


def parse_filter(text: str) -> Filter:
    """The filter that `text` writes; raises ReportError saying what is accepted."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ReportError(f"filter {text!r}: not understood, accepted: KEY=VALUE, or with != < <= > >=, as loss<2")
    key, sign, rest = match.groups()
    values = [_unquoted(part.strip()) for part in rest.split("|")]
    if any(value == "" for value in values):
        raise ReportError(f"filter {text!r}: a value is missing after {sign!r}, accepted: {key}{sign}VALUE")
    first = values[0][0]
    if first in "=<>!":
        raise ReportError(f"filter {text!r}: unknown operator {(sign + first)!r}, accepted: = == != < <= > >=")
    if sign in _ORDER:
        if len(values) > 1:
            raise ReportError(f"filter {text!r}: {sign} takes one number, given {len(values)}")
        if _as_number(values[0]) is None:
            raise ReportError(f"filter {text!r}: {sign} compares numbers, given {values[0]!r}")
    return Filter(text, _unquoted(key), sign, tuple(values))


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


def keys_of(trials: Iterable[Trial]) -> list[str]:
    """Every key that filters and tables know for these trials."""
    return [*OWN_NAMES, *dict.fromkeys(name for trial in trials for name in trial.values)]


def resolve_key(key: str, known: Sequence[str], what: str) -> str:
    """The full name of a key; raises ReportError for one that no trial has."""
    for name in (key, ALIASES.get(key, key)):
        if name in known:
            return name
    ends = [name for name in known if name.rpartition(".")[2] == key]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ReportError(f"{what}: {key!r} is more than one key, accepted: {', '.join(ends)}")
    raise ReportError(f"{what}: no trial has {key!r}{nearest(key, known)}, accepted: {', '.join(sorted(known))}")


def value_of(trial: Trial, key: str) -> Any:
    """What a trial has under a resolved key; None if it does not apply."""
    if key not in OWN_NAMES:
        return trial.values.get(key)
    return trial.number if key == "trial" else trial.scan or None if key == "scan" else getattr(trial, key)


def apply_filters(trials: Sequence[Trial], filters: Sequence[Filter]) -> list[Trial]:
    """The trials that pass every filter; raises ReportError for an unknown key or for text compared by order."""
    kept = list(trials)
    known = keys_of(trials) if filters else []
    for chosen in filters:
        key = resolve_key(chosen.key, known, f"filter {chosen.text!r}")
        if not _may_be_own(key, chosen.values) and f"{PARAMETER}{key}" in known:
            key = f"{PARAMETER}{key}"
        kept = [trial for trial in kept if _passes(value_of(trial, key), chosen, key)]
    return kept


def _may_be_own(key: str, values: Sequence[str]) -> bool:
    """Whether what a trial has of its own under this key may be one of the values."""
    if key not in OWN_NAMES or key == "scan":
        return True
    return any(value in _STATUSES if key == "status" else _as_number(value) is not None for value in values)


def _passes(value: Any, chosen: Filter, key: str) -> bool:
    if value is None:
        return key not in ("loss", "validation_loss", "experimental_loss", "scan")
    if chosen.operator in _EQUAL:
        return any(_same(value, text) for text in chosen.values) is _EQUAL[chosen.operator]
    if not is_number(value):
        raise ReportError(f"filter {chosen.text!r}: {key} holds {value!r}, which has no order; accepted: = and !=")
    return _ORDER[chosen.operator](value, _as_number(chosen.values[0]))


def _same(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if is_number(value):
        number = _as_number(text)
        return number is not None and float(value) == number
    return text in (str(value), shown(value))


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if is_number(number) else None
