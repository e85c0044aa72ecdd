"""The machine that a process runs on: its cores, its memory, its other processes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

__all__ = [
    "adopt_orphans",
    "at_most",
    "cores",
    "die_before_others",
    "end_as",
    "end_on_signals",
    "end_with_parent",
    "is_alive",
    "kill_descendants",
    "memory_below",
    "rare_collections",
    "resident_memory",
    "seconds_since_start",
    "stop_processes",
    "threads",
]

#: of Linux's prctl
_PDEATHSIG, _CHILD_SUBREAPER = 1, 36

#: by how much a process offers itself to a kernel that is out of memory, in thousandths of the machine's memory
_OFFER = 100


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a batch system may leave a job a part of them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Threads that this process shall compute with: NPROC, XLA's own variable, or as many as it may use cores."""
    asked = os.environ.get("NPROC", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else cores()


@contextlib.contextmanager
def at_most(cores: int | None) -> Iterator[None]:
    """Within it this process, and those that it starts, compute with so many threads at most; None sets no limit."""
    before = os.environ.get("NPROC")
    if cores is not None:
        os.environ["NPROC"] = str(min(cores, threads()))
    try:
        yield
    finally:
        if before is not None:
            os.environ["NPROC"] = before
        elif cores is not None:
            os.environ.pop("NPROC", None)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Within it Python looks for objects that only hold each other after 50,000 new ones, not after some hundred.

    For what makes millions of objects and keeps most of them: each look goes through those that stay.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process holds, without those of the processes that it started; 0 if it is gone."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def memory_below(pid: int, enough: int) -> int:
    """Bytes of memory that the processes below `pid` hold, those that they started with them, or more if `enough`.

    What several of them share counts once where the system tells; to ask for that takes long, so it is left out where
    they hold no more than `enough` bytes even if it counts for each.
    """
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0
    held = sum(resident_memory(process.pid) for process in found)
    return held if held <= enough or len(found) == 1 else sum(map(_share_of_memory, found))


def _share_of_memory(process: psutil.Process) -> int:
    try:
        told = process.memory_full_info()
    except psutil.Error:  # it is gone, or another user's
        return resident_memory(process.pid)
    return getattr(told, "pss", told.rss)


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number on this machine."""
    return psutil.pid_exists(pid)


def seconds_since_start() -> float:
    """How long this process runs, to a second: some systems count its start from their own, in whole seconds."""
    return max(time.time() - psutil.Process().create_time(), 0.0)


def stop_processes(*processes: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask processes to end, once each, wait, and kill each that takes longer than so many seconds."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def kill_descendants() -> int:
    """Kill all that this process has started, and what that has started; how many there were."""
    found = [each for each in psutil.Process().children(recursive=True) if not _is_over(each)]
    for each in found:
        with contextlib.suppress(psutil.Error):
            each.kill()
    return len(found)


def _is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def adopt_orphans() -> None:
    """Let descendants of this process whose parents end become its children, where the system can (Linux)."""
    _prctl(_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Let this process be killed when its parent, the process `parent`, ends, where the system can (Linux)."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was faster
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_before_others() -> None:
    """Let a kernel that is out of memory end this process, and what it starts, before those that started it (Linux)."""
    path = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        path.write_text(str(min(int(path.read_text()) + _OFFER, 1000)))


def end_as(status: int) -> NoReturn:
    """End this process as another did, of which `os.waitpid` said this; without a core file of its own."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def end_on_signals() -> None:
    """SIGTERM and SIGINT (Ctrl-C) end this process as an exception does, so that it releases what runs.

    That happens once: more of them would stop it half-way. Batch systems send several SIGTERM; of Ctrl-C the third ends
    the process at once, for one that waits for something that does not come.
    """
    interrupts, ending = 0, False

    def terminate(signum: int, frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise SystemExit(143)

    def interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal interrupts, ending
        interrupts += 1
        if not ending:
            ending = True
            raise KeyboardInterrupt
        if interrupts > 2:
            os._exit(130)
        os.write(2, b"it is ending; Ctrl-C once more ends it at once\n")

    signal.signal(signal.SIGTERM, terminate)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell lets what it puts into the background ignore it
        signal.signal(signal.SIGINT, interrupt)
