"""`minimise`: a scan of a function; its answers are those of functions whose minimum is known."""

from __future__ import annotations

import errno
import math

import numpy as np
import pytest

from hyperparton import (
    Execution,
    HyperScanner,
    Limits,
    ScanSettings,
    hp_choice,
    hp_loguniform,
    hp_quniform,
    hp_uniform,
    minimise,
    read_trials,
    run_scan,
)
from hyperparton.errors import NodeError, ScanError, SpaceError, StoreError
from hyperparton.report.scans import read_scan
from hyperparton.report.status import status_of
from hyperparton.trials.refits import read_refits
from hyperparton.trials.scan_folder import ScanFolder

LINE = {"x": hp_uniform("x", -5, 5)}


def branin(params):
    """Minima of 0.397887 at (-pi, 12.275), (pi, 2.275) and (9.42478, 2.475): Dixon and Szegö, 1978."""
    x, y = params["x"], params["y"]
    return (
        (y - 5.1 * x**2 / (4 * math.pi**2) + 5 * x / math.pi - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
    )


def test_it_finds_a_known_minimum(tmp_path):
    space = {"x": hp_uniform("x", -5, 10), "y": hp_uniform("y", 0, 15)}
    found = minimise(branin, space, trials=60, output=tmp_path / "branin")
    assert 0.397887 - 1e-5 <= found.loss < 0.8
    assert found.loss == branin(found.parameters)
    trials = read_trials(found.output)
    assert len(trials) == 60
    assert trials[found.trial].loss == found.loss == min(trial.loss for trial in trials)
    assert read_scan(found.output).trials[found.trial].parameters == found.parameters
    assert status_of(found.output, 0.0).total == 60


def test_it_is_the_scan_of_a_trainer(tmp_path):
    """The same trials as `run_scan` with a class that does the same, and continued as one that was not stopped."""

    class Trainer:
        def set_hyperopt(self, on, keys=None): ...

        def hyperparametrizable(self, params):
            return {"status": "ok", "loss": (params["x"] - 2.0) ** 2}

    def square(params):
        return (params["x"] - 2.0) ** 2

    scanner = HyperScanner({"x": 0.0}, {"space": {"x": {"min": -5, "max": 5}}})
    run_scan(tmp_path / "class", Trainer(), scanner, 12, settings=ScanSettings(engine="hyperopt", seed=5))
    for trials in (5, 12):
        minimise(square, LINE, trials=trials, output=tmp_path / "function", engine="hyperopt", seed=5)
    one, other = (read_trials(tmp_path / name) for name in ("class", "function"))
    assert [trial.loss for trial in one] == [trial.loss for trial in other]
    with pytest.raises(StoreError, match="another function"):
        minimise(branin, LINE, trials=13, output=tmp_path / "function", engine="hyperopt", seed=5)


def test_nested_spaces_reach_the_function(tmp_path):
    """What belongs to an option is there with that option alone; what is no sampler comes as it is."""
    marker = object()
    space = {
        "model": hp_choice(
            "model",
            [
                {"name": "line", "slope": hp_uniform("slope", -1, 1)},
                {
                    "name": "net",
                    "layers": hp_choice(
                        "depth",
                        [[hp_quniform(f"w{d}{i}", 2, 9, step_size=1, make_int=True) for i in range(d)] for d in (1, 2)],
                    ),
                    "rate": hp_loguniform("rate", 1e-3, 1e-1),
                },
            ],
        ),
        "fixed": {"list": [1, 2], "marker": marker, "array": np.arange(3)},
    }
    seen = []

    def loss(params):
        seen.append(params)
        return len(seen)

    minimise(loss, space, trials=40, output=tmp_path, engine="random")
    assert all(set(params) == {"model", "fixed"} for params in seen)
    assert all(params["fixed"]["marker"] is marker and params["fixed"]["list"] == [1, 2] for params in seen)
    nets = [params["model"] for params in seen if params["model"]["name"] == "net"]
    lines = [params["model"] for params in seen if params["model"]["name"] == "line"]
    assert len(nets) + len(lines) == 40
    assert all(set(model) == {"name", "slope"} and -1 <= model["slope"] <= 1 for model in lines)
    assert all(set(model) == {"name", "layers", "rate"} and 1e-3 <= model["rate"] <= 1e-1 for model in nets)
    assert {len(model["layers"]) for model in nets} == {1, 2}
    assert all(type(width) is int and 2 <= width <= 9 for model in nets for width in model["layers"])
    stated = {name for trial in read_trials(tmp_path) for name in trial.stated}
    assert {"model.slope", "model.rate", "model.layers"} <= stated


def test_what_a_function_may_return(tmp_path):
    answers = iter(
        [1.0, np.float32(2.5), np.array(3.0), {"loss": 4, "more": [1, 2]}, None, "5", {"other": 1}, math.nan, 8]
    )

    def loss(params):
        return next(answers)

    found = minimise(loss, LINE, trials=9, output=tmp_path, engine="random")
    trials = read_trials(tmp_path)
    assert [trial.loss for trial in trials if trial.status == "ok"] == [1.0, 2.5, 3.0, 4.0, 8.0]
    assert trials[3].result["more"] == [1, 2]
    assert [trial.number for trial in trials if trial.status == "fail"] == [4, 5, 6, 7]
    for trial, words in zip(trials[4:7], ("None", "'5'", "without 'loss': other"), strict=True):
        assert words in trial.reason
    assert (found.loss, found.trial) == (1.0, 0)


def test_seeds_tell_luck_from_merit(tmp_path):
    """One value is good by luck: with the scan's seed alone. Its re-fits are bad, and the other is named."""
    seeds = set()

    def loss(params, seed):
        seeds.add(seed)
        noise = np.random.default_rng(seed).normal() * 1e-3
        return (0.0 if seed == 1 else 10.0) + noise if params["kind"] == "lucky" else 1.0 + noise

    space = {"kind": hp_choice("kind", ["lucky", "solid"])}
    found = minimise(loss, space, trials=12, output=tmp_path, engine="random", confirm=12)
    assert min(read_trials(tmp_path), key=lambda trial: trial.loss).parameters["kind"] == "lucky"
    assert found.parameters == {"kind": "solid"}
    assert min(seeds) == 1
    assert len(seeds) > 3


def test_a_full_disk_in_a_refit_is_no_failure_of_the_parameters(tmp_path):
    """The scan ends, and goes on as if nothing had been when there is room again."""
    room = False

    def loss(params, seed):
        if seed > 4 and not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return params["x"] ** 2 + 1e-3 * seed

    with pytest.raises(NodeError, match="No space left on device"):
        minimise(loss, LINE, trials=12, output=tmp_path, engine="random")
    room = True
    best = minimise(loss, LINE, trials=12, output=tmp_path, engine="random")
    tries = ScanFolder(tmp_path).tries
    refits = read_refits(tries, read_trials(tries))
    assert best.trial in {refit.trial for refit in refits}
    assert all(loss is not None for refit in refits for loss in refit.losses)


def test_a_refit_that_raises_is_a_failed_one(tmp_path):
    def loss(params, seed):
        if seed != 1 and params["kind"] == "fragile":
            raise ValueError("no")
        return 0.0 if params["kind"] == "fragile" else 1.0 + 1e-3 * seed

    space = {"kind": hp_choice("kind", ["fragile", "solid"])}
    assert minimise(loss, space, trials=12, output=tmp_path, engine="random").parameters == {"kind": "solid"}


def test_a_function_that_reports_is_pruned(tmp_path):
    def loss(params, report):
        for epoch in range(5, 30, 5):
            report(epoch, (params["x"] ** 2 + 1) * 1.1 ** (30 - epoch), epochs=30)
        return params["x"] ** 2 + 1

    minimise(loss, LINE, trials=40, output=tmp_path / "pruned", engine="random", prune=True)
    minimise(loss, LINE, trials=40, output=tmp_path / "whole", engine="random", prune=False)
    assert any(trial.pruned for trial in read_trials(tmp_path / "pruned"))
    assert not any(trial.pruned for trial in read_trials(tmp_path / "whole"))


def test_what_is_refused(tmp_path):
    output = tmp_path / "refused"
    with pytest.raises(ScanError, match=r"unknown option 'engin'.*did you mean 'engine'"):
        minimise(branin, LINE, trials=1, output=output, engin="gp")
    with pytest.raises(SpaceError, match="accepted is a dictionary with samplers, given list"):
        minimise(branin, [1], trials=1, output=output)
    with pytest.raises(ScanError, match="nothing to scan"):
        minimise(branin, {"x": 1.0}, trials=1, output=output)
    with pytest.raises(ScanError, match="something that can be called, given float"):
        minimise(1.0, LINE, trials=1, output=output)
    with pytest.raises(ScanError, match="by their names"):
        minimise(branin, LINE, trials=1, output=output, workers=2)
    with pytest.raises(ScanError, match="accepted as text is 'module:name', given 'branin'"):
        minimise("branin", LINE, trials=1, output=output)
    with pytest.raises(ScanError, match="function nowhere_at_all:f: ModuleNotFoundError"):
        minimise("nowhere_at_all:f", LINE, trials=1, output=output)
    assert not output.exists()


def test_workers_import_it_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "bowl.py").write_text(
        "from hyperparton import hp_uniform\nSPACE = {'x': hp_uniform('x', -5, 5)}\n\n\ndef bowl(params):\n"
        "    import os, time\n    time.sleep(0.3)\n    return {'loss': params['x'] ** 2, 'process': os.getpid()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = minimise("bowl:bowl", "bowl:SPACE", trials=6, output=tmp_path / "out", engine="random", workers=2)
    trials = read_trials(tmp_path / "out")
    assert found.loss == found.parameters["x"] ** 2 == min(trial.loss for trial in trials)
    assert len({trial.result["process"] for trial in trials}) == 2


def test_limits(tmp_path):
    def loss(params):
        while params["x"] > 0:
            pass
        return params["x"] ** 2

    limits = Limits(trial_timeout=0.3)
    found = minimise(loss, LINE, trials=6, output=tmp_path, engine="random", limits=limits)
    trials = read_trials(tmp_path)
    assert {trial.status for trial in trials} == {"ok", "fail"}
    assert all((trial.status == "ok") == (trial.parameters["x"] <= 0) for trial in trials)
    assert found.parameters["x"] <= 0
    assert Execution().limits.trial_timeout is None
