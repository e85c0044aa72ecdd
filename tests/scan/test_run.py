"""`run_scan` and its settings: what a scan is, how it runs, and what `hyperscan_config` says where nothing is asked."""

from __future__ import annotations

import pytest
from cheap import Silent, Trainer, recipe, scanner
from test_hyper_scan import entries

from hyperparton import (
    BatchTrainer,
    EarlyStopping,
    Execution,
    HyperScanner,
    Limits,
    ProgressTrainer,
    ReportingTrainer,
    Rule,
    ScanSettings,
    hyper_scan_wrapper,
    run_scan,
)
from hyperparton import Trainer as TrainerProtocol
from hyperparton.errors import ScanError
from hyperparton.scan.trainer import adapted
from hyperparton.trials.local import FileTrials


def test_n3fits_function_is_the_same_scan(tmp_path):
    events = []
    settings = ScanSettings(engine="random", seed=3, lag=2, prune=Rule(warmup=4))
    execution = Execution(batch_trials=2, early_stopping=EarlyStopping(patience=50), limits=Limits(walltime=600))
    best = run_scan(
        tmp_path / "run", Trainer(), scanner(), 12, settings=settings, execution=execution, progress=events.append
    )
    options = {"engine": "random", "seed": 3, "lag": 2, "prune": Rule(warmup=4), "batch_trials": 2}
    assert best == hyper_scan_wrapper(tmp_path / "theirs", Trainer(), scanner(), 12, **options)
    assert entries(tmp_path / "run") == entries(tmp_path / "theirs")
    assert sum(event["event"] == "trial_finished" for event in events) == 12


def test_defaults_are_those_of_the_command_line_and_of_n3fit(tmp_path):
    run_scan(tmp_path / "ours", Trainer(), scanner(), 2)
    hyper_scan_wrapper(tmp_path / "theirs", Trainer(), scanner(), 2)
    kept = {}
    for name in ("ours", "theirs"):
        with FileTrials(tmp_path / name) as trials:
            kept[name] = trials.metadata()["scan"]["settings"]
    assert [kept[name].pop("engine") for name in kept] == ["gp", "hyperopt"]
    assert kept["ours"] == kept["theirs"]
    assert (kept["ours"]["seed"], kept["ours"]["lag"]) == (42, 1)


def test_an_unknown_option_is_named(tmp_path):
    with pytest.raises(ScanError, match=r"unknown option 'worker' .did you mean 'workers'.*accepted: engine, seed"):
        hyper_scan_wrapper(tmp_path / "scan", Trainer(), scanner(), 2, worker=2)
    assert not (tmp_path / "scan").exists()


def test_hyperscan_config_fills_in_what_is_not_asked(tmp_path):
    config = {"space": {"x": {"min": 0, "max": 1}}, "prune": True, "use_tries_from": ["earlier"]}
    card = HyperScanner({"x": 0.0}, config)
    filled = ScanSettings().filled_in(card)
    assert (filled.rule, filled.warm_start) == (Rule(), ("earlier",))
    assert filled.identity()["prior"] == ["earlier"]
    asked = ScanSettings(prune=False, warm_start=[tmp_path / "other"]).filled_in(card)
    assert (asked.rule, asked.warm_start) == (None, (str(tmp_path / "other"),))
    assert "prune" not in asked.identity()


@pytest.mark.parametrize("name", ["workers", "batch_trials"])
@pytest.mark.parametrize("value", [0, 1.5, "2"])
def test_numbers_of_an_execution_are_whole(name, value):
    with pytest.raises(ScanError, match=f"{name} must be a whole number of at least 1"):
        Execution(**{name: value})


def test_other_numbers_that_no_scan_can_have():
    for seed in (-1, 0.5, None):
        with pytest.raises(ScanError, match="seed must be a whole number of at least 0"):
            ScanSettings(seed=seed)
    with pytest.raises(ScanError, match="lease must be above 0, given -1"):
        Execution(lease=-1)


def test_a_space_of_n3fit_is_not_for_run_scan(tmp_path):
    with pytest.raises(ScanError, match="a scan needs a HyperScanner, given dict"):
        run_scan(tmp_path / "scan", Trainer(), {"x": 1}, 2)
    assert not (tmp_path / "scan").exists()


def test_the_walltime_that_is_left():
    limits = Limits(walltime=10.0, trial_timeout=3.0)
    assert limits.after(4.0) == Limits(walltime=6.0, trial_timeout=3.0)
    assert 0 < limits.after(100.0).walltime < 0.01
    assert Limits(trial_timeout=3.0).after(100.0) == Limits(trial_timeout=3.0)


class Able(Trainer):
    progress = None

    def hyperparametrizable_batch(self, trials, reports):
        return [self.hyperparametrizable(params) for params in trials]


def test_abilities_are_declared():
    plain, reporting, able = Silent(Trainer()), Trainer(), Able()
    assert isinstance(plain, TrainerProtocol)
    found = [[isinstance(each, kind) for kind in (ReportingTrainer, BatchTrainer, ProgressTrainer)]
             for each in (plain, reporting, able)]  # fmt: skip
    assert found == [[False, False, False], [True, False, True], [True, True, True]]
    for each, abilities in zip((plain, reporting, able), found, strict=True):
        made = adapted(each)
        assert [made.reports, made.batches] == abilities[:2]
        assert adapted(made) is made
    adapted(plain).report_progress_to(print)  # it reports nothing, and nothing is wrong with that
    adapted(able).report_progress_to(print)
    assert able.progress is print


def test_a_recipe_makes_n3fits_trainer_independent(monkeypatch):
    """A trainer is n3fit's by the name of its class; the recipe that our function of n3fit's name follows wraps it."""
    from hyperparton.interop import n3fit_isolation

    assert isinstance(n3fit_isolation.build("cheap:make", {})[0], Trainer)
    wrapped = n3fit_isolation.as_recipe(recipe(sleep=0.5))
    assert wrapped.folders == recipe().folders
    assert wrapped.arguments == {"builder": "cheap:make", "arguments": {"sleep": 0.5}}
    monkeypatch.setattr(n3fit_isolation, "_THEIRS", (Trainer.__module__, Trainer.__name__))
    monkeypatch.setattr(n3fit_isolation, "_SECTIONS", ())
    monkeypatch.setattr(Trainer, "_nn_seeds", [1], raising=False)
    made, space = n3fit_isolation.build("cheap:make", {"sleep": 0.5})
    assert isinstance(made, n3fit_isolation.N3FitTrainer)
    assert isinstance(space, HyperScanner)
