"""What the result of a trial says in a few words and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["STATUSES", "fails_below", "failure_type", "is_number", "number_of", "replicas_fail_below"]

STATUSES = ("ok", "fail")

#: characters of the name of a failure at most
_NAME = 200


def is_number(value: Any) -> bool:
    """Whether it is a finite number; truth values are not."""
    if type(value) is float:  # most are, and reports ask for millions
        return math.isfinite(value)
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def number_of(value: Any) -> float | None:
    """The value as a float; None for what is no finite number."""
    return float(value) if is_number(value) else None


def fails_below(result: Mapping[str, Any]) -> dict[str, float] | None:
    """Hyperparameter -> the value of it below which the same fits would have failed; None where a result has none.

    A trainer that knows it says so under this name, with 0 or less where no value would have made them fail. Raises
    ValueError for what is no dictionary of finite numbers.
    """
    told = result.get("fails_below")
    if told is None:
        return None
    if not isinstance(told, Mapping) or not all(isinstance(key, str) and is_number(told[key]) for key in told):
        raise ValueError(f"fails_below must be a dictionary of finite numbers, given {told!r:.200}")
    return {key: float(value) for key, value in told.items()}


def replicas_fail_below(result: Mapping[str, Any]) -> list[dict[str, float]] | None:
    """What `fails_below` is of each replica of a re-fit; None where its result does not say it.

    The result has under `replica_fails_below` a list for each hyperparameter. Raises ValueError for what is no
    dictionary of lists of finite numbers, one for each of the `replica_losses`.
    """
    told, losses = result.get("replica_fails_below"), result.get("replica_losses")
    if told is None:
        return None
    count = len(losses) if isinstance(losses, list) else 0
    if not isinstance(told, Mapping) or not all(
        isinstance(key, str) and isinstance(each, list) and len(each) == count and all(map(is_number, each))
        for key, each in told.items()
    ):
        raise ValueError(
            "replica_fails_below must be a dictionary of lists with a finite number for each of the replica_losses, "
            f"given {told!r:.200}"
        )
    return [{key: float(each[k]) for key, each in told.items()} for k in range(count)]


def failure_type(result: Mapping[str, Any]) -> str | None:
    """The type of the failure where the trainer gave no usable result: an exception's name, NaNLoss, ..."""
    failure = result.get("failure")
    if not isinstance(failure, Mapping) or not failure.get("type"):
        return None
    # a trainer may say it, and a database keeps it as text of so many characters
    name = str(failure["type"]).encode(errors="backslashreplace").decode()
    return name.replace("\0", "\\0")[:_NAME]
