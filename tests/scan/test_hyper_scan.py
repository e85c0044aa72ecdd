"""hyper_scan_wrapper: the best parameters, restarts, failures, and whom it refuses to continue."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hyperparton import HyperScanner, hyper_scan_wrapper, read_tries
from hyperparton.errors import EngineError, ScanError, StoreError
from hyperparton.scan.evaluate import evaluate_trial
from hyperparton.trials.local import FileTrials

N3FIT = json.loads((Path(__file__).parents[1] / "oracle" / "data" / "n3fit_scan.json").read_text())
SPACE = {"space": {"x": {"min": -5, "max": 5}}}


class Trainer:
    """Calls a function of the parameters; remembers what it was told and asked."""

    def __init__(self, function):
        self.function = function
        self.told, self.asked = [], []

    def set_hyperopt(self, on, keys=None):
        self.told.append((on, set(keys)))

    def hyperparametrizable(self, params):
        self.asked.append(params)
        return self.function(params)


def parabola(params):
    return {"status": "ok", "loss": (params["x"] - 2.0) ** 2}


def scanner(parameters=None, config=SPACE):
    return HyperScanner({"x": 0.0, "other": [1, None]} if parameters is None else parameters, config)


def scan(folder, function=parabola, trials=5, **settings):
    trainer = Trainer(function)
    return hyper_scan_wrapper(folder, trainer, scanner(), trials, **{"engine": "random", **settings}), trainer


def entries(folder):
    """tries.json without times and owner, which no two scans share."""
    kept = read_tries(folder / "tries.json")
    return [{k: v for k, v in entry.items() if k not in ("owner", "book_time", "refresh_time")} for entry in kept]


def test_the_best_trials_full_parameters_come_back(tmp_path):
    best, trainer = scan(tmp_path, trials=30)
    found = read_tries(tmp_path / "tries.json")
    assert len(found) == 30
    losses = [entry["result"]["loss"] for entry in found]
    assert (best["x"] - 2.0) ** 2 == min(losses)
    assert best["other"] == [1, None]
    assert trainer.told == [(True, {"x"})]
    assert [params["x"] for params in trainer.asked] == [entry["misc"]["vals"]["x"][0] for entry in found]


def test_a_scan_is_that_of_n3fit(tmp_path):
    """The case whose patience n3fit's grid can draw: forty trials, twenty of which TPE chose from the history."""
    case = N3FIT["aligned"]

    def loss(params):  # that of the script which ran n3fit's scan
        rate = np.log10(params["optimizer"]["learning_rate"])
        epochs, widths = abs(params["epochs"] - 1500) / 500, sum(params["nodes_per_layer"]) / 100
        return {"status": "ok", "loss": float((rate + 2.5) ** 2 + 5 * params["dropout"] + epochs + widths)}

    space = HyperScanner(case["parameters"], case["hyperscan_config"])
    best = hyper_scan_wrapper(tmp_path, Trainer(loss), space, 40, seed=case["seed"])
    found = read_tries(tmp_path / "tries.json")
    for ours, theirs in zip(found, case["trials"], strict=True):
        assert ours["misc"]["vals"] == {
            label: pytest.approx(held, rel=1e-12) for label, held in theirs["vals"].items()
        }, ours["tid"]
        assert ours["result"]["loss"] == pytest.approx(theirs["loss"], rel=1e-12)
    winner = min(case["trials"], key=lambda trial: trial["loss"])["space_vals"]
    assert best["nodes_per_layer"] == winner["nodes_per_layer"]
    assert best["optimizer"] == pytest.approx(winner["optimizer"])
    depth = len(winner["nodes_per_layer"])
    assert best["activation_per_layer"] == [winner["activation_per_layer"]] * (depth - 1) + ["linear"]


@pytest.mark.parametrize("engine", ["hyperopt", "random"])
def test_a_restart_continues(tmp_path, engine):
    _, whole = scan(tmp_path / "whole", trials=24, engine=engine)
    asked = []
    for total in (3, 3, 22, 24):
        best, trainer = scan(tmp_path / "parts", trials=total, engine=engine)
        asked += trainer.asked
    assert asked == whole.asked
    assert entries(tmp_path / "parts") == entries(tmp_path / "whole")
    assert best == scan(tmp_path / "whole", trials=2, engine=engine)[0]


