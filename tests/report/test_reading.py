"""Reading scans: n3fit's file, ours with a store beside it, several at once, running trials."""

import math
from pathlib import Path

import pytest

from hyperparton.errors import ReportError, StoreError
from hyperparton.report.options import Options
from hyperparton.report.scans import read_scan, read_scans
from hyperparton.report.status import signature, status_of
from hyperparton.report.summary import summarise
from hyperparton.trials.local import FileTrials
from hyperparton.trials.scan_folder import ScanFolder
from hyperparton.trials.shared_folder import JoinedTrials, open_store

N3FIT = Path(__file__).parent.parent / "cli" / "data" / "n3fit_tries.json"


def test_a_file_of_n3fit():
    scan = read_scan(N3FIT)
    first, second = scan.trials
    assert (first.number, first.status, first.loss) == (0, "ok", 5.800304412841797)
    assert first.values["optimizer"] == "Adam"
    assert first.values["learning_rate"] == 0.009544816855218366
    assert first.values["initial"] == 140.17655333671672
    assert first.values["number_of_layers"] == 3
    assert [first.values[f"layer_{i}"] for i in (1, 2, 3)] == [37, 33, 41]
    assert first.replica_losses["validation"] == [[1.1067574], [1.0964726], [2.1767411], [0.82305664]]
    assert first.fold_losses["logp"][3] == -2.05149464
    assert first.seconds == pytest.approx(111.598)  # 02:44:47.617 to 02:46:39.215
    assert (second.status, second.loss, second.folds_fitted) == ("fail", 174.1547, 1)


def test_a_store_knows_of_running_and_restarted_trials(tmp_path):
    replica = tmp_path / "scan" / "nnfit" / "replica_1"
    with FileTrials(replica) as store:
        store.book(0, {"x": [1.0]}, "me", space_vals={"x": 1.0})
        store.complete(0, "me", {"status": "ok", "loss": 2.0})
        store.book(1, {"x": [2.0]}, "me", space_vals={"x": 2.0})
        store.release(1, "me")
        store.lease("you")
        store.book(2, {"x": [3.0]}, "me", space_vals={"x": 3.0})
        store.release(2, "me")
        rows = read_scan(tmp_path / "scan").trials
        assert [(row.status, row.attempts, row.owner) for row in rows] == [
            ("ok", 1, "me"),
            ("running", 2, "you"),
            ("waiting", 1, None),
        ]
        status = status_of(tmp_path / "scan", now=rows[1].begin + 5.0, total=6)
        assert (status.finished, len(status.running), status.waiting, status.complete) == (1, 1, 1, False)
        assert status.best.number == 0
        assert status.at_work.startswith("process ")
        assert store.next_number() == 3  # reading took no part in the scan
    assert status_of(tmp_path / "scan", now=0.0).at_work is None


def test_the_time_that_is_left(tmp_path, entry):
    import json

    # two finished in 10 s each, of 6; nothing runs: four times 10 s
    path = tmp_path / "tries.json"
    path.write_text(json.dumps([entry(0, 1.0, begin=0), entry(1, 2.0, begin=10)]))
    status = status_of(path, now=0.0, total=6)
    assert status.seconds_per_trial == pytest.approx(10.0)
    assert status.left == pytest.approx(40.0)
    assert status_of(path, now=0.0).left is None


def test_a_store_that_cannot_be_read_is_said(scan_folder, tmp_path):
    import shutil

    folder = shutil.copytree(scan_folder(), tmp_path / "copy")
    (folder / "nnfit" / "replica_1" / "tries.sqlite").write_bytes(b"no database" * 100)
    scan = read_scan(folder)
    assert len(scan.trials) == 40
    assert "running trials are not shown" in scan.notes[0]


def test_several_scans_keep_their_names(scan_folder):
    scans = read_scans([scan_folder(name="one"), scan_folder(name="two"), N3FIT])
    assert [scan.name for scan in scans] == ["one", "two", "n3fit_tries"]
    summary = summarise(scans, Options(filters=("scan=two",)))
    assert {row.scan for row in summary.trials} == {"two"}
    assert summary.best.name == "two:27"


def test_replica_folders_of_one_scan_are_combined(scan_folder, tmp_path):
    import shutil

    folder = tmp_path / "par"
    for number in (1, 2):
        shutil.copytree(scan_folder() / "nnfit" / "replica_1", folder / "nnfit" / f"replica_{number}")
    assert [scan.name for scan in read_scans([folder])] == ["par/replica_1", "par/replica_2"]


