"""n3fit's fits under hyperparton's scan: its trainer in our commands, our function in its command."""

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
from ruamel.yaml import YAML

from hyperparton.trials.parameters import as_runcard
from hyperparton.trials.tries_read import read_tries


def trials(home, name):
    return read_tries(home.path / name / "nnfit" / "replica_1" / "tries.json")


def flat(values):
    parts = values.values() if isinstance(values, dict) else values
    return [entry for value in parts for entry in (flat(value) if isinstance(value, list | dict) else [value])]


def assert_same_result(found, expected, digits=None):
    """Value for value; with `digits` the status and the loss alone, and the other numbers to so many digits."""
    assert (found["status"], found["loss"]) == (expected["status"], expected["loss"])
    assert found["kfold_meta"].keys() == expected["kfold_meta"].keys()
    for key in ("validation_loss", "experimental_loss", *expected["kfold_meta"]):
        one, other = (flat([result.get(key, result["kfold_meta"].get(key))]) for result in (found, expected))
        assert one == (other if digits is None else pytest.approx(other, rel=10.0**-digits)), key


def assert_same_draws(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one["tid"] == other["tid"]
        assert one["misc"]["vals"].keys() == other["misc"]["vals"].keys()
        for label, value in other["misc"]["vals"].items():
            assert one["misc"]["vals"][label] == pytest.approx(value, rel=1e-12), label


def assert_same_trials(found, expected):
    """The same draws and the same results, value for value."""
    assert_same_draws(found, expected)
    for one, other in zip(found, expected, strict=True):
        assert_same_result(one["result"], other["result"])


#: n3fit's fits with n3fit's engine, so that trials can be compared
SCAN = ("hyperparton", "scan", "card.yml", "--trainer", "n3fit", "--engine", "hyperopt")


@pytest.fixture(scope="session")
def scanned(home):
    """Two trials of n3fit's fits by `hyperparton scan`, without interruption."""
    home.run(*SCAN, "--trials", 2, "--output", "scanned")
    return "scanned"


def test_the_trials_are_n3fits(home, scanned, theirs):
    found, expected = trials(home, scanned), trials(home, theirs)
    assert_same_draws(found, expected)
    assert_same_result(found[0]["result"], expected[0]["result"], digits=7)  # n3fit writes eight as text
    print("losses of n3fit", [t["result"]["loss"] for t in expected], "here", [t["result"]["loss"] for t in found])


def test_a_later_trial_is_that_of_n3fit_in_a_process_of_its_own(home, scanned):
    """n3fit's second trial in one process takes multipliers and predictions from the first: see foreign_trainer."""
    (_, trial) = trials(home, scanned)
    file = home.path / "one_trial.json"
    file.write_text(json.dumps(as_runcard(trial["misc"]["space_vals"])))
    shutil.copy(home.path / "card.yml", home.path / "alone.yml")
    home.run("vp-setupfit", "alone.yml", "--no-eko-download", "--no-net")
    script = Path(__file__).with_name("one_trial.py")
    home.run(sys.executable, script, file, "alone.yml", "1", "--no-net", "--hyperopt", 1)
    expected = json.loads(file.read_text())
    assert_same_result(trial["result"], expected)
    print("loss of n3fit in a process of its own", expected["loss"], "here", trial["result"]["loss"])


def test_a_scan_that_was_killed_and_continued(home, scanned):
    text = (home.path / "card.yml").read_text() + "trainer: n3fit\n"
    (home.path / "killed.yml").write_text(text)
    command = ["hyperparton", "scan", "killed.yml", "--trials", "2", "--engine", "hyperopt"]
    first = subprocess.Popen(
        command, cwd=home.path, env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    tries = home.path / "killed" / "nnfit" / "replica_1" / "tries.json"
    end = time.monotonic() + 300
    while not tries.exists():
        assert first.poll() is None, "the scan ended before its first trial was written"
        assert time.monotonic() < end, "no trial in 300 s"
        time.sleep(0.2)
    time.sleep(1.0)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert len(read_tries(tries)) == 1
    told = home.run(*command)
    assert "trial 1" in told
    assert "trial 0:" not in told
    assert_same_trials(trials(home, "killed"), trials(home, scanned))


def test_workers_with_a_trainer_each(home, scanned):
    home.run(*SCAN, "--trials", 2, "--workers", 2, "--output", "parallel")
    # with two workers the second trial is suggested without the first, as random trials are anyway
    assert_same_trials(trials(home, "parallel"), trials(home, scanned))


#: three trials of a card with dropout by the trainer of a scan: two of the scan, and the first of them again
DROPOUT = """
import json
from pathlib import Path
from hyperparton.workflow.recipe import build
from hyperparton.engines import get_engine, trial_seed
from hyperparton.space.tree import evaluate
card = Path("dropout.yml")
trainer, scanner = build(card.read_text(), str(card), "n3fit", replicas=1, output="dropout")
trainer.set_hyperopt(True, keys=scanner.hyper_keys)
engine, space, losses = get_engine("hyperopt", 42), scanner.as_dict(), []
for number in (0, 2, 0):
    params = evaluate(space, engine.suggest(space, [], trial_seed(42, number)))
    assert params["dropout"] > 0
    losses.append(float(trainer.hyperparametrizable(params)["loss"]))
print(json.dumps(losses))
"""


def test_a_trial_with_dropout_can_be_repeated(home):
    """n3fit does not seed dropout; a scan of ours does, from the seeds of the replicas."""
    config = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())["hyperscan_config"]
    home.card("dropout.yml", hyperscan_config={**config, "architecture": {**config["architecture"], "max_drop": 0.15}})
    first, other, again = home.python(DROPOUT)
    assert first != other
    assert again == first


def test_replicas(home):
    home.run(*SCAN, "--trials", 1, "--replicas", 2, "--output", "reps")
    (trial,) = trials(home, "reps")
    meta = trial["result"]["kfold_meta"]
    assert [len(fold) for fold in meta["validation_losses"]] == [2, 2]
    assert set(meta["penalties"]) == {"saturation", "patience", "integrability"}


def refused(home, card):
    """What `hyperparton scan` tells of a card that n3fit refuses, without what libraries tell; the exit code."""
    command = ["hyperparton", "scan", card.name, "--trainer", "n3fit", "--trials", "1"]
    done = subprocess.run(command, cwd=home.path, env=home.environment, capture_output=True, text=True)
    assert not (home.path / card.stem).exists()
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1], done.returncode


