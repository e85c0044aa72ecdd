"""Showing a scan or a fit at work: bars on a terminal, plain lines in a log. Both write to standard error."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import math
import os
import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from hyperparton.errors import StoreError
from hyperparton.text import counted, duration

__all__ = ["Display", "EventLog", "brief", "make_display", "show_warnings"]

#: a line about a running fit in a log at most this often, in seconds
_EVERY = 30.0


class Display(contextlib.AbstractContextManager):
    """Plain lines: one per finished trial, and one now and then about the fit that is running."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._begun = time.monotonic()
        self._finished = 0
        self._last = time.monotonic()
        self._current = ""

    def __exit__(self, *exception: object) -> None:
        return None

    def say(self, text: str) -> None:
        """A line of its own."""
        click.echo(text, err=True)

    def scan(self, event: dict[str, Any]) -> None:
        """An event of `scan_runcard`."""
        if event["event"] == "note":
            self.say(event["text"])
        elif event["event"] == "trial_started":
            self._current = f"trial {event['tid']} of {event['total']}"
            if self._verbose:
                self.say(f"{self._current} starts: {json.dumps(event['params'], ensure_ascii=False, default=str)}")
            self._started(event)
        elif event["event"] == "prior":
            for line in event["notes"]:
                self.say(line)
        elif event["event"] == "scan_ended":
            self.say(f"the scan ends: {event['reason']}; it can be continued")
        elif event["event"] == "trial_progress":
            if "epochs" in event:
                self._current = f"trial {event['tid']} of {event['total']}"
                self.epochs(event)
        elif event["event"] in ("refit_progress", "refit_started", "refit_finished", "confirm_started"):
            self._confirm(event)
        elif event["event"] == "confirm_skipped":
            self.say(event["reason"])
        elif event["event"] == "confirmed":
            return  # the command says it at its end
        else:
            self._finished += 1
            self.say(self._line(event))
            if self._verbose and event.get("traceback"):
                self.say(textwrap.indent(event["traceback"], "  "))
            self._ended(event)

    def _confirm(self, event: dict[str, Any]) -> None:
        """An event of the re-fits."""
        if event["event"] == "confirm_started":
            fits = counted(event["fits"], "fit")
            self.say(f"the best trials are fitted again, at first {event['trials']}: {fits} at most")
            return
        self._current = f"trial {event['tid']} again"
        if event["event"] == "refit_finished":
            losses = [math.inf if loss is None else loss for loss in event["losses"]]
            shown = f"median {brief(statistics.median(losses))}, worst {brief(max(losses))}"
            told = shown if event["status"] == "ok" else f"failed: {event['reason']}"
            self.say(f"{self._current}, {counted(len(losses), 'replica')}: {told}, {event['seconds']:.1f} s")
        elif "epochs" in event:
            self.epochs(event)

    def epochs(self, event: dict[str, Any]) -> None:
        """An event of a trainer: `epoch`, `epochs` and the `running` models."""
        if time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            self.say(
                f"{self._current or 'fit'}: epoch {event['epoch']} of {event['epochs']}, {event['running']} running"
            )

    def _started(self, event: dict[str, Any]) -> None:
        self._last = time.monotonic()

    def _ended(self, event: dict[str, Any]) -> None:
        return None

    def _line(self, event: dict[str, Any]) -> str:
        number, loss = event["tid"], event["loss"]
        shown = "" if loss is None else f"loss {brief(loss)}"
        failed = event["status"] != "ok" and not event.get("pruned")
        reason = f"failed: {event['reason']}" if failed else event["reason"] or ""
        result = ", ".join(part for part in (shown, reason) if part)
        best = "none yet" if event["best"] is None else f"{brief(event['best'])} (trial {event['best_tid']})"
        return f"trial {number}: {result}, {event['seconds']:.1f} s; best {best}{self._left(event)}"

    def _left(self, event: dict[str, Any]) -> str:
        """How much is left, at the end of the line of a trial."""
        rest = event["total"] - event["done"]
        return f"; left {counted(rest, 'trial')}, {duration(self._time_left(event))}" if rest else ""

    def _time_left(self, event: dict[str, Any]) -> float:
        """Seconds, by the mean time of the trials of this start."""
        return (event["total"] - event["done"]) * (time.monotonic() - self._begun) / max(self._finished, 1)


