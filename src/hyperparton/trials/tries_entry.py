"""A trial as an entry of `tries.json`, and back.

`tries.json` is a JSON list of trials as hyperopt writes them and as n3fit and validphys read them, in strict JSON: NaN
and infinity are null, arrays are lists.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import Any

from hyperparton.catalogue import DEFAULT_DROPOUT, DEFAULT_LAYER_TYPE, DEFAULT_OPTIMIZER
from hyperparton.trials.result import STATUSES, number_of
from hyperparton.trials.trial import DONE, NEW, RUNNING, Trial
from hyperparton.trials.trial_check import checked, whole_number

__all__ = ["as_asked", "completed", "from_tries", "to_tries"]

#: hyperopt's number, in `tries.json` alone, for a trial that gave no result to count; validphys leaves it out
_ERROR = 3

#: what a card of PDF fits may leave out of `parameters` and validphys asks of every trial, with the value that it had
_UNSAID: Mapping[str, Any] = {
    "positivity": {},
    "layer_type": DEFAULT_LAYER_TYPE,
    "dropout": DEFAULT_DROPOUT,
}

#: the label of a choice among whole sets of parameters
_SETS = "parameters"

#: n3fit may write status ok beside a loss that is no number
_NAN_LOSS = {"type": "NaNLoss", "message": "the loss is no number, though its status is ok"}


def to_tries(trial: Trial) -> dict[str, Any]:
    """The trial as an entry of `tries.json`, in strict JSON data."""
    number = trial.number
    vals = {label: list(held) for label, held in trial.vals.items()}
    return {
        "state": _ERROR if trial.failure is not None and trial.state == DONE else trial.state,
        "tid": number,
        "spec": None,
        "result": trial.result if trial.result is not None else {"status": "new"},
        "misc": {
            "tid": number,
            "cmd": ["domain_attachment", "FMinIter_Domain"],
            "workdir": None,
            "idxs": {label: [number] if held else [] for label, held in vals.items()},
            "vals": vals,
            "space_vals": completed(trial.space_vals),
        },
        "exp_key": None,
        "owner": trial.owner,
        "version": 0,
        "book_time": _time_text(trial.book_time),
        "refresh_time": _time_text(trial.refresh_time),
    }


def as_asked(space_vals: Mapping[str, Any], declared: Container[str]) -> dict[str, Any]:
    """The parameters of a trial without what its entry says for validphys alone: defaults of keys not `declared`."""
    return {
        key: value
        for key, value in space_vals.items()
        if key in declared or key not in _UNSAID or value != _UNSAID[key]
    }


def from_tries(entry: Mapping[str, Any], position: int = 0) -> Trial:
    """The trial of an entry of hyperparton's or n3fit's; `position` is its number where the entry does not say one.

    A result with status ok and without a finite loss is that of a failed trial. Raises ValueError naming what is not of
    its type.
    """
    result, misc = entry["result"], entry["misc"]
    finished = result.get("status") in STATUSES
    if result.get("status") == "ok" and number_of(result.get("loss")) is None:
        result = {"failure": _NAN_LOSS, **result, "status": "fail"}
    space_vals = misc.get("space_vals")
    # as n3fit writes a choice among whole sets of parameters
    if isinstance(space_vals, Mapping) and set(space_vals) == {_SETS} and isinstance(space_vals[_SETS], Mapping):
        space_vals = space_vals[_SETS]
    trial = Trial(
        number=whole_number("tid", entry.get("tid", misc.get("tid", position))),
        vals=misc.get("vals") or {},
        space_vals={} if space_vals is None else space_vals,
        state=DONE if finished else RUNNING if entry.get("state") == RUNNING else NEW,
        owner=_owner(entry.get("owner")),
        book_time=_seconds(entry.get("book_time")),
        refresh_time=_seconds(entry.get("refresh_time")),
        result=result if finished else None,
    )
    return checked(trial)


def completed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a PDF fit with what their card left to the defaults; any other parameters as they are."""
    complete = dict(parameters)
    if isinstance(complete.get("optimizer"), Mapping) and "nodes_per_layer" in complete:
        for key, value in _UNSAID.items():
            if complete.get(key) is None:
                complete[key] = value
        complete["optimizer"] = {"optimizer_name": DEFAULT_OPTIMIZER, **complete["optimizer"]}
    return complete


def _owner(owner: Any) -> str | None:
    """Who ran a trial; hyperopt's workers on a MongoDB write a list of one name."""
    if isinstance(owner, list):
        return " ".join(map(str, owner)) or None
    return None if owner is None else str(owner)


def _seconds(text: Any) -> float | None:
    """hyperopt's times are text in UTC, such as `2026-01-31 12:00:00.500000`."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time_text(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(round(seconds, 3), UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="milliseconds") + "000"
