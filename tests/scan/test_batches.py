"""Trials that are computed together: the same as one after the other, and each counts for itself."""

from __future__ import annotations

import pytest
from cheap import Trainer, recipe, scanner
from test_parallel import entries, scan

from hyperparton.errors import ScanError, TooManyFailuresError, TrialPrunedError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_trials
from hyperparton.scan.limits import Limits
from hyperparton.trials.local import FileTrials


class Batching(Trainer):
    """Computes several at a time, and remembers how many."""

    def __init__(self, fault=None, **settings):
        super().__init__(**settings)
        self.fault, self.sizes, self.singles = fault, [], 0

    def hyperparametrizable(self, params):
        self.singles += 1
        return super().hyperparametrizable(params)

    def hyperparametrizable_batch(self, trials, reports):
        self.sizes.append(len(trials))
        if self.fault:
            raise self.fault
        return [self._each(params, report) for params, report in zip(trials, reports, strict=True)]

    def _each(self, params, report):
        self.report = report
        try:
            return Trainer.hyperparametrizable(self, params)
        except (ValueError, TrialPrunedError) as raised:
            return raised
        finally:
            self.report = None


def told(folder):
    """What a trial is and what came of it, without where in the code one was raised."""
    for entry in entries(folder):
        result, fault = entry["result"], entry["result"].get("failure")
        yield entry["misc"], result["status"], result["loss"], fault and (fault["type"], fault["message"])


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """14 trials with a lag of 4, one after the other."""
    folder = tmp_path_factory.mktemp("calm")
    best = scan(folder, Trainer(), 14, lag=4, engine="hyperopt")
    return best, list(told(folder))


def test_the_same_trials_as_one_by_one(tmp_path, calm):
    trainer = Batching()
    best = scan(tmp_path, trainer, 14, engine="hyperopt", batch_trials=4)
    assert (best, list(told(tmp_path))) == calm
    assert {status for _, status, *_ in calm[1]} == {"ok", "fail"}
    assert trainer.sizes == [4, 4, 4, 2]
    assert trainer.singles == 0


def test_a_trainer_that_cannot(tmp_path, calm):
    """In a process of its own, several trials at a time or one."""
    best = scan(tmp_path, recipe(), 14, engine="hyperopt", batch_trials=4)
    assert (best, list(told(tmp_path))) == calm


@pytest.mark.parametrize("fault", [RuntimeError("no room"), MemoryError()])
def test_a_batch_that_fails_runs_one_by_one(tmp_path, calm, fault):
    trainer = Batching(fault)
    best = scan(tmp_path, trainer, 14, engine="hyperopt", batch_trials=4)
    assert (best, list(told(tmp_path))) == calm
    assert trainer.singles == 14


def test_pruning_in_a_batch(tmp_path):
    """The reports of each trial are its own."""
    scan(tmp_path / "one", Trainer(), 40, lag=4, engine="hyperopt", prune=True)
    scan(tmp_path / "four", Batching(), 40, engine="hyperopt", prune=True, batch_trials=4)
    results = [[entry["result"] for entry in entries(tmp_path / name)] for name in ("one", "four")]
    assert [r.get("curve") for r in results[0]] == [r.get("curve") for r in results[1]]
    pruned = [[r.get("pruned") for r in each] for each in results]
    assert pruned[0] == pruned[1]
    assert any(pruned[0])


def test_too_long_together_is_measured_alone():
    trainer, (fast, slow) = Batching(sleep=0.0), ({"x": 1.0, "n": 1}, {"x": -1.0, "n": 2})
    trainer.habit = "hangs"
    results = evaluate_trials(trainer, [fast, slow], 0.5, [Checkpoints([]), None])
    assert results[0]["loss"] == 1.0
    assert results[0]["curve"]["epochs"] == list(range(100, 1100, 100))
    assert results[1]["failure"]["type"] == "TrialTimeout"


@pytest.mark.parametrize(
    ("habit", "limits", "kind"),
    [("dies", {}, "ProcessDied"), ("hangs", {"trial_timeout": 1.5}, "TrialTimeout")],
)
def test_the_guilty_alone_fails(tmp_path, habit, limits, kind):
    """A process that ends with several trials: each runs again by itself."""
    scan(tmp_path, recipe(habit=habit), 6, batch_trials=3, limits=Limits(**limits))
    for entry in entries(tmp_path):
        (x,), (n,) = (entry["misc"]["vals"][key] for key in ("x", "n"))
        expected = kind if x < 0 else "ValueError" if n == 3 else None
        assert (entry["result"].get("failure") or {"type": None})["type"] == expected
    assert any(entry["misc"]["vals"]["x"][0] < 0 for entry in entries(tmp_path))


def test_all_of_a_batch_are_kept_before_the_scan_ends(tmp_path):
    with pytest.raises(TooManyFailuresError):
        scan(tmp_path, recipe(habit="raises"), 16, batch_trials=8, limits=Limits(max_consecutive_failures=1))
    with FileTrials(tmp_path, parameters=scanner().as_dict()) as trials:
        assert trials.finished() == 8


def test_the_lag_of_a_scan_bounds_its_batches(tmp_path):
    with pytest.raises(ScanError, match="given 4, the lag asked for is 2"):
        scan(tmp_path, Trainer(), 4, lag=2, batch_trials=4)
    scan(tmp_path, Trainer(), 2)
    with pytest.raises(ScanError, match="given 4, the lag that the scan was begun with is 1"):
        scan(tmp_path, Trainer(), 4, batch_trials=4)
