"""`scan`, `best`, `fit` and `check` as a user calls them, on real data with short fits."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def small_card(tmp_path):
    """A function that writes the small example's card, with the given sections in place of its own."""

    def write(**sections):
        yaml = YAML(typ="safe", pure=True)
        card = yaml.load((EXAMPLES / "dis_small.yml").read_text())
        card["hyperscan_config"]["stopping"].update(min_epochs=20, max_epochs=40)
        card["parameters"]["epochs"] = 40
        card["kfold"]["threshold"] = 1e6
        card.update(sections)
        path = tmp_path / "card.yml"
        with path.open("w") as file:
            yaml.dump({key: value for key, value in card.items() if value is not None}, file)
        return path

    return write


def tries_of(folder):
    return json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())


def test_a_scan_from_card_to_best_fit(hyperparton, small_card, tmp_path):
    card, folder = small_card(), tmp_path / "out"
    code, out, err = hyperparton("scan", card, "--trials", 2, "--replicas", 2, "--output", folder)
    assert code == 0, err
    assert "theory 40000000: shipped with hyperparton" in err
    assert "648 points in 4 data sets, t0 set HYPERPARTON_dis_t0" in err
    assert err.count("; best ") == 2
    assert (folder / "filter.yml").read_text() == card.read_text()
    first = tries_of(folder)
    assert [trial["tid"] for trial in first] == [0, 1]
    for trial in first:
        result, meta = trial["result"], trial["result"]["kfold_meta"]
        assert result["status"] == "ok"
        assert math.isfinite(result["loss"])
        assert np.shape(meta["validation_losses"]) == (2, 2)
        assert np.shape(meta["hyper_losses"]) == (2, 2)
        assert result["validation_loss"] == pytest.approx(np.mean(meta["validation_losses"]))
        assert 20 <= trial["misc"]["space_vals"]["epochs"] <= 40

    # continued, not started again
    code, _, err = hyperparton("scan", card, "--trials", 3, "--replicas", 2, "--output", folder)
    assert code == 0, err
    again = tries_of(folder)
    assert again[:2] == first
    assert [trial["tid"] for trial in again] == [0, 1, 2]

    best = min(again, key=lambda trial: trial["result"]["loss"])
    code, out, _ = hyperparton("best", folder, "--top", 2)
    assert code == 0
    assert out.splitlines()[0] == "3 trials, 0 failed"
    assert out.splitlines()[2].split()[0] == str(best["tid"])
    block = YAML(typ="safe", pure=True).load(out[out.index("parameters:\n") :])["parameters"]
    chosen = best["misc"]["space_vals"]
    assert block["nodes_per_layer"] == chosen["nodes_per_layer"]
    assert block["activation_per_layer"][-1] == "linear"
    assert len(block["activation_per_layer"]) == len(block["nodes_per_layer"])

    # the block is a runcard's parameters: check says so, and a fit runs with it and with --from alike
    pasted = small_card(parameters=block, hyperscan_config=None, kfold=None)
    assert hyperparton("check", pasted)[0] == 0
    code, _, err = hyperparton("fit", pasted, "--output", tmp_path / "pasted")
    assert code == 0, err
    code, _, err = hyperparton("fit", small_card(), "--from", folder, "--output", tmp_path / "taken")
    assert code == 0, err
    one, other = (
        json.loads((tmp_path / name / "nnfit" / "replica_1" / f"{name}.json").read_text())
        for name in ("pasted", "taken")
    )
    assert one["chi2"] == other["chi2"]
    # as n3fit writes it
    assert one["hyperparameters"] == "from runcard"
    assert other["hyperparameters"]["nodes_per_layer"] == chosen["nodes_per_layer"]


