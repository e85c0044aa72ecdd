"""Trials and metadata as a store keeps them: read and checked, so that what somebody damaged or changed there is told.

A row has the numbers of a finished trial twice, in columns for searches and in the text of its result; both must agree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hyperparton.errors import StoreError
from hyperparton.trials.result import STATUSES, fails_below, failure_type, number_of
from hyperparton.trials.strict_json import decode, decode_dictionary
from hyperparton.trials.trial import DONE, NEW, RUNNING, Outcome, Trial
from hyperparton.trials.trial_check import checked, checked_vals

__all__ = ["data_of_text", "outcome_of_record", "state_of_record", "trial_of_record"]

#: columns of a trial, as they are and as JSON text
_PLAIN = ("number", "state", "owner", "book_time", "refresh_time", "attempts", "lease_end")
_TEXTS = ("vals", "space_vals")

#: what may go wrong with fields of any type, or none
_FAULTS = (KeyError, ValueError, TypeError, RecursionError)


def trial_of_record(record: Mapping[Any, Any], store: str) -> Trial:
    """The trial of a record with a column for each of its fields, dictionaries in it as JSON text.

    Raises StoreError, with `store` for its name, where a field is not what it must be: the store is damaged.
    """
    try:
        fields = {name: record[name] for name in _PLAIN} | {name: decode(record[name]) for name in _TEXTS}
        text = record["result"]
        trial = checked(Trial(**fields, result=None if text is None else decode_dictionary(text)))
        _check_state(record)
        if (trial.state == DONE) != (trial.result is not None):
            raise ValueError(f"it has {'a' if trial.finished else 'no'} result, but the state {trial.state}")
        if trial.result is not None:
            _check_columns(record, trial.result)
    except _FAULTS as fault:
        raise _damaged(store, record, fault) from fault
    return trial


def _check_columns(record: Mapping[Any, Any], result: Mapping[str, Any]) -> None:
    said = {"status": result["status"], "loss": number_of(result.get("loss")), "failure": failure_type(result)}
    for name, value in said.items():
        if record[name] != value and not (name == "loss" and _are_close(record[name], value)):
            raise ValueError(f"its {name} is {record[name]!r}, by its result {value!r}")
    told = _told(record)  # of a trial that an older version finished nothing is told
    if told is not None and told != fails_below(result):
        raise ValueError(f"its fails_below is {told!r}, by its result {fails_below(result)!r}")


def _told(record: Mapping[Any, Any]) -> dict[str, float] | None:
    text = record.get("fails_below")
    return None if text is None else fails_below({"fails_below": decode(text)})


def _are_close(one: Any, other: Any) -> bool:
    """Whether they are the same number: some servers that speak MongoDB's protocol keep thirteen digits."""
    return None not in (number_of(one), number_of(other)) and math.isclose(one, other, rel_tol=1e-9)


def outcome_of_record(record: Mapping[Any, Any], store: str) -> Outcome:
    """The outcome of a finished trial, by the columns of its record; raises StoreError as `trial_of_record` does."""
    try:
        vals, status, loss = checked_vals(decode(record["vals"])), record["status"], record["loss"]
        if (
            status not in STATUSES
            or (loss is not None and number_of(loss) is None)
            or (status == "ok" and loss is None)
        ):
            raise ValueError(f"status {status!r} and loss {loss!r}")
        return Outcome(record["number"], vals, status, loss, record["failure"], _told(record))
    except _FAULTS as fault:
        raise _damaged(store, record, fault) from fault


def state_of_record(record: Mapping[Any, Any], store: str) -> int:
    """The state of a trial; raises StoreError if it, or the end of the lease beside it, is none."""
    try:
        return _check_state(record)
    except _FAULTS as fault:
        raise _damaged(store, record, fault) from fault


def _check_state(record: Mapping[Any, Any]) -> int:
    if type(record["state"]) is not int or record["state"] not in (NEW, RUNNING, DONE):
        raise ValueError(f"its state is {record['state']!r}")
    if record["lease_end"] is not None and number_of(record["lease_end"]) is None:
        raise ValueError(f"its lease ends at {record['lease_end']!r}")
    return record["state"]


def data_of_text(key: str, text: Any, store: str) -> Any:
    """What is kept under `key` as JSON text; raises StoreError, with `store` for its name, for what is none."""
    try:
        return json.loads(text)
    except _FAULTS as fault:
        raise StoreError(f"{store}: the store is damaged: {key} cannot be read ({fault})") from fault


def _damaged(store: str, record: Mapping[Any, Any], fault: Exception) -> StoreError:
    fields = dict(record)
    why = f"it has no {fault}" if isinstance(fault, KeyError) else fault
    return StoreError(f"{store}: the store is damaged: trial {fields.get('number', fields.get('_id'))}: {why}")
