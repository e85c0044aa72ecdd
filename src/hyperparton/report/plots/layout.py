"""The places of the axes of a figure that has them in one row.

matplotlib's constrained layout measures every label twice, and that takes a third of the time of a small figure. Once
is enough for a figure of one pair of axes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from matplotlib.layout_engine import LayoutEngine

__all__ = ["RowLayout"]

#: inches around axes with their labels, and around a legend
_PAD = 0.042

#: of the figure's width or height, axes keep at least so much
_LEAST = 0.1


class RowLayout(LayoutEngine):
    """Axes side by side, as large as their labels leave room for; legends stand above them, at the figure's edge."""

    _adjust_compatible = True
    _colorbar_gridspec = True

    def execute(self, fig: Any) -> None:
        """Place the axes of the figure."""
        # several become narrower than they begin, and may have other ticks then
        for _ in range(min(len(fig.axes), 2)):
            self._place(fig)

    def _place(self, fig: Any) -> None:
        width, height = fig.bbox.width, fig.bbox.height
        pad = _PAD * fig.dpi
        around = [_margins(axes) for axes in fig.axes]
        left, right = around[0][0], around[-1][1]
        bottom, top = max(sides[2] for sides in around), max(sides[3] for sides in around)
        gaps = [one[1] + other[0] for one, other in pairwise(around)]
        gap = max(gaps, default=0.0) + 3 * pad * bool(gaps)
        legends = sum(legend.get_window_extent().height + pad for legend in fig.legends)
        across = (width - left - right - 2 * pad - gap * len(gaps)) / len(around)
        across = max(across, _LEAST * width / len(around))
        low = bottom + pad
        high = max(height - top - pad - legends, low + _LEAST * height)
        fig.subplots_adjust(
            left=(left + pad) / width, right=(left + pad + across * len(around) + gap * len(gaps)) / width,
            bottom=low / height, top=high / height, wspace=gap / across,
        )  # fmt: skip


def _margins(axes: Any) -> tuple[float, float, float, float]:
    """What labels, ticks and titles take to the left, the right, below and above the axes, in pixels."""
    inner, outer = axes.get_window_extent(), axes.get_tightbbox(for_layout_only=True)
    if outer is None:
        return 0.0, 0.0, 0.0, 0.0
    return (
        max(inner.x0 - outer.x0, 0.0), max(outer.x1 - inner.x1, 0.0),
        max(inner.y0 - outer.y0, 0.0), max(outer.y1 - inner.y1, 0.0),
    )  # fmt: skip
