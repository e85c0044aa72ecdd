"""Trials in processes of their own: how a process is started, asked, watched and ended.

A trainer is built once in each process, from a recipe: the name of a function and plain data. Recipes, vals and results
go over pipes as JSON; nothing is pickled between a scan and these processes. One that takes too long or too much memory
is killed, so a limit holds whatever the trainer is doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from hyperparton.host import resident_memory
from hyperparton.scan.limits import failure_result
from hyperparton.trials.strict_json import encode

__all__ = ["Answer", "Recipe", "TrainerProcess", "TrainerProcesses", "close_processes", "run_task"]

#: how often, in seconds, a process at work is looked at
_LOOK = 0.2

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
    """A process with a trainer of the recipe `text`; it starts with the first trial, and again after it ended."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._guard = threading.Lock()
        self._killed = False

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

        One that died before it had a trainer has `starting` beside it: that is not the trials' fault.
        Each trial has `vals` and `pruning`, limits on its losses as `scan.pruning` makes them, each a list, or None.
        `seconds` (for each trial) and `memory` (bytes) are limits: the result of a single trial that exceeds them says
        so, several count as having ended their process, since nobody knows which of them it was. `watch` is called now
        and then while trials run, and may raise.
        """
        listeners = (progress, watch)
        if self._process is None:
            answer = self._start(listeners)
            if "ready" not in answer:
                self.close()
                return {**answer, "starting": True}
        total = None if seconds is None else seconds * len(trials)
        answer = self._exchange({"trials": [dict(trial) for trial in trials]}, listeners, total, memory)
        if set(answer) != {"results"}:
            self.close()
        if "limited" in answer:
            kind, message = answer["limited"]
            return {"results": [failure_result(kind, message)]} if len(trials) == 1 else {"died": message}
        return answer

    def _start(self, listeners: _Listeners) -> Answer:
        threads = json.loads(self._text)["threads"]
        self._buffer = b""
        # NPROC is XLA's. The threads of the BLAS are left as they are: their number changes the last digits of what is
        # computed when a trainer is built, and a scan must not depend on how many workers it has
        env = {**os.environ, **({} if threads is None else {"NPROC": str(threads)})}
        command = [sys.executable, "-m", "hyperparton.scan.worker_main"]
        pipe = subprocess.PIPE
        with self._guard:
            if self._killed:
                return {"died": _SCAN_ENDED}
            try:
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, start_new_session=True)
            except OSError as fault:
                return {"broken": f"no process can be started for trials: {fault}"}
        return self._exchange(json.loads(self._text), listeners)

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
        assert process.stdin is not None
        try:
            process.stdin.write(encode(message).encode() + b"\n")
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return {"died": _end_of(process)}
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            answer = self._line(process)
            if answer is not None and "progress" in answer:
                if progress is not None:
                    progress(answer["progress"])
            elif answer is not None:
                return answer
            if watch is not None:
                watch()
            if end is not None and time.monotonic() > end:
                return {"limited": ("TrialTimeout", f"it took longer than {seconds:g} s; its process was ended")}
            if memory is not None and (held := resident_memory(process.pid)) > memory:
                text = f"its process held {held >> 20} MiB, more than {memory >> 20} MiB, and was ended"
                return {"limited": ("MemoryLimit", text)}

    def _line(self, process: subprocess.Popen[bytes]) -> Answer | None:
        """The next answer; None if there is none just now."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not wait([descriptor], _LOOK):
                return None
            data = os.read(descriptor, 1 << 16)
            if not data:
                return {"died": _end_of(process)}
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def kill(self) -> None:
        """End the process while another thread asks it; for that thread it died, and it does not start again."""
        with self._guard:
            self._killed = True
            if (process := self._process) is not None:  # the other thread may be closing it
                process.kill()

    def close(self) -> None:
        """End the process, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what was still to be written is for nobody
                    pipe.close()


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"


class TrainerProcesses:
    """The processes of one recipe on this machine: as many as there are threads that run its trials at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._all: list[TrainerProcess] = []
        self._free: list[TrainerProcess] = []
        self._closed = False
        self._guard = threading.Lock()

    def run(self, trials: Sequence[Mapping[str, Any]], seconds: float | None, memory: int | None) -> Answer:
        """Run trials together, in a process that waits for work or in a new one (see `TrainerProcess.ask`)."""
        with self._guard:
            if self._closed:
                return {"died": _SCAN_ENDED}
            if not self._free:
                self._all.append(TrainerProcess(self._text))
                self._free.append(self._all[-1])
            process = self._free.pop()
        try:
            return process.ask(trials, seconds=seconds, memory=memory)
        finally:
            with self._guard:
                self._free.append(process)
                if self._closed:
                    process.close()

    def close(self) -> None:
        """End the processes, at work or not; none starts any more."""
        with self._guard:
            self._closed = True
            for process in self._all:
                if process in self._free:
                    process.close()
                else:
                    process.kill()


#: the processes that a worker of a Dask cluster has, by their recipes
_OF_CLUSTER: dict[str, TrainerProcesses] = {}


def run_task(text: str, trials: Sequence[Mapping[str, Any]], seconds: float | None, memory: int | None) -> Answer:
    """Run trials together on the machine of a Dask worker."""
    return _OF_CLUSTER.setdefault(text, TrainerProcesses(text)).run(trials, seconds, memory)


def close_processes(text: str) -> None:
    """End the processes of a recipe that this Dask worker has."""
    if (processes := _OF_CLUSTER.pop(text, None)) is not None:
        processes.close()
