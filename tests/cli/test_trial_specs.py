"""Fits that share the methodologies of a scan's best trials: trial by trial those of a card with its parameters."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SPECS = {"hyperscan": "earlier", "thermalization": 1, "number_of_trials": 2, "override": {"epochs": 25}}


def entry(tid, loss, nodes, status="ok", epochs=40):
    optimizer = {"optimizer_name": "Nadam", "learning_rate": 5e-3, "clipnorm": 1e-3}
    parameters = {
        "nodes_per_layer": [*nodes, 8], "activation_per_layer": "tanh", "initializer": "glorot_normal",
        "optimizer": optimizer, "epochs": epochs, "stopping_patience": 0.5, "layer_type": "dense", "dropout": 0.0,
        "threshold_chi2": 1e-3,
    }  # fmt: skip
    result = {"status": status, "loss": loss}
    return {"tid": tid, "state": 2, "result": result, "misc": {"vals": {}, "space_vals": parameters}}


@pytest.fixture
def earlier(tmp_path):
    """A scan whose first trial is the best and whose failed one has the lowest loss."""
    folder = tmp_path / "earlier"
    tries = [entry(0, 1.0, [4]), entry(1, 3.0, [6]), entry(2, 0.5, [7], "fail"), entry(3, 2.0, [5, 5])]
    folder.mkdir()
    (folder / "tries.json").write_text(json.dumps(tries))
    return folder


@pytest.fixture
def write_card(tmp_path):
    """A function that writes the small example's card for fits, with the given sections in place of its own."""

    def write(**sections):
        yaml = YAML(typ="safe", pure=True)
        card = {**yaml.load((EXAMPLES / "dis_small.yml").read_text()), "hyperscan_config": None, "kfold": None}
        path = tmp_path / "card.yml"
        with path.open("w") as file:
            yaml.dump({key: value for key, value in {**card, **sections}.items() if value is not None}, file)
        return path

    return write


def fitted(folder, number):
    return json.loads((folder / "nnfit" / f"replica_{number}" / f"{folder.name}.json").read_text())


def test_replicas_share_the_best_trials(hyperparton, write_card, earlier, tmp_path):
    """Trial 0 is left out by thermalization, trial 2 failed: 3 and 1 are shared, replica r has place r modulo 2."""
    card = write_card(parameters={"threshold_chi2": 1e4}, trial_specs=SPECS)
    assert hyperparton("check", card)[0] == 0
    code, _, err = hyperparton("fit", card, "--replicas", 3, "--output", tmp_path / "out")
    assert code == 0, err
    assert "trial 3 (loss 2.0000): replica 2" in err
    assert "trial 1 (loss 3.0000): replicas 1, 3" in err
    found = {number: fitted(tmp_path / "out", number) for number in (1, 2, 3)}
    assert [found[number]["hyperparameters"]["nodes_per_layer"] for number in (1, 2, 3)] == [[6, 8], [5, 5, 8], [6, 8]]
    for number, nodes in ((1, [6]), (2, [5, 5])):
        alone = entry(0, 1.0, nodes, epochs=25)["misc"]["space_vals"]
        alone |= {"threshold_chi2": 1e4, "activation_per_layer": ["tanh"] * len(nodes) + ["linear"]}
        card = write_card(parameters=alone)
        assert hyperparton("fit", card, "--replicas", 3, "--output", tmp_path / "alone")[0] == 0
        expected = fitted(tmp_path / "alone", number)
        assert expected["best_epoch"] == found[number]["best_epoch"] > 0
        for key in ("chi2", "erf_tr", "erf_vl"):
            assert found[number][key] == pytest.approx(expected[key], rel=1e-5), (number, key)
        assert expected["hyperparameters"] == "from runcard"  # as n3fit writes it


def test_the_scan_may_be_said_on_the_command_line(hyperparton, write_card, earlier, tmp_path):
    code, _, err = hyperparton("fit", write_card(), "--from", earlier, "--top", 2, "--output", tmp_path / "out")
    assert code == 0, err
    assert fitted(tmp_path / "out", 1)["hyperparameters"]["nodes_per_layer"] == [5, 5, 8]  # 0 and 3 are the best
    code, _, err = hyperparton("fit", write_card(), "--top", 2)
    assert code == 2
    assert "--top needs a scan" in err


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"parameters": {"epochs": 40, "dropout": 0.1}}, "cannot be given here too, given epochs, dropout"),
        ({"trial_specs": {"hyperscan": "earlier"}}, "trial_specs.number_of_trials: 'number_of_trials' is missing"),
        ({"trial_specs": {**SPECS, "thermalisation": 1}}, "did you mean 'thermalization'?"),
        ({"trial_specs": {**SPECS, "override": {"epoch": 1}}}, "did you mean 'epochs'?"),
        ({"trial_specs": {**SPECS, "override": {"nodes_per_layer": [5, 3]}}}, "the last layer has the wrong size"),
        ({"trial_specs": {**SPECS, "number_of_trials": 3}}, "2 of its 4 trials after the first 1 succeeded"),
        ({"trial_specs": {**SPECS, "hyperscan": "later"}}, "no scan 'later'; looked for later"),
        (
            {"trial_specs": {**SPECS, "override": {"layer_type": "dense_per_flavour", "dropout": 0.1}}},
            "trial 3 of earlier/tries.json cannot be fitted: dropout does not go with dense_per_flavour",
        ),
    ],
)
def test_what_cannot_be_shared_is_told(hyperparton, write_card, earlier, tmp_path, sections, told):
    card = write_card(**{"parameters": {"threshold_chi2": 1e4}, "trial_specs": SPECS, **sections})
    code, _, err = hyperparton("fit", card, "--output", tmp_path / "out")
    assert code == 1
    assert told in err.replace(f"{tmp_path}/", "")
