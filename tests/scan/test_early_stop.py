"""Scans that end before their number of trials: where, why, and the same whoever is faster or stopped."""

from __future__ import annotations

import re

import pytest
from cheap import Trainer, recipe, scanner

from hyperparton import hyper_scan_wrapper, read_tries
from hyperparton.errors import EngineError, ScanError
from hyperparton.scan.early_stop import EarlyStopping
from hyperparton.trials.local import FileTrials


def scan(folder, trainer=None, trials=60, **settings):
    return hyper_scan_wrapper(
        folder, trainer or Trainer(), scanner(), trials, **{"engine": "random", "confirm": 0, **settings}
    )


def entries(folder):
    """tries.json without times and owner, which no two scans share."""
    kept = read_tries(folder / "tries.json")
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in kept]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    scan(folder)
    return entries(folder)


def losses(found):
    return [e["result"]["loss"] if e["result"]["status"] == "ok" else None for e in found]


def first_place_by_target(found, target):
    return next(i for i, loss in enumerate(losses(found)) if loss is not None and loss <= target)


def first_place_by_patience(found, patience):
    best, at = None, -1
    for i, loss in enumerate(losses(found)):
        if loss is not None and (best is None or loss < best):
            best, at = loss, i
        if best is not None and i - at >= patience:
            return i
    raise AssertionError("not in this scan")


@pytest.mark.parametrize("lag", [1, 4])
def test_a_target_ends_the_scan(tmp_path, whole, lag):
    """Trial n is begun unless the trials up to n - lag have reached it."""
    events = []
    target = 0.05
    place = first_place_by_target(whole, target)
    assert 3 < place < 50
    scan(tmp_path, lag=lag, early_stopping=EarlyStopping(target_loss=target), progress=events.append)
    assert entries(tmp_path) == whole[: place + lag]
    told = f"the best loss is {losses(whole)[place]:.4f} (trial {place}), at most 0.05 was asked for"
    assert events[-1] == {"event": "scan_ended", "reason": told}
    # asked again it has ended already; without the target it goes on
    scan(tmp_path, lag=lag, early_stopping=EarlyStopping(target_loss=target))
    assert len(entries(tmp_path)) == place + lag
    scan(tmp_path, lag=lag)
    assert entries(tmp_path) == whole


@pytest.mark.parametrize("patience", [5, 12])
def test_patience_counts_trials_without_a_better_loss(tmp_path, whole, patience):
    events = []
    place = first_place_by_patience(whole, patience)
    scan(tmp_path, early_stopping=EarlyStopping(patience=patience), progress=events.append)
    assert entries(tmp_path) == whole[: place + 1]
    assert events[-1]["reason"].endswith(f"{patience} trials brought nothing better")


def test_the_end_does_not_depend_on_who_is_faster_or_stopped(tmp_path, whole):
    place = first_place_by_target(whole, 0.05)
    ending = EarlyStopping(target_loss=0.05)
    scan(tmp_path / "workers", recipe(sleep=0.05), lag=4, workers=3, early_stopping=ending)
    for total in (2, place + 1, place + 2, 60):
        scan(tmp_path / "parts", trials=total, lag=4, early_stopping=ending)
    assert entries(tmp_path / "workers") == entries(tmp_path / "parts") == whole[: place + 4]


def test_a_scan_that_does_not_get_there_has_all_its_trials(tmp_path, whole):
    events = []
    scan(tmp_path, early_stopping=EarlyStopping(target_loss=-1.0, patience=500), progress=events.append)
    assert entries(tmp_path) == whole
    assert events[-1]["event"] == "trial_finished"


def test_time_is_that_of_all_starts(tmp_path):
    ending, events = EarlyStopping(max_time=1e5), []
    scan(tmp_path, trials=4, early_stopping=ending)
    with FileTrials(tmp_path) as store:
        (worked,) = (value for key, value in store.metadata().items() if key.startswith("worked "))
        assert 0 < worked < 1e5
        store.attach("worked another process", 1e5)
    scan(tmp_path, early_stopping=ending, progress=events.append)
    assert len(entries(tmp_path)) == 4
    assert events == [
        {"event": "scan_ended", "reason": "the scan worked for 100000 s, at most 100000 s were asked for"}
    ]
    scan(tmp_path, trials=5)
    assert len(entries(tmp_path)) == 5


@pytest.mark.parametrize(("engine", "start"), [("gp", 10), ("gp+sobol", 10), ("gp+halton14", 14)])
def test_what_the_engine_expects_ends_the_scan(tmp_path, engine, start):
    """The Gaussian process can tell after its first trials, and expects less than a million."""
    events = []
    scan(tmp_path / "ends", engine=engine, early_stopping=EarlyStopping(min_improvement=1e6), progress=events.append)
    assert len(entries(tmp_path / "ends")) == start
    assert "the next trial is expected to improve the loss by " in events[-1]["reason"]
    ending = EarlyStopping(min_improvement=1e-300)
    scan(tmp_path / "goes on", trials=start + 2, engine=engine, early_stopping=ending, progress=events.append)
    assert len(entries(tmp_path / "goes on")) == start + 2
    assert events[-1]["event"] == "trial_finished"


@pytest.mark.parametrize("engine", ["random", "random+sobol", "optuna"])
def test_only_engines_that_can_tell_are_asked(tmp_path, engine):
    told = re.escape(f"the engine {engine} cannot tell what improvement it expects")
    with pytest.raises(EngineError, match=told):
        scan(tmp_path, engine=engine, early_stopping=EarlyStopping(min_improvement=0.1))


@pytest.mark.parametrize("settings", [{"patience": 0}, {"max_time": -1}, {"target_loss": float("nan")}])
def test_what_cannot_end_a_scan(settings):
    with pytest.raises(ScanError, match=f"{next(iter(settings))} must be"):
        EarlyStopping(**settings)
