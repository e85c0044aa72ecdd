"""Text as figures, pages and terminals can show it: names and values of others, numbers with their nouns."""

from __future__ import annotations

import unicodedata

__all__ = ["counted", "duration", "literal"]


def counted(number: int, one: str, more: str | None = None) -> str:
    """A number with its noun: `1 trial`, `2 trials`; `more` is the plural where it takes more than an s."""
    return f"{number if abs(number) < 10_000 else f'{number:,}'} {one if number == 1 else more or one + 's'}"


def duration(seconds: float) -> str:
    """A time as a person reads it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def literal(text: str, most: int | None = None) -> str:
    """The text in one line: what does not print is written as an escape, and nothing means anything else.

    Of more than `most` letters the first ones, and a sign that more follow. A text without letters is `""`.
    """
    cut = most is not None and len(text) > most
    letters = "".join(map(_shown, text[: most - 1] if cut and most else text))
    return f"{letters}…" if cut else letters or '""'


def _shown(letter: str) -> str:
    # Zs: spaces of all kinds
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode()
