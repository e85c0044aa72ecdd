"""One trial: the trainer is called, and whatever comes of it becomes a result that can be kept.

A trial that raises, has no finite loss or returns something else than a result is a failed trial with a reason, not the
end of the scan.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hyperparton.errors import TrialPrunedError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.limits import TrialTimeoutError, alarm, failure_result
from hyperparton.scan.trainer import AdaptedTrainer, Trainer, adapted
from hyperparton.trials.result import STATUSES
from hyperparton.trials.strict_json import strict

__all__ = ["evaluate_trial", "evaluate_trials"]

_LOG = logging.getLogger(__name__)
_FRAMES = 6
_MESSAGE = 2000


def evaluate_trial(
    trainer: Trainer | AdaptedTrainer,
    params: dict[str, Any],
    seconds: float | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, Any]:
    """The trial's result in strict JSON data, with status fail and `failure` {type, message, traceback} if it failed.

    A trial that takes longer than `seconds` is interrupted as `alarm` can. With `checkpoints` the trainer reports to
    them; the result holds its `curve`, and `pruned` if they stopped it. Only exceptions that end the process
    (KeyboardInterrupt, SystemExit) pass.
    """
    return _with_curve(_evaluated(partial(adapted(trainer).run, params, checkpoints), seconds), checkpoints)


def evaluate_trials(
    trainer: Trainer | AdaptedTrainer,
    each: Sequence[dict[str, Any]],
    seconds: float | None = None,
    checkpoints: Sequence[Checkpoints | None] | None = None,
) -> list[dict[str, Any]]:
    """What `evaluate_trial` gives for each of several trials, computed together by a trainer that can (`BatchTrainer`).

    `seconds` is the time of one trial: together they may take as long as one after the other. Where they take longer,
    or the batch raises, they are computed one after the other, so that each counts for itself.
    """
    trainer = adapted(trainer)
    reports = [None] * len(each) if checkpoints is None else list(checkpoints)
    if trainer.batches and len(each) > 1:
        total = None if seconds is None else seconds * len(each)
        try:
            with alarm(total, TrialTimeoutError("the trials took longer together than they may one after the other")):
                outcomes = list(zip(trainer.run_batch(each, reports), reports, strict=True))
            return [_with_curve(_evaluated(partial(_outcome, outcome)), report) for outcome, report in outcomes]
        except Exception as fault:
            text = f"{type(fault).__name__}: {fault}"
            _LOG.warning("%d trials together: %s; they are run one after the other", len(each), text)
            reports = [None if report is None else report.anew() for report in reports]
    return [evaluate_trial(trainer, params, seconds, report) for params, report in zip(each, reports, strict=True)]


def _outcome(outcome: Any) -> Any:
    """A trial's part of a batch, raised if it is an exception."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _with_curve(result: dict[str, Any], checkpoints: Checkpoints | None) -> dict[str, Any]:
    return result if checkpoints is None else checkpoints.add_curve(result)


def _evaluated(call: Callable[[], Any], seconds: float | None = None) -> dict[str, Any]:
    late = TrialTimeoutError(f"it took longer than {seconds} s")
    try:
        with alarm(seconds, late):
            returned = call()
    except TrialPrunedError as pruned:
        returned = {**pruned.result, **pruned.record}
    except TrialTimeoutError as fault:
        return failure_result("TrialTimeout", str(fault), _short_traceback(fault))
    except Exception as fault:
        return failure_result(type(fault).__name__, str(fault)[:_MESSAGE], _short_traceback(fault))
    try:
        return _checked(returned)
    except (TypeError, ValueError, RecursionError) as fault:
        return failure_result("InvalidResult", str(fault)[:_MESSAGE])


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
    fault = _fault_of_loss(status, returned.get("loss"), result["loss"])
    return {**result, **fault} if fault else result


def _fault_of_loss(status: str, returned: Any, loss: float | None) -> dict[str, Any] | None:
    """The failure of a loss that is no finite number; a trainer that says fail may leave it out."""
    if loss is not None or (status == "fail" and returned is None):
        return None
    value = returned.tolist() if callable(getattr(returned, "tolist", None)) else returned
    kind = "InvalidLoss"
    if isinstance(value, float):
        kind = "NaNLoss" if math.isnan(value) else "InfiniteLoss"
    return failure_result(kind, f"the loss must be a finite number, given {value!r}"[:_MESSAGE])


def _short_traceback(fault: Exception) -> str:
    """The last calls before the fault, innermost last."""
    return "".join(traceback.format_exception(fault, limit=-_FRAMES, chain=False)).rstrip()[-2 * _MESSAGE :]