def place_of(card, text):
    """file:line:column of a text in the card, as the error tells it."""
    lines = card.read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines) if text in line)
    return f"{card.name}:{number + 1}:{lines[number].index(text) + 1}"


def test_a_card_that_n3fits_checks_refuse(home):
    card = home.card("refused.yml", sum_rules="none of them")
    told, code = refused(home, card)
    accepted = "The only accepted options for the sum rules are: ['ALL', 'MSR', 'VSR', 'TSR', 'ALLBUTCSR']"
    assert told == (
        f"{place_of(card, 'none of them')}: sum_rules: vp-setupfit refuses the card: {accepted}, given 'none of them'"
    )
    assert code == 1


def test_a_card_with_data_that_validphys_does_not_know(home):
    inputs = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())["dataset_inputs"]
    inputs[1] = {**inputs[1], "dataset": "SLAC_NC_UNKNOWN_D_EM-F2"}
    card = home.card("unknown.yml", dataset_inputs=inputs)
    told, code = refused(home, card)
    assert told.startswith(f"{place_of(card, 'SLAC_NC_UNKNOWN')}: dataset_inputs[1].dataset: vp-setupfit ")
    assert told.endswith("given 'SLAC_NC_UNKNOWN_D_EM-F2'")
    assert code == 1


def test_our_function_in_n3fits_place(home, scanned):
    shutil.copy(home.path / "card.yml", home.path / "dropin.yml")
    home.run("vp-setupfit", "dropin.yml", "--no-eko-download", "--no-net")
    script = Path(__file__).with_name("with_our_wrapper.py")
    command = [sys.executable, script, "dropin.yml", "1", "--no-net", "--hyperopt"]
    home.run(*command, 1)
    assert len(trials(home, "dropin")) == 1
    home.run(*command, 2)  # continues
    assert_same_trials(trials(home, "dropin"), trials(home, scanned))
    assert (home.path / "dropin" / "nnfit" / "replica_1" / "tries.sqlite").exists()


def test_the_space_of_n3fits_scanner_is_ours(home):
    from n3fit.hyper_optimization.hyper_scan import HyperScanner as Theirs
    from ruamel.yaml import YAML

    from hyperparton import HyperScanner
    from hyperparton.interop.n3fit_space import as_scanner
    from hyperparton.space.tree import describe, fingerprint

    card = YAML(typ="safe", pure=True).load((home.path / "card.yml").read_text())
    ours = HyperScanner(card["parameters"], card["hyperscan_config"])
    theirs = as_scanner(Theirs(card["parameters"], card["hyperscan_config"]))
    # n3fit drops what `parameters: positivity` declares beside the scanned entries, here the empty multiplier
    assert ours.as_dict()["positivity"].pop("multiplier") is None
    assert describe(theirs.as_dict()) == describe(ours.as_dict())
    assert fingerprint(theirs.as_dict()) == fingerprint(ours.as_dict())
    assert theirs.hyper_keys == ours.hyper_keys
