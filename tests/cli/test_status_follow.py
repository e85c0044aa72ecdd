"""`status --follow` shows the end of a scan, though the scan ends while the status is read."""

from types import SimpleNamespace

from hyperparton.cli.status import _statuses


def test_trials_that_finished_while_they_were_read(monkeypatch, tmp_path):
    """The trials are read before it is asked who works on them: what was finished in between is read too."""
    seven = SimpleNamespace(finished=7, complete=False, at_work=None, running=[])
    eight = SimpleNamespace(finished=8, complete=True, at_work=None, running=[])
    reads = iter([seven, eight])
    monkeypatch.setattr("hyperparton.report.status.status_of", lambda *_: next(reads))
    assert list(_statuses(tmp_path, 0.0, None, None)) == [seven, eight]


def test_a_scan_that_nobody_works_on(monkeypatch, tmp_path):
    left = SimpleNamespace(finished=7, complete=False, at_work=None, running=[])
    monkeypatch.setattr("hyperparton.report.status.status_of", lambda *_: left)
    assert list(_statuses(tmp_path, 60.0, None, None)) == [left, left]
