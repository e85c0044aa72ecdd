"""What a command does when the system asks it to end."""

from __future__ import annotations

import signal
from typing import Any

__all__ = ["end_on_sigterm"]


def end_on_sigterm() -> None:
    """SIGTERM ends the command as an exception does, so that it releases what runs and ends its processes."""

    def end(signum: int, frame: Any) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, end)
