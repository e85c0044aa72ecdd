"""`report --fits`: PDFs, data and learning curves of the best trials of a scan of real data."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def hyperparton(monkeypatch, capsys):
    """A function that runs `hyperparton ARGUMENTS` in this process."""
    from hyperparton.cli import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["hyperparton", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def card(tmp_path):
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((EXAMPLES / "dis_small.yml").read_text())
    content["hyperscan_config"]["stopping"].update(min_epochs=110, max_epochs=130)
    content["kfold"]["threshold"] = 1e6
    path = tmp_path / "card.yml"
    with path.open("w") as file:
        yaml.dump(content, file)
    return path


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_fits_of_the_best_trial(hyperparton, card, tmp_path):
    folder, out = tmp_path / "scan", tmp_path / "report"
    code, _, err = hyperparton("scan", card, "--trials", 2, "--replicas", 2, "-o", folder, "--engine", "random")
    assert code == 0, err
    code, told, err = hyperparton("report", folder, "--fits", 1, "-o", out)
    assert code == 0, err
    best = re.search(r"Trial (\d),", told).group(1)
    assert f"fit of trial {best} to all data" in err

    # chi2 is that of a fit with the best parameters
    code, fitted, err = hyperparton("fit", card, "--from", folder, "--replicas", 2, "-o", tmp_path / "fit")
    assert code == 0, err
    chi2 = float(re.search(r"of the mean PDF (\d+\.\d+)", fitted).group(1))
    by_set = {row["data set"]: row for row in read(out / "tables" / "chi2_by_set.csv")}
    assert float(by_set["all"][f"trial {best}"]) == pytest.approx(chi2, abs=1e-4)
    assert {name: row["points"] for name, row in by_set.items()} == {
        "SLAC_NC_NOTFIXED_P_EM-F2": "33",
        "SLAC_NC_NOTFIXED_D_EM-F2": "34",
        "BCDMS_NC_NOTFIXED_P_EM-F2": "333",
        "BCDMS_NC_NOTFIXED_D_EM-F2": "248",
        "all": "648",
    }

    # the data are the measured ones, the sum rules hold for the PDFs shown
    from hyperparton import load_fit_data, read_runcard

    points = read(out / "tables" / f"data_{best}.csv")
    data = load_fit_data(read_runcard(card))
    assert [float(row["measured"]) for row in points] == data.central.tolist()
    assert [float(row["uncertainty"]) for row in points] == pytest.approx(np.sqrt(np.diag(data.covmat)))
    of_slac = [row for row in points if row["data set"] == "SLAC_NC_NOTFIXED_P_EM-F2"]
    assert all(0.0 < float(row["x"]) < 1.0 and float(row["Q2"]) > 3.49 for row in points)  # the card's cut
    assert all(float(row["uncorrelated uncertainty"]) < float(row["uncertainty"]) for row in of_slac)
    pdfs = read(out / "tables" / "pdfs.csv")
    assert {row["flavour"] for row in pdfs} == {"g", "sigma", "v", "v3", "v8", "t3", "t8", "t15"}
    momentum = 0.0
    for flavour in ("g", "sigma"):
        x, xf = np.array([(float(r["x"]), float(r["x f"])) for r in pdfs if r["flavour"] == flavour]).T
        momentum += np.sum(np.diff(x) * (xf[1:] + xf[:-1]) / 2)
    assert momentum == pytest.approx(1.0, abs=0.02)  # what lies below 1e-4 and above 0.95 is left out
    curves = read(out / "tables" / f"learning_{best}.csv")
    assert {row["epoch"] for row in curves if row["training χ²"]} <= {"0", "100"} | {str(n) for n in range(110, 131)}
    first, last = (next(float(r["training χ²"]) for r in each if r["training χ²"]) for each in (curves, curves[::-1]))
    assert first > 2 * last  # before the training
    page = (out / "index.html").read_text()
    assert '<figure id="figure-pdfs">' in page
    assert f'<figure id="figure-learning_{best}">' in page


def test_data_are_shifted_as_nuisance_parameters_do_it():
    """Against a fit of one parameter for each correlated uncertainty, each with a penalty of its square."""
    from hyperparton import load_fit_data, read_runcard
    from hyperparton.cli.refit import _shifted
    from hyperparton.data.covmat import INTERNAL_TYPES, UNCORRELATED_TYPES, absolute_uncertainties

    data = load_fit_data(read_runcard(EXAMPLES / "dis_small.yml"))
    reference = data.central if data.t0_predictions is None else data.t0_predictions
    sigma2, by_name = np.zeros(data.ndata), {}
    for entry in data.datasets:
        rows = data.slices()[entry.name]
        columns, kinds = absolute_uncertainties(entry.uncertainties, reference[rows])
        sigma2[rows] = entry.uncertainties.stat**2
        for k, kind in enumerate(kinds):
            if kind in UNCORRELATED_TYPES:
                sigma2[rows] += columns[:, k] ** 2
            else:
                name = (entry.name, k) if kind in INTERNAL_TYPES else kind
                by_name.setdefault(name, np.zeros(data.ndata))[rows] = columns[:, k]
    beta = np.array(list(by_name.values())).T
    assert np.diag(sigma2) + beta @ beta.T == pytest.approx(data.covmat, rel=1e-9, abs=1e-12)

    predicted = data.central * (1.0 + 0.03 * np.sin(np.arange(data.ndata)))
    system = np.vstack([beta / np.sqrt(sigma2)[:, None], np.eye(beta.shape[1])])
    target = np.concatenate([(data.central - predicted) / np.sqrt(sigma2), np.zeros(beta.shape[1])])
    nuisance = np.linalg.lstsq(system, target, rcond=None)[0]
    shifted, errors = _shifted(data, predicted)
    assert errors == pytest.approx(np.sqrt(sigma2))
    assert shifted == pytest.approx(data.central - beta @ nuisance, rel=1e-6)
    assert np.max(np.abs(shifted - data.central) / errors) > 0.3


def test_what_has_no_fits(hyperparton, scan_folder, tmp_path):
    code, _, err = hyperparton("report", scan_folder(), "--fits", 1, "-o", tmp_path / "out")
    assert code == 1
    assert "--fits cannot use its runcard" in err
    card = tmp_path / "own.yml"
    card.write_text("trainer: own:make\nparameters: {x: 0.0}\nhyperscan_config:\n  space: {x: {min: -5, max: 5}}\n")
    (tmp_path / "own.py").write_text(
        "class Own:\n"
        "    def set_hyperopt(self, on, keys=None): ...\n"
        "    def hyperparametrizable(self, params): return {'status': 'ok', 'loss': params['x']}\n"
        "def make(card): return Own()\n"
    )
    assert hyperparton("scan", card, "--trials", 3, "-o", tmp_path / "own", "--engine", "random")[0] == 0
    code, _, err = hyperparton("report", tmp_path / "own", "--fits", 1)
    assert code == 1
    assert "this scan has a trainer of its own" in err
