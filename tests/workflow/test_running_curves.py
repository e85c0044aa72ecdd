"""The learning curves of trials that run are kept in the scan's folder while they run, and a live page shows them."""

import json

from hyperparton.report.panels import sections
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.trials.local import FileTrials
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.workflow.begun import RunningCurves

POINTS = [(100, 3.5), (200, 2.25)]


def started(tid):
    return {"event": "trial_started", "tid": tid, "params": {}, "total": 3}


def reported(tid, epoch, validation):
    return {
        "event": "trial_progress",
        "tid": tid,
        "epoch": epoch,
        "epochs": 900,
        "running": 2,
        "validation": validation,
    }


def test_curves_grow_and_go(tmp_path):
    folder = ScanFolder(tmp_path)
    curves = RunningCurves(folder)
    curves.hear(started(4))
    curves.hear({"event": "trial_progress", "tid": 4, "epoch": 1})  # of a trainer without a validation
    assert not folder.running.exists()
    for epoch, value in POINTS:
        curves.hear(reported(4, epoch, value))
    curves.hear(reported(5, 100, 7.0))
    assert folder.running_curves() == {4: POINTS, 5: [(100, 7.0)]}
    curves.hear({"event": "trial_finished", "tid": 4, "status": "ok"})
    assert folder.running_curves() == {5: [(100, 7.0)]}
    curves.hear(started(5))  # once more, after a worker had ended
    assert folder.running_curves() == {}


def test_a_disk_that_takes_no_more_ends_no_scan(tmp_path):
    (tmp_path / "file").write_text("no folder")
    folder = ScanFolder(tmp_path / "file")
    RunningCurves(folder).hear(reported(0, 100, 1.0))
    assert folder.running_curves() == {}


def test_a_damaged_file_is_no_curve(tmp_path):
    folder = ScanFolder(tmp_path)
    for text in ("[]", "{", '{"a": [[1, 2]], "1": 3, "2": [[1]], "3": [[1, null]]}'):
        folder.running.write_text(text)
        assert folder.running_curves() == {}


def test_a_page_shows_those_that_run(tmp_path):
    folder = ScanFolder(tmp_path)
    with FileTrials(folder.replica) as store:
        for number in range(3):
            store.book(number, {"x": [float(number)]}, "me", space_vals={"x": float(number)})
        for number in range(2):
            store.complete(number, "me", {"status": "ok", "loss": float(number)})
        folder.running.write_text(json.dumps({"2": POINTS, "1": [(100, 9.0)]}))
        (first, *_) = sections(summarise(read_scans([tmp_path])))
        (panel,) = first.panels
        assert list(panel.table.rows) == [("2", *point) for point in POINTS]
        (axes,) = panel.draw().axes
        (line,) = axes.lines
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == POINTS
        folder.running.unlink()
        assert sections(summarise(read_scans([tmp_path])))[0].key != "running"
