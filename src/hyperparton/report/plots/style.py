"""How figures look, and how they become files.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; whatever a colour says is also said by a
marker, a line or a place, so that a print in grey says it too. Figures are made without pyplot: nothing is global.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from hyperparton.report.losses import good_range

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
    "LossAxis",
    "log_axis",
    "mark_best",
    "marks",
    "new_figure",
    "save_pdf",
    "styled",
    "svg_element",
    "svg_text",
]

BLUE, RED, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7"
BLACK, GREY, SKY = "#222222", "#7A7A7A", "#56B4E9"
PALETTE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_STYLE: Any = {
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


#: decorates every function that draws
styled = rc_context(_STYLE)


def new_figure(width: float = 6.4, height: float = 3.2, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


@dataclass(frozen=True)
class LossAxis:
    """A range of losses that shows how good trials differ; a trial that is far worse is drawn at its upper edge."""

    low: float
    high: float
    above: int
    """trials beyond `high`"""

    @classmethod
    def of(cls, losses: Sequence[float] | np.ndarray) -> LossAxis:
        """Around the range of good trials."""
        values = np.asarray(losses, dtype=float)
        best, high = good_range(values)
        margin = 0.06 * (high - best) or 0.05 * abs(best) or 0.05
        return cls(best - margin, high + margin, int(np.sum(values > high + margin)))

    def apply(self, axes: Any, label: str) -> None:
        axes.set_ylim(self.low, self.high)
        axes.set_ylabel(label)
        if self.above:
            word = "trial" if self.above == 1 else "trials"
            axes.set_title(f"▲ {self.above} {word} above the axis", fontsize=7.5, color=GREY, loc="right", pad=3)

    def draw(self, axes: Any, at: np.ndarray, losses: np.ndarray, **marks: Any) -> None:
        """Points within the axis, triangles at its edge for those above."""
        inside, above = losses <= self.high, losses > self.high
        axes.plot(at[inside], losses[inside], linestyle="none", **marks)
        if above.any():  # an empty line that is not clipped has no place, and the layout fails on it
            edge = np.full(int(above.sum()), self.high)
            axes.plot(at[above], edge, "^", markersize=4, color=GREY, alpha=0.7, clip_on=False)


def log_axis(axis: Any) -> None:
    """A logarithmic axis whose ticks are plain numbers; a short one gets ticks between powers of ten too."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 2.0
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if decades < 1.5:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())


def marks(k: int) -> dict[str, Any]:
    """Colour and marker of the k-th of several."""
    return {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)]}


def mark_best(axes: Any, at: float, loss: float, **options: Any) -> None:
    """A star at the best trial."""
    axes.plot(at, loss, "*", color=ORANGE, markeredgecolor=BLACK, markersize=11, **options)


def save_pdf(figure: Figure, path: Path) -> None:
    """Write a figure as PDF, the same bytes for the same figure."""
    with rc_context(_STYLE):
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})


def svg_text(figure: Figure) -> str:
    """A figure as SVG, the same text for the same figure."""
    text = io.StringIO()
    with rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "hyperparton"})
    return text.getvalue()


def svg_element(svg: str, prefix: str, label: str) -> str:
    """An SVG file's text as an element of a page: its ids begin with `prefix`; screen readers read `label`."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
