"""validphys and n3fit on a folder of hyperparton's: tables and figures, reused trials, fits with the best trials."""

from __future__ import annotations

import json

import pytest

from hyperparton.trials.local import FileTrials


def statistic(values, name):
    mean = sum(values) / len(values)
    if name == "average":
        return mean
    return max(values) if name == "best_worst" else (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5


@pytest.mark.parametrize("target", ["average", "best_worst", "std"])
def test_generate_dictionary(home, ours, target):
    from validphys.hyperoptplot import generate_dictionary

    tries = home.tries(ours)
    rows = generate_dictionary(str(home.path / ours / "nnfit" / "replica_1"), target)
    assert len(rows) == len(tries) == 4
    for row, trial in zip(rows, tries, strict=True):
        meta, chosen = trial["result"]["kfold_meta"], trial["misc"]["space_vals"]
        assert row["good"]
        assert row["loss"] == trial["result"]["loss"]
        for name in ("chi2", "phi2", "logp"):
            assert row[f"hyper_loss_{name}"] == pytest.approx(statistic(meta[f"hyper_losses_{name}"], target))
        assert row["trvl_loss_chi2exp"] == pytest.approx(statistic(meta["trvl_losses_chi2exp"], "average"))
        assert row["optimizer"] == chosen["optimizer"]["optimizer_name"]
        assert row["number_of_layers"] == len(chosen["nodes_per_layer"]) - 1
        assert row["initial"] == chosen["positivity"]["initial"]


def test_a_trial_that_gave_no_result_is_left_out_by_validphys(home, ours, tmp_path):
    from validphys.hyperoptplot import HyperoptTrial, generate_dictionary

    good, over = (json.loads(json.dumps(trial)) for trial in home.tries(ours)[:2])
    over["result"] |= {"status": "fail", "reason": "over the threshold"}
    failure = {"type": "NaNLoss", "message": "the loss is NaN", "traceback": None}
    raised = {"status": "fail", "loss": None, "failure": failure}
    nan = {**good["result"], **raised, "kfold_meta": {"hyper_losses_chi2": [None, 1.0]}}
    with FileTrials(tmp_path) as store:
        for number, result in enumerate((good["result"], raised, over["result"], nan)):
            store.book(number, {"x": [1.0]}, "me", space_vals=good["misc"]["space_vals"])
            (store.complete if result["status"] == "ok" else store.fail)(number, "me", result)
    rows = generate_dictionary(str(tmp_path), "average")
    assert [(row["iteration"], row["good"]) for row in rows] == [(0, True), (2, False)]
    trials = [HyperoptTrial(trial) for trial in json.loads((tmp_path / "tries.json").read_text())]
    assert [bool(trial.reward) for trial in trials] == [True, False, False, False]


def test_a_card_that_leaves_positivity_to_the_defaults(home):
    from validphys.hyperoptplot import generate_dictionary

    sections = {"positivity": None, "integrability": None}
    card = home.card("plain.yml", **sections)
    text = "\n".join(
        line for line in card.read_text().splitlines() if not line.startswith(("  dropout", "  layer_type"))
    )
    # neither positivity nor layer type nor dropout, and nothing scans them
    text = text.replace("  positivity: {initial: 100.0, multiplier: null}\n", "").replace("    max_drop: 0.1\n", "")
    card.write_text(text.replace("  positivity: {max_initial: 1000, min_initial: 1}\n", ""))
    home.run("hyperparton", "scan", "plain.yml", "--trials", 1, "--output", "plain")
    (row,) = generate_dictionary(str(home.path / "plain" / "nnfit" / "replica_1"), "average")
    assert (row["layer_type"], row["dropout"], row["initial"], row["multiplier"]) == ("dense", 0.0, None, None)


def test_vp_hyperoptplot(home, ours):
    folder = home.path / "plots"
    folder.mkdir()
    told = home.run("vp-hyperoptplot", home.path / ours, cwd=folder)
    figures = {path.stem for path in (folder / "output" / "figures").glob("*.png")}
    assert {"plot_optimizers", "plot_initializer", "plot_epochs", "plot_cumulative_loss"} <= figures, told
    assert (folder / "output" / "index.html").stat().st_size > 5_000
    best = (folder / "output" / "tables" / "best_setup.csv").read_text()
    listed = json.loads(home.run("hyperparton", "best", ours, "--top", 1, "--format", "json"))
    assert str(listed[0]["loss"])[:12] in best
    assert listed[0]["parameters"]["initializer"] in best


def test_trials_are_reused_by_n3fit(home, ours):
    home.card("reused.yml", hyperscan_config={"use_tries_from": ours})
    home.n3fit("reused.yml", "--hyperopt", 1)
    (trial,) = home.tries("reused")
    sampled = trial["misc"]["space_vals"]
    listed = [t["misc"]["space_vals"] for t in home.tries(ours)]
    (same,) = [t for t in listed if t["epochs"] == sampled["epochs"] and t["optimizer"] == sampled["optimizer"]]
    # n3fit turns the name of an activation into a list on reading a trial
    names = [same["activation_per_layer"]] * (len(same["nodes_per_layer"]) - 1) + ["linear"]
    assert sampled == {**same, "activation_per_layer": names}
    assert trial["result"]["status"] == "ok"


def test_the_space_is_reused_by_n3fit(home, ours):
    home.card("respaced.yml", hyperscan_config={"from_hyperscan": ours})
    home.n3fit("respaced.yml", "--hyperopt", 1)
    (trial,) = home.tries("respaced")
    # n3fit writes the numbers of options as text or as numbers, by numpy's version; ours are read as they stand
    found = {label: [float(value) for value in held] for label, held in trial["misc"]["vals"].items()}
    assert found == home.tries(ours)[0]["misc"]["vals"]


def test_n3fit_fits_with_our_best_trials(home, ours):
    kept = {
        "integrability": {"initial": 10, "multiplier": None},
        "threshold_chi2": 1e5,
        "positivity": {"multiplier": None},
    }
    specs = {"hyperscan": ours, "thermalization": 0, "number_of_trials": 1}
    home.card("specs.yml", trial_specs=specs, parameters=kept, hyperscan_config=None, kfold=None)
    home.n3fit("specs.yml")
    used = json.loads((home.path / "specs" / "nnfit" / "replica_1" / "specs.json").read_text())["hyperparameters"]
    (best,) = json.loads(home.run("hyperparton", "best", ours, "--top", 1, "--format", "json"))
    expected = best["parameters"]
    assert used["nodes_per_layer"] == expected["nodes_per_layer"]
    assert used["epochs"] == expected["epochs"]
    assert used["learning_rate"] == expected["optimizer"]["learning_rate"]
    assert used["initializer"] == expected["initializer"]
    assert used["initial"] == expected["positivity"]["initial"]
