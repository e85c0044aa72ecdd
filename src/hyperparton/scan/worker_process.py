"""Trials in processes of their own: how a process is started, asked, watched and ended.

A trainer is built once in each process, from a recipe: the name of a function and plain data. Recipes, vals and results
go over a socket of their own as JSON; nothing is pickled between a scan and these processes. One that takes too long or
too much memory is killed, so a limit holds whatever the trainer is doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hyperparton import host
from hyperparton.scan.limits import failure_result
from hyperparton.streams import open_standard_streams
from hyperparton.trials.strict_json import decode_answer, encode, encode_bytes

__all__ = ["Answer", "Recipe", "TrainerProcess", "TrainerProcesses"]

#: how often, in seconds, a process at work is looked at
_LOOK = 0.2

#: times the duration of a look at the memory of a process until the next
_SHARE = 20

#: how long, in seconds, a process may take to end all that its trainer started
_PATIENCE = 10.0

#: bytes of an answer read at once
_PIECE = 1 << 20

#: why a trial died that was to run when its scan had ended
_SCAN_ENDED = "the scan ended before it began"

#: what a process answers: see `TrainerProcess.ask`
Answer = dict[str, Any]

#: (what is called with a trainer's progress, what is called now and then)
_Listeners = tuple[Callable[[dict[str, Any]], None] | None, Callable[[], None] | None]


@dataclass(frozen=True)
class Recipe:
    """How a process makes the trainer of a scan: `builder` (``module:function``) called with `arguments`.

    The function returns (trainer, HyperScanner). `arguments` is strict JSON data; `folders` go before what is on the
    module search path.
    """

    builder: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    def text(self, space: str | None = None, threads: int | None = None, reports: bool = False) -> str:
        """The recipe as JSON; `space` is the fingerprint of the scan's space, `threads` how many a process may use.

        With `reports` the trainer must be one that reports at checkpoints.
        """
        return encode({
            "builder": self.builder, "arguments": dict(self.arguments), "folders": list(self.folders),
            "space": space, "threads": threads, "reports": reports,
        })  # fmt: skip


class TrainerProcess:
    """A process with a trainer of the recipe `text`; it starts with the first trial, and again after it ended.

    What is started is a `worker_keeper`, whose child runs the trials: see there for what becomes of all that a trainer
    starts.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._killed = self._refits = False

    def ask(
        self,
        trials: Sequence[Mapping[str, Any]],
        *,
        seconds: float | None = None,
        memory: int | None = None,
        progress: Callable[[dict[str, Any]], None] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> Answer:
        """Run trials: `{"results": [...]}`, or `{"died": how}`, or `{"broken": why}` if no trainer can be built.

        With no trials it is made ready for some; `refits` is whether its trainer can fit again. One that is broken has
        `node` beside it, whether this machine is at fault, and `faults`, those of the card; one that died before it had
        a trainer has `starting`: that is not the trials' fault.
        Each trial has `vals`, `pruning`, limits on its losses as `scan.pruning` makes them, each a list, or None, and
        `replicas`: the numbers of those that are fitted again, or None.
        `seconds` (for each trial, and each replica that is fitted again) and `memory` (bytes, all that the process
        started included) are limits: the result of a single trial that exceeds them says so, several count as having
        ended their process, since nobody knows which of them it was. `watch` is called now and then while trials run,
        and may raise.
        """
        listeners = (progress, watch)
        if self._process is None:
            answer = self._start(listeners)
            if "ready" not in answer:
                self.close()
                return {**answer, "starting": True}
            self._refits = bool(answer["refits"])
        if not trials:
            return {"results": [], "refits": self._refits}
        self._asked += 1
        message = {"ask": self._asked, "trials": [dict(trial) for trial in trials]}
        total = None if seconds is None else seconds * sum(len(trial.get("replicas") or (0,)) for trial in trials)
        answer = self._exchange(message, listeners, total, memory)
        if "results" not in answer:
            self.close()
        if "limited" in answer:
            kind, words = answer["limited"]
            return {"results": [failure_result(kind, words)]} if len(trials) == 1 else {"died": words}
        return answer

    def _start(self, listeners: _Listeners) -> Answer:
        recipe = json.loads(self._text)
        # NPROC is XLA's. The threads of the BLAS are left as they are: their number changes the last digits of what is
        # computed when a trainer is built, and a scan must not depend on how many workers it has
        threads = recipe["threads"]
        env = {**os.environ, **({} if threads is None else {"NPROC": str(threads)})}
        self._asked, self._buffer, self._searched = 0, bytearray(), 0
        with self._guard:
            if self._killed:
                return {"died": _SCAN_ENDED}
            try:
                self._channel, self._process = _started(env)
            except OSError as fault:
                return {"broken": f"no process can be started for trials: {fault}", "node": True}
        search = [os.path.abspath(folder) for folder in sys.path]
        return self._exchange({**recipe, "search": search}, listeners)

    def _exchange(
        self,
        message: Mapping[str, Any],
        listeners: _Listeners,
        seconds: float | None = None,
        memory: int | None = None,
    ) -> Answer:
        progress, watch = listeners
        process = self._process
        assert process is not None
        try:
            self._channel.settimeout(None)
            self._channel.sendall(encode_bytes(message) + b"\n")
        except OSError:
            return {"died": _end_of(process)}
        end = None if seconds is None else time.monotonic() + seconds
        meter = None if memory is None else _Meter(process.pid, memory)
        while True:
            answer = self._line(process)
            if answer is not None and "progress" in answer:
                if progress is not None:
                    progress(answer["progress"])
            elif answer is not None and answer.pop("ask", None) in (message.get("ask"), None):
                return answer
            if watch is not None:
                watch()
            if end is not None and time.monotonic() > end:
                return {"limited": ("TrialTimeout", f"it took longer than {seconds:g} s; its process was ended")}
            if meter is not None and (text := meter.fault()) is not None:
                return {"limited": ("MemoryLimit", text)}

    def _line(self, process: subprocess.Popen[bytes]) -> Answer | None:
        """The next answer; None if there is none just now."""
        self._channel.settimeout(_LOOK)
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            try:
                data = self._channel.recv(_PIECE)
            except TimeoutError:
                return None
            except OSError:  # it ended with something unread
                data = b""
            if not data:
                return {"died": _end_of(process)}
            self._buffer += data
        line, self._buffer, self._searched = self._buffer, self._buffer[end + 1 :], 0
        del line[end:]  # no copy of the line is made: it may be large
        return decode_answer(line)

    def kill(self) -> None:
        """End the process while another thread asks it; for that thread it died, and it does not start again."""
        with self._guard:
            self._killed = True
            if self._process is not None:  # the other thread may be closing it
                _hang_up(self._channel)

    def close(self) -> None:
        """End the process and all that it started, at once."""
        with self._guard:
            process, self._process = self._process, None
            if process is None:
                return
            _hang_up(self._channel)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._channel.close()


def _started(env: Mapping[str, str]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A new process and the line to it; raises OSError."""
    open_standard_streams()
    channel, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        # -P: a module in the current folder must not take the place of one that Python or we import
        command = [sys.executable, "-P", "-m", "hyperparton.scan.worker_keeper", str(number), str(os.getpid())]
        try:
            return channel, subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[number], env=env, start_new_session=True
            )
        except BaseException:
            channel.close()
            raise


def _hang_up(channel: socket.socket) -> None:
    """Tell the keeper to end all; another thread may be speaking."""
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"


class _Meter:
    """The memory that the processes below `pid` hold, which may be `most` bytes."""

    def __init__(self, pid: int, most: int) -> None:
        self._pid, self._most = pid, most
        self._next = 0.0

    def fault(self) -> str | None:
        """Why they have to end, if they do."""
        begun = time.monotonic()
        if begun < self._next:
            return None
        held = host.memory_below(self._pid, self._most)
        ended = time.monotonic()
        self._next = ended + _SHARE * (ended - begun)  # where very many processes run, to go through them takes long
        if held <= self._most:
            return None
        return f"its process held {held >> 20} MiB, more than {self._most >> 20} MiB, and was ended"


class TrainerProcesses:
    """The processes of one recipe on this machine: as many as there are threads that run its trials at once.

    One that has had no work for `idle` seconds ends; None is never.
    """

    def __init__(self, text: str, idle: float | None = None) -> None:
        self._text, self._idle = text, idle
        self._busy: set[TrainerProcess] = set()
        #: those without work, and since when
        self._free: list[tuple[TrainerProcess, float]] = []
        self._timer: threading.Timer | None = None
        self._closed = False
        self._guard = threading.Lock()

    def run(
        self,
        trials: Sequence[Mapping[str, Any]],
        seconds: float | None,
        memory: int | None,
        progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> Answer:
        """Run trials together, in a process that waits for work or in a new one (see `TrainerProcess.ask`)."""
        with self._guard:
            if self._closed:
                return {"died": _SCAN_ENDED}
            process = self._free.pop()[0] if self._free else TrainerProcess(self._text)
            self._busy.add(process)
        try:
            return process.ask(trials, seconds=seconds, memory=memory, progress=progress)
        finally:
            with self._guard:
                self._busy.remove(process)
                self._free.append((process, time.monotonic()))
                if self._closed:
                    process.close()
                else:
                    self._set_timer()

    def close(self) -> None:
        """End the processes, at work or not; none starts any more."""
        with self._guard:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            for process in self._busy:
                process.kill()
            for process, _ in self._free:
                process.close()

    def _set_timer(self) -> None:
        if self._idle is not None and self._timer is None and self._free:
            self._timer = threading.Timer(self._idle, self._end_idle)
            self._timer.daemon = True
            self._timer.start()

    def _end_idle(self) -> None:
        assert self._idle is not None
        with self._guard:
            self._timer = None
            limit = time.monotonic() - self._idle
            for process in [process for process, since in self._free if since <= limit]:
                process.close()
            self._free = [(process, since) for process, since in self._free if since > limit]
            self._set_timer()
