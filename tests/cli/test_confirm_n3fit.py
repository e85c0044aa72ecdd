"""`confirm DIR` for a scan that n3fit ran, with real fits on the shipped tables, and who takes what it names.

`tests/oracle/data/n3fit_folder` is what n3fit 4.1.5 left (`make_n3fit_folder.py`): nine trials of two replicas. Trial 6
has failed, trial 7 lies half a step below the range of the patience, and no trial has the card's multiplier of
positivity, since n3fit drops what of this section is not scanned.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from hyperparton.cli import group
from hyperparton.data.load import load_fit_data
from hyperparton.errors import HyperpartonError, StoreError
from hyperparton.hyperloss.trainer import ModelTrainer
from hyperparton.runcard.check import parse_runcard
from hyperparton.trials.tries_read import read_trials

THEIRS = Path(__file__).parents[1] / "oracle" / "data" / "n3fit_folder"
TRIES, REFITS = Path("nnfit", "replica_1", "tries.json"), Path("nnfit", "replica_1", "refits", "tries.json")
COMMAND = [sys.executable, "-c", "from hyperparton.cli import main; main()"]


def run(*arguments):
    """What the command prints on standard output, after notes and progress; raises what the command does."""
    done = CliRunner().invoke(group, [str(argument) for argument in arguments])
    if isinstance(done.exception, HyperpartonError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def as_kept(folder):
    """The re-fits by what they are, without who made them and when."""
    entries = json.loads((folder / REFITS).read_text())
    kept = [(entry["misc"]["vals"], entry["misc"]["space_vals"], entry["result"]) for entry in entries]
    return sorted(kept, key=lambda entry: (entry[0]["refit/trial"], entry[0]["refit/first"]))


def change(card, place, value):
    """Another value at a place of a card; keys lead there."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(card.read_text())
    *way, last = place
    section = content
    for key in way:
        section = section[key]
    section[last] = value
    with card.open("w") as file:
        yaml.dump(content, file)


@pytest.fixture
def theirs(tmp_path):
    return Path(shutil.copytree(THEIRS, tmp_path / "theirs"))


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    """The scan with its best three trials confirmed, and what the command said."""
    folder = Path(shutil.copytree(THEIRS, tmp_path_factory.mktemp("confirmed") / "theirs"))
    return folder, run("confirm", folder, "--top", 3)


def test_the_best_are_fitted_again_and_nothing_of_n3fits_changes(confirmed):
    folder, done = confirmed
    for place in (Path("filter.yml"), TRIES):
        assert (folder / place).read_bytes() == (THEIRS / place).read_bytes()
    made = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} - {Path("filter.yml"), TRIES}
    assert {path.parent for path in made} == {REFITS.parent}
    asked = {}
    for vals, _, _ in as_kept(folder):
        asked.setdefault(vals["refit/trial"][0], []).append((vals["refit/first"][0], vals["refit/last"][0]))
    # two replicas were n3fit's; the one with the lowest loss takes part
    rounds = [(3, 7), (8, 12), (13, 22), (23, 42)]
    assert [len(each) for each in asked.values()].count(4) >= 2
    assert len(asked) >= 3
    assert all(each == rounds[: len(each)] for each in asked.values())
    assert min((trial for trial in read_trials(THEIRS) if trial.ok), key=lambda trial: trial.loss).number in asked
    assert "n3fit does not record how many trials were asked for; the 9 finished ones are taken" in done.output
    assert "2 folds x 2 replicas per trial" in done.output


def test_a_re_fit_is_a_trial_of_this_replica_alone_with_what_the_trial_states(confirmed):
    folder, _ = confirmed
    card = parse_runcard((THEIRS / "filter.yml").read_text(), THEIRS / "filter.yml")
    data = load_fit_data(card)
    # the best, for in fits that are hardly begun rounding may decide which epoch is the best
    vals, _, result = min(as_kept(folder), key=lambda entry: entry[2]["replica_losses"][0])
    entry = json.loads((THEIRS / TRIES).read_text())[vals["refit/trial"][0]]
    stated = entry["misc"]["space_vals"]
    assert set(stated["positivity"]) == {"initial"}
    alone = ModelTrainer.from_runcard(card, data, [vals["refit/first"][0]])
    alone.set_hyperopt(True, ["epochs"])
    meta = alone.hyperparametrizable(stated)["kfold_meta"]
    pairs = zip(meta["validation_losses"], meta["experimental_losses"], strict=True)
    expected = [validation + max(hidden - 2.0, 0.0) for (validation,), (hidden,) in pairs]
    assert result["replica_losses"][0] == pytest.approx(sum(expected) / 2, rel=1e-4)


