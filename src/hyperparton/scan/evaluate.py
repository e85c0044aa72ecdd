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
from typing import Any, Protocol

from hyperparton.errors import ScanError, TrialPrunedError
from hyperparton.scan.checkpoints import Reports
from hyperparton.scan.limits import TrialTimeoutError, alarm
from hyperparton.trials.result import STATUSES
from hyperparton.trials.strict_json import strict

__all__ = ["Trainer", "evaluate_trial", "evaluate_trials", "require_reports"]

_LOG = logging.getLogger(__name__)
_FRAMES = 6
_MESSAGE = 2000


class Trainer(Protocol):
    """All that a scan knows of what it scans; n3fit's ModelTrainer is one.

    A trainer that has an attribute `report`, None at first, can be pruned: see `reports`.
    """

    def set_hyperopt(self, hyperopt_on: bool, keys: Any = None) -> None:
        """Told once, before the first trial, with the keys that are scanned."""
        ...

    def hyperparametrizable(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """Try one set of parameters; the result has at least `status` (ok or fail) and `loss`."""
        ...


def require_reports(trainer: Any) -> None:
    """Raise ScanError for a trainer that does not report how its trials come along, so that none can be pruned."""
    if not hasattr(trainer, "report"):
        raise ScanError(
            f"pruning needs a trainer that reports at checkpoints: {type(trainer).__name__} has no attribute `report`"
        )


def evaluate_trial(
    trainer: Trainer, params: dict[str, Any], seconds: float | None = None, reports: Reports | None = None
) -> dict[str, Any]:
    """The trial's result in strict JSON data, with status fail and `failure` {type, message, traceback} if it failed.

    A trial that takes longer than `seconds` is interrupted as `alarm` can. With `reports` the trainer reports to them;
    the result holds its `curve`, and `pruned` if they stopped it. Only exceptions that end the process
    (KeyboardInterrupt, SystemExit) pass.
    """
    if reports is None:
        return _evaluated(partial(trainer.hyperparametrizable, params), seconds)
    attended: Any = trainer
    attended.report = reports
    try:
        return reports.kept_with(_evaluated(partial(trainer.hyperparametrizable, params), seconds))
    finally:
        attended.report = None


def evaluate_trials(
    trainer: Trainer,
    each: Sequence[dict[str, Any]],
    seconds: float | None = None,
    reports: Sequence[Reports | None] | None = None,
) -> list[dict[str, Any]]:
    """What `evaluate_trial` gives for each of several trials, computed together by a trainer that can.

    One that can has `hyperparametrizable_batch(params, reports)`, which gives for each of `params` what
    `hyperparametrizable` would, or the exception that this would raise; `reports` has an entry for each, None where
    nothing is pruned. `seconds` is the time of one trial: together they may take as long as one after the other. Where
    they take longer, or the batch raises, they are computed one after the other, so that each counts for itself.
    """
    given = [None] * len(each) if reports is None else list(reports)
    batch = getattr(trainer, "hyperparametrizable_batch", None)
    if batch is not None and len(each) > 1:
        whole = None if seconds is None else seconds * len(each)
        try:
            with alarm(whole, TrialTimeoutError("the trials took longer together than they may one after the other")):
                found = list(zip(batch(each, given), given, strict=True))
            return [_kept(_evaluated(partial(_given, outcome)), report) for outcome, report in found]
        except Exception as fault:
            told = f"{type(fault).__name__}: {fault}"
            _LOG.warning("%d trials together: %s; they are run one after the other", len(each), told)
            given = [None if report is None else report.anew() for report in given]
    return [evaluate_trial(trainer, params, seconds, report) for params, report in zip(each, given, strict=True)]


def _given(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _kept(result: dict[str, Any], report: Reports | None) -> dict[str, Any]:
    return result if report is None else report.kept_with(result)


def _evaluated(call: Callable[[], Any], seconds: float | None = None) -> dict[str, Any]:
    late = TrialTimeoutError(f"it took longer than {seconds} s")
    try:
        with alarm(seconds, late):
            returned = call()
    except TrialPrunedError as pruned:
        returned = {**pruned.result, **pruned.told}
    except TrialTimeoutError as fault:
        return _failed("TrialTimeout", str(fault), _short_traceback(fault))
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
    result["loss"] = float(loss) if _is_number(loss) else None
    fault = _fault_of_loss(status, returned.get("loss"), result["loss"])
    return {**result, **fault} if fault else result


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fault_of_loss(status: str, given: Any, loss: float | None) -> dict[str, Any] | None:
    """The failure of a loss that is no finite number; a trainer that says fail may leave it out."""
    if loss is not None or (status == "fail" and given is None):
        return None
    value = given.tolist() if callable(getattr(given, "tolist", None)) else given
    kind = "InvalidLoss"
    if isinstance(value, float):
        kind = "NaNLoss" if math.isnan(value) else "InfiniteLoss"
    return _failed(kind, f"the loss must be a finite number, given {value!r}")


def _failed(kind: str, message: str, trace: str | None = None) -> dict[str, Any]:
    failure = {"type": kind, "message": message[:_MESSAGE], "traceback": trace}
    return {"status": "fail", "loss": None, "failure": failure}


def _short_traceback(fault: Exception) -> str:
    """The last calls before the fault, innermost last."""
    return "".join(traceback.format_exception(fault, limit=-_FRAMES, chain=False)).rstrip()[-2 * _MESSAGE :]
