"""Earlier scans as history: what the engine is given, what is named, and that a restart does not read them again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperparton import HyperScanner, hyper_scan_wrapper, read_tries
from hyperparton.engines import get_engine, trial_seed
from hyperparton.errors import ScanError, SpaceError, StoreError
from hyperparton.scan.warm_start import kept_prior, prior_of, read_prior
from hyperparton.trials.local import FileTrials
from hyperparton.trials.trial import Outcome

CONFIG = {"space": {"x": {"min": -5, "max": 5}, "kind": {"choice": ["a", "b"]}}}
PARAMETERS = {"x": 0.0, "kind": "a", "fixed": 1}


class Trainer:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        if params["x"] > 4:
            raise ValueError("too large")
        return {"status": "ok", "loss": (params["x"] - 2.0) ** 2 + (params["kind"] == "b")}


def scan(folder, trials=12, config=CONFIG, parameters=PARAMETERS, **settings):
    return hyper_scan_wrapper(folder, Trainer(), HyperScanner(parameters, config), trials, **settings)


def vals(folder):
    return [entry["misc"]["vals"] for entry in read_tries(Path(folder) / "tries.json")]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    scan(folder, 30, engine="random", seed=5)
    return folder


def test_the_engine_knows_the_earlier_trials(tmp_path, earlier):
    """The first trials are what TPE suggests from thirty others, not the random ones of a scan from nothing."""
    told = []
    scan(tmp_path / "warm", 2, warm_start=[earlier], progress=told.append)
    scan(tmp_path / "cold", 2)
    assert vals(tmp_path / "warm") != vals(tmp_path / "cold")
    scanner = HyperScanner(PARAMETERS, CONFIG)
    history = [
        Outcome(
            entry["tid"] - 30,
            entry["misc"]["vals"],
            entry["result"]["status"],
            entry["result"]["loss"],
            (entry["result"].get("failure") or {}).get("type"),
        )
        for entry in read_tries(earlier / "tries.json")
    ]
    first = get_engine("hyperopt").suggest(scanner.as_dict(), history, trial_seed(42, 0))
    assert vals(tmp_path / "warm")[0] == first
    assert [entry["tid"] for entry in read_tries(tmp_path / "warm" / "tries.json")] == [0, 1]
    assert told[0] == {
        "event": "prior",
        "trials": 30,
        "notes": [f"{earlier / 'tries.json'}: 30 of 30 trials taken as history"],
    }


def test_a_restart_does_not_need_them_any_more(tmp_path, earlier):
    moved = tmp_path / "old"
    moved.mkdir()
    (moved / "tries.json").write_bytes((earlier / "tries.json").read_bytes())
    scan(tmp_path / "whole", warm_start=[moved])
    scan(tmp_path / "parts", 3, warm_start=[moved])
    (moved / "tries.json").unlink()
    scan(tmp_path / "parts", warm_start=[moved])
    assert vals(tmp_path / "parts") == vals(tmp_path / "whole")
    with pytest.raises(StoreError, match=r"another prior \(\['old'\], asked for None\)"):
        scan(tmp_path / "parts")


def test_what_is_outside_of_a_changed_space_is_named(earlier):
    config = {"space": {"x": {"min": -1, "max": 5}, "kind": {"choice": ["b", "c"]}}}
    space = HyperScanner(PARAMETERS, config).as_dict()
    entries = read_tries(earlier / "tries.json")
    inside = [e for e in entries if e["misc"]["space_vals"]["x"] >= -1 and e["misc"]["space_vals"]["kind"] == "b"]
    low = [e for e in entries if e["misc"]["space_vals"]["x"] < -1]
    other = [e for e in entries if e["misc"]["space_vals"]["kind"] == "a"]
    found, (note,) = read_prior([earlier], space)
    assert [outcome.vals for outcome in found] == [{"kind": [0], "x": e["misc"]["vals"]["x"]} for e in inside]
    assert [outcome.number for outcome in found] == list(range(-len(inside), 0))
    assert [outcome.loss for outcome in found] == [e["result"]["loss"] for e in inside]
    assert f"{len(inside)} of 30 trials taken as history; outside of this space {30 - len(inside)}:" in note
    value = low[0]["misc"]["space_vals"]["x"]
    assert f"{len(low)} in x ({value:.6g} in trial {low[0]['tid']}, accepted: -1 to 5)" in note
    assert f"{len(other)} in kind (a in trial {other[0]['tid']}, accepted: b or c)" in note


def test_what_a_card_of_fits_left_out_is_no_other_space(tmp_path):
    """`tries.json` says a positivity, a layer type and a dropout of every fit, for validphys; others differ."""
    config = {"stopping": {"min_epochs": 10, "max_epochs": 99}}
    parameters = {"optimizer": {"optimizer_name": "Adam"}, "nodes_per_layer": [5, 8], "epochs": 20}

    class Fits(Trainer):
        def hyperparametrizable(self, params):
            return {"status": "ok", "loss": params["epochs"]}

    scanner = HyperScanner(parameters, config)
    hyper_scan_wrapper(tmp_path, Fits(), scanner, 3)
    assert read_tries(tmp_path / "tries.json")[0]["misc"]["space_vals"]["positivity"] == {}
    outcomes, _ = read_prior([tmp_path], scanner.as_dict())
    assert [outcome.vals["epochs"][0] for outcome in outcomes] == [outcome.loss for outcome in outcomes]
    assert len(outcomes) == 3
    other = HyperScanner({**parameters, "dropout": 0.1}, config).as_dict()
    with pytest.raises(ScanError, match="3 in dropout"):
        read_prior([tmp_path], other)
    entries = json.loads((tmp_path / "tries.json").read_text())
    for entry in entries:
        entry["misc"]["space_vals"]["dropout"] = 0.1
    (tmp_path / "tries.json").write_text(json.dumps(entries))
    with pytest.raises(ScanError, match="3 in dropout"):
        read_prior([tmp_path], scanner.as_dict())


def test_another_fixed_value_is_another_space(earlier):
    space = HyperScanner({**PARAMETERS, "fixed": 2}, CONFIG).as_dict()
    with pytest.raises(ScanError, match=r"no trial of the earlier .*\n.*30 in fixed \(1 in trial 0, accepted: 2\)"):
        read_prior([earlier], space)


def n3fit_entry(tid, loss, status, x):
    """As n3fit's json.dump writes it: numbers and arrays as text, NaN and Infinity bare."""
    result = {"status": status, "loss": loss, "kfold_meta": {"hyper_losses": "[[1. nan]\n [2. 3.]]"}}
    return {
        "state": 2,
        "tid": tid,
        "result": result,
        "misc": {"vals": {}, "space_vals": {"x": x, "kind": "b", "fixed": 1}},
    }