def test_it_is_named_by_all_who_take_it(confirmed, tmp_path):
    folder, done = confirmed
    ranked = json.loads(run("best", folder, "--format", "json").stdout)
    named = ranked[0]
    means = {}
    for vals, _, result in as_kept(folder):
        means.setdefault(vals["refit/trial"][0], []).extend(result["replica_losses"])
    full = {trial: sum(losses) / 40 for trial, losses in means.items() if len(losses) == 40}
    assert named["trial"] == min(full, key=full.get)
    assert named["loss"] > min(trial["loss"] for trial in ranked), "the luckiest is another one"
    assert named["refits"]["mean"] == pytest.approx(full[named["trial"]])
    assert f"trial {named['trial']} is the best: mean loss" in done.stdout
    assert f"epochs: {named['parameters']['epochs']}" in done.stdout
    assert f"epochs: {named['parameters']['epochs']}" in run("best", folder, "--format", "yaml").stdout
    run("report", folder, "-o", tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert f"Fitted again with 40 other replicas, trial {named['trial']} is the best" in page
    assert (
        (tmp_path / "page" / "tables" / "fitted_again.csv")
        .read_text()
        .splitlines()[1]
        .startswith(f"{named['trial']},40")
    )
    card = tmp_path / "fit.yml"
    shutil.copy(THEIRS / "filter.yml", card)
    run("fit", card, "--from", folder, "-o", tmp_path / "from")
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(card.read_text())
    content |= {"parameters": {"threshold_chi2": 1e5}, "hyperscan_config": None, "kfold": None}
    content["trial_specs"] = {"hyperscan": str(folder), "number_of_trials": 1}
    with card.open("w") as file:
        yaml.dump({key: value for key, value in content.items() if value is not None}, file)
    run("fit", card, "-o", tmp_path / "specs")
    for fit in ("from", "specs"):
        written = json.loads((tmp_path / fit / "nnfit" / "replica_1" / f"{fit}.json").read_text())
        assert written["hyperparameters"]["epochs"] == named["parameters"]["epochs"]
        assert written["hyperparameters"]["optimizer"] == named["parameters"]["optimizer"]["optimizer_name"]


def test_killed_and_continued_it_is_the_same(confirmed, theirs):
    """Killed twice at work, the second time with the card named, and continued."""
    whole, _ = confirmed
    for entries, more in ((1, []), (4, ["--runcard", str(THEIRS / "filter.yml")])):
        process = subprocess.Popen(
            [*COMMAND, "confirm", str(theirs), "--top", "3", *more], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        end = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < end:
            done = (theirs / REFITS).read_text().count('"refit/trial"') if (theirs / REFITS).exists() else 0
            if done >= entries:
                break
            time.sleep(0.01)
        assert process.poll() is None, "it ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert entries <= (theirs / REFITS).read_text().count('"refit/trial"') < len(as_kept(whole))
    run("confirm", theirs, "--top", 3)
    assert as_kept(theirs) == as_kept(whole)
    assert (theirs / TRIES).read_bytes() == (THEIRS / TRIES).read_bytes()


def test_ranges_that_n3fit_passes_over_do_not_matter(confirmed, theirs):
    """n3fit does not read `integrability` of hyperscan_config: its trials have the value that `parameters` fixes."""
    change(
        theirs / "filter.yml", ("hyperscan_config", "integrability"), {"min_multiplier": 1.05, "max_multiplier": 1.1}
    )
    run("confirm", theirs, "--top", 3)
    assert as_kept(theirs) == as_kept(confirmed[0])


def test_two_jobs_fit_together(confirmed, theirs, tmp_path):
    whole, _ = confirmed
    command = [*COMMAND, "confirm", str(theirs), "--top", "3", "--store", f"sqlite:///{tmp_path / 'shared.sqlite'}"]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    jobs = [subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [job.communicate(timeout=300)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert told[0] == told[1]
    assert as_kept(theirs) == as_kept(whole)


def refused(*arguments, error=StoreError):
    with pytest.raises(error) as caught:
        run("confirm", *arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("hyperscan_config", "stopping", "min_epochs"), 100, "7 in epochs (97 in trial 0, accepted: 100 to 120)"),
        (
            ("hyperscan_config", "architecture", "activations"),
            ["relu", "tanh"],
            "(sigmoid in trial 0, accepted: relu or",
        ),
        (("parameters", "layer_type"), "dense_per_flavour", "9 in layer_type (dense in trial 0, accepted: dense_per_"),
        (("hyperscan_config", "positivity"), None, "9 in positivity.initial (2.19477 in trial 0, accepted: 100)"),
    ],
)
def test_a_card_whose_space_does_not_hold_the_trials_is_refused(theirs, place, value, told):
    change(theirs / "filter.yml", place, value)
    before = sorted(theirs.rglob("*"))
    message = refused(theirs)
    assert f"{theirs / TRIES}: " in message
    assert "of its 9 finished trials, so it is not that of this scan" in message
    assert told in message
    assert sorted(theirs.rglob("*")) == before


def test_without_a_card_it_is_told_and_may_be_named(theirs, tmp_path):
    (theirs / "filter.yml").rename(tmp_path / "card.yml")
    assert f"looked for {theirs / 'filter.yml'}, --runcard FILE names another" in refused(theirs)
    assert not (theirs / REFITS.parent).exists()


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("theory", "theoryid"), 40_000_001, "theory 40000001"),
        (("datacuts", "t0pdfset"), "NNPDF40_nnlo", "NNPDF40_nnlo"),
        (("fitting", "fitbasis"), "NN31PC", "NN31PC"),
        (("kfold", "loss_type"), "chi3", "chi3"),
    ],
)
def test_a_card_that_cannot_be_fitted_here_is_refused_as_a_scan_of_it_would_be(theirs, place, value, told):
    change(theirs / "filter.yml", place, value)
    assert told in refused(theirs, error=HyperpartonError)
    assert not (theirs / REFITS.parent).exists()


def test_other_data_are_not_mixed_with_what_is_there(confirmed, tmp_path):
    folder = Path(shutil.copytree(confirmed[0], tmp_path / "theirs"))
    before = as_kept(folder)
    change(folder / "filter.yml", ("datacuts", "q2min"), 4.0)
    message = refused(folder, "--top", 4)
    assert "holds re-fits with another runcard: datacuts" in message
    assert as_kept(folder) == before
