"""How long a database server may take to answer: a server that is stopped, or behind a cut cable, must not hang a scan.

The limits hold on this side of the connection, since a server that is stopped ends nothing itself.
"""

from __future__ import annotations

import time

__all__ = ["ANSWER", "CONNECT", "TimeLimits"]

#: seconds until a connection must stand, and until a statement must be answered
CONNECT, ANSWER = 10.0, 30.0

#: the least time for a question, in seconds, that is asked when there is no time left
_LEAST = 0.5


class TimeLimits:
    """The limits of one store, which become shorter when its process is to end."""

    def __init__(self) -> None:
        self._end: float | None = None

    def hurry(self, seconds: float) -> None:
        """From now on everything together may take so many seconds."""
        end = time.monotonic() + seconds
        self._end = end if self._end is None else min(end, self._end)

    @property
    def hurried(self) -> bool:
        """Whether the process is to end."""
        return self._end is not None

    def at_most(self, seconds: float) -> float:
        """So many seconds, or what is left."""
        return seconds if self._end is None else min(seconds, max(self._end - time.monotonic(), _LEAST))
