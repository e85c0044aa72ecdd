"""The letters of the figures: a part of DejaVu Sans that is cheap to put into a PDF.

matplotlib takes from its font, for each PDF, the letters that the figure has. From the whole of DejaVu Sans, with its
6,000 letters, that takes longer than to draw the figure. So the figures use a part of it, made once in a process, and
the whole for other letters.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
from functools import cache

from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import font_manager

__all__ = ["FOR_PAGES", "families"]

_WHOLE = "DejaVu Sans"

#: the part's own name, so that no figure of the user's takes it for the whole
_PART = "hyperparton DejaVu Sans"

#: Latin as western Europe writes it, Greek, punctuation, super- and subscripts, and the signs of the figures. Of fewer
#: letters matplotlib takes some sooner
_LETTERS = [
    *range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x391, 0x3CA), *range(0x2010, 0x2030), *range(0x2070, 0x2090),
    *range(0x2190, 0x2194), 0x2202, 0x2206, 0x2208, 0x2211, 0x2212, 0x221A, 0x221E, 0x222B, 0x2248, 0x2260, 0x2264,
    0x2265, 0x25B2,
]  # fmt: skip


#: the fonts of the same figures where a browser draws their letters
FOR_PAGES = f"'{_WHOLE}', sans-serif"


@cache
def families() -> tuple[str, ...]:
    """The fonts of the figures, the first that has a letter draws it; made at the first call in a process."""
    try:
        path = _part()
    except OSError:  # no folder for temporary files: the whole gives the same figures, more slowly
        return (_WHOLE,)
    font_manager.fontManager.addfont(path)
    return _PART, _WHOLE


def _part() -> str:
    """Write the part into a file that this process removes at its end; its path."""
    descriptor, path = tempfile.mkstemp(prefix="hyperparton-", suffix=".ttf")
    # matplotlib reads it whenever it draws, and this process may be another user's by then
    os.fchmod(descriptor, 0o644)
    os.close(descriptor)
    atexit.register(_remove, path)
    options = subset.Options(legacy_kern=True, notdef_outline=True, recalc_timestamp=False)
    # a time stamp of the program that drew the letters; mathematics; kerning that stands in the table `kern` too, from
    # which it takes half the time to choose letters
    options.drop_tables += ["FFTM", "MATH", "GDEF", "GPOS"]
    with subset.load_font(font_manager.findfont(_WHOLE), options) as font:
        part = subset.Subsetter(options)
        part.populate(unicodes=_LETTERS)
        part.subset(font)
        _rename(font)
        font.save(path)
    return path


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _rename(font: TTFont) -> None:
    names = font["name"]
    for record in list(names.names):
        place = record.platformID, record.platEncID, record.langID
        if record.nameID in (1, 4, 16):
            names.setName(_PART, record.nameID, *place)
        elif record.nameID == 6:
            names.setName(_PART.replace(" ", ""), record.nameID, *place)
