"""`hyperparton export`: a scan's folder as a study of Optuna's."""

from pathlib import Path

import optuna

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_scan_is_exported_and_followed(hyperparton, tmp_path):
    folder = tmp_path / "mine"
    scan = ("scan", EXAMPLES / "own_trainer.yml", "--engine", "random", "--output", folder, "--trials")
    assert hyperparton(*scan, 2)[0] == 0
    url = f"sqlite:///{folder / 'optuna.db'}"
    code, out, _ = hyperparton("export", folder)
    assert (code, out) == (0, f"{url}: study mine: 2 trials added\n")
    assert hyperparton(*scan, 3)[0] == 0
    code, out, _ = hyperparton("export", folder, "--to", "optuna")
    assert (code, out) == (0, f"{url}: study mine: 1 trial added, 2 were there\n")
    study = optuna.load_study(study_name="mine", storage=url)
    assert [trial.number for trial in study.trials] == [0, 1, 2]
    assert study.trials[0].distributions["nodes"] == optuna.distributions.IntDistribution(5, 50)
    assert study.trials[0].distributions["layers"].choices == (1, 2)
    for trial in study.trials:
        assert trial.params == {key: trial.user_attrs["parameters"][key] for key in trial.params}


def test_what_cannot_be_exported(hyperparton, tmp_path):
    code, _, err = hyperparton("export", tmp_path / "nothing")
    assert code == 1
    assert "holds no trials" in err
    (tmp_path / "tries.json").write_text("[]")
    code, _, err = hyperparton("export", tmp_path)
    assert code == 1
    assert f"looked for {tmp_path / 'filter.yml'}" in err
    code, _, err = hyperparton("export", tmp_path, "--to", "excel")
    assert code == 2
