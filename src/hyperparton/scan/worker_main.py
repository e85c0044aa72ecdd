"""The process that runs trials for another: `serve`, which `worker_keeper` calls in a process of its own.

It speaks lines of JSON over a descriptor that nothing it starts inherits. First it reads a recipe and answers
`{"ready": true, "refits": whether its trainer can fit again}` or `{"broken": why, "node": whether it is the machine's
fault, "faults": those of the card}`; then each line `{"ask": n, "trials": [{"vals": ..., "parameters": ..., "pruning":
..., "replicas": ...}, ...]}` is answered by `{"ask": n, "results": [...]}`, with `{"progress": ...}` lines before it
where the trainer reports any. It ends when nobody speaks to it any more.

What a trainer starts finds a system as in any program: nothing on standard input, signals as they are by default.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pkgutil import resolve_name
from types import FrameType
from typing import Any

from hyperparton import host
from hyperparton.errors import HyperpartonError, NodeError, RuncardError, ScanError, SpaceError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_asked, given_parameters
from hyperparton.scan.pruning import Threshold
from hyperparton.scan.scanner import HyperScanner
from hyperparton.scan.trainer import AdaptedTrainer, adapted, search_in, with_place
from hyperparton.space.tree import fingerprint
from hyperparton.streams import guard_streams
from hyperparton.trials.strict_json import decode, encode_bytes, strict

__all__ = ["serve"]

#: the least time between two lines of progress, in seconds
_EVERY = 0.25

#: whoever started it gets these signals, as all processes of a job do, and ends it by hanging up
_LEFT_TO_THE_SCAN = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


def serve(descriptor: int) -> None:
    """The process; `descriptor` is where it is spoken to."""
    host.die_before_others()
    channel, streams = _Channel(descriptor), _Streams()
    for each in _LEFT_TO_THE_SCAN:
        signal.signal(each, _not_mine)  # a handler, as a program would inherit that it is ignored
    _let_children_be_as_any(descriptor)
    requests = channel.requests()
    recipe = next(requests)
    try:
        trainer, scanner = _build(recipe)
    except BaseException as fault:  # a library that panics, a trainer's module that calls sys.exit
        channel.say({"broken": _words(fault), "node": _is_of_node(fault), "faults": _faults(fault)})
        return
    trainer.report_progress_to(_progress_to(channel))
    streams.restore()
    channel.say({"ready": True, "refits": trainer.refits})
    for request in requests:
        results = _results(trainer, scanner, request["trials"])
        streams.restore()
        channel.say({"ask": request["ask"], "results": results})


def _results(trainer: AdaptedTrainer, scanner: HyperScanner, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    each = [given_parameters(scanner.as_dict(), task["vals"], task.get("parameters")) for task in tasks]
    checkpoints = [_checkpoints(task["pruning"]) for task in tasks]
    return evaluate_asked(trainer, each, [task.get("replicas") for task in tasks], checkpoints=checkpoints)


def _not_mine(number: int, frame: FrameType | None) -> None:
    return None


def _let_children_be_as_any(descriptor: int) -> None:
    """What a trainer forks has signals as any process from its first moment, and cannot answer for this one."""
    masks = threading.local()

    def hold() -> None:
        # a child that is ended at once, as those of a pool may be, would lose a signal that comes while it still has
        # this process's handlers; one that is held ends it as soon as it has its own
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_THE_SCAN)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def become() -> None:
        for each, usual in _LEFT_TO_THE_SCAN.items():
            if signal.getsignal(each) is _not_mine:
                signal.signal(each, usual)
        with contextlib.suppress(OSError):
            os.close(descriptor)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=become)


def _checkpoints(pruning: list[Any] | None) -> Checkpoints | None:
    return None if pruning is None else Checkpoints([Threshold.from_list(data) for data in pruning])


def _build(recipe: dict[str, Any]) -> tuple[AdaptedTrainer, HyperScanner]:
    search_in(*recipe["folders"])
    # what the one who started it finds is found, but goes before nothing that is found without it
    sys.path += [folder for folder in recipe["search"] if folder not in sys.path]
    trainer, scanner = resolve_name(recipe["builder"])(**recipe["arguments"])
    if recipe.get("space") not in (None, fingerprint(scanner.as_dict())):
        raise NodeError(
            "the space that this process builds is not that of the scan: is another version of hyperparton here?"
        )
    complete = adapted(trainer)
    complete.begin(scanner.hyper_keys, bool(recipe.get("reports")))
    return complete, scanner


def _words(fault: BaseException) -> str:
    return str(fault) if isinstance(fault, HyperpartonError) else with_place(fault)


def _faults(fault: BaseException) -> list[dict[str, Any]]:
    """The faults of a card that its trainer refuses, as plain data."""
    if not isinstance(fault, RuncardError):
        return []
    return [asdict(each) | {"file": None if each.file is None else str(each.file)} for each in fault.faults]


def _is_of_node(fault: BaseException) -> bool:
    """Whether a trainer that cannot be built could be elsewhere: not if the card or the trainer is at fault."""
    return isinstance(fault, NodeError) or not isinstance(fault, ScanError | RuncardError | SpaceError)


def _progress_to(channel: _Channel) -> Callable[[dict[str, Any]], None]:
    """A function that passes on the progress of a trainer, now and then."""
    last = 0.0

    def progress(event: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            channel.say({"progress": strict(event, "progress")})

    return progress


class _Channel:
    """Lines of JSON over a descriptor. Whoever hangs up at its other end ends this process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._process = os.getpid()
        self._speaking = threading.Lock()

    def requests(self) -> Iterator[dict[str, Any]]:
        """What is asked, one after the other."""
        with contextlib.suppress(ConnectionError):  # whoever spoke was killed with something unread
            for line in os.fdopen(self._descriptor, "rb", closefd=False):
                yield decode(line)
        os._exit(0)

    def say(self, message: dict[str, Any]) -> None:
        """Answer; only this process does, and no child that a trainer forks."""
        if os.getpid() != self._process:
            return
        line = memoryview(encode_bytes(message) + b"\n")
        try:
            with self._speaking:
                while line:
                    line = line[os.write(self._descriptor, line) :]
        except OSError:
            os._exit(0)


class _Streams:
    """The standard streams. What a trainer prints goes to standard error, as lines; its answer is what it returns."""

    def __init__(self) -> None:
        self._kept = [fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, 3) for stream in range(3)]
        faulthandler.enable(self._kept[2])
        guard_streams(by_lines=True)

    def restore(self) -> None:
        """Open again what a trainer has closed or led elsewhere, so that the next one does not notice."""
        try:
            for stream, kept in enumerate(self._kept):
                os.dup2(kept, stream)
        except OSError:  # the channel is closed too, then
            print("a trainer has closed descriptors that are not its own", file=sys.stderr, flush=True)
            os._exit(1)
