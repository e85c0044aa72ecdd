"""Text as figures, pages and terminals can show it: names and values of others, numbers with their nouns."""

from __future__ import annotations

import unicodedata

__all__ = ["counted", "literal"]


def counted(number: int, one: str, more: str | None = None) -> str:
    """A number with its noun: `1 trial`, `2 trials`; `more` is the plural where it takes more than an s."""
    return f"{number} {one if number == 1 else more or one + 's'}"


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
