"""Figures as files: an SVG and a PDF of one drawing, pictures of many points, parts that do not cover each other."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from hyperparton.report.plots.axes import MOST_POINTS, LossAxis
from hyperparton.report.plots.style import new_figure, save_both, save_pdf, save_svg, styled


@styled()
def drawn(points, columns=1):
    figure, panels = new_figure(3.3 * columns, 2.5, columns)
    numbers = np.random.default_rng(1).uniform(size=points)
    for axes in np.atleast_1d(panels):
        LossAxis.of(numbers).draw(axes, np.linspace(1e4, 9e4, points), numbers, marker="o", label="a trial")
        axes.set(xlabel="where it lies", ylabel="what it gives")
    figure.legend(loc="outside upper center")
    return figure


@pytest.mark.parametrize("points", [20, 2000])
def test_one_drawing_gives_the_files_of_two(tmp_path, points):
    save_both(drawn(points), tmp_path / "both")
    save_svg(drawn(points), tmp_path / "one.svg")
    save_pdf(drawn(points), tmp_path / "one.pdf")
    assert (tmp_path / "both.svg").read_text() == (tmp_path / "one.svg").read_text()
    sizes = [len((tmp_path / name).read_bytes()) for name in ("both.pdf", "one.pdf")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_a_picture_of_many_points_is_fit_for_print(tmp_path):
    assert MOST_POINTS < 2000
    svg = save_both(drawn(2000), tmp_path / "figure")
    pictures = [Image.open(io.BytesIO(base64.b64decode(text))) for text in re.findall(r'base64,([^"]+)', svg)]
    printed = int(re.search(rb"/Width (\d+)", (tmp_path / "figure.pdf").read_bytes())[1])
    # the axes are more than 2.3 of the 3.3 inches wide: at 150 dots per inch
    assert [picture.width > 345 for picture in pictures] == [True]
    assert printed == pictures[0].width


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("points", [20, 2000])
def test_nothing_lies_outside_or_on_something_else(tmp_path, columns, points):
    figure = drawn(points, columns)
    save_both(figure, tmp_path / "figure")
    figure.dpi = 72
    with styled():
        whole = figure.bbox
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [legend.get_window_extent() for legend in figure.legends]
    for box in boxes:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    overlaps = [
        (i, j) for i, one in enumerate(boxes) for j, other in enumerate(boxes[:i])
        if min(one.x1, other.x1) > max(one.x0, other.x0) and min(one.y1, other.y1) > max(one.y0, other.y0)
    ]  # fmt: skip
    assert overlaps == []
    widths = [axes.get_position().width for axes in figure.axes]
    assert min(widths) == pytest.approx(max(widths))
    assert sum(widths) > 0.6
