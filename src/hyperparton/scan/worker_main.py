"""The process that runs trials for another: `python -m hyperparton.scan.worker_main`, started by `TrainerProcess`.

It speaks lines of JSON. First it reads a recipe and answers `{"ready": true}` or `{"broken": why}`; then each line
`{"trials": [{"vals": ..., "pruning": ...}, ...]}` is answered by `{"results": [...]}`, with `{"progress": ...}` lines
before it where the trainer reports any.
It ends when its input does, in the middle of a trial too: no worker outlives the one who started it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pkgutil import resolve_name
from typing import IO, Any

from hyperparton.errors import HyperpartonError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_trials
from hyperparton.scan.pruning import Threshold
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import AdaptedTrainer, adapted
from hyperparton.space.tree import evaluate, fingerprint
from hyperparton.trials.strict_json import encode, strict

__all__ = ["main"]

#: the least time between two lines of progress, in seconds
_EVERY = 1.0


def main() -> None:
    """The process."""
    # whoever started it gets these signals and ends it by closing its input
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a trainer prints is no answer
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, lines), daemon=True).start()
    recipe = json.loads(lines.get())
    try:
        trainer, scanner = _build(recipe)
    except HyperpartonError as fault:
        _say(answers, {"broken": str(fault)})
        return
    except Exception as fault:
        _say(answers, {"broken": f"{type(fault).__name__}: {fault}"})
        raise
    _say(answers, {"ready": True})
    trainer.report_progress_to(_progress_to(answers))
    while True:
        tasks = json.loads(lines.get())["trials"]
        each = [evaluate(scanner.as_dict(), task["vals"]) for task in tasks]
        checkpoints = [_checkpoints(task["pruning"]) for task in tasks]
        _say(answers, {"results": evaluate_trials(trainer, each, checkpoints=checkpoints)})


def _checkpoints(pruning: list[Any] | None) -> Checkpoints | None:
    return None if pruning is None else Checkpoints([Threshold.from_list(data) for data in pruning])


def _listen(source: IO[str], lines: queue.Queue[str]) -> None:
    for line in source:
        lines.put(line)
    os._exit(0)


def _build(recipe: dict[str, Any]) -> tuple[AdaptedTrainer, HyperScanner]:
    sys.path[:0] = [folder for folder in recipe["folders"] if folder not in sys.path]
    trainer, scanner = resolve_name(recipe["builder"])(**recipe["arguments"])
    if recipe.get("space") not in (None, fingerprint(scanner.as_dict())):
        raise HyperpartonError(
            "the space that this process builds is not that of the scan: is another version of hyperparton here?"
        )
    complete = adapted(trainer)
    complete.begin(scanner.hyper_keys, bool(recipe.get("reports")))
    return complete, scanner


def _progress_to(answers: IO[str]) -> Callable[[dict[str, Any]], None]:
    """A function that passes on the progress of a trainer, now and then."""
    last = 0.0

    def progress(event: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            _say(answers, {"progress": strict(event, "progress")})

    return progress


def _say(answers: IO[str], message: dict[str, Any]) -> None:
    try:
        answers.write(encode(message) + "\n")
        answers.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