class _Bars(Display):
    """The same lines above two bars: trials of the scan with the time that is left, epochs of the running fit."""

    def __init__(self, verbose: bool = False) -> None:
        super().__init__(verbose)
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress

        text, bar, *_ = Progress.get_default_columns()
        columns = (text, bar, MofNCompleteColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._trials: Any = None
        self._epochs: Any = None
        #: the trials that run; of several the first one's epochs are shown
        self._running: list[int] = []

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def _left(self, event: dict[str, Any]) -> str:
        return ""  # it stands at the bar

    def _started(self, event: dict[str, Any]) -> None:
        if self._trials is None:
            self._trials = self._progress.add_task("trials", total=event["total"])
        self._running.append(event["tid"])
        if len(self._running) == 1 and self._epochs is not None:
            self._progress.update(self._epochs, completed=0)

    def _ended(self, event: dict[str, Any]) -> None:
        self._running = [number for number in self._running if number != event["tid"]]
        if self._trials is not None:
            best = "" if event["best"] is None else f", best {brief(event['best'])}"
            left = f", left {duration(self._time_left(event))}" if event["done"] < event["total"] else ""
            self._progress.update(self._trials, completed=event["done"], description=f"trials{best}{left}")

    def epochs(self, event: dict[str, Any]) -> None:
        if event.get("event") == "trial_progress" and self._running[:1] not in ([], [event["tid"]]):
            return
        if self._epochs is None:
            self._epochs = self._progress.add_task("epochs", total=event["epochs"])
        text = f"epochs, {counted(event['running'], 'model')} running"
        self._progress.update(self._epochs, completed=event["epoch"], total=event["epochs"], description=text)


def make_display(verbose: bool = False) -> Display:
    """Bars where standard error is a terminal, plain lines elsewhere; `verbose` shows each trial's parameters too."""
    return _Bars(verbose) if sys.stderr.isatty() else Display(verbose)


class EventLog(contextlib.AbstractContextManager):
    """Adds a scan's events to the end of a file, each a line of JSON with the `time` in UTC.

    Values that JSON does not have are written as text; without a path nothing is written. A file that is not there is
    made with the first event, so that a start that is refused leaves none. Raises StoreError if the file cannot be
    opened or made. If it cannot be written later, as on a full disk, `warn` says so and the scan goes on without it.
    """

    def __init__(self, path: Path | None, warn: Callable[[str], None]) -> None:
        self._path, self._warn = path, warn
        self._file: BinaryIO | None = None
        self.fault: str | None = None
        """why events are missing"""
        if path is None:
            return
        try:
            self._file = _opened_if_there(path)
        except OSError as fault:
            raise StoreError(f"{path}: cannot be written: {fault.strerror}") from fault

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def write(self, event: dict[str, Any]) -> None:
        """Add an event."""
        if self._path is None or self.fault is not None:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, **event}, ensure_ascii=False, default=str) + "\n"
        rest = line.encode(errors="backslashreplace")
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab", buffering=0)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as fault:
            self.fault = f"{self._path}: cannot be written: {fault.strerror}"
            self._warn(f"{self.fault}; the scan goes on without this log")


def _opened_if_there(path: Path) -> BinaryIO | None:
    """The file, to add to its end; None if there is none and one can be made. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        # without making it, which "ab" would do
        return open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags & ~os.O_CREAT))
    near = next(folder for folder in path.absolute().parents if folder.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        code = errno.EACCES if near.is_dir() else errno.ENOTDIR
        raise OSError(code, os.strerror(code))
    return None


class _Once(logging.Handler):
    """Says each different message once, through a display."""

    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said:
            self._said.add(text)
            self._display.say(f"{record.levelname.lower()}: {text}")


def show_warnings(display: Display, verbose: bool = False) -> None:
    """Let the package's warnings, with `verbose` its notices too, be said once each."""
    logger = logging.getLogger("hyperparton")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Once)]:
        logger.removeHandler(handler)
    logger.addHandler(_Once(display))
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.propagate = False


def brief(loss: float | None) -> str:
    """A loss as a line shows it, with four significant digits."""
    return "none" if loss is None else f"{loss:.4g}"