def test_files_of_n3fit_are_read(tmp_path):
    entries = [
        n3fit_entry(0, 2.5, "ok", "1.5"),
        n3fit_entry(1, float("nan"), "ok", 1.0),
        n3fit_entry(2, float("inf"), "fail", 2.0),
        n3fit_entry(3, 60.0, "fail", 3),
        {**n3fit_entry(4, None, "new", 1.0), "state": 1},
    ]
    for number in (1, 2):
        folder = tmp_path / "nnfit" / f"replica_{number}"
        folder.mkdir(parents=True)
        (folder / "tries.json").write_text(json.dumps(entries))
    found, notes = read_prior([tmp_path], HyperScanner(PARAMETERS, CONFIG).as_dict())
    assert len(notes) == 2
    assert [outcome.number for outcome in found] == list(range(-8, 0))
    told = [(outcome.vals["x"], outcome.status, outcome.loss, outcome.failure) for outcome in found[:4]]
    assert told == [
        ([1.5], "ok", 2.5, None),
        ([1.0], "fail", None, "NaNLoss"),
        ([2.0], "fail", None, None),
        ([3], "fail", 60.0, None),
    ]


def test_alone_it_is_a_choice_among_their_parameters(tmp_path, earlier):
    """As in n3fit: without ranges the earlier trials are tried again, and failed ones are not."""
    scanner = HyperScanner(PARAMETERS, {"use_tries_from": str(earlier)})
    good = [entry for entry in read_tries(earlier / "tries.json") if entry["result"]["status"] == "ok"]
    options = scanner.as_dict()["parameters"].options
    assert [option["x"] for option in options] == [
        entry["misc"]["space_vals"]["x"] for entry in sorted(good, key=lambda entry: entry["result"]["loss"])
    ]
    assert 0 < len(good) < 30
    best = hyper_scan_wrapper(tmp_path, PlainSets(), scanner, 5, engine="random")
    assert best in [entry["misc"]["space_vals"] for entry in good]


class PlainSets(Trainer):
    def hyperparametrizable(self, params):
        return super().hyperparametrizable(params["parameters"])


def test_beside_ranges_the_scanner_names_them(tmp_path, earlier):
    scanner = HyperScanner(PARAMETERS, {**CONFIG, "use_tries_from": [str(earlier)]})
    hyper_scan_wrapper(tmp_path / "named", Trainer(), scanner, 3)
    scan(tmp_path / "asked", 3, warm_start=[earlier])
    assert vals(tmp_path / "named") == vals(tmp_path / "asked")


def test_what_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="holds no trials"):
        scan(tmp_path / "new", warm_start=[tmp_path / "nowhere"])
    scan(tmp_path / "new", 1)  # nothing was begun
    with pytest.raises((StoreError, SpaceError), match="holds no trials"):
        HyperScanner(PARAMETERS, {"use_tries_from": str(tmp_path / "nowhere")})
    (tmp_path / "tries.json").write_text("[]")
    with pytest.raises(ScanError, match="succeeded and says its parameters"):
        HyperScanner(PARAMETERS, {"use_tries_from": str(tmp_path)})


def test_how_near_earlier_trials_came_to_failing_is_known(tmp_path, earlier):
    """The number below which a trial would have failed comes with it; what is none is told with its file."""
    tries = tmp_path / "told" / "tries.json"
    tries.parent.mkdir()
    entries = json.loads((Path(earlier) / "tries.json").read_text())
    entries[0]["result"]["fails_below"] = {"x": 0.25}
    tries.write_text(json.dumps(entries))
    space = HyperScanner(PARAMETERS, CONFIG).as_dict()
    with FileTrials(tmp_path / "scan") as store:
        known = kept_prior(store, prior_of(store, [tries.parent], space), space)
    assert [outcome.fails_below for outcome in known] == [{"x": 0.25}, *[None] * (len(known) - 1)]
    entries[0]["result"]["fails_below"] = {"x": "much"}
    tries.write_text(json.dumps(entries))
    with pytest.raises(StoreError, match=r"tries\.json.*fails_below must be a dictionary of finite numbers"):
        read_prior([tries.parent], space)
