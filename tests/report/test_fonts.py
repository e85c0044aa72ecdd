"""The letters of the figures are those of DejaVu Sans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from hyperparton.report.plots.fonts import FOR_PAGES, families
from hyperparton.report.plots.style import new_figure, save_pdf, styled, svg_text


@pytest.mark.parametrize("words", ["χ² = 1.16 ± 0.04 × 10⁻³", "AV, To, fi, ffl", "Größe → ∞ ≤ ∂λ, “quoted” – …"])
def test_they_look_the_same(words):
    ours, whole = (TextPath((0, 0), words, prop=FontProperties(family=family)) for family in families())
    assert len(ours.vertices) > 100
    np.testing.assert_allclose(ours.vertices, whole.vertices, atol=1e-6)


@styled()
def drawn():
    figure, axes = new_figure()
    axes.set_title("漢 and ⠿")
    axes.set_xlabel("font-family: 'mine'; size")
    return figure


def test_letters_of_neither_are_there_for_a_browser(tmp_path):
    figure = drawn()
    text = svg_text(figure)
    assert "漢 and ⠿" in text
    assert "font-family: 'mine'; size</text>" in text
    assert FOR_PAGES in text
    assert families()[0] not in text
    save_pdf(figure, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_no_file_of_theirs_stays(tmp_path):
    code = "from hyperparton.report.plots.fonts import families; families(); families()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"TMPDIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
        "PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert not list(Path(tmp_path).glob("*.ttf"))


def test_without_a_folder_for_temporary_files(tmp_path):
    code = "import tempfile; tempfile.tempdir = '/proc/none'; from hyperparton.report.plots import fonts"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(fonts.families())"], capture_output=True, text=True, check=True,
        env={"MPLCONFIGDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "('DejaVu Sans',)\n"