def test_the_answers(scan_folder):
    summary = summarise(read_scans([scan_folder()]))
    answers = {finding.key: finding.answer for finding in summary.findings}
    # losses of successful trials: 1 + 1e4 (rate - 0.01)^2, and 1 more for SGD; see the fixture
    assert answers["best"].startswith("Trial 27, with a loss of 1: ")
    assert "learning_rate 0.01" in answers["best"]
    assert "nodes_per_layer 13-8" in answers["best"]
    assert answers["margin"].startswith(
        "The next one, trial 24, has 1.01, 1 % more; the median of 36 successful trials"
    )
    # variance of {l, l + 0.1} is 0.005 in either fold: sqrt(0.005 / 2 * 2) / 2 = 0.035
    assert "by ±0.035 (standard error over folds and replicas); 4 other trials lie within" in answers["margin"]
    assert "by a model of all trials, 10 more trials, well chosen, would lower" in answers["converged"]
    assert answers["converged"].endswith("The best loss came with trial 28 of 40 to finish.")
    assert "learning_rate" in answers["matters"]
    assert answers["failed"].startswith(
        "4 of 40 trials failed. 4 trials: NaNLoss (for example NaNLoss: the loss is NaN)"
    )


def test_what_cannot_be_reported(scan_folder, tmp_path):
    with pytest.raises(StoreError, match="holds no trials"):
        read_scans([tmp_path])
    with pytest.raises(ReportError, match="of 40 trials none passes the filters loss<0"):
        summarise(read_scans([scan_folder()]), Options(filters=("loss<0",)))


def test_the_signature_changes_with_the_trials(tmp_path):
    replica = tmp_path / "scan" / "nnfit" / "replica_1"
    before = signature(tmp_path / "scan")
    with FileTrials(replica) as store:
        empty = signature(tmp_path / "scan")
        store.book(0, {"x": [1.0]}, "me")
        booked = signature(tmp_path / "scan")
        store.complete(0, "me", {"status": "ok", "loss": math.pi})
        done = signature(tmp_path / "scan")
    assert len({before, empty, booked, done}) == 4


def test_a_joined_scan_is_read_from_the_store_that_the_user_names(tmp_path):
    """The folder's own tries.json ends with its job; what other jobs do is in the database alone."""
    url = f"sqlite:///{tmp_path}/shared.sqlite"
    layout = ScanFolder(tmp_path / "mine")
    layout.write_progress(5, url)
    with JoinedTrials(open_store(url), layout.replica) as mine:
        mine.book(0, {"x": [1.0]}, "here:1:a", seconds=100)
        mine.complete(0, "here:1:a", {"status": "ok", "loss": 1.0})
    with open_store(url) as others:
        for number, seconds in ((1, 100), (2, 100), (3, -1000)):
            others.book(number, {"x": [2.0]}, f"there:{number}:b", seconds=seconds)
        others.complete(1, "there:1:b", {"status": "ok", "loss": 0.5})
    status = status_of(tmp_path / "mine", now=0.0, store=url)
    assert (status.finished, status.total, status.best.number) == (2, 5, 1)
    assert [row.number for row in status.running] == [2]
    assert status.waiting == 1  # the lease of trial 3 has ended
    assert status.at_work == "1 process elsewhere"
    # a folder of somebody else may name any store: nothing that lies outside of it is opened unasked
    status = status_of(tmp_path / "mine", now=0.0)
    assert (status.finished, status.at_work) == (1, None)
    assert f"--store {url} reads it" in status.notes[0]
    (tmp_path / "shared.sqlite").unlink()
    status = status_of(tmp_path / "mine", now=0.0, store=url)
    assert (status.finished, status.at_work) == (1, None)
    assert "running trials are not shown" in status.notes[0]
    assert not (tmp_path / "shared.sqlite").exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgresql://me:pw@db:5432/scan", "postgresql://me@db:5432/scan"),
        ("postgresql://me@/scan?host=/tmp/a&password=pw", "postgresql://me@/scan?host=/tmp/a"),
        ("mongodb://me:p%40w@a,b/scan?tls=true", "mongodb://me@a,b/scan?tls=true"),
        ("mongodb://a:27017/scan?tlsCertificateKeyFilePassword=pw", "mongodb://a:27017/scan"),
        ("sqlite:////data/x.sqlite", "sqlite:////data/x.sqlite"),
    ],
)
def test_no_password_is_kept_in_a_folder(tmp_path, given, kept):
    folder = ScanFolder(tmp_path)
    folder.write_progress(7, given)
    assert (folder.joined_store(), folder.asked_for()) == (kept, 7)
    assert "pw" not in folder.progress.read_text()
    assert "p%40w" not in folder.progress.read_text()
