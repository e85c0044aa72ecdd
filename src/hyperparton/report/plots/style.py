"""How figures look, and how they become files.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; whatever a colour says is also said by a
marker, a line or a place, so that a print in grey says it too. Figures are made without pyplot: nothing is global, and
what a user's matplotlibrc says does not reach them. No text is read as mathematics: names of hyperparameters are drawn
as they are.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import RcParams, rc_context, rcParams, rcParamsDefault
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as AnyFigure

from hyperparton.errors import ReportError
from hyperparton.report.plots.fonts import FOR_PAGES, families
from hyperparton.report.plots.layout import RowLayout
from hyperparton.report.plots.output import with_small_pictures, write_both
from hyperparton.text import literal

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "RED",
    "SKY",
    "Figure",
    "look",
    "mark_best",
    "marks",
    "named",
    "new_figure",
    "places_of",
    "save_both",
    "save_pdf",
    "save_svg",
    "styled",
    "svg_element",
    "svg_text",
    "touch",
]

BLUE, RED, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7"
BLACK, GREY, SKY = "#222222", "#7A7A7A", "#56B4E9"
PALETTE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


class Figure(AnyFigure):
    """A figure of matplotlib that knows where trials are drawn in it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.touched: list[tuple[Any, np.ndarray]] = []


#: settings of the process and not of a figure
_OF_PROCESS = frozenset({"backend", "backend_fallback", "interactive", "toolbar", "timezone"})

#: letters of a name in a figure at most
_LETTERS = 30

_STYLE: Any = {
    **{key: value for key, value in rcParamsDefault.items() if key not in _OF_PROCESS},
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": BLACK,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "hyperparton",
    "pdf.fonttype": 42,
    "path.simplify": True,
}


#: what a reader has chosen, beside or in place of `_STYLE`
_chosen: ContextVar[Mapping[str, Any]] = ContextVar("_chosen", default=MappingProxyType({}))


@contextmanager
def look(settings: Mapping[str, Any]) -> Iterator[None]:
    """Within it figures are drawn and saved with these settings of matplotlib, such as `font.size` or `font.family`.

    Settings of matplotlib outside of it, as a `matplotlibrc`, do not reach the figures. Raises ReportError for a
    setting that matplotlib does not have, or a value that it does not take.
    """
    try:
        RcParams(settings)
    except (KeyError, ValueError) as fault:
        raise ReportError(f"look: {fault.args[0] if fault.args else fault}") from fault
    token = _chosen.set({**_chosen.get(), **settings})
    try:
        yield
    finally:
        _chosen.reset(token)


@contextmanager
def styled() -> Iterator[None]:
    """Within it, or in a function that it decorates, figures look as ours; every function that draws needs it."""
    wanted = {**_STYLE, "font.family": list(families()), **_chosen.get()}
    # to set one takes long, for matplotlib checks it
    with rc_context({key: value for key, value in wanted.items() if rcParams[key] != value}):
        yield


def new_figure(width: float = 6.4, height: float = 3.2, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=72, layout=RowLayout())
    return figure, figure.subplots(1, columns, **options)


def touch(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Say where the axes show the trials of the figure's panel: (trial,) each, NaN for one that is not there."""
    axes.figure.touched.append((axes, np.column_stack([x, y]).astype(float)))


def places_of(figure: Figure) -> list[np.ndarray]:
    """Where trials are in the figure's SVG, (trial, 2) for each of its axes; once it has been written as a file."""
    height = 72.0 * float(figure.get_size_inches()[1])
    found = []
    for axes, at in figure.touched:
        places = 72.0 / figure.dpi * axes.transData.transform(at)
        found.append(np.column_stack([places[:, 0], height - places[:, 1]]))
    return found


def named(name: str, most: int = _LETTERS) -> str:
    """A name of others as a figure shows it."""
    text = literal(name, most)
    # matplotlib leaves names that begin so out of legends
    return f" {text}" if text.startswith("_") else text


def marks(k: int) -> dict[str, Any]:
    """Colour and marker of the k-th of several."""
    return {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)]}


def mark_best(axes: Any, at: float, loss: float, **options: Any) -> None:
    """A star at the best trial."""
    axes.plot(at, loss, "*", color=ORANGE, markeredgecolor=BLACK, markersize=11, **options)


def save_pdf(figure: Figure, path: str | Path) -> None:
    """Write a figure as PDF, the same bytes for the same figure."""
    with _laid_out(figure):
        FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})


def save_svg(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG, the same text for the same figure; its letters stay text."""
    Path(path).write_text(svg_text(figure), encoding="utf-8", errors="backslashreplace")


def svg_text(figure: Figure) -> str:
    """A figure as SVG, the same text for the same figure."""
    text = io.StringIO()
    with _laid_out(figure):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": "hyperparton"})
    return _for_pages(text.getvalue())


def save_both(figure: Figure, stem: Path) -> str:
    """Write a figure as SVG and PDF, `stem` with these suffixes, in half the time of both; gives the SVG's text."""
    with _laid_out(figure):
        svg = _for_pages(write_both(figure, stem.with_name(f"{stem.name}.pdf")))
    stem.with_name(f"{stem.name}.svg").write_text(svg, encoding="utf-8", errors="backslashreplace")
    return svg


def _for_pages(svg: str) -> str:
    """The SVG with fonts that a browser has, and pictures that it loads quickly."""
    # in tags alone: a name may be "font-family: '"
    return re.sub(r'(<text style="[^">]*font-family: )[^;"]*', rf"\1{FOR_PAGES}", with_small_pictures(svg))


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Within it a canvas prints the figure, whose parts have their places.

    They are placed once for all its files: that costs more than drawing, and the files shall look the same. So the
    canvas prints it itself: `savefig` draws it a second time for each file, to place its parts.
    """
    with styled(), warnings.catch_warnings():
        # letters that the font lacks are letters in an SVG all the same
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        dpi = figure.dpi  # those of pictures in it: canvases leave their own
        engine = figure.get_layout_engine()
        if engine is not None:
            figure.dpi = 72  # as the canvas has it, which measures the parts
            FigureCanvasSVG(figure)
            engine.execute(figure)
            figure.set_layout_engine("none")
            figure.dpi = dpi
        try:
            yield
        finally:
            figure.dpi = dpi


def svg_element(svg: str, prefix: str, label: str, over: str = "") -> str:
    """An SVG file's text as an element of a page: its ids begin with `prefix`; screen readers read `label`.

    `over` is SVG that is laid over it as it is.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # in tags alone: a name may be "url(#"
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", tag[0]), svg)
    head, _, tail = svg.rpartition("</svg>")
    svg = f"{head}{over}</svg>{tail}"
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
