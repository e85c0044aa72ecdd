"""Scans that prune: what is stopped follows from the records, whoever runs the trials and however often they stop."""

from __future__ import annotations

import pytest
from cheap import Trainer, recipe, scanner, thresholds

from hyperparton import hyper_scan_wrapper, read_tries
from hyperparton.errors import ScanError, StoreError, TrialPrunedError
from hyperparton.scan.checkpoints import Checkpoints
from hyperparton.scan.evaluate import evaluate_trial
from hyperparton.scan.learning_curve import LearningCurve
from hyperparton.scan.limits import Limits
from hyperparton.scan.pruning import Rule, Threshold, Thresholds, reason_to_prune
from hyperparton.trials.local import FileTrials

RULE = Rule(warmup=10)


def scan(folder, trainer=None, trials=40, **settings):
    return hyper_scan_wrapper(
        folder, trainer or Trainer(), scanner(), trials, **{"engine": "random", "prune": RULE, **settings}
    )


def entries(folder):
    """tries.json without times and owner, which no two scans share."""
    kept = read_tries(folder / "tries.json")
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in kept]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Forty trials with a lag of 4, one after the other, and the same without pruning."""
    pruned, whole = tmp_path_factory.mktemp("pruned"), tmp_path_factory.mktemp("whole")
    best = scan(pruned, lag=4)
    assert best == scan(whole, lag=4, prune=False)
    return entries(pruned), entries(whole)


def test_what_is_stopped_is_told(calm):
    """The engine ignores results, so both scans try the same; what was not stopped gave the same."""
    stopped = 0
    for pruned, whole in zip(*calm, strict=True):
        assert pruned["misc"] == whole["misc"]
        result = pruned["result"]
        assert "curve" not in whole["result"]
        if "pruned" not in result:
            assert {key: value for key, value in result.items() if key != "curve"} == whole["result"]
            continue
        stopped += 1
        told = result["pruned"]
        assert (result["status"], told["epochs"], told["epochs_saved"]) == ("fail", 1000, 1000 - told["epoch"])
        assert result["reason"] == f"pruned at epoch {told['epoch']} of 1000: {told['reason']}"
        assert result["curve"]["epochs"] == list(range(100, told["epoch"] + 1, 100))
        far = 1 + 50 * 2 ** (-told["epoch"] / (20 * pruned["misc"]["space_vals"]["n"]))
        assert result["loss"] == pytest.approx(whole["result"]["loss"] * far)
        assert result["curve"]["loss"][-1] == pytest.approx(result["loss"], rel=1e-5)
    assert 10 < stopped < 30
    good = sorted(entry["result"]["loss"] for entry in calm[1] if entry["result"]["status"] == "ok")[:4]
    left = [entry["result"]["loss"] for entry in calm[0] if entry["result"]["status"] == "ok"]
    assert set(good) <= set(left)


def test_the_records_alone_say_what_is_stopped(calm):
    """Trial n is judged by the trials up to n - lag, here by hand from the file."""
    results = [entry["result"] for entry in calm[0]]
    for number, result in enumerate(results):
        past = [
            LearningCurve.from_result(entry["result"], entry["misc"]["vals"]) for entry in calm[0][: max(number - 3, 0)]
        ]
        found = thresholds(past, RULE, scanner().as_dict(), calm[0][number]["misc"]["vals"])
        curve = result["curve"]
        reasons = [reason_to_prune(found, *point) for point in zip(curve["epochs"], curve["loss"], strict=True)]
        assert not any(reasons[:-1])
        assert (reasons[-1:] or [None])[0] == result.get("pruned", {}).get("reason")


@pytest.mark.parametrize("settings", [{"workers": 3}, {"limits": Limits(trial_timeout=60)}], ids=["workers", "beside"])
def test_the_same_in_processes_of_their_own(tmp_path, calm, settings):
    scan(tmp_path, recipe(sleep=0.02), lag=4, **settings)
    assert entries(tmp_path) == calm[0]


def test_the_same_in_parts(tmp_path, calm):
    for total in (1, 13, 14, 30, 40):
        scan(tmp_path, trials=total, lag=4)
    assert entries(tmp_path) == calm[0]


def test_the_same_in_a_database_that_two_join(tmp_path, calm):
    url = f"sqlite:///{tmp_path / 'scan.db'}"
    scan(tmp_path / "one", trials=17, lag=4, store=url)
    scan(tmp_path / "other", trials=40, lag=4, store=url)
    assert entries(tmp_path / "other") == calm[0]


def test_a_trial_that_was_left_is_judged_as_if_it_had_not_been(tmp_path):
    """Trial 30 was handed back and runs after 33 was begun: it is still judged by the trials up to 26."""
    scan(tmp_path, trials=40, lag=4)
    with FileTrials(tmp_path) as store:
        limits = Thresholds(RULE, scanner().as_dict(), 4, store)
        in_order = {number: limits.of(store.get(number)) for number in range(40)}
        assert in_order[12] == []  # nine of the trials before it were finished whole at most
        assert in_order[39]
        for number in (33, 30, 5, 34):
            assert limits.of(store.get(number)) == in_order[number]


def test_another_rule_is_another_scan(tmp_path):
    scan(tmp_path, trials=3)
    for other in (False, Rule(warmup=11)):
        with pytest.raises(StoreError, match="another prune"):
            scan(tmp_path, trials=3, prune=other)


def test_pruned_trials_are_no_failures_in_a_row(tmp_path, calm):
    kinds = "".join("p" if "pruned" in entry["result"] else entry["result"]["status"][0] for entry in calm[0])
    assert "ppp" in kinds
    assert "fff" not in kinds
    scan(tmp_path, lag=4, limits=Limits(max_consecutive_failures=3))
    assert entries(tmp_path) == calm[0]


def test_a_trainer_that_does_not_report_is_refused(tmp_path):
    class Silent:
        def set_hyperopt(self, on, keys=None): ...

        def hyperparametrizable(self, params):
            return {"status": "ok", "loss": 1.0}

    with pytest.raises(ScanError, match="Silent has no attribute `report`"):
        scan(tmp_path / "here", Silent())
    with pytest.raises(ScanError, match="Silent has no attribute `report`"):
        scan(tmp_path / "beside", recipe("silent"))


class Reporting:
    """Calls a function with its `report`."""

    report = None

    def __init__(self, function):
        self.function = function

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        self.function(self.report)
        return {"status": "ok", "loss": 1.0}


def test_what_goes_wrong_after_a_report_keeps_the_curve():
    def breaks(report):
        report(5, 3.123456789, [float("nan")])
        raise RuntimeError("the fit broke")

    trainer = Reporting(breaks)
    result = evaluate_trial(trainer, {}, checkpoints=Checkpoints([]))
    assert result["failure"]["type"] == "RuntimeError"
    assert result["curve"] == {"epochs": [5], "loss": [3.12346], "folds": [[None]]}
    assert trainer.report is None


def test_checkpoints_come_in_order():
    def backwards(report):
        report(5, 3.0)
        report(5, 2.0)

    result = evaluate_trial(Reporting(backwards), {}, checkpoints=Checkpoints([]))
    assert result["failure"]["message"] == "checkpoints come in order: epoch 5 is reported after 5"


def test_a_trainer_adds_what_it_knows_of_a_trial_that_is_stopped():
    def adds(report):
        try:
            report(1, 3.0)
        except TrialPrunedError as pruned:
            pruned.result = {"validation_loss": 7.0, "loss": 5.0}
            raise

    found = [Threshold(1, 1.25, 1.0)]
    result = evaluate_trial(Reporting(adds), {}, checkpoints=Checkpoints(found))
    assert (result["validation_loss"], result["loss"], result["status"]) == (7.0, 3.0, "fail")
    assert result["pruned"] == {
        "reason": "loss 3 is above 1.25, from which it would hardly come below 1",
        "epoch": 1,
        "epochs": None,
        "epochs_saved": None,
    }
