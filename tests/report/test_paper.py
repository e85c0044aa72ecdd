"""What a writer of a paper does: the snippets of the manual, the table of trials, figures in another look."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hyperparton import read_trials, trials_frame
from hyperparton.errors import ReportError, StoreError
from hyperparton.report.losses import Loss
from hyperparton.report.panels import panels
from hyperparton.report.plots.style import look, save_pdf, save_svg
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise

ROOT = Path(__file__).parents[2]
N3FIT = ROOT / "tests" / "oracle" / "data" / "n3fit_folder"


def test_the_snippets_of_the_manual(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    from hyperparton import scan_runcard

    for name in ("own_trainer.yml", "own_trainer.py"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    card = Path("own_trainer.yml")
    card.write_text(card.read_text().replace("folds: 5", "folds: 2").replace("epochs: 200", "epochs: 20"))
    scan_runcard(card, trials=25)
    names, text = {}, (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "paper.md", "exec"), names)
    for name in ("convergence.pdf", "rates.pdf"):
        assert Path(name).read_bytes().startswith(b"%PDF")
    # in points of 1/72 inch
    box = re.search(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", Path("convergence.pdf").read_bytes())
    assert [float(side) for side in box.groups()] == pytest.approx([3.4 * 72, 2.2 * 72])
    assert "hyperparameter loss" in Path("convergence.svg").read_text()
    assert len(Path("best.tex").read_text().splitlines()) == 10
    assert "'convergence'" in capsys.readouterr().out


def test_the_table_of_trials(scan_folder):
    folder = scan_folder()
    frame, trials = trials_frame(folder), read_trials(folder)
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.tolist() == [trial.number for trial in trials]
    # loss of trial n: 1 + 1e4 (rate - 0.01)^2, and 1 more for SGD; see the fixture
    done = frame[frame.status == "ok"]
    assert len(done) == 36
    expected = 1.0 + 1e4 * (done.learning_rate - 0.01) ** 2 + (done.optimizer == "SGD")
    np.testing.assert_allclose(done.loss, expected)
    np.testing.assert_allclose(done.chi2, [Loss("chi2")(trial) for trial in trials if trial.ok])
    np.testing.assert_allclose(done.chi2, 1.5 * done.loss)  # folds of l and 2 l
    np.testing.assert_allclose(done.inverse_phi2, 1 / 0.375)  # the mean of 0.5 and 0.25
    assert frame.seconds.eq(9.0).all()
    assert ((frame.end - frame.begin) == pd.Timedelta(seconds=9)).all()
    assert frame.begin[0] == pd.Timestamp("2026-01-31 12:00", tz="UTC")
    assert set(frame[frame.status == "fail"].reason) == {"NaNLoss: the loss is NaN"}
    assert frame.nodes_per_layer[0] == (10, 8) or frame.nodes_per_layer[0] == (5, 6, 8)


def test_of_n3fit():
    frame = trials_frame(N3FIT)
    assert len(frame) == len(read_trials(N3FIT))
    assert frame.loss.notna().any()


def test_a_hyperparameter_with_the_name_of_a_column(tmp_path, entry):
    import json

    written = entry(0, 2.0, x=1)
    written["misc"]["space_vals"]["loss"] = 7.0
    (tmp_path / "tries.json").write_text(json.dumps([written]))
    frame = trials_frame(tmp_path)
    assert (frame.loss[0], frame["parameter.loss"][0], frame.x[0]) == (2.0, 7.0, 1)


def test_without_trials(tmp_path):
    with pytest.raises(StoreError, match="holds no trials"):
        trials_frame(tmp_path)


def test_a_look(scan_folder, tmp_path):
    """Sizes of letters reach the file, nothing stays afterwards, and what is no setting is named."""
    panel = panels(summarise(read_scans([scan_folder()])))["convergence"]

    def sizes():
        save_svg(panel.draw(), tmp_path / "figure.svg")
        return set(re.findall(r"font: (\S+)px|font-size: ?(\S+?)px", (tmp_path / "figure.svg").read_text()))

    usual = sizes()
    with look({"font.size": 21.5, "axes.labelsize": 21.5}):
        larger = sizes()
    assert any("21.5" in pair for pair in larger)
    assert not any("21.5" in pair for pair in usual)
    assert sizes() == usual
    with pytest.raises(ReportError, match=r"look: .*fnt\.size"), look({"fnt.size": 3}):
        pass
    with pytest.raises(ReportError, match=r"look: .*font\.size"), look({"font.size": "enormous"}):
        pass


def test_a_font_is_in_the_pdf(scan_folder, tmp_path):
    panel = panels(summarise(read_scans([scan_folder()])))["failures"]
    with look({"font.family": "DejaVu Serif"}):
        save_pdf(panel.draw(), tmp_path / "serif.pdf")
    save_pdf(panel.draw(), tmp_path / "usual.pdf")
    assert b"DejaVuSerif" in (tmp_path / "serif.pdf").read_bytes()
    assert b"DejaVuSerif" not in (tmp_path / "usual.pdf").read_bytes()