def test_another_scan_on_the_same_folder_is_refused(hyperparton, small_card, tmp_path):
    folder = tmp_path / "out"
    assert hyperparton("scan", small_card(), "--trials", 1, "--output", folder)[0] == 0
    kept = (folder / "filter.yml").read_text()
    code, _, err = hyperparton("scan", small_card(), "--trials", 2, "--seed", 1, "--output", folder)
    assert code == 1
    assert "another seed (42, asked for 1)" in err
    card = small_card(trvlseed=5)
    code, _, err = hyperparton("scan", card, "--trials", 2, "--output", folder)
    assert code == 1
    assert "another runcard: trvlseed (591866982, asked for 5)" in err
    assert (folder / "filter.yml").read_text() == kept
    assert len(tries_of(folder)) == 1
    # a comment changes no trial
    card = small_card()
    card.write_text("# said differently\n" + card.read_text())
    assert hyperparton("scan", card, "--trials", 1, "--output", folder)[0] == 0


def test_what_is_missing_is_named(hyperparton, small_card, tmp_path):
    card = small_card(
        datacuts={"t0pdfset": "NOT_THERE"},
        positivity={"posdatasets": [{"dataset": "NNPDF_POS_2P24GEV_F2U", "maxlambda": 1e6}]},
    )
    code, out, err = hyperparton("scan", card, "--trials", 1, "--output", tmp_path / "out")
    assert code == 6
    assert out == ""
    assert "card.yml:" in err
    for remedy in ("install it", "--t0pdfset NAME", "--t0pdfset HYPERPARTON_dis_t0"):
        assert remedy in err
    assert not (tmp_path / "out").exists()
    code, _, err = hyperparton("scan", card, "--trials", 1, "--theory", tmp_path, "--output", tmp_path / "out")
    assert code == 1
    assert "theory 40000000 is not there; searched" in err
    assert "datacuts.t0pdfset" in err


def test_no_trial_succeeds(hyperparton, small_card, tmp_path):
    card = small_card(
        kfold={"threshold": 1e-3, "partitions": [{"datasets": ["SLAC_NC_NOTFIXED_P_EM-F2"]}, {"datasets": []}]}
    )
    code, _, err = hyperparton("scan", card, "--trials", 1, "--output", tmp_path / "out")
    assert code == 3
    assert "of 1 trial none succeeded" in err
    assert "is above the threshold 0.001" in err


def test_a_trainer_of_ones_own(hyperparton, tmp_path):
    folder = tmp_path / "out"
    code, out, err = hyperparton("scan", EXAMPLES / "own_trainer.yml", "--trials", 3, "--output", folder)
    assert code == 0, err
    assert min(trial["result"]["loss"] for trial in tries_of(folder)) < 0.8
    assert "learning_rate" in out


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "has no function 'make'"),
        ("import not_installed_anywhere", "No module named 'not_installed_anywhere'"),
        ("raise RuntimeError('at import')", "raised RuntimeError: at import"),
        ("def make(card):\n    raise KeyError('folds')", "make raised KeyError: 'folds' ("),
        ("def make(card):\n    return 3", "make returned a int without set_hyperopt"),
    ],
)
def test_trainers_that_cannot_be_had(hyperparton, tmp_path, source, told):
    name = f"trainer_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    card = tmp_path / "card.yml"
    card.write_text(
        f"trainer: {name}:make\nparameters: {{a: 1}}\nhyperscan_config: {{space: {{a: {{min: 1, max: 2}}}}}}\n"
    )
    code, _, err = hyperparton("scan", card, "--trials", 1, "--output", tmp_path / "out")
    assert code == 3
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["chek", "card.yml"], 2, "did you mean 'check'?"),
        (["scan", "card.yml"], 2, "Missing option '--trials'"),
        (["scan", "card.yml", "--trials", "0"], 2, "--trials"),
        (["scan", "nowhere.yml", "--trials", "1"], 1, "nowhere.yml: cannot be read: No such file or directory"),
        (["best", "nowhere"], 1, "nowhere: holds no trials"),
        (["fit", str(EXAMPLES / "own_trainer.yml")], 1, "`fit` fits PDFs"),
    ],
)
def test_wrong_usage(hyperparton, arguments, code, told):
    got, _, err = hyperparton(*arguments)
    assert got == code
    assert told in err


def test_n3fit_trials_are_read(hyperparton):
    code, out, _ = hyperparton("best", Path(__file__).parent / "data" / "n3fit_tries.json")
    assert code == 0
    assert out.splitlines()[0] == "2 trials, 1 failed"
    assert "nodes_per_layer: [37, 33, 41, 8]" in out
