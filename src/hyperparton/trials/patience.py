"""Asking a server that may be away for a while, until it answers or a limit passes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from hyperparton.errors import StoreAwayError

__all__ = ["Patience"]

_LOG = logging.getLogger(__name__)

#: pauses, in seconds, between two questions to a server that is away
_SHORTEST, _LONGEST = 0.1, 5.0

#: a question that fails within so many seconds is asked again at once, whatever the limit: a connection was dropped
_AT_ONCE = 1.0

#: how often, in seconds, one that waits looks whether the scan's time is over
_LOOK = 0.5

Answer = TypeVar("Answer")


class Patience:
    """How long the server called `name` is waited for: up to `seconds` from the first question that it did not answer.

    A line says when the waiting begins and ends. `check` is called now and then by one that waits, and may raise. Many
    threads may ask.
    """

    def __init__(self, name: str, seconds: float, check: Callable[[], None] = lambda: None) -> None:
        self._name, self._seconds, self._check = name, seconds, check
        self._guard = threading.Lock()
        #: when the server was asked first what it did not answer; None while it answers
        self._since: float | None = None
        self._told = self._given_up = False

    def give_up(self) -> None:
        """Wait no more."""
        self._given_up = True

    def ask(self, question: Callable[[], Answer], wait: bool = True) -> Answer:
        """What `question` returns, asked again while it raises StoreAwayError, once if it is not to `wait`.

        Raises StoreAwayError when the limit passes, and at once from then on.
        """
        tries, begun = 0, time.monotonic()
        while True:
            try:
                answer = question()
            except StoreAwayError as fault:
                tries += 1
                self._note(fault, tries, wait, begun)
                if tries > 1:
                    self._pause(min(_SHORTEST * 2 ** (tries - 2), _LONGEST))
            else:
                self._is_back()
                return answer

    def _note(self, fault: StoreAwayError, tries: int, wait: bool, begun: float) -> None:
        """Note that the server is away, and raise if it is not waited for, or no longer."""
        with self._guard:
            now = time.monotonic()
            self._since = since = begun if self._since is None else self._since
            # one that took its time to fail is not asked again beyond the limit
            if tries == 1 and not self._given_up and now - begun < max(self._seconds, _AT_ONCE):
                return
            first, self._told = not self._told, self._told or wait
        if self._given_up or not wait or self._seconds <= 0:
            raise fault
        if now - since >= self._seconds:
            self._given_up = True
            raise StoreAwayError(f"{fault}; it was waited for {now - since:.0f} s") from None
        if first:
            _LOG.warning("%s; waiting for it, up to %.0f s", fault, self._seconds)

    def _pause(self, seconds: float) -> None:
        # jobs that lost the same server do not come back all at once
        end = time.monotonic() + seconds * random.uniform(0.5, 1.0)
        while (left := end - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, _LOOK))

    def _is_back(self) -> None:
        if self._since is None:
            return
        with self._guard:
            since, told = self._since, self._told
            self._since, self._told = None, False
        if told and since is not None:
            _LOG.warning("%s: answers again after %.1f s", self._name, time.monotonic() - since)