def test_killed_and_continued_equals_undisturbed(tmp_path):
    script = Path(__file__).with_name("killed_scan.py")
    code = "import sys; from pathlib import Path; from killed_scan import scan; scan(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "calm")], check=True, cwd=script.parent)
    run = subprocess.run(
        [sys.executable, script, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True, check=True
    )
    killed, moments = map(int, run.stdout.split())
    assert killed >= moments >= 10
    assert len(entries(tmp_path / "calm")) == 24
    assert entries(tmp_path / "killed") == entries(tmp_path / "calm")
    reasons = {(entry["result"].get("failure") or {}).get("type") for entry in entries(tmp_path / "calm")}
    assert reasons == {None, "ValueError", "NaNLoss"}
    assert 3 <= sum("pruned" in entry["result"] for entry in entries(tmp_path / "calm")) <= 12


def test_a_trial_that_was_in_flight_runs_again_under_its_number(tmp_path):
    def stops(params):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path, stops)
    with FileTrials(tmp_path) as store:
        assert store.next_number() == 1
        vals = store.get(0).vals
    _, trainer = scan(tmp_path)
    assert trainer.asked[0]["x"] == vals["x"][0]
    assert [entry["tid"] for entry in entries(tmp_path)] == [0, 1, 2, 3, 4]


