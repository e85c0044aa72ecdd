"""The machine that a process runs on: its cores, its memory, its other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from types import FrameType

import psutil

__all__ = ["cores", "end_on_sigterm", "is_alive", "resident_memory", "seconds_since_start", "stop_processes", "threads"]


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a batch system may leave a job a part of them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Threads that this process shall compute with: NPROC, XLA's own variable, or as many as it may use cores."""
    asked = os.environ.get("NPROC", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else cores()


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process holds, without those of the processes that it started; 0 if it is gone."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


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


def end_on_sigterm() -> None:
    """SIGTERM ends this process as an exception does, so that it releases what runs and ends its processes."""

    def end(signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_IGN)  # a second one would stop that half-way
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, end)
