"""Values as a person reads them."""

from __future__ import annotations

from typing import Any

__all__ = ["shown"]


def shown(value: Any, digits: int = 4) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        return "-".join(shown(entry, digits) for entry in value)
    return str(value)
