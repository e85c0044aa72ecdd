"""A figure as an SVG and as a PDF, drawn once.

To draw is to lay out every text and to ask every axis for its ticks; that takes far longer than to write down what was
drawn. So one renderer of matplotlib passes on what is drawn to those of both files.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.backends.backend_svg import RendererSVG
from PIL import Image

__all__ = ["with_small_pictures", "write_both"]

#: colours of a picture in an SVG: those of a few kinds of points, and how far these cover what is below them
_COLOURS = 128

#: dots per inch of both files: a dot is a point
_POINTS = 72


def write_both(figure: Any, pdf: str | Path) -> str:
    """Write the PDF of a figure whose parts have their places, and give its SVG; the figure's dpi are of pictures."""
    dpi, (width, height) = figure.dpi, figure.get_size_inches()
    text = io.StringIO()
    file = PdfFile(pdf, metadata={"CreationDate": None})
    try:
        figure.dpi = _POINTS
        file.newPage(width, height)
        size = _POINTS * width, _POINTS * height
        svg = RendererSVG(*size, text, image_dpi=dpi, metadata={"Date": None, "Creator": "hyperparton"})
        both = _Both(svg, RendererPdf(file, dpi, height, width), size)
        mixed = MixedModeRenderer(figure, width, height, dpi, both)
        figure.draw(mixed)
        mixed.finalize()
        file.finalize()
    finally:
        figure.dpi = dpi
        file.close()
    return text.getvalue()


def with_small_pictures(svg: str) -> str:
    """The SVG with pictures of few colours, which take a third of the bytes."""
    return re.sub(r'(?<=href="data:image/png;base64,)[^"]+', _of_few_colours, svg)


def _of_few_colours(found: re.Match[str]) -> str:
    picture, smaller = Image.open(io.BytesIO(base64.b64decode(found[0]))), io.BytesIO()
    picture.quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(smaller, "png")
    text = base64.b64encode(smaller.getvalue()).decode()
    return text if len(text) < len(found[0]) else found[0]


class _Both(RendererBase):
    """What draws on an SVG and a PDF of one size, whose vertical axes point down and up."""

    def __init__(self, svg: Any, pdf: Any, size: tuple[float, float]) -> None:
        super().__init__()
        self._svg, self._pdf, self._size = svg, pdf, size

    def new_gc(self) -> Any:
        return self._pdf.new_gc()  # knows more than that of an SVG

    def flipy(self) -> bool:
        return False

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self._size

    def get_image_magnification(self) -> float:
        return self._svg.get_image_magnification()

    def option_image_nocomposite(self) -> bool:
        return self._svg.option_image_nocomposite()

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        return self._svg.get_text_width_height_descent(s, prop, ismath)

    def open_group(self, s: str, gid: str | None = None) -> None:
        self._svg.open_group(s, gid)

    def close_group(self, s: str) -> None:
        self._svg.close_group(s)

    def draw_path(self, *arguments: Any, **options: Any) -> None:
        for each in (self._svg, self._pdf):
            each.draw_path(*arguments, **options)

    def draw_markers(self, *arguments: Any, **options: Any) -> None:
        for each in (self._svg, self._pdf):
            each.draw_markers(*arguments, **options)

    def draw_path_collection(self, *arguments: Any, **options: Any) -> None:
        for each in (self._svg, self._pdf):
            each.draw_path_collection(*arguments, **options)

    def draw_image(self, *arguments: Any, **options: Any) -> None:
        for each in (self._svg, self._pdf):
            each.draw_image(*arguments, **options)

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        self._svg.draw_text(gc, x, self._size[1] - y, s, prop, angle, ismath, mtext)
        self._pdf.draw_text(gc, x, y, s, prop, angle, ismath, mtext)

    def finalize(self) -> None:
        self._svg.finalize()
        self._pdf.finalize()