def raises(params):
    if params["x"] < 0:
        raise RuntimeError("the fit broke\noff")
    return parabola(params)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (raises, "RuntimeError", "the fit broke"),
        (lambda p: {"status": "ok", "loss": math.nan if p["x"] < 0 else 1}, "NaNLoss", "finite number, given nan"),
        (lambda p: {"status": "ok", "loss": -math.inf if p["x"] < 0 else 1}, "InfiniteLoss", "given -inf"),
        (lambda p: {"status": "ok", "loss": np.float32("nan") if p["x"] < 0 else 1}, "NaNLoss", "given nan"),
        (lambda p: {"status": "ok", "loss": "low" if p["x"] < 0 else 1}, "InvalidLoss", "given 'low'"),
        (lambda p: {"status": "ok", "loss": True if p["x"] < 0 else 1}, "InvalidLoss", "given True"),
        (lambda p: {"status": "ok"} if p["x"] < 0 else parabola(p), "InvalidLoss", "given None"),
        (lambda p: {"status": "good", "loss": 1} if p["x"] < 0 else parabola(p), "InvalidResult", "ok or fail"),
        (lambda p: None if p["x"] < 0 else parabola(p), "InvalidResult", "given NoneType"),
        (
            lambda p: {**parabola(p), "a": object()} if p["x"] < 0 else parabola(p),
            "InvalidResult",
            "result['a'] is of type",
        ),
        (lambda p: {**parabola(p), "a": {1, 2}} if p["x"] < 0 else parabola(p), "InvalidResult", "JSON cannot hold"),
        (lambda p: 1 / 0 if p["x"] < 0 else parabola(p), "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_bad_trial_is_a_result_with_a_reason(tmp_path, function, kind, message):
    best, _ = scan(tmp_path, function, trials=10)
    assert best["x"] >= 0
    found = entries(tmp_path)
    bad = [entry for entry in found if entry["misc"]["vals"]["x"][0] < 0]
    assert 0 < len(bad) < 10
    for entry in bad:
        assert (entry["state"], entry["result"]["status"], entry["result"]["loss"]) == (3, "fail", None)
        assert entry["result"]["failure"]["type"] == kind
        assert message in entry["result"]["failure"]["message"]
    with FileTrials(tmp_path) as store:
        assert store.get(bad[0]["tid"]).reason.startswith(f"{kind}: ")


def test_a_trainer_that_says_fail_keeps_its_result(tmp_path):
    def judged(params):
        told = {"status": "fail", "loss": 30.0, "reason": "over the threshold", "kfold_meta": {"a": [1, math.nan]}}
        return told if params["x"] < 0 else parabola(params)

    best, _ = scan(tmp_path, judged, trials=10)
    assert best["x"] >= 0
    failed = [entry["result"] for entry in entries(tmp_path) if entry["result"]["status"] == "fail"]
    assert failed[0] == {
        "status": "fail",
        "loss": 30.0,
        "reason": "over the threshold",
        "kfold_meta": {"a": [1, None]},
    }


def test_numbers_of_numpy_become_those_of_json():
    result = evaluate_trial(
        Trainer(lambda p: {"status": "ok", "loss": np.float32(1.5), "a": np.array([1, 2]), "b": (np.int64(3), np.inf)}),
        {},
    )
    assert result == {"status": "ok", "loss": 1.5, "a": [1, 2], "b": [3, None]}
    assert type(result["loss"]) is float
    result = evaluate_trial(Trainer(lambda p: {"status": "ok", "loss": np.array(2)}), {})
    assert (type(result["loss"]), result["loss"]) == (float, 2.0)


def test_a_result_that_contains_itself():
    endless = {"status": "ok", "loss": 1.0}
    endless["again"] = endless
    result = evaluate_trial(Trainer(lambda p: endless), {})
    assert (result["status"], result["failure"]["type"]) == ("fail", "InvalidResult")


def test_a_scan_without_a_good_trial_says_why(tmp_path):
    with pytest.raises(ScanError, match=r"of 4 trials none succeeded(.|\n)*4 x ZeroDivisionError: division by zero"):
        scan(tmp_path, lambda p: 1 / 0, trials=4)
    assert len(entries(tmp_path)) == 4


def test_another_scan_is_refused(tmp_path):
    card = {"metadata": {"runcard": {"a": 1}, "notes": "x"}}
    scan(tmp_path, **card)
    before = (tmp_path / "tries.json").read_bytes()
    for change, message in (
        ({"seed": 43}, r"another seed \(42, asked for 43\)"),
        ({"engine": "hyperopt"}, "another engine .'random', asked for 'hyperopt'"),
        ({"metadata": {"runcard": {"a": 2}, "notes": "x"}}, "another runcard"),
        ({"metadata": {}}, "another runcard"),
    ):
        with pytest.raises(StoreError, match=message):
            scan(tmp_path, trials=9, **{**card, **change})
    spaces = (
        (scanner(config={"space": {"x": {"min": -5, "max": 6}}}), "differs in x"),
        (scanner({"x": 0.0, "other": [1, 2]}), "differs in other"),
        (scanner({"x": 0.0}), "differs in other"),
    )
    for space, message in spaces:
        with pytest.raises(StoreError, match=f"another search space .it {message}"):
            hyper_scan_wrapper(tmp_path, Trainer(parabola), space, 9, engine="random", **card)
    assert (tmp_path / "tries.json").read_bytes() == before
    scan(tmp_path, trials=6, metadata={"runcard": {"a": 1}, "notes": "y"})
    assert len(entries(tmp_path)) == 6


def test_a_scan_of_an_engine_that_is_gone_is_refused(tmp_path):
    with FileTrials(tmp_path) as trials:
        kept = {"settings": {"engine": "optuna:gp", "space": "1", "lag": 1}, "space": {}, "metadata": {}}
        trials.attach_first("scan", kept)
        trials.book(0, {"x": [0.0]}, "somebody")
    for engine in ("optuna:gp", "random"):
        with pytest.raises(EngineError, match=r"'optuna:gp' is gone .*\(--from\); accepted: gp, hyperopt, optuna, "):
            scan(tmp_path, engine=engine)


def test_a_folder_in_use_is_refused(tmp_path):
    with FileTrials(tmp_path), pytest.raises(StoreError, match="another scan works in this folder"):
        scan(tmp_path)


def test_progress_is_told(tmp_path):
    events = []
    scan(tmp_path, raises, trials=6, progress=events.append, confirm=0)
    assert [event["event"] for event in events] == ["trial_started", "trial_finished"] * 6
    assert [event["tid"] for event in events[::2]] == list(range(6))
    assert {event["total"] for event in events} == {6}
    best, best_tid = None, None
    for started, finished in zip(events[::2], events[1::2], strict=True):
        x = started["params"]["x"]
        if x >= 0 and (best is None or (x - 2) ** 2 < best):
            best, best_tid = (x - 2) ** 2, finished["tid"]
        assert finished["status"] == ("ok" if x >= 0 else "fail")
        assert (finished["reason"] or "").startswith("" if x >= 0 else "RuntimeError: the fit broke")
        assert finished["seconds"] >= 0
        assert (finished["best"], finished["best_tid"]) == (best, best_tid)


@pytest.mark.parametrize("total", [0, -1, 2.0, None])
def test_the_number_of_trials_is_whole(tmp_path, total):
    with pytest.raises(ScanError, match="whole number of at least 1"):
        scan(tmp_path, trials=total)


def test_what_cannot_be_scanned_leaves_no_folder(tmp_path):
    folder = tmp_path / "scan"
    with pytest.raises(ScanError, match="nothing to scan"):
        hyper_scan_wrapper(folder, Trainer(parabola), scanner(config={}), 3)
    with pytest.raises(EngineError, match="did you mean 'random'"):
        scan(folder, engine="randm")
    with pytest.raises(ScanError, match="a trainer needs the method set_hyperopt, object has none"):
        hyper_scan_wrapper(folder, object(), scanner(), 3)
    assert not folder.exists()
