"""The trial: what a scan knows of one point of its space, and its form in `tries.json`.

`tries.json` is a JSON list of trials as hyperopt writes them and as n3fit and validphys read them, in strict JSON: NaN
and infinity are null, arrays are lists.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hyperparton.errors import StoreError

__all__ = [
    "DONE",
    "NEW",
    "RUNNING",
    "STATUSES",
    "Outcome",
    "Trial",
    "encode",
    "failure_type",
    "finished_loss",
    "strict",
    "to_tries",
]

#: states of a trial, hyperopt's numbers: handed back and waiting, leased by a worker, finished
NEW, RUNNING, DONE = 0, 1, 2

#: hyperopt's number, in `tries.json` alone, for a trial that gave no result to count; validphys leaves it out
_ERROR = 3

#: what a card of PDF fits may leave out of `parameters` and validphys asks of every trial, with the value that it had
_UNSAID: Mapping[str, Any] = {"positivity": {}, "layer_type": "dense", "dropout": 0.0}

STATUSES = ("ok", "fail")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine reads of a finished trial."""

    number: int
    vals: Mapping[str, Sequence[Any]]
    """label -> [value], or [] where the label did not apply"""
    status: str
    """ok or fail"""
    loss: float | None
    """None where there is no finite one"""
    failure: str | None = None
    """the type of the failure where the trainer gave no usable result: an exception's name, NaNLoss, ..."""


def failure_type(result: Mapping[str, Any] | None) -> str | None:
    """What `Outcome.failure` is for a result."""
    failure = (result or {}).get("failure")
    return str(failure["type"]) if isinstance(failure, Mapping) and failure.get("type") else None


def finished_loss(number: int, result: Mapping[str, Any], status: str) -> float | None:
    """The loss of a result that finishes trial `number` with `status`; StoreError if the result is not such a one."""
    loss = result.get("loss")
    if status == "ok" and (result.get("status") != "ok" or not isinstance(loss, float) or not math.isfinite(loss)):
        raise StoreError(f"trial {number}: complete needs status ok and a finite loss, given {loss!r}")
    if status == "fail" and result.get("status") != "fail":
        raise StoreError(f"trial {number}: fail needs status fail, given {result.get('status')!r}")
    return loss


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a scan, finished or not. Times are seconds since 1970, UTC."""

    number: int
    vals: Mapping[str, Sequence[Any]]
    space_vals: Mapping[str, Any] = field(default_factory=dict)
    """the readable parameters"""
    state: int = RUNNING
    owner: str | None = None
    book_time: float | None = None
    refresh_time: float | None = None
    attempts: int = 1
    """how often it was leased; above 1 if a worker died or gave it back"""
    result: Mapping[str, Any] | None = None
    """status, loss and whatever the trainer returned; None until finished"""
    lease_end: float | None = None
    """when its lease ends by the store's clock, if it is leased and the lease ends by itself"""

    @property
    def status(self) -> str | None:
        """ok, fail, or None until the trial is finished."""
        return None if self.result is None else self.result["status"]

    @property
    def loss(self) -> float | None:
        """The finite loss, if there is one."""
        return None if self.result is None else self.result.get("loss")

    @property
    def pruned(self) -> bool:
        """Whether it was stopped because it could not become one of the best."""
        return bool((self.result or {}).get("pruned"))

    @property
    def reason(self) -> str | None:
        """Why a trial failed, in a line."""
        if self.result is None or self.status != "fail":
            return None
        failure = self.result.get("failure")
        if isinstance(failure, Mapping):
            return f"{failure.get('type')}: {failure.get('message')}"
        told = self.result.get("reason")
        return str(told) if told else f"the trainer gave status fail (loss {self.loss})"

    @property
    def outcome(self) -> Outcome:
        """The part that an engine reads."""
        return Outcome(self.number, self.vals, self.status or "new", self.loss, failure_type(self.result))


def to_tries(trial: Trial) -> dict[str, Any]:
    """The trial as an entry of `tries.json`, in strict JSON data."""
    number = trial.number
    vals = {label: list(held) for label, held in trial.vals.items()}
    failed = failure_type(trial.result) is not None
    return {
        "state": _ERROR if failed and trial.state == DONE else trial.state,
        "tid": number,
        "spec": None,
        "result": trial.result if trial.result is not None else {"status": "new"},
        "misc": {
            "tid": number,
            "cmd": ["domain_attachment", "FMinIter_Domain"],
            "workdir": None,
            "idxs": {label: [number] if held else [] for label, held in vals.items()},
            "vals": vals,
            "space_vals": _complete(trial.space_vals),
        },
        "exp_key": None,
        "owner": trial.owner,
        "version": 0,
        "book_time": _time_text(trial.book_time),
        "refresh_time": _time_text(trial.refresh_time),
    }


def _complete(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a PDF fit with what their card left to the defaults; any other parameters as they are."""
    found = dict(parameters)
    if isinstance(found.get("optimizer"), Mapping) and "nodes_per_layer" in found:
        for key, value in _UNSAID.items():
            if found.get(key) is None:
                found[key] = value
        found["optimizer"] = {"optimizer_name": "RMSprop", **found["optimizer"]}
    return found


def encode(document: Any) -> str:
    """Strict JSON on one line; raises TypeError or ValueError for anything that JSON cannot hold."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(", ", ": "))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, from a file name that is no UTF-8: kept as its escape
        return json.dumps(document, allow_nan=False, separators=(", ", ": "))
    return text


def strict(value: Any, path: str = "result") -> Any:
    """`value` as strict JSON data: arrays as lists, NaN and infinity as None, tuples as lists, keys as text.

    Raises TypeError naming the place of anything else.
    """
    try:
        return _strict(value)
    except TypeError:
        return _named_strict(value, path)


def _strict(value: Any) -> Any:
    """As `strict`, without the places: these are only needed for a fault, and results hold thousands of numbers."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list:
        return [_strict(entry) for entry in value]
    if kind is dict:
        return {key if type(key) is str else str(key): _strict(entry) for key, entry in value.items()}
    return _named_strict(value, "")


def _named_strict(value: Any, path: str) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _named_strict(entry, f"{path}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_named_strict(entry, f"{path}[{i}]") for i, entry in enumerate(value)]
    if callable(getattr(value, "tolist", None)):
        return _named_strict(value.tolist(), path)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")


def _time_text(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(round(seconds, 3), UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="milliseconds") + "000"
