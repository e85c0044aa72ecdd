"""One trial: the trainer is called, and whatever comes of it becomes a result that can be kept.

A trial that raises, has no finite loss or returns something else than a result is a failed trial with a reason, not the
end of the scan.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, Protocol

from hyperparton.trials.record import STATUSES, strict

__all__ = ["Trainer", "evaluate_trial"]

_FRAMES = 6
_MESSAGE = 2000


class Trainer(Protocol):
    """All that a scan knows of what it scans; n3fit's ModelTrainer is one."""

    def set_hyperopt(self, hyperopt_on: bool, keys: Any = None) -> None:
        """Told once, before the first trial, with the keys that are scanned."""
        ...

    def hyperparametrizable(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """Try one set of parameters; the result has at least `status` (ok or fail) and `loss`."""
        ...


def evaluate_trial(trainer: Trainer, params: dict[str, Any]) -> dict[str, Any]:
    """The trial's result in strict JSON data, with status fail and `failure` {type, message, traceback} if it failed.

    Only exceptions that end the process (KeyboardInterrupt, SystemExit) pass.
    """
    try:
        returned = trainer.hyperparametrizable(params)
    except Exception as fault:
        return _failed(type(fault).__name__, str(fault), _short_traceback(fault))
    try:
        return _checked(returned)
    except (TypeError, ValueError, RecursionError) as fault:
        return _failed("InvalidResult", str(fault))


def _checked(returned: Any) -> dict[str, Any]:
    if not isinstance(returned, Mapping):
        raise TypeError(f"a trainer returns a dictionary with status and loss, given {type(returned).__name__}")
    status = returned.get("status")
    if status not in STATUSES:
        raise ValueError(f"status must be {' or '.join(STATUSES)}, given {status!r}")
    result = strict(returned)
    loss = result.get("loss")
    number = isinstance(loss, int | float) and not isinstance(loss, bool)
    result["loss"] = float(loss) if number else None
    if status == "ok" and not number:
        return {**result, **_failed("InvalidLoss", f"the loss must be a finite number, given {returned.get('loss')!r}")}
    return result


def _failed(kind: str, message: str, trace: str | None = None) -> dict[str, Any]:
    failure = {"type": kind, "message": message[:_MESSAGE], "traceback": trace}
    return {"status": "fail", "loss": None, "failure": failure}


def _short_traceback(fault: Exception) -> str:
    """The last calls before the fault, innermost last."""
    return "".join(traceback.format_exception(fault, limit=-_FRAMES, chain=False)).rstrip()[-2 * _MESSAGE :]
