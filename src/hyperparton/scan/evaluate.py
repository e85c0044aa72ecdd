"""One trial: the trainer is called, and whatever comes of it becomes a result that can be kept.

A trial that raises, has no finite loss or returns something else than a result is a failed trial with a reason, not the
end of the scan.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hyperparton.errors import TrialPrunedError, class_of, is_of_disk, summary_of, words_of
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.limits import TrialTimeoutError, alarm, failure_result
from hyperparton.scan.trainer import AdaptedTrainer, Trainer, adapted
from hyperparton.space.tree import evaluate
from hyperparton.trials.result import STATUSES, fails_below, replicas_fail_below
from hyperparton.trials.strict_json import strict

__all__ = ["evaluate_asked", "evaluate_refit", "evaluate_trial", "evaluate_trials", "given_parameters"]

_LOG = logging.getLogger(__name__)
_FRAMES = 6
_MESSAGE = 2000


def given_parameters(
    space: Mapping[str, Any], vals: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a trainer is given: these `parameters`, or where there are none what `vals` give in the space."""
    return evaluate(space, vals) if parameters is None else dict(parameters)


def evaluate_asked(
    trainer: AdaptedTrainer,
    each: Sequence[dict[str, Any]],
    replicas: Sequence[Sequence[int] | None],
    seconds: float | None = None,
    checkpoints: Sequence[Checkpoints | None] | None = None,
) -> list[dict[str, Any]]:
    """The results of trials, or of re-fits where `replicas` says which; each replica may take `seconds`."""
    if not any(replicas):
        return evaluate_trials(trainer, each, seconds, checkpoints)
    asked = [(params, numbers or ()) for params, numbers in zip(each, replicas, strict=True)]
    limits = [None if seconds is None else seconds * len(numbers) for _, numbers in asked]
    pairs = zip(asked, limits, strict=True)
    return [evaluate_refit(trainer, params, numbers, limit) for (params, numbers), limit in pairs]


def evaluate_trial(
    trainer: Trainer | AdaptedTrainer,
    params: dict[str, Any],
    seconds: float | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, Any]:
    """The trial's result in strict JSON data, with status fail and `failure` {type, message, traceback} if it failed.

    A trial that takes longer than `seconds` is interrupted as `alarm` can. With `checkpoints` the trainer reports to
    them; the result holds its `curve`, and `pruned` if they stopped it. Whatever the trainer raises, SystemExit too,
    makes the trial a failed one; what a handler of signals raises passes, unless it is an Exception.
    """
    return _with_curve(_evaluated(partial(adapted(trainer).run, params, checkpoints), seconds), checkpoints)


def evaluate_refit(
    trainer: Trainer | AdaptedTrainer, params: dict[str, Any], replicas: Sequence[int], seconds: float | None = None
) -> dict[str, Any]:
    """As `evaluate_trial`, for these replicas, by a trainer that can (`RefittingTrainer`)."""
    return _evaluated(partial(adapted(trainer).refit, params, replicas), seconds)


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
        total, handlers = None if seconds is None else seconds * len(each), _handlers()
        late = TrialTimeoutError("the trials took longer together than they may one after the other")
        try:
            with alarm(total, late), _undisturbed():
                outcomes = list(zip(trainer.run_batch(each, reports), reports, strict=True))
            return [_with_curve(_evaluated(partial(_outcome, outcome)), report) for outcome, report in outcomes]
        except BaseException as fault:
            _let_pass(fault, handlers)
            _LOG.warning("%d trials together: %s; they are run one after the other", len(each), summary_of(fault))
            reports = [None if report is None else report.anew() for report in reports]
    return [evaluate_trial(trainer, params, seconds, report) for params, report in zip(each, reports, strict=True)]


def _outcome(outcome: Any) -> Any:
    """A trial's part of a batch, raised if it is an exception."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _with_curve(result: dict[str, Any], checkpoints: Checkpoints | None) -> dict[str, Any]:
    return result if checkpoints is None else checkpoints.add_curve(result)


def _evaluated(call: Callable[[], Any], seconds: float | None = None) -> dict[str, Any]:
    late, handlers = TrialTimeoutError(f"it took longer than {seconds} s"), _handlers()
    try:
        with alarm(seconds, late), _undisturbed():
            returned = call()
    except TrialPrunedError as pruned:
        returned = {**pruned.result, **pruned.record}
    except TrialTimeoutError as fault:
        return _failure("TrialTimeout", fault, _short_traceback(fault))
    except BaseException as fault:
        _let_pass(fault, handlers)
        return _failure(class_of(fault), fault, _short_traceback(fault))
    try:
        return _checked(returned)
    except BaseException as fault:  # an object of the trainer's own raises what it likes when it is looked at
        _let_pass(fault, handlers)
        return _failure("InvalidResult", fault)


def _failure(kind: str, fault: BaseException, trace: str | None = None) -> dict[str, Any]:
    return failure_result(kind, words_of(fault)[:_MESSAGE], trace, is_of_disk(fault))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A trainer at work: afterwards the current folder is what it was, and a child that it has forked is over.

    Such a child comes here too if the trainer does not end it; it must not go on with the scan.
    """
    process, ended, folder = os.getpid(), 0, _open_folder()
    try:
        yield
    except BaseException as fault:
        ended = _exit_code(fault)
        raise
    finally:
        if os.getpid() != process:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            os._exit(ended)
        if folder is not None:
            with contextlib.suppress(OSError):
                os.fchdir(folder)
            os.close(folder)


def _open_folder() -> int | None:
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it was removed, or may not be read
        return None


def _exit_code(fault: BaseException) -> int:
    """With what a program ends that raises this."""
    code = fault.code if isinstance(fault, SystemExit) else 1
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1


def _handlers() -> list[Any]:
    """What this process does with signals, as far as Python knows."""
    return [handler for each in signal.valid_signals() if callable(handler := signal.getsignal(each))]


def _let_pass(fault: BaseException, handlers: list[Any]) -> None:
    """Raise what is no Exception if one of these handlers has raised it: it is meant for the scan, not for a trial."""
    if isinstance(fault, Exception):
        return
    if isinstance(fault, KeyboardInterrupt) and signal.default_int_handler in handlers:
        raise fault
    codes = {getattr(handler, "__code__", None) for handler in handlers}
    if any(frame.f_code in codes for frame, _ in traceback.walk_tb(fault.__traceback__)):
        raise fault


def _checked(returned: Any) -> dict[str, Any]:
    if not isinstance(returned, Mapping):
        raise TypeError(f"a trainer returns a dictionary with status and loss, given {type(returned).__name__}")
    status = returned.get("status")
    if status not in STATUSES:
        raise ValueError(f"status must be {' or '.join(STATUSES)}, given {status!r}")
    result = strict(returned)
    fails_below(result)
    replicas_fail_below(result)
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


def _short_traceback(fault: BaseException) -> str | None:
    """The last calls before the fault, innermost last; None where it cannot be told."""
    try:
        lines = traceback.format_exception(fault, limit=-_FRAMES, chain=False)
    except BaseException:  # an exception of the trainer's own may raise when it is asked
        return None
    return "".join(lines).rstrip()[-2 * _MESSAGE :]
