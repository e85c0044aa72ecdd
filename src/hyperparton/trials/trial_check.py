"""What the fields of a trial must be, wherever it was read: a store or a `tries.json`, ours or somebody else's.

Every reader passes its trials through here once, so that nothing after it meets a list where a number has to be. What a
trainer keeps in a result may be anything: `Trial` reads as missing what is not of its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyperparton.trials.result import STATUSES, fails_below, is_number, number_of, replicas_fail_below
from hyperparton.trials.trial import Trial

__all__ = ["checked", "checked_vals", "whole_number"]

#: characters of a value that a message shows
_SHOWN = 60


def checked(trial: Trial) -> Trial:
    """The trial, if its fields are of their types; raises ValueError naming the first that is not."""
    whole_number("tid", trial.number)
    checked_vals(trial.vals)
    if not isinstance(trial.space_vals, Mapping):
        raise _fault("misc.space_vals", "a dictionary", trial.space_vals)
    if trial.result is not None:
        if not isinstance(trial.result, Mapping):
            raise _fault("result", "a dictionary", trial.result)
        if trial.result.get("status") not in STATUSES:
            raise _fault("result.status", " or ".join(STATUSES), trial.result.get("status"))
        fails_below(trial.result)
        replicas_fail_below(trial.result)
    return trial


def checked_vals(vals: Any) -> Mapping[str, list[Any]]:
    """The vals of a trial, if they are such; raises ValueError naming what is not."""
    if not isinstance(vals, Mapping):
        raise _fault("misc.vals", "a dictionary", vals)
    for label, held in vals.items():
        if not isinstance(held, list) or len(held) > 1 or (held and not is_number(held[0])):
            raise _fault(f"misc.vals.{label}", "a list of one number, or of none", held)
    return vals


def whole_number(key: str, value: Any) -> int:
    """The value, if it is a whole number of at least 0; raises ValueError naming the key if not."""
    number = number_of(value)
    if number is None or number < 0 or not number.is_integer() or number > 2**53:
        raise _fault(key, "a whole number of at least 0", value)
    return int(number)


def _fault(key: str, rule: str, value: Any) -> ValueError:
    shown = repr(value)
    return ValueError(f"{key} must be {rule}, given {shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + '...'}")
