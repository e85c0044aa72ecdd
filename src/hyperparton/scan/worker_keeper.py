"""The process that a scan starts for its trials: its child runs them, and it sees to it that nothing of them stays.

`python -P -m hyperparton.scan.worker_keeper DESCRIPTOR SCAN`, started by `TrainerProcess`: messages travel on the
descriptor, and SCAN is the process id of who started it. It forks before anything of weight is loaded. The child, in a
session of its own, is the worker (`worker_main`). This process costs little and waits. When the worker ends, when the
scan hangs up, or when the scan is gone in whatever way, everything that the worker started is killed, what it has put
into the background too: on Linux orphans come to this process. Then it ends as the worker did.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

from hyperparton import host

__all__ = ["main"]

#: how often, in seconds, it looks whether the scan is still there, should nothing tell it
_LOOK = 2.0

#: how long, in seconds, it tries to kill what the worker started, and pauses in between
_PATIENCE, _PAUSE = 5.0, 0.005


def main() -> None:
    """The process."""
    descriptor, scan = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(descriptor, False)
    host.adopt_orphans()
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.setsid()
        host.end_with_parent(keeper)
        # here: this process does without all that the worker needs
        from hyperparton.scan.worker_main import serve

        serve(descriptor)
        os._exit(0)
    # a batch system signals every process of a job: the scan ends this one by hanging up
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    status = _wait(worker, descriptor, scan)
    status = _end_all(worker, status)
    with contextlib.suppress(OSError):  # whoever still holds the descriptor: the scan need not wait for it
        socket.socket(fileno=descriptor).shutdown(socket.SHUT_RDWR)
    host.end_as(status)


def _wait(worker: int, descriptor: int, scan: int) -> int | None:
    """How the worker ended, as `os.waitpid` says it; None if it works and the scan is gone or has hung up."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(descriptor, 0)  # that it is hung up is told unasked
    poll.register(woken, select.POLLIN)
    while True:
        if (status := _reap(worker)) is not None:
            return status
        told = dict(poll.poll(1000 * _LOOK))
        if descriptor in told or os.getppid() != scan:
            return None
        if woken in told:
            os.read(woken, 1 << 10)


def _reap(worker: int) -> int | None:
    """Collect the children that have ended; the status of the worker if it was among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == worker:
                found = ended[1]
    return found


def _end_all(worker: int, status: int | None) -> int:
    """Kill the worker and all that it started; how the worker ended."""
    with contextlib.suppress(OSError):
        os.killpg(worker, signal.SIGKILL)
    end = time.monotonic() + _PATIENCE
    while host.kill_descendants() and time.monotonic() < end:
        time.sleep(_PAUSE)
        found = _reap(worker)
        status = found if status is None else status
    return signal.SIGKILL if status is None else status


if __name__ == "__main__":
    main()
