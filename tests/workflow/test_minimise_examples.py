"""The examples of `minimise`, run as they stand, with the library of each."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperparton import read_trials

ROOT = Path(__file__).parents[2]


def run_example(library, folder):
    """(loss, parameters) that the script names; and its trials."""
    pytest.importorskip(library)
    script = ROOT / "examples" / f"minimise_{library}.py"
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"trial (\d+): (?:mean squared error )?(\S+) .*?with (\{.*\})\n", done.stdout)
    trials = read_trials(folder / "scans" / library)
    assert len(trials) == 30
    assert trials[int(found[1])].loss == pytest.approx(float(found[2]), abs=5e-5)
    return float(found[2]), ast.literal_eval(found[3]), trials


def test_sklearn(tmp_path):
    """The digits are known to be easy for an SVM with a suited kernel; a bad gamma recognises next to none."""
    loss, parameters, trials = run_example("sklearn", tmp_path)
    assert parameters["model"]["name"] == "svm"
    assert 1e-6 <= parameters["model"]["gamma"] < 5e-3
    assert 0.002 < loss < 0.04
    assert max(trial.loss for trial in trials if trial.loss is not None) > 0.1
    assert {trial.parameters["model"]["name"] for trial in trials} == {"svm", "forest"}


def test_jax(tmp_path):
    """The error cannot be much below the variance of the noise, and comes near it."""
    loss, parameters, _ = run_example("jax", tmp_path)
    assert 0.5 * 0.2**2 < loss < 2 * 0.2**2
    assert parameters["modes"] >= 5  # cos(13 x) is not there with less


def test_torch(tmp_path):
    """Trials are pruned, and a network with enough freedom comes near the variance of the noise."""
    _, parameters, trials = run_example("torch", tmp_path)
    assert any(trial.pruned for trial in trials)
    assert min(trial.loss for trial in trials if trial.status == "ok") < 4 * 0.1**2
    assert set(parameters["optimizer"]) in ({"optimizer_name", "lr"}, {"optimizer_name", "lr", "momentum"})
