"""How long the steps of a fit take, by n3fit's names."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Wall-clock and processor times in seconds since it was made."""

    def __init__(self) -> None:
        self._begin = _now()
        self._times = {"start": self._begin}
        self._between: dict[str, tuple[float, float]] = {}

    def register(self, step: str, since: str | None = None) -> None:
        """Note that a step is done, and how long that is after the step `since`."""
        self._times[step] = _now()
        if since is not None:
            first, last = self._times[since], self._times[step]
            self._between[f"{since}_to_{step}"] = last[0] - first[0], last[1] - first[1]

    def times(self) -> dict[str, dict[str, float]]:
        """`timing` as n3fit's files of fits have it: the whole, each step, and from step to step."""
        steps = {"Total": _now(), **self._times}
        since = {name: (wall - self._begin[0], cpu - self._begin[1]) for name, (wall, cpu) in steps.items()}
        since |= self._between
        return {kind: {name: pair[i] for name, pair in since.items()} for i, kind in enumerate(("walltime", "cputime"))}


def _now() -> tuple[float, float]:
    return time.time(), time.process_time()
